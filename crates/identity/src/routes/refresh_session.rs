use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use kit::{Hub, KeyRing, Problem, route::Public};
use model::{SYSTEM_WORKSPACE, UserId, WorkspaceId};
use store::Tx;

use crate::{
    attempts::pseudonym,
    cookie,
    entrance::{Entrance, Ticket, choose},
    model::SignedInBody,
    rows::{self, sessions::Rotated},
    tokens::Refresh,
};

/// What the transaction came to; the end of a family has to be committed as well.
enum Outcome {
    Entered(Box<Entrance>),
    Reused(UserId),
    Ended,
}

/// Gives a new access token for the refresh token in the cookie, and the refresh token's successor.
#[utoipa::path(post, path = "/auth/refresh", tag = "auth", responses((status = 200, body = SignedInBody)))]
pub(crate) async fn refresh_session(
    _: Public,
    State(hub): State<Hub>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    cookie::check_origin(&headers, hub.config())?;
    let shown = cookie::read(&headers).ok_or_else(ended)?;
    let keys = hub.keys().clone();
    let outcome = hub.db().write_essential(SYSTEM_WORKSPACE, move |tx| refresh(tx, &keys, &shown));
    match outcome.await? {
        Outcome::Entered(entrance) => Ok(entrance.answer(&hub, StatusCode::OK)),
        Outcome::Reused(user) => {
            let user = pseudonym(hub.keys(), &user.to_string());
            tracing::warn!(user, "a refresh token was used twice; its session is ended");
            Ok(without_cookie(&hub, reused()))
        }
        Outcome::Ended => Ok(without_cookie(&hub, ended())),
    }
}

/// A refusal that takes the useless cookie away.
fn without_cookie(hub: &Hub, problem: Problem) -> Response {
    (cookie::clear(hub.config()), problem).into_response()
}

fn refresh(tx: &mut Tx<'_>, keys: &KeyRing, shown: &Refresh) -> Result<Outcome, Problem> {
    match rows::sessions::rotate(tx, keys, shown)? {
        Rotated::Token { token, user, workspace } => entrance(tx, token, user, workspace),
        Rotated::Reused { user } => Ok(Outcome::Reused(user)),
        Rotated::Ended => Ok(Outcome::Ended),
    }
}

/// The session leads to its workspace, or to another one when that is closed to him by now.
fn entrance(tx: &mut Tx<'_>, token: Refresh, user: UserId, workspace: WorkspaceId) -> Result<Outcome, Problem> {
    let account = rows::users::get(tx, user)?;
    let all = rows::users::standings(tx, user)?;
    let Ok(chosen) = choose(&all, None, Some(workspace)) else { return Ok(Outcome::Ended) };
    if chosen.workspace.id != workspace {
        rows::sessions::set_workspace(tx, token.session, chosen.workspace.id)?;
    }
    let ticket = Ticket { session: token.session, user: account.user, chosen, all, at: tx.now() };
    Ok(Outcome::Entered(Box::new(Entrance { token, ticket })))
}

fn ended() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "session_ended", "Not signed in")
        .detail("Your session has ended. Sign in again.")
}

fn reused() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "refresh_reused", "Not signed in")
        .detail("Your session was continued somewhere else and has been ended for safety. Sign in again.")
}
