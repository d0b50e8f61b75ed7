use axum::{Extension, extract::State, http::StatusCode};
use kit::{Caller, Hub, Input, Problem, audit::Act, route::Public};
use model::{ActorRef, SYSTEM_WORKSPACE, Secret};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{Identity, password, rows, tokens};

/// A one-time token and a new password.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ResetPassword {
    /// The token from the link.
    token: Secret,
    /// The new password, 10 to 200 characters.
    password: Secret,
}

/// Sets a new password by the one-time link that whoever runs the server has issued, and ends all sessions.
#[utoipa::path(post, path = "/auth/reset", tag = "auth", request_body = ResetPassword, responses((status = 204)))]
pub(crate) async fn reset_password(
    _: Public,
    Extension(identity): Extension<Identity>,
    State(hub): State<Hub>,
    caller: Caller,
    Input(input): Input<ResetPassword>,
) -> Result<StatusCode, Problem> {
    let token = tokens::hash(input.token.expose().trim().as_bytes());
    password::check("password", &input.password)?;
    // Asked before the slow hash, so that strangers cannot make the server work; decided again in the transaction.
    if hub.db().read(move |tx| rows::resets::find(tx, &token)).await?.is_none() {
        return Err(link_spent());
    }
    let (password_hash, address) = (identity.passwords().hash(&input.password).await?, caller.address());
    let reset = hub.db().write(SYSTEM_WORKSPACE, move |tx| {
        let user = rows::resets::find(tx, &token)?.ok_or_else(link_spent)?;
        let account = rows::users::get(tx, user)?;
        rows::users::set_password(tx, user, &password_hash)?;
        rows::resets::clear(tx, user)?;
        rows::sessions::end_all(tx, user, None)?;
        Act::of(ActorRef::member(user), account.user.name, "user.password_reset").from(address).record(tx)?;
        Ok::<_, Problem>(())
    });
    reset.await?;
    Ok(StatusCode::NO_CONTENT)
}

fn link_spent() -> Problem {
    Problem::new(StatusCode::GONE, "reset_link_invalid", "Link no longer valid")
        .detail("This link was used already or is older than a day. Ask whoever runs the server for a new one.")
}
