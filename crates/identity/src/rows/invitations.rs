//! Invitations: a token that makes one person, with one address, a member with one role.

use std::time::Duration;

use model::{ActorRef, Audience, InvitationId, Right, Role, Timestamp, WorkspaceId};
use serde_json::json;
use store::{Error, Row, Tx, args};
use uuid::Uuid;

use crate::{
    model::{Invitation, InvitationState, Inviter},
    rows::{parse, tell},
};

/// How long an invitation can be accepted.
pub(crate) const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

const SEEN_BY: Audience = Audience::Right(Right::MembersManage);

fn invitation(row: &Row<'_>, now: Timestamp) -> Result<Invitation, Error> {
    let expires_at = row.get(6)?;
    let (accepted_at, revoked_at): (Option<Timestamp>, Option<Timestamp>) = (row.get(7)?, row.get(8)?);
    let state = match (accepted_at, revoked_at) {
        (Some(_), _) => InvitationState::Accepted,
        (None, Some(_)) => InvitationState::Revoked,
        (None, None) if expires_at <= now => InvitationState::Expired,
        (None, None) => InvitationState::Pending,
    };
    Ok(Invitation {
        id: row.get(0)?,
        email: row.get(1)?,
        role: parse(&row.get::<String>(2)?)?,
        invited_by: Inviter { id: row.get(3)?, name: row.get(4)? },
        created_at: row.get(5)?,
        expires_at,
        state,
    })
}

/// Invites an address into the command's workspace.
pub(crate) fn create(
    tx: &mut Tx<'_>,
    actor: ActorRef,
    inviter: Inviter,
    email: &str,
    role: Role,
    token_hash: &[u8; 32],
) -> Result<Invitation, Error> {
    let (workspace, now) = (tx.workspace(), tx.now());
    let invitation = Invitation {
        id: tx.id(),
        email: email.to_owned(),
        role,
        invited_by: inviter,
        created_at: now,
        expires_at: now + LIFETIME,
        state: InvitationState::Pending,
    };
    tx.exec(
        "INSERT INTO invitations (id, workspace_id, email, role, invited_by, invited_by_name, token_hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        args![
            invitation.id,
            workspace,
            email,
            role.as_str(),
            invitation.invited_by.id,
            invitation.invited_by.name,
            token_hash,
            now,
            invitation.expires_at
        ],
    )?;
    tell(tx, "invitation.created", actor, SEEN_BY, invitation.id.uuid(), &json!({ "invitation": invitation }))?;
    Ok(invitation)
}

/// Invitations of a workspace, the newest first, below `before`.
pub(crate) fn list(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    before: Option<InvitationId>,
    limit: i64,
) -> Result<Vec<Invitation>, Error> {
    let (now, before) = (tx.now(), before.unwrap_or(InvitationId::from_uuid(Uuid::max())));
    tx.query(
        "SELECT id, email, role, invited_by, invited_by_name, created_at, expires_at, accepted_at, revoked_at FROM invitations
         WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        args![workspace, before, limit],
        |row| invitation(row, now),
    )
}

/// An invitation of the command's workspace.
pub(crate) fn get(tx: &mut Tx<'_>, id: InvitationId) -> Result<Invitation, Error> {
    let (workspace, now) = (tx.workspace(), tx.now());
    tx.one(
        "SELECT id, email, role, invited_by, invited_by_name, created_at, expires_at, accepted_at, revoked_at FROM invitations
         WHERE workspace_id = $1 AND id = $2",
        args![workspace, id],
        |row| invitation(row, now),
    )
}

/// The invitation that a token is for, and its workspace.
pub(crate) fn by_token(tx: &mut Tx<'_>, token_hash: &[u8; 32]) -> Result<Option<(WorkspaceId, Invitation)>, Error> {
    let now = tx.now();
    tx.first(
        "SELECT id, email, role, invited_by, invited_by_name, created_at, expires_at, accepted_at, revoked_at, workspace_id
         FROM invitations WHERE token_hash = $1",
        args![token_hash],
        |row| Ok((row.get(9)?, invitation(row, now)?)),
    )
}

/// Pending invitations of an address in the command's workspace.
pub(crate) fn pending_for(tx: &mut Tx<'_>, email: &str) -> Result<Vec<Invitation>, Error> {
    let (workspace, now) = (tx.workspace(), tx.now());
    tx.query(
        "SELECT id, email, role, invited_by, invited_by_name, created_at, expires_at, accepted_at, revoked_at FROM invitations
         WHERE workspace_id = $1 AND email = $2 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > $3",
        args![workspace, email, now],
        |row| invitation(row, now),
    )
}

/// Takes back what `inviter`, a user or a key, invited to and may not grant any more; `may_grant` says what he still may.
pub(crate) fn withdraw(
    tx: &mut Tx<'_>,
    actor: ActorRef,
    inviter: Uuid,
    may_grant: impl Fn(Role) -> bool,
) -> Result<(), Error> {
    let (workspace, now) = (tx.workspace(), tx.now());
    let pending = tx.query(
        "SELECT id, email, role, invited_by, invited_by_name, created_at, expires_at, accepted_at, revoked_at FROM invitations
         WHERE workspace_id = $1 AND invited_by = $2 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > $3
         ORDER BY id DESC",
        args![workspace, inviter, now],
        |row| invitation(row, now),
    )?;
    for invitation in pending.into_iter().filter(|it| !may_grant(it.role)) {
        revoke(tx, actor, invitation)?;
    }
    Ok(())
}

/// Takes a pending invitation back.
pub(crate) fn revoke(tx: &mut Tx<'_>, actor: ActorRef, invitation: Invitation) -> Result<Invitation, Error> {
    let (workspace, now) = (tx.workspace(), tx.now());
    tx.exec(
        "UPDATE invitations SET revoked_at = $2 WHERE id = $1 AND workspace_id = $3",
        args![invitation.id, now, workspace],
    )?;
    updated(tx, actor, Invitation { state: InvitationState::Revoked, ..invitation })
}

/// Marks a pending invitation as used.
pub(crate) fn accept(tx: &mut Tx<'_>, actor: ActorRef, invitation: Invitation) -> Result<Invitation, Error> {
    let (workspace, now) = (tx.workspace(), tx.now());
    tx.exec(
        "UPDATE invitations SET accepted_at = $2 WHERE id = $1 AND workspace_id = $3",
        args![invitation.id, now, workspace],
    )?;
    updated(tx, actor, Invitation { state: InvitationState::Accepted, ..invitation })
}

fn updated(tx: &mut Tx<'_>, actor: ActorRef, invitation: Invitation) -> Result<Invitation, Error> {
    tell(tx, "invitation.updated", actor, SEEN_BY, invitation.id.uuid(), &json!({ "invitation": invitation }))?;
    Ok(invitation)
}
