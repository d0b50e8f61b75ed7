//! API keys.

use model::{ActorRef, Audience, KeyId, Right, Rights, Timestamp, WorkspaceId};
use serde_json::json;
use store::{Error, Row, Tx, args};
use uuid::Uuid;

use crate::{
    model::{ApiKey, parse_scopes, scopes_text},
    rows::tell,
};

const SEEN_BY: Audience = Audience::Right(Right::KeysManage);

/// What its maker says of a key.
#[derive(Debug, Clone)]
pub(crate) struct NewKey {
    pub(crate) name: String,
    pub(crate) scopes: Rights,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) rate_limit: Option<u32>,
}

/// A key that is not revoked, as the authenticator needs it.
#[derive(Debug, Clone)]
pub(crate) struct LiveKey {
    pub(crate) workspace: WorkspaceId,
    pub(crate) key: ApiKey,
    pub(crate) secret_hash: [u8; 32],
}

fn key(row: &Row<'_>) -> Result<ApiKey, Error> {
    let scopes: String = row.get(3)?;
    Ok(ApiKey {
        id: row.get(0)?,
        name: row.get(1)?,
        prefix: row.get(2)?,
        scopes: parse_scopes(&scopes).iter().collect(),
        rate_limit: row.get::<Option<i64>>(4)?.and_then(|it| u32::try_from(it).ok()),
        created_at: row.get(5)?,
        expires_at: row.get(6)?,
        last_used_at: row.get(7)?,
        revoked_at: row.get(8)?,
    })
}

/// Makes a key of the command's workspace.
pub(crate) fn create(
    tx: &mut Tx<'_>,
    actor: ActorRef,
    new: &NewKey,
    prefix: &str,
    secret_hash: &[u8; 32],
) -> Result<ApiKey, Error> {
    let (workspace, now) = (tx.workspace(), tx.now());
    let key = ApiKey {
        id: tx.id(),
        name: new.name.clone(),
        prefix: prefix.to_owned(),
        scopes: new.scopes.iter().collect(),
        rate_limit: new.rate_limit,
        created_at: now,
        expires_at: new.expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    tx.exec(
        "INSERT INTO api_keys (id, workspace_id, name, prefix, secret_hash, scopes, rate_limit, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        args![
            key.id,
            workspace,
            key.name,
            prefix,
            secret_hash,
            scopes_text(new.scopes),
            key.rate_limit.map(i64::from),
            now,
            key.expires_at
        ],
    )?;
    tell(tx, "key.created", actor, SEEN_BY, key.id.uuid(), &json!({ "key": key }))?;
    Ok(key)
}

/// Keys of a workspace, the newest first, below `before`.
pub(crate) fn list(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    before: Option<KeyId>,
    limit: i64,
) -> Result<Vec<ApiKey>, Error> {
    let before = before.unwrap_or(KeyId::from_uuid(Uuid::max()));
    tx.query(
        "SELECT id, name, prefix, scopes, rate_limit, created_at, expires_at, last_used_at, revoked_at FROM api_keys
         WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        args![workspace, before, limit],
        key,
    )
}

/// A key of the command's workspace.
pub(crate) fn get(tx: &mut Tx<'_>, id: KeyId) -> Result<ApiKey, Error> {
    let workspace = tx.workspace();
    tx.one(
        "SELECT id, name, prefix, scopes, rate_limit, created_at, expires_at, last_used_at, revoked_at FROM api_keys
         WHERE workspace_id = $1 AND id = $2",
        args![workspace, id],
        key,
    )
}

/// The key whose text begins so, unless it is revoked.
pub(crate) fn live(tx: &mut Tx<'_>, prefix: &str) -> Result<Option<LiveKey>, Error> {
    tx.first(
        "SELECT id, name, prefix, scopes, rate_limit, created_at, expires_at, last_used_at, revoked_at, workspace_id, secret_hash
         FROM api_keys WHERE prefix = $1 AND revoked_at IS NULL",
        args![prefix],
        |row| Ok(LiveKey { workspace: row.get(9)?, key: key(row)?, secret_hash: row.get(10)? }),
    )
}

/// Revokes a key: refused from now on, its streams closed by the event.
pub(crate) fn revoke(tx: &mut Tx<'_>, actor: ActorRef, key: ApiKey) -> Result<ApiKey, Error> {
    let (workspace, now) = (tx.workspace(), tx.now());
    tx.exec("UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND workspace_id = $3", args![key.id, now, workspace])?;
    let key = ApiKey { revoked_at: Some(now), ..key };
    tell(tx, "key.updated", actor, SEEN_BY, key.id.uuid(), &json!({ "key": key }))?;
    Ok(key)
}

/// Notes when a key of the command's workspace was last used.
pub(crate) fn note_use(tx: &mut Tx<'_>, id: KeyId, at: Timestamp) -> Result<(), Error> {
    let workspace = tx.workspace();
    tx.exec(
        "UPDATE api_keys SET last_used_at = $3 WHERE workspace_id = $1 AND id = $2
            AND (last_used_at IS NULL OR last_used_at < $3)",
        args![workspace, id, at],
    )?;
    Ok(())
}
