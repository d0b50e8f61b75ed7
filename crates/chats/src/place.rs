//! Chats: lasting places where messages are exchanged.

use model::{BotId, ChatId, ContactId, Seq, WorkspaceId};
use serde::{Deserialize, Serialize};
use store::{Error, Row, Tx, args};
use utoipa::ToSchema;

use crate::Contact;

/// What sort of place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChatKind {
    /// A contact with a bot.
    Private,
}

impl ChatKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
        }
    }

    fn parse(text: &str) -> Result<Self, Error> {
        if text == "private" { Ok(Self::Private) } else { Err(Error::Corrupt(format!("chat kind {text}"))) }
    }
}

/// A place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// Its id.
    pub id: ChatId,
    /// What sort.
    pub kind: ChatKind,
    /// The bot that is in it.
    pub bot: Option<BotId>,
    /// The person whose private chat it is.
    pub contact: Option<ContactId>,
    /// The platform's id of the chat.
    pub external_id: Option<String>,
    /// The `seq` of its last message.
    pub last_seq: Seq,
    /// How many messages of contacts it has.
    pub inbound_total: i64,
}

const COLUMNS: &str = "id, kind, bot_id, contact_id, external_id, last_seq, inbound_total";

fn read(row: &Row<'_>) -> Result<Chat, Error> {
    Ok(Chat {
        id: row.get(0)?,
        kind: ChatKind::parse(&row.get::<String>(1)?)?,
        bot: row.get(2)?,
        contact: row.get(3)?,
        external_id: row.get(4)?,
        last_seq: row.get(5)?,
        inbound_total: row.get(6)?,
    })
}

/// One chat of a workspace.
///
/// # Errors
/// See [`Error`].
pub fn chat(tx: &mut Tx<'_>, workspace: WorkspaceId, id: ChatId) -> Result<Option<Chat>, Error> {
    tx.first(&format!("SELECT {COLUMNS} FROM chats WHERE id = $1 AND workspace_id = $2"), args![id, workspace], read)
}

/// The chat that a bot of the command's workspace knows under `external_id`.
pub(crate) fn by_place(tx: &mut Tx<'_>, bot: BotId, external_id: &str) -> Result<Option<Chat>, Error> {
    let workspace = tx.workspace();
    tx.first(
        "SELECT id, kind, bot_id, contact_id, external_id, last_seq, inbound_total FROM chats
         WHERE bot_id = $1 AND external_id = $2 AND workspace_id = $3",
        args![bot, external_id, workspace],
        read,
    )
}

/// The private chat of a contact with a bot, made when it is new.
pub(crate) fn private(tx: &mut Tx<'_>, bot: BotId, external_id: &str, contact: &Contact) -> Result<Chat, Error> {
    if let Some(known) = by_place(tx, bot, external_id)? {
        return Ok(known);
    }
    let (workspace, now) = (tx.workspace(), tx.now());
    let chat = Chat {
        id: tx.id(),
        kind: ChatKind::Private,
        bot: Some(bot),
        contact: Some(contact.id),
        external_id: Some(external_id.to_owned()),
        last_seq: 0,
        inbound_total: 0,
    };
    tx.exec(
        "INSERT INTO chats (id, workspace_id, kind, bot_id, contact_id, external_id, last_seq, inbound_total, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, 0, 0, $7)",
        args![chat.id, workspace, chat.kind.as_str(), bot, contact.id, external_id, now],
    )?;
    Ok(chat)
}

/// Takes the next place in a chat. `inbound` is 1 for a message of a contact, else 0.
pub(crate) fn next_place(tx: &mut Tx<'_>, chat: &mut Chat, inbound: i64) -> Result<(), Error> {
    let workspace = tx.workspace();
    let (seq, total) = tx.one(
        "UPDATE chats SET last_seq = last_seq + 1, inbound_total = inbound_total + $2
         WHERE id = $1 AND workspace_id = $3 RETURNING last_seq, inbound_total",
        args![chat.id, inbound, workspace],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    (chat.last_seq, chat.inbound_total) = (seq, total);
    Ok(())
}
