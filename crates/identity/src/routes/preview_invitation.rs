use axum::{Json, extract::State, http::StatusCode};
use kit::{Answer, Hub, Input, Problem, route::Public};
use model::{Role, Secret, Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};
use store::Tx;
use utoipa::ToSchema;

use crate::{
    model::{Invitation, InvitationState},
    rows, tokens,
};

/// The token of an invitation.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PreviewInvitation {
    /// What stands behind the `#` of the link.
    token: Secret,
}

/// What an invitation is to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InvitationPreview {
    /// The workspace's name.
    workspace: String,
    /// Whom it is for.
    email: String,
    /// What he becomes.
    role: Role,
    /// Whether he has an account already and accepts with its password.
    existing_user: bool,
    /// Until when it can be accepted.
    expires_at: Timestamp,
}

/// Shows the holder of an invitation's token what it is to.
#[utoipa::path(
    post, path = "/invitations/preview", tag = "invitations", request_body = PreviewInvitation,
    responses((status = 200, body = InvitationPreview))
)]
pub(crate) async fn preview_invitation(
    _: Public,
    State(hub): State<Hub>,
    Input(input): Input<PreviewInvitation>,
) -> Answer<InvitationPreview> {
    let preview = hub.db().read(move |tx| {
        let (workspace, invitation) = pending(tx, &input.token)?;
        Ok::<_, Problem>(InvitationPreview {
            workspace: rows::members::workspace(tx, workspace)?.name,
            existing_user: rows::users::by_email(tx, &invitation.email)?.is_some(),
            email: invitation.email,
            role: invitation.role,
            expires_at: invitation.expires_at,
        })
    });
    Ok(Json(preview.await?))
}

/// The invitation that a token is for, while it can be accepted.
///
/// # Errors
/// 404 `invitation_unknown`, 410 with the reason.
pub(crate) fn pending(tx: &mut Tx<'_>, token: &Secret) -> Result<(WorkspaceId, Invitation), Problem> {
    let hash = tokens::hash(token.expose().trim().as_bytes());
    let found = rows::invitations::by_token(tx, &hash)?.ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "invitation_unknown", "Not found")
            .detail("There is no such invitation. Check that the link is complete.")
    })?;
    check_pending(&found.1)?;
    Ok(found)
}

/// # Errors
/// 410 with the reason why an invitation cannot be accepted any more.
pub(crate) fn check_pending(invitation: &Invitation) -> Result<(), Problem> {
    let (code, detail) = match invitation.state {
        InvitationState::Pending => return Ok(()),
        InvitationState::Accepted => ("invitation_used", "This invitation was accepted already. Sign in instead."),
        InvitationState::Revoked => {
            ("invitation_revoked", "This invitation was taken back or replaced by a newer one.")
        }
        InvitationState::Expired => ("invitation_expired", "This invitation is older than 7 days. Ask for a new one."),
    };
    Err(Problem::new(StatusCode::GONE, code, "Invitation no longer valid").detail(detail))
}
