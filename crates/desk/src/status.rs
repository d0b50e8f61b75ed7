//! Changing where a conversation stands: the one way, whoever asks.

use ::model::{ActorRef, ConversationId};
use store::{Error, Tx};

use crate::{model::Status, store as rows};

/// Gives a conversation of the command's workspace another status and tells the log; nothing happens when it has it already.
///
/// # Errors
/// [`Error::NotFound`]; a duplicate when the chat has another live conversation by now.
pub fn set_status(tx: &mut Tx<'_>, actor: ActorRef, id: ConversationId, status: Status) -> Result<(), Error> {
    let workspace = tx.workspace();
    let known = rows::get(tx, workspace, None, id)?.ok_or(Error::NotFound)?.case.status;
    if known == status { Ok(()) } else { rows::set_status(tx, actor, id, known, status) }
}
