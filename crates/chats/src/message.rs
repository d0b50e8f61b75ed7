//! Messages: one text in a chat.

use model::{
    ActorKind, ActorRef, Audience, ChatId, ConversationId, MessageId, NewEvent, Right, Seq, Timestamp, UserId,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::{DeliveryView, Error, Row, Tx, args};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Chat, Contact, place};

/// What sort of author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthorKind {
    /// A member of the workspace.
    Member,
    /// An outside person.
    Contact,
    /// A bot.
    Bot,
    /// A machine that sends alerts or calls the API with a key.
    Source,
    /// The server.
    System,
}

impl AuthorKind {
    const ALL: [Self; 5] = [Self::Member, Self::Contact, Self::Bot, Self::Source, Self::System];

    /// The name in the API and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Contact => "contact",
            Self::Bot => "bot",
            Self::Source => "source",
            Self::System => "system",
        }
    }

    /// The kind with this name.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when there is none.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|it| it.as_str() == text);
        found.ok_or_else(|| Error::Corrupt(format!("author kind {text}")))
    }
}

/// Who wrote a message, with the name of that moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Author {
    /// What sort.
    pub kind: AuthorKind,
    /// The author's id; absent for the system.
    pub id: Option<Uuid>,
    /// The name to show.
    pub name: String,
}

impl Author {
    /// A member.
    #[must_use]
    pub fn member(id: UserId, name: impl Into<String>) -> Self {
        Self { kind: AuthorKind::Member, id: Some(id.uuid()), name: name.into() }
    }

    /// A contact.
    #[must_use]
    pub fn contact(contact: &Contact) -> Self {
        Self { kind: AuthorKind::Contact, id: Some(contact.id.uuid()), name: contact.name.clone() }
    }

    fn actor(&self) -> ActorRef {
        let kind = match self.kind {
            AuthorKind::Member => ActorKind::Member,
            AuthorKind::Contact => ActorKind::Contact,
            AuthorKind::Bot => ActorKind::Bot,
            AuthorKind::Source => ActorKind::Key,
            AuthorKind::System => ActorKind::System,
        };
        ActorRef { kind, id: self.id }
    }
}

/// A message as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// The chat it is in.
    pub chat_id: ChatId,
    /// The conversation it belongs to.
    pub conversation_id: Option<ConversationId>,
    /// Its place in the chat.
    pub seq: Seq,
    /// Who wrote it.
    pub author: Author,
    /// Plain text.
    pub text: String,
    /// Seen by members only.
    pub note: bool,
    /// How its way out goes; absent for what does not leave.
    pub delivery: Option<DeliveryView>,
    /// The `Idempotency-Key` it was sent with, by which a client finds its own echo.
    pub idempotency_key: Option<String>,
    /// When its author changed it last.
    pub edited_at: Option<Timestamp>,
    /// When it was stored.
    pub created_at: Timestamp,
}

/// What is stored besides the message that clients see.
pub(crate) struct Draft<'a> {
    pub(crate) id: MessageId,
    pub(crate) conversation: Option<ConversationId>,
    pub(crate) author: Author,
    pub(crate) text: &'a str,
    pub(crate) note: bool,
    pub(crate) delivery: Option<DeliveryView>,
    pub(crate) external_id: Option<&'a str>,
    pub(crate) idempotency_key: Option<&'a str>,
}

/// Stores a message at the chat's next place and tells the log.
pub(crate) fn record(tx: &mut Tx<'_>, chat: &mut Chat, draft: Draft<'_>) -> Result<Message, Error> {
    place::next_place(tx, chat, i64::from(draft.author.kind == AuthorKind::Contact))?;
    let message = Message {
        id: draft.id,
        chat_id: chat.id,
        conversation_id: draft.conversation,
        seq: chat.last_seq,
        author: draft.author,
        text: draft.text.to_owned(),
        note: draft.note,
        delivery: draft.delivery,
        idempotency_key: draft.idempotency_key.map(str::to_owned),
        edited_at: None,
        created_at: tx.now(),
    };
    insert(tx, chat, &message, draft.external_id)?;
    announce(tx, "message.created", &message)?;
    Ok(message)
}

fn insert(tx: &mut Tx<'_>, chat: &Chat, it: &Message, external_id: Option<&str>) -> Result<(), Error> {
    let workspace = tx.workspace();
    tx.exec(
        "INSERT INTO messages (chat_id, seq, id, workspace_id, conversation_id, author_kind, author_id, author_name, text, note,
           inbound_total, external_id, idempotency_key, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        args![
            it.chat_id,
            it.seq,
            it.id,
            workspace,
            it.conversation_id,
            it.author.kind.as_str(),
            it.author.id,
            it.author.name,
            it.text,
            it.note,
            chat.inbound_total,
            external_id,
            it.idempotency_key,
            it.created_at
        ],
    )?;
    Ok(())
}

#[derive(Serialize)]
struct Body<'a> {
    conversation_id: Option<ConversationId>,
    message: &'a Message,
}

/// Tells the log about a message: `message.created` or `message.updated`.
pub(crate) fn announce(tx: &mut Tx<'_>, kind: &'static str, message: &Message) -> Result<(), Error> {
    tx.append(NewEvent {
        kind,
        version: 1,
        actor: message.author.actor(),
        audience: Audience::Right(Right::ConversationsRead),
        chat: Some(message.chat_id),
        entity: Some(message.chat_id.uuid()),
        body: json(&Body { conversation_id: message.conversation_id, message })?,
    })?;
    Ok(())
}

pub(crate) fn json<T: Serialize>(body: &T) -> Result<Box<RawValue>, Error> {
    serde_json::value::to_raw_value(body).map_err(|e| Error::Corrupt(e.to_string()))
}

/// The columns of a message `m` joined with its delivery `d`. The outbox's table is read here by a join, so that a page is
/// one statement; it is written by the outbox only.
pub(crate) const COLUMNS: &str = "m.id, m.chat_id, m.conversation_id, m.seq, m.author_kind, m.author_id, m.author_name, m.text, \
     m.note, m.idempotency_key, m.edited_at, m.created_at, d.id, d.state, d.attempts, d.error, d.next_at \
     FROM messages m LEFT JOIN deliveries d ON d.message_id = m.id";

pub(crate) fn read(row: &Row<'_>) -> Result<Message, Error> {
    let author_kind: String = row.get(4)?;
    Ok(Message {
        id: row.get(0)?,
        chat_id: row.get(1)?,
        conversation_id: row.get(2)?,
        seq: row.get(3)?,
        author: Author { kind: AuthorKind::parse(&author_kind)?, id: row.get(5)?, name: row.get(6)? },
        text: row.get(7)?,
        note: row.get(8)?,
        idempotency_key: row.get(9)?,
        edited_at: row.get(10)?,
        created_at: row.get(11)?,
        delivery: read_delivery(row)?,
    })
}

fn read_delivery(row: &Row<'_>) -> Result<Option<DeliveryView>, Error> {
    let Some(id) = row.get(12)? else { return Ok(None) };
    let state: String = row.get(13)?;
    let state = model::DeliveryState::parse(&state).ok_or_else(|| Error::Corrupt(format!("delivery state {state}")))?;
    Ok(Some(DeliveryView { id, state, attempts: row.get(14)?, error: row.get(15)?, next_at: row.get(16)? }))
}
