use axum::{Json, extract::State};
use kit::{Answer, Hub, Input, SignedIn};
use model::{ActorRef, SYSTEM_WORKSPACE, UserId, WorkspaceId};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    entrance::person,
    model::{Me, name},
    routes::get_me::me,
    rows,
};

/// What a person may change of himself.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct UpdateMe {
    /// His name, 1 to 100 characters.
    name: String,
}

/// Changes the name under which others see the person.
#[utoipa::path(patch, path = "/me", tag = "me", request_body = UpdateMe, responses((status = 200, body = Me)))]
pub(crate) async fn update_me(
    principal: SignedIn,
    State(hub): State<Hub>,
    Input(input): Input<UpdateMe>,
) -> Answer<Me> {
    let (user, _) = person(&principal)?;
    let name = name("name", &input.name)?;
    let renamed = hub.db().write(SYSTEM_WORKSPACE, move |tx| {
        rows::users::rename(tx, user, &name)?;
        rows::users::standings(tx, user)
    });
    for standing in renamed.await? {
        tell(&hub, user, standing.workspace.id).await?;
    }
    Ok(Json(hub.db().read(move |tx| me(tx, &principal)).await?))
}

/// Each workspace hears of it in a transaction of its own. The name is stored before, so a crash in between costs only that
/// open pages show the old one until they are loaded again.
async fn tell(hub: &Hub, user: UserId, workspace: WorkspaceId) -> Result<(), store::Error> {
    let told = hub.db().write(workspace, move |tx| {
        let Some(member) = rows::members::find(tx, workspace, user)? else { return Ok(()) };
        rows::members::tell_updated(tx, ActorRef::member(user), &member)
    });
    told.await
}
