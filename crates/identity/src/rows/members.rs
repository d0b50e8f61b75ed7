//! Workspaces and who is in them.

use model::{ActorRef, Audience, Right, Role, Timestamp, UserId, WorkspaceId};
use serde_json::json;
use store::{Error, Row, Tx, args};

use crate::{
    model::{Member, User, Workspace},
    rows::{parse, tell},
};

const SEEN_BY: Audience = Audience::Right(Right::MembersRead);

fn member(row: &Row<'_>) -> Result<Member, Error> {
    let user = User { id: row.get(0)?, name: row.get(1)?, email: row.get(2)? };
    Ok(Member { user, role: parse(&row.get::<String>(3)?)?, joined_at: row.get(4)? })
}

/// Makes the command's workspace.
pub(crate) fn create_workspace(tx: &mut Tx<'_>, name: &str) -> Result<(), Error> {
    let (id, now) = (tx.workspace(), tx.now());
    tx.exec("INSERT INTO workspaces (id, name, created_at) VALUES ($1, $2, $3)", args![id, name, now])?;
    Ok(())
}

/// Removes the command's workspace and its memberships: for one whose setup came second.
pub(crate) fn discard_workspace(tx: &mut Tx<'_>) -> Result<(), Error> {
    let id = tx.workspace();
    tx.exec("DELETE FROM memberships WHERE workspace_id = $1", args![id])?;
    tx.exec("DELETE FROM workspaces WHERE id = $1", args![id])?;
    Ok(())
}

pub(crate) fn workspace(tx: &mut Tx<'_>, id: WorkspaceId) -> Result<Workspace, Error> {
    tx.one("SELECT id, name FROM workspaces WHERE id = $1", args![id], |row| {
        Ok(Workspace { id: row.get(0)?, name: row.get(1)? })
    })
}

/// Makes `user` a member of the command's workspace.
///
/// # Errors
/// A duplicate when he is one already.
pub(crate) fn join(tx: &mut Tx<'_>, user: &User, role: Role) -> Result<Member, Error> {
    let (workspace, now, epoch) = (tx.workspace(), tx.now(), new_epoch(tx));
    tx.exec(
        "INSERT INTO memberships (workspace_id, user_id, role, epoch, joined_at) VALUES ($1, $2, $3, $4, $5)",
        args![workspace, user.id, role.as_str(), epoch, now],
    )?;
    let member = Member { user: user.clone(), role, joined_at: now };
    tell(tx, "member.joined", ActorRef::member(user.id), SEEN_BY, user.id.uuid(), &json!({ "member": member }))?;
    Ok(member)
}

/// Epochs are random: a token from before a removal does not fit the membership of somebody who came back, whatever the clock did.
fn new_epoch(tx: &Tx<'_>) -> i64 {
    i64::from_be_bytes(tx.world().random())
}

/// A member of `workspace`.
pub(crate) fn find(tx: &mut Tx<'_>, workspace: WorkspaceId, user: UserId) -> Result<Option<Member>, Error> {
    tx.first(
        "SELECT u.id, u.name, u.email, m.role, m.joined_at FROM memberships m JOIN users u ON u.id = m.user_id
         WHERE m.workspace_id = $1 AND m.user_id = $2",
        args![workspace, user],
        member,
    )
}

/// Whether somebody with this address is a member of the command's workspace.
pub(crate) fn has_email(tx: &mut Tx<'_>, email: &str) -> Result<bool, Error> {
    let workspace = tx.workspace();
    let found = tx.first(
        "SELECT 1 FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.workspace_id = $1 AND u.email = $2",
        args![workspace, email],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// Members in the order in which they joined, after `after`.
pub(crate) fn list(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    after: Option<(Timestamp, UserId)>,
    limit: i64,
) -> Result<Vec<Member>, Error> {
    let (joined_at, user) = after.unwrap_or((Timestamp::from_micros(i64::MIN), UserId::from_uuid(uuid::Uuid::nil())));
    tx.query(
        "SELECT u.id, u.name, u.email, m.role, m.joined_at FROM memberships m JOIN users u ON u.id = m.user_id
         WHERE m.workspace_id = $1 AND (m.joined_at, m.user_id) > ($2, $3) ORDER BY m.joined_at, m.user_id LIMIT $4",
        args![workspace, joined_at, user, limit],
        member,
    )
}

/// How many owners the command's workspace has. Commands of a workspace come one after the other, so the answer holds
/// until this one is committed.
pub(crate) fn owners(tx: &mut Tx<'_>) -> Result<i64, Error> {
    let workspace = tx.workspace();
    let sql = "SELECT COUNT(*) FROM memberships WHERE workspace_id = $1 AND role = 'owner'";
    tx.one(sql, args![workspace], |row| row.get(0))
}

/// Gives a member another role; his access tokens end with it.
pub(crate) fn set_role(tx: &mut Tx<'_>, actor: ActorRef, member: Member, role: Role) -> Result<Member, Error> {
    let (workspace, epoch, member) = (tx.workspace(), new_epoch(tx), Member { role, ..member });
    tx.exec(
        "UPDATE memberships SET role = $3, epoch = $4 WHERE workspace_id = $1 AND user_id = $2",
        args![workspace, member.user.id, role.as_str(), epoch],
    )?;
    tell_updated(tx, actor, &member)?;
    Ok(member)
}

/// Tells that a member looks different now.
pub(crate) fn tell_updated(tx: &mut Tx<'_>, actor: ActorRef, member: &Member) -> Result<(), Error> {
    tell(tx, "member.updated", actor, SEEN_BY, member.user.id.uuid(), &json!({ "member": member }))
}

/// Ends a membership.
pub(crate) fn remove(tx: &mut Tx<'_>, actor: ActorRef, user: UserId) -> Result<(), Error> {
    let workspace = tx.workspace();
    tx.exec("DELETE FROM memberships WHERE workspace_id = $1 AND user_id = $2", args![workspace, user])?;
    tell(tx, "member.removed", actor, SEEN_BY, user.uuid(), &json!({ "user_id": user }))
}
