//! The table `bots`.

use model::{BotId, Timestamp, WorkspaceId};
use store::{Error, Row, Tx, args};

use crate::model::{Api, BotRow, Mode, Status};

pub(crate) const TABLE: &str = "bots";

macro_rules! columns {
    () => {
        "id, workspace_id, telegram_id, name, username, token, webhook_secret, api, mode, purpose, status, status_detail, \
         checked_at, revision, created_at"
    };
}

fn read(row: &Row<'_>) -> Result<BotRow, Error> {
    let (api, mode, status): (String, String, String) = (row.get(7)?, row.get(8)?, row.get(10)?);
    let strange = |what: &str, text: &str| Error::Corrupt(format!("bot {what} {text}"));
    Ok(BotRow {
        id: row.get(0)?,
        workspace: row.get(1)?,
        telegram_id: row.get(2)?,
        name: row.get(3)?,
        username: row.get(4)?,
        token: row.get(5)?,
        webhook_secret: row.get(6)?,
        api: Api::parse(&api).ok_or_else(|| strange("api", &api))?,
        mode: Mode::parse(&mode).ok_or_else(|| strange("mode", &mode))?,
        purpose: row.get(9)?,
        status: Status::parse(&status).ok_or_else(|| strange("status", &status))?,
        status_detail: row.get(11)?,
        checked_at: row.get(12)?,
        revision: row.get(13)?,
        created_at: row.get(14)?,
    })
}

/// One connected bot of a workspace.
pub(crate) fn get(tx: &mut Tx<'_>, workspace: WorkspaceId, id: BotId) -> Result<Option<BotRow>, Error> {
    tx.first(
        concat!("SELECT ", columns!(), " FROM bots WHERE id = $1 AND workspace_id = $2 AND removed_at IS NULL"),
        args![id, workspace],
        read,
    )
}

/// Connected bots of a workspace in the order of their ids.
pub(crate) fn list(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    after: Option<BotId>,
    limit: i64,
) -> Result<Vec<BotRow>, Error> {
    let after = after.unwrap_or(BotId::from_uuid(uuid::Uuid::nil()));
    tx.query(
        concat!(
            "SELECT ",
            columns!(),
            " FROM bots WHERE workspace_id = $1 AND id > $2 AND removed_at IS NULL ORDER BY id LIMIT $3"
        ),
        args![workspace, after, limit],
        read,
    )
}

/// Connected bots of every workspace, for the services.
pub(crate) fn all(tx: &mut Tx<'_>) -> Result<Vec<BotRow>, Error> {
    tx.query(concat!("SELECT ", columns!(), " FROM bots WHERE removed_at IS NULL ORDER BY id"), &[], read)
}

/// Whether a bot with this Telegram id is connected in any workspace.
pub(crate) fn is_connected(tx: &mut Tx<'_>, api: Api, telegram_id: i64) -> Result<bool, Error> {
    let found = tx.first(
        "SELECT id FROM bots WHERE api = $1 AND telegram_id = $2 AND removed_at IS NULL",
        args![api.as_str(), telegram_id],
        |row| row.get::<BotId>(0),
    )?;
    Ok(found.is_some())
}

/// The bot that this workspace removed earlier: connecting it again revives it, with its chats.
pub(crate) fn removed(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    api: Api,
    telegram_id: i64,
) -> Result<Option<(BotId, i64, Timestamp)>, Error> {
    tx.first(
        "SELECT id, revision, created_at FROM bots WHERE workspace_id = $1 AND api = $2 AND telegram_id = $3
         AND removed_at IS NOT NULL ORDER BY id DESC LIMIT 1",
        args![workspace, api.as_str(), telegram_id],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )
}

/// Writes a bot whole: a new one, one that is revived, or one that was changed.
pub(crate) fn put(tx: &mut Tx<'_>, bot: &BotRow) -> Result<(), Error> {
    tx.exec(
        concat!(
            "INSERT INTO bots (",
            columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
             ON CONFLICT (id) DO UPDATE SET name = $4, username = $5, token = $6, webhook_secret = $7, mode = $9,
             purpose = $10, status = $11, status_detail = $12, checked_at = $13, revision = $14, removed_at = NULL"
        ),
        args![
            bot.id,
            bot.workspace,
            bot.telegram_id,
            bot.name,
            bot.username,
            bot.token,
            bot.webhook_secret,
            bot.api.as_str(),
            bot.mode.as_str(),
            bot.purpose,
            bot.status.as_str(),
            bot.status_detail,
            bot.checked_at,
            bot.revision,
            bot.created_at
        ],
    )?;
    Ok(())
}

/// Disconnects a bot and forgets its secrets.
pub(crate) fn remove(tx: &mut Tx<'_>, id: BotId) -> Result<(), Error> {
    let (workspace, now, nothing) = (tx.workspace(), tx.now(), [0_u8; 0]);
    tx.exec(
        "UPDATE bots SET removed_at = $3, token = $4, webhook_secret = $4 WHERE id = $1 AND workspace_id = $2",
        args![id, workspace, now, nothing],
    )?;
    Ok(())
}

/// Replaces the sealed secrets of a bot of the command's workspace by the same ones under another seal.
pub(crate) fn set_secrets(tx: &mut Tx<'_>, id: BotId, token: &[u8], webhook_secret: &[u8]) -> Result<(), Error> {
    let workspace = tx.workspace();
    tx.exec(
        "UPDATE bots SET token = $3, webhook_secret = $4 WHERE id = $1 AND workspace_id = $2",
        args![id, workspace, token, webhook_secret],
    )?;
    Ok(())
}
