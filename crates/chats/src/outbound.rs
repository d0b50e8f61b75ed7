//! What members write, and what becomes of it outside.

use std::borrow::Cow;

use model::{ConversationId, DeliveryClass, MessageId, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Channel, Error, NewDelivery, Tx, args, outbox};

use crate::{
    Author, Chat, Chats, Message,
    message::{Draft, json, record},
};

/// A text that somebody inside writes. The caller has checked its length and the author's right.
#[derive(Debug, Clone)]
pub struct Post<'a> {
    /// The conversation it belongs to.
    pub conversation: Option<ConversationId>,
    /// Who writes.
    pub author: Author,
    /// What.
    pub text: &'a str,
    /// For members only: it is stored and goes nowhere.
    pub note: bool,
    /// How urgent it is, if it leaves.
    pub class: DeliveryClass,
    /// When it is too late to send it.
    pub expires_at: Option<Timestamp>,
    /// The client's own key.
    pub idempotency_key: Option<&'a str>,
}

/// The payload of a delivery that carries a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextPayload<'a> {
    /// Always `text`.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    /// The platform's id of the chat.
    #[serde(borrow)]
    pub to: Cow<'a, str>,
    /// The text.
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

impl Chats {
    /// Stores a text and, unless it is a note, puts it into the outbox, in the caller's transaction.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn post(&self, tx: &mut Tx<'_>, chat: &mut Chat, post: Post<'_>) -> Result<Message, Error> {
        let id: MessageId = tx.id();
        let delivery = if post.note { None } else { send(tx, chat, id, &post)? };
        let draft = Draft {
            id,
            conversation: post.conversation,
            author: post.author,
            text: post.text,
            note: post.note,
            delivery: delivery.map(|it| it.view()),
            external_id: None,
            idempotency_key: post.idempotency_key,
        };
        let message = record(tx, chat, draft)?;
        if message.conversation_id.is_some() {
            self.keeper.recorded(tx, chat, &message)?;
        }
        Ok(message)
    }
}

fn send(tx: &mut Tx<'_>, chat: &Chat, message: MessageId, post: &Post<'_>) -> Result<Option<store::Delivery>, Error> {
    let (Some(bot), Some(to)) = (chat.bot, &chat.external_id) else { return Ok(None) };
    let payload = TextPayload { kind: "text".into(), to: to.into(), text: post.text.into() };
    let delivery = outbox::enqueue(
        tx,
        NewDelivery {
            channel: Channel::Telegram,
            owner: bot.uuid(),
            chat: Some(chat.id),
            class: post.class,
            payload: json(&payload)?,
            message: Some(message),
            conversation: post.conversation,
            expires_at: post.expires_at,
        },
    )?;
    Ok(Some(delivery))
}

/// Notes the platform's id of a message that was sent, so that edits and answers find it.
///
/// # Errors
/// See [`Error`].
pub fn delivered(tx: &mut Tx<'_>, message: MessageId, external_id: &str) -> Result<(), Error> {
    let workspace = tx.workspace();
    tx.exec(
        "UPDATE messages SET external_id = $2 WHERE id = $1 AND workspace_id = $3",
        args![message, external_id, workspace],
    )?;
    Ok(())
}
