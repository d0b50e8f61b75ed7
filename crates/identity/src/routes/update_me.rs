use axum::{extract::State, http::StatusCode, response::Response};
use kit::{Hub, Input, Problem, SignedIn, Write};
use model::{ActorRef, SYSTEM_WORKSPACE, UserId, WorkspaceId};
use serde::{Deserialize, Serialize};
use store::Tx;
use utoipa::ToSchema;

use crate::{
    entrance::person,
    model::{Me, name},
    routes::get_me::me,
    rows,
};

/// What a person may change of himself.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct UpdateMe {
    /// His name, 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
}

/// Changes the name under which others see the person.
///
/// The name is a fact of the person, and each of his workspaces hears of it in a transaction of its own; the one that asks
/// comes last, with the answer. A crash in between costs only that open pages show the old name until they are loaded again.
#[utoipa::path(patch, path = "/me", tag = "me", request_body = UpdateMe, responses((status = 200, body = Me)))]
pub(crate) async fn update_me(
    principal: SignedIn,
    State(hub): State<Hub>,
    write: Write,
    Input(input): Input<UpdateMe>,
) -> Result<Response, Problem> {
    let (user, _) = person(&principal)?;
    let name = name("name", &input.name)?;
    if let Some(stored) = write.stored(&hub, &principal, &input).await? {
        return Ok(stored);
    }
    let renamed = hub.db().write(SYSTEM_WORKSPACE, move |tx| {
        rows::users::rename(tx, user, &name)?;
        rows::users::standings(tx, user)
    });
    let workspaces = renamed.await?.into_iter().map(|standing| standing.workspace.id);
    for workspace in workspaces.filter(|id| *id != principal.workspace) {
        hub.db().write(workspace, move |tx| tell(tx, workspace, user)).await?;
    }
    let actor = principal.0.clone();
    let last = move |tx: &mut Tx<'_>| {
        tell(tx, actor.workspace, user)?;
        me(tx, &actor)
    };
    write.run(&hub, &principal, StatusCode::OK, &input, last).await
}

fn tell(tx: &mut Tx<'_>, workspace: WorkspaceId, user: UserId) -> Result<(), store::Error> {
    let Some(member) = rows::members::find(tx, workspace, user)? else { return Ok(()) };
    rows::members::tell_updated(tx, ActorRef::member(user), &member)
}
