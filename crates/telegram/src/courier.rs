//! Tells the trunk whether a bot is still connected.

use model::BotId;
use store::{Error, Tx, args};

/// The connected bots, as the trunk asks for them.
#[derive(Debug, Clone, Copy)]
pub struct Courier;

impl chats::Courier for Courier {
    fn works_for(&self, tx: &mut Tx<'_>, bot: BotId) -> Result<bool, Error> {
        let workspace = tx.workspace();
        let found = tx.first(
            "SELECT 1 FROM bots WHERE id = $1 AND workspace_id = $2 AND removed_at IS NULL",
            args![bot, workspace],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }
}
