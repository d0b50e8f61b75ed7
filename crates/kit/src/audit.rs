//! The audit log: who did which administrative act to what.
//!
//! An entry is written in the command that does the act. Entries of a workspace form a chain: each one's digest is over the
//! digest before it, the entry's ids, and a salted digest of its personal content (names, address, detail). [`erase`] removes
//! that content and keeps its digest in the salt's place, so the chain still verifies and nobody can guess what was there.

use std::{fmt::Display, net::IpAddr};

use model::{ActorKind, ActorRef, AuditId, Id, Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};
use store::{Error, Row, Tx, args};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Principal;

/// An act to be recorded: `Act::by(&principal, "member.role_changed").on("member", id, name).detail(json!({…})).record(tx)?`.
#[derive(Debug)]
pub struct Act {
    actor: ActorRef,
    actor_name: String,
    action: &'static str,
    target: Option<Target>,
    address: Option<String>,
    detail: serde_json::Value,
}

/// What an act was done to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Target {
    /// `member`, `key`, `bot`…
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its name at that time.
    pub name: String,
}

impl Act {
    /// Something that `principal` does.
    #[must_use]
    pub fn by(principal: &Principal, action: &'static str) -> Self {
        Self::of(principal.actor(), principal.name.clone(), action)
    }

    /// Something that the server or whoever runs it does.
    #[must_use]
    pub fn by_system(action: &'static str) -> Self {
        Self::of(ActorRef::SYSTEM, "system", action)
    }

    /// Something that somebody does who is no principal yet, such as the person who signs up.
    pub fn of(actor: ActorRef, actor_name: impl Into<String>, action: &'static str) -> Self {
        let detail = serde_json::Value::Object(serde_json::Map::new());
        Self { actor, actor_name: actor_name.into(), action, target: None, address: None, detail }
    }

    /// What it is done to.
    #[must_use]
    pub fn on(mut self, kind: &str, id: impl Display, name: impl Into<String>) -> Self {
        self.target = Some(Target { kind: kind.to_owned(), id: id.to_string(), name: name.into() });
        self
    }

    /// From where.
    #[must_use]
    pub fn from(mut self, address: IpAddr) -> Self {
        self.address = Some(address.to_canonical().to_string());
        self
    }

    /// More about it, as a JSON object; no secrets.
    #[must_use]
    pub fn detail(mut self, detail: serde_json::Value) -> Self {
        self.detail = detail;
        self
    }

    /// Writes the entry in the command's workspace.
    ///
    /// # Errors
    /// What the database says.
    pub fn record(self, tx: &mut Tx<'_>) -> Result<AuditId, Error> {
        let (workspace, at) = (tx.workspace(), tx.now());
        let last = last(tx)?;
        let id = id_after(tx.id(), last.as_ref().map(|last| last.0));
        let salt: [u8; 16] = tx.world().random();
        let row = Entry {
            id,
            at,
            actor: self.actor,
            actor_name: self.actor_name,
            action: self.action.to_owned(),
            target: self.target,
            address: self.address,
            detail: self.detail.to_string(),
            salt: salt.to_vec(),
            digest: Vec::new(),
        };
        let previous = last.map(|last| last.1).unwrap_or_default();
        let digest = row.chained(workspace, &previous);
        let target = row.target.as_ref();
        tx.exec(
            "INSERT INTO audit_log (id, workspace_id, at, actor_kind, actor_id, actor_name, action,
                target_kind, target_id, target_name, address, detail, salt, digest)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
            args![
                id,
                workspace,
                at,
                row.actor.kind.as_str(),
                row.actor.id,
                row.actor_name,
                row.action,
                target.map(|it| &it.kind),
                target.map(|it| &it.id),
                target.map(|it| &it.name),
                row.address,
                row.detail,
                row.salt,
                digest
            ],
        )?;
        Ok(id)
    }
}

/// Id and digest of the workspace's last entry.
fn last(tx: &mut Tx<'_>) -> Result<Option<(AuditId, Vec<u8>)>, Error> {
    let workspace = tx.workspace();
    tx.first(
        "SELECT id, digest FROM audit_log WHERE workspace_id = $1 ORDER BY id DESC LIMIT 1",
        args![workspace],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Ids are the chain's order, also when another node's clock was ahead.
fn id_after(fresh: AuditId, last: Option<AuditId>) -> AuditId {
    match last {
        Some(last) if fresh <= last => Id::from_uuid(Uuid::from_u128(last.uuid().as_u128() + 1)),
        _ => fresh,
    }
}

/// An entry as it is stored.
struct Entry {
    id: AuditId,
    at: Timestamp,
    actor: ActorRef,
    actor_name: String,
    action: String,
    target: Option<Target>,
    address: Option<String>,
    detail: String,
    /// 16 bytes; once erased, the 32 bytes of the content's digest.
    salt: Vec<u8>,
    digest: Vec<u8>,
}

const COLUMNS: &str = "id, at, actor_kind, actor_id, actor_name, action, target_kind, target_id, target_name, address, detail, salt, digest";

impl Entry {
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        let kind: String = row.get(2)?;
        let kind = ActorKind::parse(&kind).ok_or_else(|| Error::Corrupt(format!("actor kind {kind}")))?;
        let target: (Option<String>, Option<String>, Option<String>) = (row.get(6)?, row.get(7)?, row.get(8)?);
        let target = match target {
            (Some(kind), Some(id), name) => Some(Target { kind, id, name: name.unwrap_or_default() }),
            _ => None,
        };
        Ok(Self {
            id: row.get(0)?,
            at: row.get(1)?,
            actor: ActorRef { kind, id: row.get(3)? },
            actor_name: row.get(4)?,
            action: row.get(5)?,
            target,
            address: row.get(9)?,
            detail: row.get(10)?,
            salt: row.get(11)?,
            digest: row.get(12)?,
        })
    }

    fn content_digest(&self) -> [u8; 32] {
        if let Ok(digest) = <[u8; 32]>::try_from(self.salt.as_slice()) {
            return digest;
        }
        let name = self.target.as_ref().map_or("", |it| &it.name);
        let address = self.address.as_deref().unwrap_or_default();
        digest(&[&self.salt, self.actor_name.as_bytes(), name.as_bytes(), address.as_bytes(), self.detail.as_bytes()])
    }

    fn chained(&self, workspace: WorkspaceId, previous: &[u8]) -> [u8; 32] {
        let (kind, id) = self.target.as_ref().map_or(("", ""), |it| (&it.kind, &it.id));
        let actor = self.actor.id.unwrap_or_default();
        digest(&[
            previous,
            workspace.as_bytes(),
            self.id.as_bytes(),
            &self.at.micros().to_le_bytes(),
            self.actor.kind.as_str().as_bytes(),
            actor.as_bytes(),
            self.action.as_bytes(),
            kind.as_bytes(),
            id.as_bytes(),
            &self.content_digest(),
        ])
    }

    fn view(self) -> AuditEntry {
        let actor = AuditActor { kind: self.actor.kind, id: self.actor.id, name: self.actor_name };
        let detail = serde_json::from_str(&self.detail).unwrap_or_default();
        AuditEntry {
            id: self.id,
            at: self.at,
            actor,
            action: self.action,
            target: self.target,
            address: self.address,
            detail,
        }
    }
}

/// A digest over parts, each with its length in front.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    *hasher.finalize().as_bytes()
}

/// An entry as the API shows it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its id; ids are the order of the log.
    pub id: AuditId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: AuditActor,
    /// What, such as `member.role_changed`.
    pub action: String,
    /// To what.
    pub target: Option<Target>,
    /// From which address.
    pub address: Option<String>,
    /// More about it.
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
}

/// Who did it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditActor {
    /// Member, key or system.
    pub kind: ActorKind,
    /// Its id; absent for the system.
    pub id: Option<Uuid>,
    /// The name at that time.
    pub name: String,
}

/// Entries of a workspace, newest first, below `before`.
///
/// # Errors
/// What the database says.
pub fn newest(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    before: Option<AuditId>,
    limit: i64,
) -> Result<Vec<AuditEntry>, Error> {
    let before = before.unwrap_or(Id::from_uuid(Uuid::max()));
    tx.query(
        &format!("SELECT {COLUMNS} FROM audit_log WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"),
        args![workspace, before, limit],
        |row| Entry::read(row).map(Entry::view),
    )
}

/// Removes the personal content of an entry of the command's workspace; the chain still verifies.
///
/// # Errors
/// [`Error::NotFound`] when there is no such entry.
pub fn erase(tx: &mut Tx<'_>, id: AuditId) -> Result<(), Error> {
    let workspace = tx.workspace();
    let entry = tx.one(
        &format!("SELECT {COLUMNS} FROM audit_log WHERE workspace_id = $1 AND id = $2"),
        args![workspace, id],
        Entry::read,
    )?;
    tx.exec(
        "UPDATE audit_log SET actor_name = '', target_name = NULL, address = NULL, detail = '{}', salt = $2
         WHERE id = $1 AND workspace_id = $3",
        args![id, entry.content_digest(), workspace],
    )?;
    Ok(())
}

/// Checks the chain of a workspace and returns the first entry that was changed, or whose predecessor is missing.
///
/// # Errors
/// What the database says.
pub fn verify(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<Option<AuditId>, Error> {
    let (mut previous, mut after) = (Vec::new(), Id::from_uuid(Uuid::nil()));
    loop {
        let entries = tx.query(
            &format!("SELECT {COLUMNS} FROM audit_log WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT 500"),
            args![workspace, after],
            Entry::read,
        )?;
        let Some(end) = entries.last().map(|entry| entry.id) else { return Ok(None) };
        for entry in entries {
            if entry.chained(workspace, &previous)[..] != entry.digest {
                return Ok(Some(entry.id));
            }
            previous = entry.digest;
        }
        after = end;
    }
}
