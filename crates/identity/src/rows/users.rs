//! People, their passwords, and the networks they are known from.

use model::{ActorRef, Audience, Role, UserId, WorkspaceId};
use serde_json::json;
use store::{Error, Row, Tx, args};

use crate::{
    model::{User, Workspace},
    rows::{parse, tell},
};

/// A person with what only the server may see.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) user: User,
    pub(crate) password_hash: String,
    pub(crate) last_workspace: Option<WorkspaceId>,
}

/// A person's place in one workspace.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) workspace: Workspace,
    pub(crate) role: Role,
    pub(crate) epoch: i64,
}

fn account(row: &Row<'_>) -> Result<Account, Error> {
    let user = User { id: row.get(0)?, email: row.get(1)?, name: row.get(2)? };
    Ok(Account { user, password_hash: row.get(3)?, last_workspace: row.get(4)? })
}

/// The person with this normalised address.
pub(crate) fn by_email(tx: &mut Tx<'_>, email: &str) -> Result<Option<Account>, Error> {
    tx.first(
        "SELECT id, email, name, password_hash, last_workspace_id FROM users WHERE email = $1",
        args![email],
        account,
    )
}

/// The person with this id.
pub(crate) fn get(tx: &mut Tx<'_>, id: UserId) -> Result<Account, Error> {
    tx.one("SELECT id, email, name, password_hash, last_workspace_id FROM users WHERE id = $1", args![id], account)
}

pub(crate) fn insert(tx: &mut Tx<'_>, user: &User, password_hash: &str) -> Result<(), Error> {
    let now = tx.now();
    tx.exec(
        "INSERT INTO users (id, email, name, password_hash, created_at) VALUES ($1, $2, $3, $4, $5)",
        args![user.id, user.email, user.name, password_hash, now],
    )?;
    Ok(())
}

/// Changes the name; caches of principals are dropped by the event.
pub(crate) fn rename(tx: &mut Tx<'_>, id: UserId, name: &str) -> Result<User, Error> {
    tx.exec("UPDATE users SET name = $2 WHERE id = $1", args![id, name])?;
    let user = get(tx, id)?.user;
    tell(tx, "user.updated", ActorRef::member(id), Audience::Internal, id.uuid(), &json!({ "user_id": id }))?;
    Ok(user)
}

pub(crate) fn set_password(tx: &mut Tx<'_>, id: UserId, password_hash: &str) -> Result<(), Error> {
    tx.exec("UPDATE users SET password_hash = $2 WHERE id = $1", args![id, password_hash])?;
    Ok(())
}

pub(crate) fn set_last_workspace(tx: &mut Tx<'_>, id: UserId, workspace: WorkspaceId) -> Result<(), Error> {
    tx.exec("UPDATE users SET last_workspace_id = $2 WHERE id = $1", args![id, workspace])?;
    Ok(())
}

/// Every workspace that the person may enter, the oldest first.
pub(crate) fn standings(tx: &mut Tx<'_>, id: UserId) -> Result<Vec<Standing>, Error> {
    tx.query(
        "SELECT w.id, w.name, m.role, m.epoch FROM memberships m JOIN workspaces w ON w.id = m.workspace_id
         WHERE m.user_id = $1 ORDER BY m.joined_at, w.id",
        args![id],
        |row| {
            let workspace = Workspace { id: row.get(0)?, name: row.get(1)? };
            Ok(Standing { workspace, role: parse(&row.get::<String>(2)?)?, epoch: row.get(3)? })
        },
    )
}

/// Whether the person has signed in from this network (a keyed hash) before.
pub(crate) fn knows_network(tx: &mut Tx<'_>, id: UserId, network: &[u8; 16]) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM known_networks WHERE user_id = $1 AND network = $2";
    Ok(tx.first(sql, args![id, network], |_| Ok(()))?.is_some())
}

pub(crate) fn note_network(tx: &mut Tx<'_>, id: UserId, network: &[u8; 16]) -> Result<(), Error> {
    let now = tx.now();
    tx.exec(
        "INSERT INTO known_networks (user_id, network, last_at) VALUES ($1, $2, $3)
         ON CONFLICT (user_id, network) DO UPDATE SET last_at = $3",
        args![id, network, now],
    )?;
    Ok(())
}
