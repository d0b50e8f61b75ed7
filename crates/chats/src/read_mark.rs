//! How far a person has read.

use model::{ActorRef, Audience, ChatId, ConversationId, NewEvent, Seq, UserId};
use serde::{Deserialize, Serialize};
use store::{Error, Tx, args};
use utoipa::ToSchema;

use crate::{Chat, message::json};

/// A person's place in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadMark {
    /// The chat.
    pub chat_id: ChatId,
    /// The last message that was read.
    pub read_seq: Seq,
    /// Messages of contacts up to there; `inbound_total - read_inbound` are unread.
    pub read_inbound: i64,
}

#[derive(Serialize)]
struct Body {
    conversation_id: Option<ConversationId>,
    #[serde(flatten)]
    mark: ReadMark,
}

/// Moves a person's mark forward to `seq`. Marks merge by maximum, so two tabs converge; an older `seq` changes nothing.
///
/// # Errors
/// See [`Error`].
pub fn mark_read(
    tx: &mut Tx<'_>,
    user: UserId,
    chat: &Chat,
    conversation: Option<ConversationId>,
    seq: Seq,
) -> Result<ReadMark, Error> {
    let (workspace, seq) = (tx.workspace(), seq.clamp(0, chat.last_seq));
    let known = tx.first(
        "SELECT read_seq, read_inbound FROM read_marks WHERE user_id = $1 AND chat_id = $2 AND workspace_id = $3",
        args![user, chat.id, workspace],
        |row| Ok(ReadMark { chat_id: chat.id, read_seq: row.get(0)?, read_inbound: row.get(1)? }),
    )?;
    if let Some(known) = known.filter(|known| known.read_seq >= seq) {
        return Ok(known);
    }
    let read_inbound = tx.first(
        "SELECT inbound_total FROM messages WHERE chat_id = $1 AND seq <= $2 AND workspace_id = $3
         ORDER BY seq DESC LIMIT 1",
        args![chat.id, seq, workspace],
        |row| row.get(0),
    )?;
    let mark = ReadMark { chat_id: chat.id, read_seq: seq, read_inbound: read_inbound.unwrap_or(0) };
    save(tx, user, mark)?;
    announce(tx, user, conversation, mark)?;
    Ok(mark)
}

fn save(tx: &mut Tx<'_>, user: UserId, mark: ReadMark) -> Result<(), Error> {
    let (workspace, now) = (tx.workspace(), tx.now());
    tx.exec(
        "INSERT INTO read_marks (user_id, chat_id, workspace_id, read_seq, read_inbound, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (user_id, chat_id) DO UPDATE SET read_seq = $4, read_inbound = $5, updated_at = $6",
        args![user, mark.chat_id, workspace, mark.read_seq, mark.read_inbound, now],
    )?;
    Ok(())
}

fn announce(
    tx: &mut Tx<'_>,
    user: UserId,
    conversation_id: Option<ConversationId>,
    mark: ReadMark,
) -> Result<(), Error> {
    tx.append(NewEvent {
        kind: "read.marked",
        version: 1,
        actor: ActorRef::member(user),
        audience: Audience::User(user),
        chat: Some(mark.chat_id),
        entity: Some(mark.chat_id.uuid()),
        body: json(&Body { conversation_id, mark })?,
    })?;
    Ok(())
}
