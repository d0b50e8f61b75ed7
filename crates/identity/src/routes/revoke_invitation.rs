use axum::{extract::State, http::StatusCode, response::Response};
use kit::{Allowed, Caller, Hub, Path, Principal, Problem, Write, audit::Act, rights};
use model::InvitationId;
use store::Tx;

use crate::{model::InvitationState, rows::invitations};

/// Takes an invitation back. One that is over already stays as it is.
#[utoipa::path(
    delete, path = "/invitations/{id}", tag = "invitations", params(("id" = InvitationId, Path)), responses((status = 204))
)]
pub(crate) async fn revoke_invitation(
    principal: Allowed<rights::MembersManage>,
    State(hub): State<Hub>,
    caller: Caller,
    Path(id): Path<InvitationId>,
    write: Write,
) -> Result<Response, Problem> {
    let actor = principal.0.clone();
    let command = move |tx: &mut Tx<'_>| revoke(tx, &actor, &caller, id);
    write.run(&hub, &principal, StatusCode::NO_CONTENT, &(), command).await
}

fn revoke(tx: &mut Tx<'_>, principal: &Principal, caller: &Caller, id: InvitationId) -> Result<(), Problem> {
    let invitation = invitations::get(tx, id)?;
    if invitation.state != InvitationState::Pending {
        return Ok(());
    }
    let invitation = invitations::revoke(tx, principal.actor(), invitation)?;
    Act::by(principal, "invitation.revoked")
        .on("invitation", id, invitation.email)
        .from(caller.address())
        .record(tx)?;
    Ok(())
}
