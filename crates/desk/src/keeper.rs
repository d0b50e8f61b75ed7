//! Which conversation a message belongs to, decided inside the transaction that stores the message.

use ::model::{ActorKind, ActorRef, ConversationId};
use chats::{CaseKeeper, Chat, Contact, Message};
use store::{Error, Tx};

use crate::{model::Status, store as rows};

/// The Desk as the trunk knows it.
#[derive(Debug, Clone, Copy)]
pub struct Desk;

impl CaseKeeper for Desk {
    /// The newest conversation of the chat, woken up when it slept or was done; a new one when there is none.
    fn conversation_for(&self, tx: &mut Tx<'_>, chat: &Chat, contact: &Contact) -> Result<ConversationId, Error> {
        let Some((id, status)) = rows::newest_of(tx, chat.id)? else {
            let bot = chat.bot.ok_or_else(|| Error::Corrupt(format!("private chat {} has no bot", chat.id)))?;
            return rows::open(tx, chat, bot, contact);
        };
        if status != Status::Open {
            let actor = ActorRef::new(ActorKind::Contact, contact.id.uuid());
            rows::set_status(tx, actor, id, status, Status::Open)?;
        }
        Ok(id)
    }

    fn recorded(&self, tx: &mut Tx<'_>, chat: &Chat, message: &Message) -> Result<(), Error> {
        match message.conversation_id {
            Some(id) => rows::record(tx, id, chat, message),
            None => Ok(()),
        }
    }
}
