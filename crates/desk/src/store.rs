//! All SQL of the Desk.

use ::model::{
    ActorRef, Audience, BotId, ChatId, ConversationId, NewEvent, Right, Timestamp, UserId, WorkspaceId, preview,
};
use chats::{Author, AuthorKind, Chat, Contact, Message};
use serde::Serialize;
use store::{Arg, Error, Row, ToArg, Tx, args};
use uuid::Uuid;

use crate::model::{Assignee, Case, Conversation, LastMessage, Status};

/// Characters of a message that a list shows.
const PREVIEW: usize = 200;

const SELECT: &str = "SELECT v.id, v.chat_id, v.bot_id, v.status, v.assignee_id, v.assignee_name, v.last_seq, v.inbound_total, \
     v.last_author_kind, v.last_author_id, v.last_author_name, v.last_text, v.last_note, v.last_message_at, v.last_activity_at, \
     v.created_at, c.id, c.name, c.username, c.language, c.unreachable, COALESCE(r.read_inbound, 0) \
     FROM conversations v JOIN contacts c ON c.id = v.contact_id \
     LEFT JOIN read_marks r ON r.user_id = $2 AND r.chat_id = v.chat_id \
     WHERE v.workspace_id = $1";

/// Which conversations a list shows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Filter {
    pub(crate) status: Option<Status>,
    pub(crate) bot: Option<BotId>,
    pub(crate) below: Option<(Timestamp, ConversationId)>,
    pub(crate) limit: i64,
}

/// Conversations of a workspace, the latest activity first, as `user` sees them.
pub(crate) fn list(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    user: Option<UserId>,
    filter: Filter,
) -> Result<Vec<Conversation>, Error> {
    let (user, status) = (reader(user), filter.status.map(Status::as_str));
    let mut sql = SELECT.to_owned();
    let mut values: Vec<Arg<'_>> = vec![workspace.to_arg(), user.to_arg()];
    if let Some(status) = &status {
        values.push(status.to_arg());
        sql += &format!(" AND v.status = ${}", values.len());
    }
    if let Some(bot) = &filter.bot {
        values.push(bot.to_arg());
        sql += &format!(" AND v.bot_id = ${}", values.len());
    }
    if let Some((at, id)) = &filter.below {
        values.extend([at.to_arg(), id.to_arg()]);
        sql += &format!(" AND (v.last_activity_at, v.id) < (${}, ${})", values.len() - 1, values.len());
    }
    values.push(filter.limit.to_arg());
    sql += &format!(" ORDER BY v.last_activity_at DESC, v.id DESC LIMIT ${}", values.len());
    tx.query(&sql, &values, read)
}

/// One conversation of a workspace, as `user` sees it.
pub(crate) fn get(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    user: Option<UserId>,
    id: ConversationId,
) -> Result<Option<Conversation>, Error> {
    tx.first(&format!("{SELECT} AND v.id = $3"), args![workspace, reader(user), id], read)
}

/// The newest conversation of a chat: the live one, if there is one.
pub(crate) fn newest_of(tx: &mut Tx<'_>, chat: ChatId) -> Result<Option<(ConversationId, Status)>, Error> {
    let workspace = tx.workspace();
    tx.first(
        "SELECT id, status FROM conversations WHERE chat_id = $1 AND workspace_id = $2
         ORDER BY created_at DESC, id DESC LIMIT 1",
        args![chat, workspace],
        |row| Ok((row.get(0)?, status(row, 1)?)),
    )
}

/// A key has no read marks; its rows join none.
fn reader(user: Option<UserId>) -> Uuid {
    user.map_or(Uuid::nil(), UserId::uuid)
}

fn status(row: &Row<'_>, index: usize) -> Result<Status, Error> {
    let text: String = row.get(index)?;
    Status::parse(&text).ok_or_else(|| Error::Corrupt(format!("conversation status {text}")))
}

fn read(row: &Row<'_>) -> Result<Conversation, Error> {
    let (inbound_total, read_inbound): (i64, i64) = (row.get(7)?, row.get(21)?);
    let assignee: Option<Uuid> = row.get(4)?;
    let case = Case {
        id: row.get(0)?,
        chat_id: row.get(1)?,
        bot_id: row.get(2)?,
        status: status(row, 3)?,
        assignee: assignee.map(|id| Ok::<_, Error>(Assignee { id, name: row.get(5)? })).transpose()?,
        last_message: last_message(row)?,
        inbound_total,
        last_seq: row.get(6)?,
        last_activity_at: row.get(14)?,
        created_at: row.get(15)?,
        contact: Contact {
            id: row.get(16)?,
            name: row.get(17)?,
            username: row.get(18)?,
            language: row.get(19)?,
            unreachable: row.get(20)?,
        },
    };
    Ok(Conversation { case, unread: (inbound_total - read_inbound).max(0) })
}

fn last_message(row: &Row<'_>) -> Result<Option<LastMessage>, Error> {
    let Some(kind) = row.get::<Option<String>>(8)? else { return Ok(None) };
    Ok(Some(LastMessage {
        seq: row.get(6)?,
        author: Author { kind: AuthorKind::parse(&kind)?, id: row.get(9)?, name: row.get(10)? },
        text: row.get(11)?,
        note: row.get(12)?,
        created_at: row.get(13)?,
    }))
}

/// Opens a conversation on a chat that has no live one.
pub(crate) fn open(tx: &mut Tx<'_>, chat: &Chat, bot: BotId, contact: &Contact) -> Result<ConversationId, Error> {
    let (id, workspace, now): (ConversationId, _, _) = (tx.id(), tx.workspace(), tx.now());
    tx.exec(
        "INSERT INTO conversations (id, workspace_id, chat_id, bot_id, contact_id, status, last_seq, inbound_total,
           last_activity_at, created_at)
         VALUES ($1, $2, $3, $4, $5, 'open', $6, $7, $8, $8)",
        args![id, workspace, chat.id, bot, contact.id, chat.last_seq, chat.inbound_total, now],
    )?;
    announce(tx, "conversation.created", ActorRef::new(::model::ActorKind::Contact, contact.id.uuid()), id, None)?;
    Ok(id)
}

/// Gives a conversation another status and tells the log.
pub(crate) fn set_status(
    tx: &mut Tx<'_>,
    actor: ActorRef,
    id: ConversationId,
    from: Status,
    to: Status,
) -> Result<(), Error> {
    let (workspace, now) = (tx.workspace(), tx.now());
    tx.exec(
        "UPDATE conversations SET status = $3, last_activity_at = $4 WHERE id = $1 AND workspace_id = $2",
        args![id, workspace, to.as_str(), now],
    )?;
    announce(tx, "conversation.updated", actor, id, Some(from))
}

/// Takes over the chat's numbers and its last message.
pub(crate) fn record(tx: &mut Tx<'_>, id: ConversationId, chat: &Chat, message: &Message) -> Result<(), Error> {
    let (workspace, now) = (tx.workspace(), tx.now());
    tx.exec(
        "UPDATE conversations SET last_seq = $3, inbound_total = $4, last_author_kind = $5, last_author_id = $6,
           last_author_name = $7, last_text = $8, last_note = $9, last_message_at = $10, last_activity_at = $11
         WHERE id = $1 AND workspace_id = $2",
        args![
            id,
            workspace,
            chat.last_seq,
            chat.inbound_total,
            message.author.kind.as_str(),
            message.author.id,
            message.author.name,
            preview(&message.text, PREVIEW),
            message.note,
            message.created_at,
            now
        ],
    )?;
    announce(tx, "conversation.updated", ActorRef::SYSTEM, id, None)
}

#[derive(Serialize)]
struct Body {
    conversation: Case,
    /// The status before, where it changed; the counts are kept by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_status: Option<Status>,
}

fn announce(
    tx: &mut Tx<'_>,
    kind: &'static str,
    actor: ActorRef,
    id: ConversationId,
    previous_status: Option<Status>,
) -> Result<(), Error> {
    let workspace = tx.workspace();
    let conversation = get(tx, workspace, None, id)?.ok_or(Error::NotFound)?.case;
    let chat = conversation.chat_id;
    let body = serde_json::value::to_raw_value(&Body { conversation, previous_status });
    tx.append(NewEvent {
        kind,
        version: 1,
        actor,
        audience: Audience::Right(Right::ConversationsRead),
        chat: Some(chat),
        entity: Some(chat.uuid()),
        body: body.map_err(|e| Error::Corrupt(e.to_string()))?,
    })?;
    Ok(())
}

/// Adds to the count of a status in the command's workspace.
pub(crate) fn count(tx: &mut Tx<'_>, status: Status, difference: i64) -> Result<(), Error> {
    let workspace = tx.workspace();
    tx.exec(
        "INSERT INTO desk_counts (workspace_id, status, total) VALUES ($1, $2, $3)
         ON CONFLICT (workspace_id, status) DO UPDATE SET total = desk_counts.total + $3",
        args![workspace, status.as_str(), difference],
    )?;
    Ok(())
}

/// Counts the command's workspace anew.
pub(crate) fn recount(tx: &mut Tx<'_>) -> Result<(), Error> {
    let workspace = tx.workspace();
    tx.exec("DELETE FROM desk_counts WHERE workspace_id = $1", args![workspace])?;
    tx.exec(
        "INSERT INTO desk_counts (workspace_id, status, total)
         SELECT workspace_id, status, COUNT(*) FROM conversations WHERE workspace_id = $1 GROUP BY workspace_id, status",
        args![workspace],
    )?;
    Ok(())
}

/// The counts of a workspace.
pub(crate) fn counts(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<Vec<(Status, i64)>, Error> {
    tx.query("SELECT status, total FROM desk_counts WHERE workspace_id = $1", args![workspace], |row| {
        Ok((status(row, 0)?, row.get(1)?))
    })
}
