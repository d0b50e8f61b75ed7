//! The tables `telegram_updates` and `telegram_raw_updates`.

use model::{BotId, Id, Timestamp};
use store::{Error, Tx, args};

/// Notes that an update came; false when it came before.
pub(crate) fn remember(tx: &mut Tx<'_>, bot: BotId, update: i64) -> Result<bool, Error> {
    let (workspace, now) = (tx.workspace(), tx.now());
    let added = tx.exec(
        "INSERT INTO telegram_updates (bot_id, update_id, workspace_id, received_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (bot_id, update_id) DO NOTHING",
        args![bot, update, workspace, now],
    )?;
    Ok(added > 0)
}

/// Keeps an update as it came.
pub(crate) fn keep_raw(
    tx: &mut Tx<'_>,
    bot: BotId,
    update: Option<i64>,
    reason: &str,
    json: &str,
) -> Result<(), Error> {
    let (id, workspace, now): (Id<()>, _, _) = (tx.id(), tx.workspace(), tx.now());
    tx.exec(
        "INSERT INTO telegram_raw_updates (id, workspace_id, bot_id, update_id, reason, json, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        args![id, workspace, bot, update, reason, json, now],
    )?;
    Ok(())
}

/// Forgets up to `most` numbers of updates that came before `before`, and says how many.
pub(crate) fn forget(tx: &mut Tx<'_>, before: Timestamp, most: i64) -> Result<usize, Error> {
    let old = tx.query(
        "SELECT bot_id, update_id FROM telegram_updates WHERE received_at < $1 ORDER BY received_at LIMIT $2",
        args![before, most],
        |row| Ok((row.get::<BotId>(0)?, row.get::<i64>(1)?)),
    )?;
    for (bot, update) in &old {
        tx.exec("DELETE FROM telegram_updates WHERE bot_id = $1 AND update_id = $2", args![bot, update])?;
    }
    Ok(old.len())
}
