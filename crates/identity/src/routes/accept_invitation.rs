use axum::{Extension, extract::State, http::StatusCode, response::Response};
use kit::{Caller, Hub, Input, Problem, audit::Act, route::Public};
use model::{ActorRef, InvitationId, Secret, WorkspaceId};
use serde::Deserialize;
use serde_json::json;
use store::Tx;
use utoipa::ToSchema;

use crate::{
    Identity, entrance,
    model::{SignedInBody, User},
    routes::{
        login::prove,
        preview_invitation::{check_pending, pending},
    },
    rows,
};

/// Who accepts.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct AcceptInvitation {
    /// What stands behind the `#` of the link.
    token: Secret,
    /// The name of somebody who has no account yet.
    name: Option<String>,
    /// The account's password; for a new account the one it shall have, 10 to 200 characters.
    password: Secret,
}

/// Accepts an invitation and signs the person in. Somebody who has an account proves it with its password.
///
/// Two transactions, because they are of two workspaces: the account, then the membership together with the end of the
/// invitation. A crash between them leaves an account without a workspace, and the invitation can still be accepted with the
/// password just chosen.
#[utoipa::path(
    post, path = "/invitations/accept", tag = "invitations", request_body = AcceptInvitation,
    responses((status = 201, body = SignedInBody))
)]
pub(crate) async fn accept_invitation(
    _: Public,
    Extension(identity): Extension<Identity>,
    State(hub): State<Hub>,
    caller: Caller,
    Input(input): Input<AcceptInvitation>,
) -> Result<Response, Problem> {
    let token = input.token.clone();
    let found = hub.db().read(move |tx| {
        let (workspace, invitation) = pending(tx, &token)?;
        let account = rows::users::by_email(tx, &invitation.email)?;
        Ok::<_, Problem>((workspace, invitation, account.map(|it| it.user)))
    });
    let (workspace, invitation, known) = found.await?;
    let user = match known {
        Some(user) => {
            prove(&identity, &hub, &caller, &user.email, &input.password).await?;
            user
        }
        None => {
            let name = input.name.as_deref().unwrap_or_default();
            identity.create_account(name, &invitation.email, &input.password).await?
        }
    };
    let (joining, by) = (user.clone(), caller.clone());
    hub.db().write(workspace, move |tx| join(tx, &joining, invitation.id, &by)).await?;
    let entered = entrance::enter(&hub, &caller, user.id, Some(workspace)).await?;
    Ok(entered.answer(&hub, StatusCode::CREATED))
}

fn join(tx: &mut Tx<'_>, user: &User, id: InvitationId, caller: &Caller) -> Result<(), Problem> {
    let invitation = rows::invitations::get(tx, id)?;
    check_pending(&invitation)?;
    let workspace: WorkspaceId = tx.workspace();
    if rows::members::find(tx, workspace, user.id)?.is_some() {
        return Err(Problem::conflict(
            "already_member",
            "You are a member of this workspace already. Sign in instead.",
        ));
    }
    let (actor, role) = (ActorRef::member(user.id), invitation.role);
    rows::members::join(tx, user, role)?;
    rows::invitations::accept(tx, actor, invitation)?;
    let act = Act::of(actor, &user.name, "invitation.accepted").on("invitation", id, &user.email);
    act.detail(json!({ "role": role })).from(caller.address()).record(tx)?;
    Ok(())
}
