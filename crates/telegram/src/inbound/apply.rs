//! Applying updates: one command for all updates of one answer, in their order.
//!
//! Each of several updates runs in a savepoint of its own inside that command. One that was seen before is skipped; one that is not
//! understood, or that fails for a reason that will not pass, is kept as it came and holds back no other. A reason that
//! passes (queue full, disk full, database away) fails the whole command, and the caller tries it again: the offset, or
//! the webhook's answer, waits for the commit.

use std::sync::Arc;

use chats::{Chats, ContactInput, EditedText, Inbound};
use kit::Hub;
use model::{BotId, WorkspaceId};
use store::{Error, Tx};

use super::update::{Incoming, Kind, Update};
use crate::store::updates;

/// What became of the updates of one command.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Applied {
    /// Applied.
    pub(crate) fresh: u64,
    /// Seen before.
    pub(crate) repeated: u64,
    /// Kept as they came.
    pub(crate) raw: u64,
}

/// Applies updates durably.
///
/// # Errors
/// Only what passes: see [`Error::is_passing`].
pub(crate) async fn apply(
    hub: &Hub,
    chats: &Chats,
    workspace: WorkspaceId,
    bot: BotId,
    updates: &Arc<[Update]>,
) -> Result<Applied, Error> {
    let together = run(hub, chats, workspace, bot, Arc::clone(updates)).await;
    match together {
        Err(error) if !error.is_passing() => one_by_one(hub, chats, workspace, bot, updates).await,
        other => other,
    }
}

async fn run(
    hub: &Hub,
    chats: &Chats,
    workspace: WorkspaceId,
    bot: BotId,
    updates: Arc<[Update]>,
) -> Result<Applied, Error> {
    let chats = chats.clone();
    hub.db()
        .write(workspace, move |tx| {
            let mut applied = Applied::default();
            for update in updates.iter() {
                apply_one(tx, &chats, bot, update, updates.len() == 1, &mut applied)?;
            }
            Ok(applied)
        })
        .await
}

/// The command as a whole failed: by a panic, or by its only update. Finds the culprit and keeps it as it came.
async fn one_by_one(
    hub: &Hub,
    chats: &Chats,
    workspace: WorkspaceId,
    bot: BotId,
    updates: &[Update],
) -> Result<Applied, Error> {
    let mut all = Applied::default();
    for update in updates {
        let alone: Arc<[Update]> = Arc::from([update.clone()]);
        let applied = match run(hub, chats, workspace, bot, alone).await {
            Err(error) if !error.is_passing() => keep(hub, workspace, bot, update.clone(), error).await?,
            other => other?,
        };
        all.fresh += applied.fresh;
        all.repeated += applied.repeated;
        all.raw += applied.raw;
    }
    Ok(all)
}

async fn keep(hub: &Hub, workspace: WorkspaceId, bot: BotId, update: Update, error: Error) -> Result<Applied, Error> {
    tracing::error!(%bot, update = update.id, %error, "an update could not be applied and is kept as it came");
    hub.db()
        .write(workspace, move |tx| {
            if !updates::remember(tx, bot, update.id)? {
                return Ok(Applied { repeated: 1, ..Applied::default() });
            }
            updates::keep_raw(tx, bot, Some(update.id), &error.to_string(), &update.json)?;
            Ok(Applied { raw: 1, ..Applied::default() })
        })
        .await
}

fn apply_one(
    tx: &mut Tx<'_>,
    chats: &Chats,
    bot: BotId,
    update: &Update,
    alone: bool,
    applied: &mut Applied,
) -> Result<(), Error> {
    if !updates::remember(tx, bot, update.id)? {
        applied.repeated += 1;
        return Ok(());
    }
    // Alone it needs no savepoint besides the command's own.
    let outcome = match alone {
        true => Ok(effect(tx, chats, bot, &update.kind)?),
        false => tx.attempt(|tx| effect(tx, chats, bot, &update.kind))?,
    };
    let reason = match outcome {
        Ok(None) => {
            applied.fresh += 1;
            return Ok(());
        }
        Ok(Some(reason)) => reason,
        Err(error) if error.is_passing() => return Err(error),
        Err(error) => error.to_string(),
    };
    applied.raw += 1;
    updates::keep_raw(tx, bot, Some(update.id), &reason, &update.json)
}

/// Keeps what came instead of an update.
///
/// # Errors
/// See [`Error`].
pub(crate) async fn keep_strange(
    hub: &Hub,
    workspace: WorkspaceId,
    bot: BotId,
    text: String,
) -> Result<Applied, Error> {
    let text = text.replace('\0', "\u{fffd}");
    hub.db()
        .write(workspace, move |tx| {
            updates::keep_raw(tx, bot, None, "no update that can be read", &text)?;
            Ok(Applied { raw: 1, ..Applied::default() })
        })
        .await
}

/// Does what the update says; the reason when it is not (wholly) understood.
fn effect(tx: &mut Tx<'_>, chats: &Chats, bot: BotId, kind: &Kind) -> Result<Option<String>, Error> {
    match kind {
        Kind::Message(incoming) => {
            chats.receive(tx, inbound(bot, incoming))?;
        }
        Kind::Edited(incoming) => edit(tx, chats, bot, incoming)?,
        Kind::Reachable { contact, reachable } => chats::set_reachable(tx, contact, *reachable)?,
        Kind::Other { reason, shown } => {
            match shown {
                Some(incoming) if incoming.edited_at.is_some() => edit(tx, chats, bot, incoming)?,
                Some(incoming) => {
                    chats.receive(tx, inbound(bot, incoming))?;
                }
                None => {}
            }
            return Ok(Some(reason.to_string()));
        }
    }
    Ok(None)
}

fn edit(tx: &mut Tx<'_>, chats: &Chats, bot: BotId, incoming: &Incoming) -> Result<(), Error> {
    let edited_at = incoming.edited_at.unwrap_or(tx.now());
    chats.edited(tx, EditedText { now: inbound(bot, incoming), edited_at })?;
    Ok(())
}

fn inbound(bot: BotId, incoming: &Incoming) -> Inbound {
    let from = &incoming.from;
    Inbound {
        bot,
        chat: incoming.chat.clone(),
        from: ContactInput {
            external_id: from.id.clone(),
            name: from.name.clone(),
            username: from.username.clone(),
            language: from.language.clone(),
        },
        message: incoming.message.clone(),
        text: incoming.text.clone(),
    }
}
