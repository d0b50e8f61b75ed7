use axum::{Json, extract::State};
use kit::{Answer, Hub, Input, Problem, SignedIn};
use model::{SYSTEM_WORKSPACE, WorkspaceId};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    entrance::{Ticket, choose, person},
    model::SignedInBody,
    rows,
};

/// Where to go.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Switch {
    /// The workspace to enter.
    workspace: WorkspaceId,
}

/// Gives an access token for another workspace of the same person; the session leads there from now on.
#[utoipa::path(post, path = "/auth/workspace", tag = "auth", request_body = Switch, responses((status = 200, body = SignedInBody)))]
pub(crate) async fn switch_workspace(
    principal: SignedIn,
    State(hub): State<Hub>,
    Input(input): Input<Switch>,
) -> Answer<SignedInBody> {
    let (user, session) = person(&principal)?;
    let ticket = hub.db().write(SYSTEM_WORKSPACE, move |tx| {
        let account = rows::users::get(tx, user)?;
        let all = rows::users::standings(tx, user)?;
        let chosen = choose(&all, Some(input.workspace), None)?;
        rows::sessions::set_workspace(tx, session, chosen.workspace.id)?;
        rows::users::set_last_workspace(tx, user, chosen.workspace.id)?;
        Ok::<_, Problem>(Ticket { session, user: account.user, chosen, all, at: tx.now() })
    });
    Ok(Json(ticket.await?.body(hub.keys())))
}
