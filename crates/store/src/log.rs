//! The event log.
//!
//! **Purpose.** The ordered change feed of a workspace: state tables are the truth, the log tells in which order they changed.
//!
//! **Writing.** Only inside a command, by [`Tx::append`]; the event commits with the state it describes or not at all.
//!
//! **Order.** `seq` is 1, 2, 3… per workspace, without gaps, and commit order equals `seq` order. The number comes from a
//! counter that the transaction holds: it is marked at the command's savepoint, restored when the command rolls back, and
//! written back once before the commit. On SQLite there is one writer; on PostgreSQL the counter row is locked first.
//!
//! **Reading.** [`after`] pages by `seq`. A reader that remembers the last `seq` it has seen misses nothing, whatever crashes.
//!
//! **End of life.** [`prune`] removes what is older than the retention and records the floor; a reader below the floor has to
//! start again from the tables. [`redact`] blanks the bodies about one entity when its data is erased; seq, kind and ids stay.

use model::{ActorKind, ActorRef, Audience, Event, NewEvent, Seq, Timestamp, WorkspaceId};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{Error, Row, Tx, args};

/// Appends a fact to the log of the command's workspace and returns its place.
///
/// # Errors
/// See [`Error`].
pub fn append(tx: &mut Tx<'_>, event: NewEvent) -> Result<Seq, Error> {
    let (workspace, at, seq) = (tx.workspace(), tx.now(), tx.next_event_seq()?);
    tx.exec(
        "INSERT INTO events (workspace_id, seq, at, kind, version, actor_kind, actor_id, audience, chat_id, entity_id, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        args![
            workspace,
            seq,
            at,
            event.kind,
            event.version,
            event.actor.kind.as_str(),
            event.actor.id,
            event.audience.to_string(),
            event.chat,
            event.entity,
            event.body.get()
        ],
    )?;
    tx.effects().events.push(Event {
        workspace,
        seq,
        at,
        kind: event.kind.into(),
        version: event.version,
        actor: event.actor,
        audience: event.audience,
        chat: event.chat,
        entity: event.entity,
        body: Some(event.body),
    });
    Ok(seq)
}

/// Up to `limit` events with a `seq` above `seq`, in order.
///
/// # Errors
/// See [`Error`].
pub fn after(tx: &mut Tx<'_>, workspace: WorkspaceId, seq: Seq, limit: i64) -> Result<Vec<Event>, Error> {
    tx.query(
        "SELECT seq, at, kind, version, actor_kind, actor_id, audience, chat_id, entity_id, body FROM events
         WHERE workspace_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        args![workspace, seq, limit],
        |row| read(workspace, row),
    )
}

/// One event, unless it was pruned.
///
/// # Errors
/// See [`Error`].
pub fn get(tx: &mut Tx<'_>, workspace: WorkspaceId, seq: Seq) -> Result<Option<Event>, Error> {
    Ok(after(tx, workspace, seq - 1, 1)?.pop().filter(|event| event.seq == seq))
}

fn read(workspace: WorkspaceId, row: &Row<'_>) -> Result<Event, Error> {
    let (actor_kind, audience, body): (String, String, Option<String>) = (row.get(4)?, row.get(6)?, row.get(9)?);
    let kind = ActorKind::parse(&actor_kind).ok_or_else(|| Error::corrupt(format!("actor kind {actor_kind}")))?;
    Ok(Event {
        workspace,
        seq: row.get(0)?,
        at: row.get(1)?,
        kind: row.get::<String>(2)?.into(),
        version: row.get(3)?,
        actor: ActorRef { kind, id: row.get(5)? },
        audience: Audience::parse(&audience),
        chat: row.get(7)?,
        entity: row.get(8)?,
        body: body.map(RawValue::from_string).transpose().map_err(Error::corrupt)?,
    })
}

/// The last `seq` of a workspace, 0 when nothing happened yet.
///
/// # Errors
/// See [`Error`].
pub fn head(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<Seq, Error> {
    if let Some(seq) = tx.held_head(workspace) {
        return Ok(seq);
    }
    let found =
        tx.first("SELECT event_seq FROM counters WHERE workspace_id = $1", args![workspace], |row| row.get(0))?;
    Ok(found.unwrap_or(0))
}

/// The last `seq` of every workspace.
///
/// # Errors
/// See [`Error`].
pub fn heads(tx: &mut Tx<'_>) -> Result<Vec<(WorkspaceId, Seq)>, Error> {
    tx.query("SELECT workspace_id, event_seq FROM counters", &[], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Everything up to this `seq` is gone; 0 when all is there.
///
/// # Errors
/// See [`Error`].
pub fn floor(tx: &mut Tx<'_>, workspace: WorkspaceId) -> Result<Seq, Error> {
    let found = tx.first("SELECT floor FROM log_floors WHERE workspace_id = $1", args![workspace], |row| row.get(0))?;
    Ok(found.unwrap_or(0))
}

/// Removes up to `most` of the command's workspace's events that are older than `before` and returns how many went.
///
/// # Errors
/// See [`Error`].
pub fn prune(tx: &mut Tx<'_>, before: Timestamp, most: i64) -> Result<u64, Error> {
    let workspace = tx.workspace();
    let old = tx.query(
        "SELECT seq, at FROM events WHERE workspace_id = $1 ORDER BY seq LIMIT $2",
        args![workspace, most],
        |row| Ok((row.get::<Seq>(0)?, row.get::<Timestamp>(1)?)),
    )?;
    // The log is cut at its end only, so an event whose clock went back waits for its elders.
    let Some((floor, _)) = old.into_iter().take_while(|(_, at)| *at < before).last() else { return Ok(0) };
    tx.exec(
        "INSERT INTO log_floors (workspace_id, floor) VALUES ($1, $2) ON CONFLICT (workspace_id) DO UPDATE SET floor = $2",
        args![workspace, floor],
    )?;
    tx.exec("DELETE FROM events WHERE workspace_id = $1 AND seq <= $2", args![workspace, floor])
}

/// Blanks the bodies of all events of the command's workspace about `entity`; used by what erases the entity.
/// It reads the whole log of the workspace: where that may be long, use [`redact_part`] from a job.
///
/// # Errors
/// See [`Error`].
pub fn redact(tx: &mut Tx<'_>, entity: Uuid) -> Result<u64, Error> {
    let workspace = tx.workspace();
    tx.exec(
        "UPDATE events SET body = NULL WHERE workspace_id = $1 AND entity_id = $2 AND body IS NOT NULL",
        args![workspace, entity],
    )
}

/// As [`redact`] for the `span` places behind `after` only. Returns where to go on, `None` at the end of the log.
///
/// # Errors
/// See [`Error`].
pub fn redact_part(tx: &mut Tx<'_>, entity: Uuid, after: Seq, span: i64) -> Result<Option<Seq>, Error> {
    let workspace = tx.workspace();
    let until = after.saturating_add(span.max(1));
    tx.exec(
        "UPDATE events SET body = NULL
         WHERE workspace_id = $1 AND entity_id = $2 AND seq > $3 AND seq <= $4 AND body IS NOT NULL",
        args![workspace, entity, after, until],
    )?;
    Ok((until < head(tx, workspace)?).then_some(until))
}
