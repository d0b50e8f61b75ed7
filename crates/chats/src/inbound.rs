//! What comes in from outside.

use model::{BotId, preview};
use store::{Error, Tx, args};

use crate::{
    Author, Chats, ContactInput, Message, contact, history,
    message::{Draft, announce, record},
    place,
};

/// Longest name of a contact that is kept, in characters.
const MAX_NAME: usize = 200;

/// A message that a platform delivered into a private chat.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// The bot that got it.
    pub bot: BotId,
    /// The platform's id of the chat.
    pub chat: String,
    /// Who wrote it.
    pub from: ContactInput,
    /// The platform's id of the message, unique within the chat.
    pub message: String,
    /// Its text.
    pub text: String,
}

/// An edit that a platform delivered.
#[derive(Debug, Clone)]
pub struct EditedText {
    /// The message as it is now.
    pub now: Inbound,
    /// When it was edited, on the platform's clock; an older edit never overwrites a newer one.
    pub edited_at: model::Timestamp,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// It is stored now.
    Stored(Box<Message>),
    /// It was stored before, and nothing newer came.
    Known,
}

impl Chats {
    /// Stores a contact's message: contact, chat, conversation, message and events in the caller's transaction.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn receive(&self, tx: &mut Tx<'_>, mut inbound: Inbound) -> Result<Received, Error> {
        make_storable(&mut inbound);
        let contact = contact::who_wrote(tx, &inbound.from)?;
        let mut chat = place::private(tx, inbound.bot, &inbound.chat, &contact)?;
        if known(tx, &chat, &inbound.message)?.is_some() {
            return Ok(Received::Known);
        }
        let conversation = self.keeper.conversation_for(tx, &chat, &contact)?;
        let draft = Draft {
            id: tx.id(),
            conversation: Some(conversation),
            author: Author::contact(&contact),
            text: &inbound.text,
            note: false,
            delivery: None,
            external_id: Some(&inbound.message),
            idempotency_key: None,
        };
        let message = record(tx, &mut chat, draft)?;
        self.keeper.recorded(tx, &chat, &message)?;
        Ok(Received::Stored(Box::new(message)))
    }

    /// Takes over an edit. An edit of a message that never arrived creates it, marked as edited.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn edited(&self, tx: &mut Tx<'_>, mut edit: EditedText) -> Result<Received, Error> {
        make_storable(&mut edit.now);
        if let Received::Stored(message) = self.receive(tx, edit.now.clone())? {
            return rewrite(tx, *message, &edit);
        }
        let Some(chat) = place::by_place(tx, edit.now.bot, &edit.now.chat)? else { return Ok(Received::Known) };
        let Some(id) = known(tx, &chat, &edit.now.message)? else { return Ok(Received::Known) };
        let workspace = tx.workspace();
        match history::message(tx, workspace, id)? {
            Some(message) if message.edited_at.is_none_or(|at| at < edit.edited_at) => {
                let rewritten = rewrite(tx, message, &edit)?;
                if let Received::Stored(message) = &rewritten
                    && message.seq == chat.last_seq
                {
                    self.keeper.recorded(tx, &chat, message)?;
                }
                Ok(rewritten)
            }
            _ => Ok(Received::Known),
        }
    }
}

fn rewrite(tx: &mut Tx<'_>, mut message: Message, edit: &EditedText) -> Result<Received, Error> {
    message.text.clone_from(&edit.now.text);
    message.edited_at = Some(edit.edited_at);
    let workspace = tx.workspace();
    tx.exec(
        "UPDATE messages SET text = $3, edited_at = $4 WHERE chat_id = $1 AND seq = $2 AND workspace_id = $5",
        args![message.chat_id, message.seq, message.text, message.edited_at, workspace],
    )?;
    announce(tx, "message.updated", &message)?;
    Ok(Received::Stored(Box::new(message)))
}

fn known(tx: &mut Tx<'_>, chat: &crate::Chat, external_id: &str) -> Result<Option<model::MessageId>, Error> {
    let workspace = tx.workspace();
    tx.first(
        "SELECT id FROM messages WHERE chat_id = $1 AND external_id = $2 AND workspace_id = $3",
        args![chat.id, external_id, workspace],
        |row| row.get(0),
    )
}

/// What people call themselves and write may hold what a database cannot: U+0000 becomes U+FFFD, names become one short line.
fn make_storable(inbound: &mut Inbound) {
    if inbound.text.contains('\0') {
        inbound.text = inbound.text.replace('\0', "\u{fffd}");
    }
    inbound.from.name = preview(inbound.from.name.trim(), MAX_NAME);
    if inbound.from.name.is_empty() {
        inbound.from.name = inbound.from.username.clone().unwrap_or_else(|| inbound.from.external_id.clone());
    }
    for field in [&mut inbound.from.username, &mut inbound.from.language].into_iter().flatten() {
        *field = preview(field, MAX_NAME);
    }
}
