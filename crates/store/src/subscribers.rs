//! Subscribers: what the server does when events happen.
//!
//! **Contract.** A subscriber has a durable cursor per workspace. [`advance`] applies a run of events in one command: cursor and
//! effects commit together, so every event is applied **exactly once** to what is in this database.
//!
//! **Failure.** An event that cannot be applied is undone alone. A subscriber that parks ([`OnError::Park`]) puts it into
//! the dead letters with the error and goes on; later events of the same entity wait there behind it, in order. One that counts
//! ([`OnError::Halt`]) stops at the event, because a count that skips is wrong. Either is shown, and [`replay`] takes it up again.
//! Errors that pass by themselves (a full queue, a full disk) are not the event's fault: the whole run is tried again later.
//!
//! **Behind the floor.** When events that it has not seen are pruned already, a subscriber rebuilds from the tables.

use model::{ActorRef, Audience, DeadLetterId, Event, NewEvent, Right, Seq, Timestamp, WorkspaceId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Error, Row, Tx, args, log};

/// What becomes of an event that cannot be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// Set it aside and go on with other entities.
    Park,
    /// Stop until a person looks.
    Halt,
}

/// Why an event could not be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscriberError {
    /// The database said no.
    #[error(transparent)]
    Store(#[from] Error),
    /// The event makes no sense to this subscriber.
    #[error("{0}")]
    Refused(String),
}

impl From<serde_json::Error> for SubscriberError {
    fn from(error: serde_json::Error) -> Self {
        Self::Refused(error.to_string())
    }
}

/// Something that follows the log.
pub trait Subscriber: Send + Sync + 'static {
    /// Its name in cursors and dead letters; never change it.
    fn name(&self) -> &'static str;

    /// Whether it cares for events of this kind.
    fn wants(&self, kind: &str) -> bool;

    /// What becomes of an event that it cannot apply.
    fn on_error(&self) -> OnError {
        OnError::Park
    }

    /// Does what the event asks for, in the event's workspace. It may append events of its own.
    ///
    /// # Errors
    /// See [`SubscriberError`].
    fn apply(&self, tx: &mut Tx<'_>, event: &Event) -> Result<(), SubscriberError>;

    /// Computes its effect from the tables, when the log does not reach back far enough.
    ///
    /// # Errors
    /// See [`SubscriberError`].
    fn rebuild(&self, tx: &mut Tx<'_>) -> Result<(), SubscriberError>;
}

/// How far a run came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The cursor after the run.
    pub seq: Seq,
    /// Whether more events wait.
    pub more: bool,
    /// Whether the subscriber is halted.
    pub halted: bool,
}

/// An event that waits for a person, or behind one that does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeadLetter {
    /// Its id.
    pub id: DeadLetterId,
    /// Who could not apply it.
    pub subscriber: String,
    /// The event's place in the log.
    pub event_seq: Seq,
    /// The event's kind.
    pub event_kind: String,
    /// What went wrong.
    pub error: String,
    /// How often it was tried.
    pub attempts: i64,
    /// Later events of the same entity that wait behind it.
    pub waiting: i64,
    /// When it was set aside.
    pub created_at: Timestamp,
}

/// Where a subscriber stands in a workspace, and why it halted if it did.
///
/// # Errors
/// See [`Error`].
pub fn position(tx: &mut Tx<'_>, subscriber: &str, workspace: WorkspaceId) -> Result<(Seq, Option<String>), Error> {
    let found = tx.first(
        "SELECT seq, halted FROM subscriber_cursors WHERE subscriber = $1 AND workspace_id = $2",
        args![subscriber, workspace],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(found.unwrap_or((0, None)))
}

/// Applies up to `limit` events of the command's workspace.
///
/// # Errors
/// Only what is not an event's fault; see [`Error`].
pub fn advance(tx: &mut Tx<'_>, subscriber: &dyn Subscriber, limit: i64) -> Result<Progress, Error> {
    let workspace = tx.workspace();
    let (start, halted) = position(tx, subscriber.name(), workspace)?;
    // First, so that a rebuild that failed is tried again with the next events.
    if start < log::floor(tx, workspace)? {
        return rebuild(tx, subscriber);
    }
    if halted.is_some() {
        return Ok(Progress { seq: start, more: false, halted: true });
    }
    let events = log::after(tx, workspace, start, limit)?;
    let more = i64::try_from(events.len()).is_ok_and(|count| count == limit);
    let mut seq = start;
    for event in &events {
        if subscriber.wants(&event.kind) && !take(tx, subscriber, event)? {
            save(tx, subscriber, seq, Some("an event could not be applied"))?;
            return Ok(Progress { seq, more: false, halted: true });
        }
        seq = event.seq;
    }
    if seq > start {
        save(tx, subscriber, seq, None)?;
    }
    Ok(Progress { seq, more, halted: false })
}

fn rebuild(tx: &mut Tx<'_>, subscriber: &dyn Subscriber) -> Result<Progress, Error> {
    let workspace = tx.workspace();
    let seq = log::head(tx, workspace)?;
    match tx.attempt(|tx| subscriber.rebuild(tx))? {
        Ok(()) => {
            save(tx, subscriber, seq, None)?;
            Ok(Progress { seq, more: false, halted: false })
        }
        Err(SubscriberError::Store(error)) if error.is_passing() => Err(error),
        Err(error) => {
            save(tx, subscriber, 0, Some(&error.to_string()))?;
            Ok(Progress { seq: 0, more: false, halted: true })
        }
    }
}

/// Applies or parks one event; false when the subscriber has to halt at it.
fn take(tx: &mut Tx<'_>, subscriber: &dyn Subscriber, event: &Event) -> Result<bool, Error> {
    if entity_is_parked(tx, subscriber.name(), event)? {
        park(tx, subscriber.name(), event, None)?;
        return Ok(true);
    }
    match tx.attempt(|tx| subscriber.apply(tx, event))? {
        Ok(()) => Ok(true),
        Err(SubscriberError::Store(error)) if error.is_passing() => Err(error),
        Err(error) => {
            park(tx, subscriber.name(), event, Some(&error.to_string()))?;
            Ok(subscriber.on_error() == OnError::Park)
        }
    }
}

fn entity_is_parked(tx: &mut Tx<'_>, subscriber: &str, event: &Event) -> Result<bool, Error> {
    let Some(entity) = event.entity else { return Ok(false) };
    let found = tx.first(
        "SELECT 1 FROM dead_letters WHERE subscriber = $1 AND workspace_id = $2 AND entity_id = $3 LIMIT 1",
        args![subscriber, event.workspace, entity],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

fn park(tx: &mut Tx<'_>, subscriber: &str, event: &Event, error: Option<&str>) -> Result<(), Error> {
    let (id, now): (DeadLetterId, _) = (tx.id(), tx.now());
    let attempts = i64::from(error.is_some());
    tx.exec(
        "INSERT INTO dead_letters (id, workspace_id, subscriber, seq, kind, entity_id, error, attempts, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        args![id, event.workspace, subscriber, event.seq, event.kind.as_ref(), event.entity, error, attempts, now],
    )?;
    let Some(error) = error else { return Ok(()) };
    tracing::error!(subscriber, seq = event.seq, kind = %event.kind, error, "an event was parked");
    let letter = DeadLetter {
        id,
        subscriber: subscriber.to_owned(),
        event_seq: event.seq,
        event_kind: event.kind.to_string(),
        error: error.to_owned(),
        attempts,
        waiting: 0,
        created_at: now,
    };
    announce(tx, "dead_letter.created", &serde_json::json!({ "dead_letter": letter }))
}

fn announce(tx: &mut Tx<'_>, kind: &'static str, body: &serde_json::Value) -> Result<(), Error> {
    tx.append(NewEvent {
        kind,
        version: 1,
        actor: ActorRef::SYSTEM,
        audience: Audience::Right(Right::SystemRead),
        chat: None,
        entity: None,
        body: serde_json::value::to_raw_value(body).map_err(Error::corrupt)?,
    })?;
    Ok(())
}

fn save(tx: &mut Tx<'_>, subscriber: &dyn Subscriber, seq: Seq, halted: Option<&str>) -> Result<(), Error> {
    let (workspace, now) = (tx.workspace(), tx.now());
    tx.exec(
        "INSERT INTO subscriber_cursors (subscriber, workspace_id, seq, halted, updated_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (subscriber, workspace_id) DO UPDATE SET seq = $3, halted = $4, updated_at = $5",
        args![subscriber.name(), workspace, seq, halted, now],
    )?;
    Ok(())
}

/// The dead letters of a workspace that have an error of their own, newest first, below `before`.
///
/// # Errors
/// See [`Error`].
pub fn dead_letters(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    before: Option<DeadLetterId>,
    limit: i64,
) -> Result<Vec<DeadLetter>, Error> {
    let before = before.unwrap_or(model::Id::from_uuid(uuid::Uuid::max()));
    tx.query(
        "SELECT id, subscriber, seq, kind, error, attempts, created_at,
           (SELECT COUNT(*) FROM dead_letters w WHERE w.subscriber = d.subscriber AND w.workspace_id = d.workspace_id
            AND w.entity_id = d.entity_id AND w.error IS NULL)
         FROM dead_letters d WHERE workspace_id = $1 AND error IS NOT NULL AND id < $2 ORDER BY id DESC LIMIT $3",
        args![workspace, before, limit],
        letter,
    )
}

fn letter(row: &Row<'_>) -> Result<DeadLetter, Error> {
    Ok(DeadLetter {
        id: row.get(0)?,
        subscriber: row.get(1)?,
        event_seq: row.get(2)?,
        event_kind: row.get(3)?,
        error: row.get(4)?,
        attempts: row.get(5)?,
        created_at: row.get(6)?,
        waiting: row.get(7)?,
    })
}

/// Tries a dead letter of the command's workspace again, and behind it whatever waits for the same entity, in order.
/// Returns how many were applied; it stops at the first that fails again. `find` gives the subscriber of a name.
///
/// # Errors
/// [`Error::NotFound`] for an unknown id.
pub fn replay<'s>(
    tx: &mut Tx<'_>,
    id: DeadLetterId,
    find: impl Fn(&str) -> Option<&'s dyn Subscriber>,
) -> Result<u64, Error> {
    let workspace = tx.workspace();
    let (name, entity, seq): (String, Option<uuid::Uuid>, Seq) = tx.one(
        "SELECT subscriber, entity_id, seq FROM dead_letters WHERE id = $1 AND workspace_id = $2 AND error IS NOT NULL",
        args![id, workspace],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let subscriber = find(&name).ok_or(Error::NotFound)?;
    if subscriber.on_error() == OnError::Halt {
        return resume(tx, subscriber, id);
    }
    let waiting = tx.query(
        "SELECT id, seq FROM dead_letters WHERE subscriber = $1 AND workspace_id = $2
         AND (seq = $3 OR (entity_id = $4 AND seq > $3)) ORDER BY seq",
        args![name, workspace, seq, entity],
        |row| Ok((row.get::<DeadLetterId>(0)?, row.get::<Seq>(1)?)),
    )?;
    let mut applied = 0;
    for (id, seq) in waiting {
        if !replay_one(tx, subscriber, id, seq)? {
            break;
        }
        applied += 1;
    }
    Ok(applied)
}

fn replay_one(tx: &mut Tx<'_>, subscriber: &dyn Subscriber, id: DeadLetterId, seq: Seq) -> Result<bool, Error> {
    let workspace = tx.workspace();
    let outcome = match log::get(tx, workspace, seq)? {
        Some(event) => tx.attempt(|tx| subscriber.apply(tx, &event))?,
        None => Err(SubscriberError::Refused("the event is no longer in the log".to_owned())),
    };
    match outcome {
        Ok(()) => remove(tx, id).map(|()| true),
        Err(SubscriberError::Store(error)) if error.is_passing() => Err(error),
        Err(error) => {
            let text = error.to_string();
            tx.exec(
                "UPDATE dead_letters SET error = $2, attempts = attempts + 1 WHERE id = $1 AND workspace_id = $3",
                args![id, text, workspace],
            )?;
            Ok(false)
        }
    }
}

/// A halted subscriber goes on at the event that it stopped at.
fn resume(tx: &mut Tx<'_>, subscriber: &dyn Subscriber, id: DeadLetterId) -> Result<u64, Error> {
    let workspace = tx.workspace();
    let (seq, _) = position(tx, subscriber.name(), workspace)?;
    remove(tx, id)?;
    save(tx, subscriber, seq, None)?;
    Ok(u64::from(!advance(tx, subscriber, 1)?.halted))
}

fn remove(tx: &mut Tx<'_>, id: DeadLetterId) -> Result<(), Error> {
    let workspace = tx.workspace();
    tx.exec("DELETE FROM dead_letters WHERE id = $1 AND workspace_id = $2", args![id, workspace])?;
    announce(tx, "dead_letter.removed", &serde_json::json!({ "id": id }))
}
