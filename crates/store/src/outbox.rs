//! The outbox.
//!
//! **Purpose.** Everything that leaves the server is a row here, committed with the state that caused it. No handler calls the
//! outside itself.
//!
//! **States.** `queued → sending → sent`, or from `sending` to `retrying` (refused for now), `failed` (refused for good),
//! `unknown` (nobody can know) or `dead` (attempts or time are used up). `retrying → sending` again. A person may turn
//! `failed`, `unknown` and `dead` into `queued` ([`retry`]) and `queued`, `retrying` into `dead` ([`bury`]).
//!
//! **Concurrency.** One owner (a bot) is worked on by one sender, which holds a lease with a fence. [`claim`] checks the fence in
//! the same statement that sets `sending`, and it is committed before the request leaves. [`settle`] of an older fence changes
//! nothing: it is only recorded as an attempt. What a crash leaves in `sending` becomes `unknown` ([`orphans`]) once the old
//! lease and the request's time-out have run out, because the other side may have it and has no idempotency key.
//!
//! **Order.** `position` rises per workspace in commit order; an item that a person queues again moves to a new one at the
//! end. A sender keeps the order within one chat and class.
//!
//! **Events.** Every change of state appends `delivery.updated` in the same transaction. Enqueueing does not: the message that
//! caused it carries its delivery.

mod types;

use model::{
    ActorRef, Audience, ConversationId, DeliveryClass, DeliveryId, DeliveryState, MessageId, NewEvent, Right,
    Timestamp, WorkspaceId, kind,
};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

pub use types::{Channel, Delivery, DeliveryView, NewDelivery, Outcome};

use crate::{Arg, Error, Lease, Row, Tx, args};

macro_rules! columns {
    () => {
        "id, workspace_id, position, channel, owner_id, chat_id, class, state, payload, message_id, conversation_id, \
         attempts, next_at, expires_at, error, external_id, created_at, updated_at"
    };
}

fn read(row: &Row<'_>) -> Result<Delivery, Error> {
    let (channel, state, payload): (String, String, String) = (row.get(3)?, row.get(7)?, row.get(8)?);
    let class: i64 = row.get(6)?;
    Ok(Delivery {
        id: row.get(0)?,
        workspace: row.get(1)?,
        position: row.get(2)?,
        channel: Channel::parse(&channel)?,
        owner: row.get(4)?,
        chat: row.get(5)?,
        class: DeliveryClass::from_rank(class).ok_or_else(|| Error::corrupt(format!("delivery class {class}")))?,
        state: DeliveryState::parse(&state).ok_or_else(|| Error::corrupt(format!("delivery state {state}")))?,
        payload: RawValue::from_string(payload).map_err(Error::corrupt)?,
        message: row.get(9)?,
        conversation: row.get(10)?,
        attempts: row.get(11)?,
        next_at: row.get(12)?,
        expires_at: row.get(13)?,
        error: row.get(14)?,
        external_id: row.get(15)?,
        created_at: row.get(16)?,
        updated_at: row.get(17)?,
    })
}

/// Puts an item into the outbox of the command's workspace; its sender hears of it after the commit.
///
/// # Errors
/// See [`Error`].
pub fn enqueue(tx: &mut Tx<'_>, new: NewDelivery) -> Result<Delivery, Error> {
    let delivery = Delivery {
        id: tx.id(),
        workspace: tx.workspace(),
        position: tx.next_delivery_position()?,
        channel: new.channel,
        owner: new.owner,
        chat: new.chat,
        class: new.class,
        state: DeliveryState::Queued,
        payload: new.payload,
        message: new.message,
        conversation: new.conversation,
        attempts: 0,
        next_at: None,
        expires_at: new.expires_at,
        error: None,
        external_id: None,
        created_at: tx.now(),
        updated_at: tx.now(),
    };
    insert(tx, &delivery)?;
    tx.effects().deliveries.push(delivery.clone());
    Ok(delivery)
}

fn insert(tx: &mut Tx<'_>, it: &Delivery) -> Result<(), Error> {
    tx.exec(
        concat!(
            "INSERT INTO deliveries (",
            columns!(),
            ", fence) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, 0)"
        ),
        args![
            it.id,
            it.workspace,
            it.position,
            it.channel.as_str(),
            it.owner,
            it.chat,
            it.class.rank(),
            it.state.as_str(),
            it.payload.get(),
            it.message,
            it.conversation,
            it.attempts,
            it.next_at,
            it.expires_at,
            it.error,
            it.external_id,
            it.created_at,
            it.updated_at
        ],
    )?;
    Ok(())
}

/// Up to `limit` waiting items of an owner behind `after_position`, in order.
///
/// # Errors
/// See [`Error`].
pub fn pending(tx: &mut Tx<'_>, owner: Uuid, after_position: i64, limit: i64) -> Result<Vec<Delivery>, Error> {
    tx.query(
        concat!(
            "SELECT ",
            columns!(),
            " FROM deliveries WHERE owner_id = $1 AND state IN ('queued', 'retrying') AND position > $2
             ORDER BY position LIMIT $3"
        ),
        args![owner, after_position, limit],
        read,
    )
}

/// Takes a waiting item for sending, if the lease is still the newest; `None` when it is not, or the item is not waiting.
///
/// # Errors
/// See [`Error`].
pub fn claim(tx: &mut Tx<'_>, id: DeliveryId, lease: &Lease) -> Result<Option<Delivery>, Error> {
    let claimed = tx.first(
        concat!(
            "UPDATE deliveries SET state = 'sending', attempts = attempts + 1, next_at = NULL, fence = $2, updated_at = $3
             WHERE id = $1 AND workspace_id = $5 AND state IN ('queued', 'retrying')
             AND EXISTS (SELECT 1 FROM leases WHERE name = $4 AND fence = $2) RETURNING ",
            columns!()
        ),
        args![id, lease.fence, tx.now(), lease.name, tx.workspace()],
        read,
    )?;
    announced(tx, claimed)
}

/// Records how an attempt ended. `None` when the attempt was made under an old fence: it changes no state.
///
/// # Errors
/// See [`Error`].
pub fn settle(tx: &mut Tx<'_>, id: DeliveryId, lease: &Lease, outcome: &Outcome) -> Result<Option<Delivery>, Error> {
    let next_at = if let Outcome::Retry { at, .. } = outcome { Some(*at) } else { None };
    let external_id = if let Outcome::Sent { external_id } = outcome { external_id.as_deref() } else { None };
    let settled = tx.first(
        concat!(
            "UPDATE deliveries SET state = $3, error = $4, next_at = $5, external_id = $6, updated_at = $7
             WHERE id = $1 AND workspace_id = $8 AND state = 'sending' AND fence = $2 RETURNING ",
            columns!()
        ),
        args![
            id,
            lease.fence,
            outcome.state().as_str(),
            outcome.error(),
            next_at,
            external_id,
            tx.now(),
            tx.workspace()
        ],
        read,
    )?;
    if settled.is_none() {
        let attempt: model::Id<kind::Delivery> = tx.id();
        tx.exec(
            "INSERT INTO delivery_attempts (id, delivery_id, at, outcome, error) VALUES ($1, $2, $3, $4, $5)",
            args![attempt, id, tx.now(), outcome.state().as_str(), outcome.error()],
        )?;
    }
    announced(tx, settled)
}

/// Turns what older fences left in `sending` into `unknown` and returns it. Call it when the old lease and the
/// request's time-out have run out.
///
/// # Errors
/// See [`Error`].
pub fn orphans(tx: &mut Tx<'_>, owner: Uuid, fence: i64) -> Result<Vec<Delivery>, Error> {
    let mut found = tx.query(
        concat!(
            "UPDATE deliveries SET state = 'unknown', error = $3, updated_at = $4
             WHERE owner_id = $1 AND workspace_id = $5 AND state = 'sending' AND fence < $2 RETURNING ",
            columns!()
        ),
        args![owner, fence, "the server stopped while this was being sent", tx.now(), tx.workspace()],
        read,
    )?;
    found.sort_by_key(|it| it.position);
    found.into_iter().map(|it| announced(tx, Some(it.clone())).map(|_| it)).collect()
}

/// Queues a `failed`, `unknown` or `dead` item again, at the end of the order. `None` when it is in another state.
///
/// # Errors
/// See [`Error`].
pub fn retry(tx: &mut Tx<'_>, id: DeliveryId) -> Result<Option<Delivery>, Error> {
    let workspace = tx.workspace();
    let over = [DeliveryState::Failed, DeliveryState::Unknown, DeliveryState::Dead];
    if get(tx, workspace, id)?.is_none_or(|it| !over.contains(&it.state)) {
        return Ok(None);
    }
    let position = tx.next_delivery_position()?;
    let queued = tx.first(
        concat!(
            "UPDATE deliveries SET state = 'queued', position = $2, attempts = 0, error = NULL, next_at = NULL,
             expires_at = NULL, updated_at = $3
             WHERE id = $1 AND workspace_id = $4 AND state IN ('failed', 'unknown', 'dead') RETURNING ",
            columns!()
        ),
        args![id, position, tx.now(), tx.workspace()],
        read,
    )?;
    if let Some(delivery) = &queued {
        let delivery = delivery.clone();
        tx.effects().deliveries.push(delivery);
    }
    announced(tx, queued)
}

/// Ends a waiting item: a person discarded it, or its time is over. `None` when it is not waiting.
///
/// # Errors
/// See [`Error`].
pub fn bury(tx: &mut Tx<'_>, id: DeliveryId, error: &str) -> Result<Option<Delivery>, Error> {
    let buried = tx.first(
        concat!(
            "UPDATE deliveries SET state = 'dead', error = $2, next_at = NULL, updated_at = $3
             WHERE id = $1 AND workspace_id = $4 AND state IN ('queued', 'retrying') RETURNING ",
            columns!()
        ),
        args![id, error, tx.now(), tx.workspace()],
        read,
    )?;
    announced(tx, buried)
}

/// One item of a workspace.
///
/// # Errors
/// See [`Error`].
pub fn get(tx: &mut Tx<'_>, workspace: WorkspaceId, id: DeliveryId) -> Result<Option<Delivery>, Error> {
    tx.first(
        concat!("SELECT ", columns!(), " FROM deliveries WHERE id = $1 AND workspace_id = $2"),
        args![id, workspace],
        read,
    )
}

/// Up to `limit` items of a workspace below `before` (a position), newest first, of one state or of all.
///
/// # Errors
/// See [`Error`].
pub fn list(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    state: Option<DeliveryState>,
    before: i64,
    limit: i64,
) -> Result<Vec<Delivery>, Error> {
    let all: &[Arg<'_>] = args![workspace, before, limit];
    match state {
        None => tx.query(
            concat!(
                "SELECT ",
                columns!(),
                " FROM deliveries WHERE workspace_id = $1 AND position < $2 ORDER BY position DESC LIMIT $3"
            ),
            all,
            read,
        ),
        Some(state) => tx.query(
            concat!(
                "SELECT ",
                columns!(),
                " FROM deliveries WHERE workspace_id = $1 AND position < $2 AND state = $4 ORDER BY position DESC LIMIT $3"
            ),
            args![workspace, before, limit, state.as_str()],
            read,
        ),
    }
}

/// When the oldest waiting item of each class was enqueued, for the metric of queue age.
///
/// # Errors
/// See [`Error`].
pub fn oldest_waiting(tx: &mut Tx<'_>) -> Result<Vec<(DeliveryClass, Timestamp)>, Error> {
    let rows = tx.query(
        "SELECT class, MIN(created_at) FROM deliveries WHERE state IN ('queued', 'retrying') GROUP BY class",
        &[],
        |row| Ok((row.get::<i64>(0)?, row.get(1)?)),
    )?;
    Ok(rows.into_iter().filter_map(|(rank, at)| Some((DeliveryClass::from_rank(rank)?, at))).collect())
}

#[derive(Serialize)]
struct Updated {
    conversation_id: Option<ConversationId>,
    message_id: Option<MessageId>,
    delivery: DeliveryView,
}

fn announced(tx: &mut Tx<'_>, delivery: Option<Delivery>) -> Result<Option<Delivery>, Error> {
    if let Some(it) = &delivery {
        let body = Updated { conversation_id: it.conversation, message_id: it.message, delivery: it.view() };
        tx.append(NewEvent {
            kind: "delivery.updated",
            version: 1,
            actor: ActorRef::SYSTEM,
            audience: Audience::Right(Right::DeliveriesRead),
            chat: it.chat,
            entity: Some(it.chat.map_or(it.id.uuid(), model::Id::uuid)),
            body: serde_json::value::to_raw_value(&body).map_err(Error::corrupt)?,
        })?;
    }
    Ok(delivery)
}
