//! The table `telegram_holds`.

use model::{BotId, Timestamp};
use store::{Error, Tx, args};

/// Keeps a hold of a chat, or with `None` of the bot, over a restart. A longer one that is kept already stays.
pub(crate) fn keep(tx: &mut Tx<'_>, bot: BotId, chat: Option<&str>, until: Timestamp) -> Result<(), Error> {
    let workspace = tx.workspace();
    tx.exec(
        "INSERT INTO telegram_holds (bot_id, chat, workspace_id, until_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (bot_id, chat) DO UPDATE SET until_at = $4 WHERE telegram_holds.until_at < $4",
        args![bot, chat.unwrap_or_default(), workspace, until],
    )?;
    Ok(())
}

/// The holds that are not over, and forgets the others.
pub(crate) fn take_over(tx: &mut Tx<'_>, bot: BotId) -> Result<Vec<(Option<String>, Timestamp)>, Error> {
    let (workspace, now) = (tx.workspace(), tx.now());
    tx.exec(
        "DELETE FROM telegram_holds WHERE bot_id = $1 AND workspace_id = $2 AND until_at <= $3",
        args![bot, workspace, now],
    )?;
    let sql = "SELECT chat, until_at FROM telegram_holds WHERE bot_id = $1 AND workspace_id = $2";
    tx.query(sql, args![bot, workspace], |row| {
        let chat: String = row.get(0)?;
        Ok(((!chat.is_empty()).then_some(chat), row.get(1)?))
    })
}
