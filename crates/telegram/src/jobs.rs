//! Timers: forgetting old update numbers, and burying what waited for a removed bot.

use std::time::Duration;

use kit::{BoxFuture, Hub, JobHandler};
use model::{BotId, SYSTEM_WORKSPACE};
use serde::{Deserialize, Serialize};
use store::{Error, jobs::Job, outbox};

use crate::store::updates;

/// How long update numbers are remembered (RULES 8.4).
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);
const CHUNK: i64 = 200;

/// Forgets numbers of updates that are over a week old.
pub(crate) struct Forget;

impl JobHandler for Forget {
    fn kind(&self) -> &'static str {
        "telegram.updates.forget"
    }

    fn every(&self) -> Option<Duration> {
        Some(Duration::from_secs(3600))
    }

    fn run(&self, hub: Hub, _: Job) -> BoxFuture<'static, Result<(), String>> {
        Box::pin(async move {
            loop {
                let forget = |tx: &mut store::Tx<'_>| {
                    let before = tx.now() - REMEMBERED;
                    updates::forget(tx, before, CHUNK)
                };
                let forgotten: Result<usize, Error> = hub.db().write_essential(SYSTEM_WORKSPACE, forget).await;
                if forgotten.map_err(|error| error.to_string())? == 0 {
                    return Ok(());
                }
            }
        })
    }
}

/// Kind of [`Bury`].
pub(crate) const BURY: &str = "telegram.bot.bury";

/// Payload of [`Bury`].
#[derive(Serialize, Deserialize)]
pub(crate) struct Removed {
    pub(crate) bot: BotId,
}

/// Ends what still waits for a bot that was removed.
pub(crate) struct Bury;

impl JobHandler for Bury {
    fn kind(&self) -> &'static str {
        BURY
    }

    fn run(&self, hub: Hub, job: Job) -> BoxFuture<'static, Result<(), String>> {
        Box::pin(async move {
            let removed: Removed = serde_json::from_str(job.payload.get()).map_err(|error| error.to_string())?;
            let owner = removed.bot.uuid();
            loop {
                let bury = move |tx: &mut store::Tx<'_>| {
                    let waiting = outbox::pending(tx, owner, 0, CHUNK)?;
                    for delivery in &waiting {
                        outbox::bury(tx, delivery.id, "the bot was removed")?;
                    }
                    Ok(waiting.len())
                };
                let buried: Result<usize, Error> = hub.db().write_essential(job.workspace, bury).await;
                if buried.map_err(|error| error.to_string())? == 0 {
                    return Ok(());
                }
            }
        })
    }
}
