//! The sender's one command: results of what ended and claims of what leaves next, committed together.

use std::{collections::HashMap, sync::Arc};

use kit::Hub;
use model::{BotId, DeliveryId, MessageId, WorkspaceId};
use store::{Delivery, Error, Lease, Outcome, Tx, outbox};

use super::lanes::{Hold, Item};
use crate::store::holds;

/// An item whose claim is committed.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) item: Item,
    /// The message that it carries.
    pub(crate) message: Option<MessageId>,
}

/// How a claimed item ended.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    pub(crate) id: DeliveryId,
    pub(crate) message: Option<MessageId>,
    pub(crate) outcome: Outcome,
    /// Nobody can write to this chat any more.
    pub(crate) unreachable: Option<Arc<str>>,
}

/// What to store.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) bot: BotId,
    pub(crate) lease: Lease,
    pub(crate) finished: Vec<Finished>,
    pub(crate) holds: Vec<Hold>,
    pub(crate) items: Vec<Item>,
}

/// Stores results and claims in one command and returns what was claimed. Results alone are stored also on a nearly full
/// disk, because what was sent must not look unsent.
///
/// # Errors
/// See [`Error`]; then nothing of it is stored.
pub(crate) async fn step(
    hub: &Hub,
    workspace: WorkspaceId,
    step: Step,
) -> Result<HashMap<DeliveryId, Delivery>, Error> {
    let essential = step.items.is_empty();
    let run = move |tx: &mut Tx<'_>| {
        for finished in &step.finished {
            settle(tx, &step.lease, finished)?;
        }
        for hold in &step.holds {
            let until = tx.now() + hold.lasts;
            holds::keep(tx, step.bot, hold.chat.as_deref(), until)?;
        }
        let mut claimed = HashMap::with_capacity(step.items.len());
        for item in &step.items {
            if let Some(delivery) = claim(tx, &step.lease, item)? {
                claimed.insert(item.id, delivery);
            }
        }
        Ok(claimed)
    };
    if essential { hub.db().write_essential(workspace, run).await } else { hub.db().write(workspace, run).await }
}

fn claim(tx: &mut Tx<'_>, lease: &Lease, item: &Item) -> Result<Option<Delivery>, Error> {
    if item.expires_at.is_some_and(|at| at <= tx.now()) {
        outbox::bury(tx, item.id, "its time was over before it could be sent")?;
        return Ok(None);
    }
    outbox::claim(tx, item.id, lease)
}

fn settle(tx: &mut Tx<'_>, lease: &Lease, finished: &Finished) -> Result<(), Error> {
    if outbox::settle(tx, finished.id, lease, &finished.outcome)?.is_none() {
        return Ok(());
    }
    if let (Outcome::Sent { external_id: Some(id) }, Some(message)) = (&finished.outcome, finished.message) {
        // Should the id be taken in its chat, the message stays without one: it is sent all the same.
        match tx.attempt(|tx| chats::delivered(tx, message, id))? {
            Ok(()) => {}
            Err(error) if error.is_passing() => return Err(error),
            Err(error) => tracing::warn!(%message, %error, "a sent message could not be given Telegram's id"),
        }
    }
    if let Some(chat) = &finished.unreachable {
        chats::set_reachable(tx, chat, false)?;
    }
    Ok(())
}
