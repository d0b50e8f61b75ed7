use axum::{extract::State, http::StatusCode, response::Response};
use kit::{Allowed, Caller, Hub, Input, Principal, Problem, Write, audit::Act, rights};
use model::Role;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Tx;
use utoipa::ToSchema;

use crate::{
    model::{Invitation, Inviter, email, may_manage, role_too_high},
    rows::{invitations, members},
    tokens,
};

/// Whom to invite.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct Invite {
    /// His e-mail address; only somebody with this address can accept.
    #[schema(min_length = 3, max_length = 254, pattern = "^[^@]+@[^@]+$")]
    email: String,
    /// What he becomes; nobody gives more than he has.
    role: Role,
}

/// An invitation and the link that is shown once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InvitationWithLink {
    #[serde(flatten)]
    invitation: Invitation,
    /// To be given to the person.
    link: String,
}

/// Invites somebody for 7 days. An earlier invitation of the same address, if it is still pending, is revoked by it.
#[utoipa::path(
    post, path = "/invitations", tag = "invitations", request_body = Invite, responses((status = 201, body = InvitationWithLink))
)]
pub(crate) async fn create_invitation(
    principal: Allowed<rights::MembersManage>,
    State(hub): State<Hub>,
    caller: Caller,
    write: Write,
    Input(input): Input<Invite>,
) -> Result<Response, Problem> {
    let invite = Invite { email: email(&input.email)?, role: input.role };
    let (actor, public_url) = (principal.0.clone(), hub.config().public_url.trim_end_matches('/').to_owned());
    let wanted = invite.clone();
    let command = move |tx: &mut Tx<'_>| {
        let token = tokens::one_time::<16>(tx.world());
        let invitation = create(tx, &actor, &caller, &wanted, &tokens::hash(token.as_bytes()))?;
        Ok::<_, Problem>(InvitationWithLink { invitation, link: format!("{public_url}/join#{token}") })
    };
    write.secret(&hub, &principal, StatusCode::CREATED, &invite, command).await
}

fn create(
    tx: &mut Tx<'_>,
    principal: &Principal,
    caller: &Caller,
    invite: &Invite,
    token_hash: &[u8; 32],
) -> Result<Invitation, Problem> {
    if !may_manage(principal, invite.role) {
        return Err(role_too_high());
    }
    if members::has_email(tx, &invite.email)? {
        return Err(Problem::conflict(
            "already_member",
            "Somebody with this e-mail address is a member already. Change his role instead.",
        ));
    }
    for earlier in invitations::pending_for(tx, &invite.email)? {
        invitations::revoke(tx, principal.actor(), earlier)?;
    }
    let inviter = Inviter { id: principal.actor().id.unwrap_or_default(), name: principal.name.clone() };
    let invitation = invitations::create(tx, principal.actor(), inviter, &invite.email, invite.role, token_hash)?;
    let act = Act::by(principal, "invitation.created").on("invitation", invitation.id, &invite.email);
    act.detail(json!({ "role": invite.role })).from(caller.address()).record(tx)?;
    Ok(invitation)
}
