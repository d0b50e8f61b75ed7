//! Pages of a chat's history, by `seq`.

use model::{ActorRef, ChatId, MessageId, Seq, WorkspaceId};
use store::{Error, Tx, args};

use crate::{
    Chat, Message,
    message::{COLUMNS, read},
};

/// Which page: around `anchor`, or below `before`, or above `after`, or the newest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Only messages with a smaller `seq`.
    pub before: Option<Seq>,
    /// Only messages with a larger `seq`.
    pub after: Option<Seq>,
    /// Half of the page up to and including this `seq`, half behind it.
    pub anchor: Option<Seq>,
    /// Messages in a page.
    pub limit: i64,
}

/// A page in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    /// The messages.
    pub items: Vec<Message>,
    /// Whether older ones exist.
    pub has_before: bool,
    /// Whether newer ones exist.
    pub has_after: bool,
}

/// A page of a chat of a workspace. The caller has checked that the chat may be read.
///
/// # Errors
/// See [`Error`].
pub fn history(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    chat: ChatId,
    query: HistoryQuery,
) -> Result<HistoryPage, Error> {
    let HistoryQuery { before, after, anchor, limit } = query;
    let place = (workspace, chat);
    if let Some(anchor) = anchor {
        let (mut items, has_before) = below(tx, place, anchor.saturating_add(1), (limit + 1) / 2)?;
        let (newer, has_after) = above(tx, place, anchor, limit / 2)?;
        items.extend(newer);
        return Ok(HistoryPage { items, has_before, has_after });
    }
    if let Some(after) = after {
        let (items, has_after) = above(tx, place, after, limit)?;
        return Ok(HistoryPage { items, has_before: after > 0, has_after });
    }
    let (items, has_before) = below(tx, place, before.unwrap_or(Seq::MAX), limit)?;
    let has_after = match before {
        Some(before) => !above(tx, place, before.saturating_sub(1), 1)?.0.is_empty(),
        None => false,
    };
    Ok(HistoryPage { items, has_before, has_after })
}

type Place = (WorkspaceId, ChatId);

/// One more than asked is read, to know whether there is more.
fn below(tx: &mut Tx<'_>, (workspace, chat): Place, seq: Seq, limit: i64) -> Result<(Vec<Message>, bool), Error> {
    let sql = format!(
        "SELECT {COLUMNS} WHERE m.chat_id = $1 AND m.seq < $2 AND m.workspace_id = $4 ORDER BY m.seq DESC LIMIT $3"
    );
    let found = tx.query(&sql, args![chat, seq, limit + 1, workspace], read)?;
    let (mut page, more) = cut(found, limit);
    page.reverse();
    Ok((page, more))
}

fn above(tx: &mut Tx<'_>, (workspace, chat): Place, seq: Seq, limit: i64) -> Result<(Vec<Message>, bool), Error> {
    let sql =
        format!("SELECT {COLUMNS} WHERE m.chat_id = $1 AND m.seq > $2 AND m.workspace_id = $4 ORDER BY m.seq LIMIT $3");
    let found = tx.query(&sql, args![chat, seq, limit + 1, workspace], read)?;
    Ok(cut(found, limit))
}

fn cut(mut found: Vec<Message>, limit: i64) -> (Vec<Message>, bool) {
    let most = usize::try_from(limit).unwrap_or(0);
    let more = found.len() > most;
    found.truncate(most);
    (found, more)
}

/// Whether anybody but `me` wrote in a chat of the command's workspace after `seq`.
///
/// # Errors
/// See [`Error`].
pub fn others_wrote_since(tx: &mut Tx<'_>, chat: &Chat, seq: Seq, me: ActorRef) -> Result<bool, Error> {
    if chat.last_seq <= seq {
        return Ok(false);
    }
    let workspace = tx.workspace();
    let found = tx.first(
        "SELECT 1 FROM messages WHERE chat_id = $1 AND seq > $2 AND (author_id IS NULL OR author_id <> $3)
            AND workspace_id = $4 LIMIT 1",
        args![chat.id, seq, me.id, workspace],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

/// One message of a workspace.
///
/// # Errors
/// See [`Error`].
pub fn message(tx: &mut Tx<'_>, workspace: WorkspaceId, id: MessageId) -> Result<Option<Message>, Error> {
    tx.first(&format!("SELECT {COLUMNS} WHERE m.id = $1 AND m.workspace_id = $2"), args![id, workspace], read)
}
