//! The hourly job that forgets what the platform need not remember.

use std::time::Duration;

use model::{SYSTEM_WORKSPACE, Timestamp, WorkspaceId};
use store::{Tx, jobs::Job, log, purge};

use crate::{BoxFuture, Hub, JobHandler};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Rows of one command.
const CHUNK: i64 = 500;

/// See the module.
pub(crate) struct Upkeep;

impl JobHandler for Upkeep {
    fn kind(&self) -> &'static str {
        "platform.upkeep"
    }

    fn every(&self) -> Option<Duration> {
        Some(Duration::from_secs(3600))
    }

    fn run(&self, hub: Hub, _: Job) -> BoxFuture<'static, Result<(), String>> {
        Box::pin(async move { upkeep(&hub).await.map_err(|error| error.to_string()) })
    }
}

async fn upkeep(hub: &Hub) -> Result<(), store::Error> {
    forget(hub, SYSTEM_WORKSPACE, DAY, purge::batches).await?;
    forget(hub, SYSTEM_WORKSPACE, 7 * DAY, purge::idempotency).await?;
    forget(hub, SYSTEM_WORKSPACE, 30 * DAY, purge::delivery_attempts).await?;
    for (workspace, _) in hub.db().read(log::heads).await? {
        forget(hub, workspace, hub.config().log_retention, log::prune).await?;
    }
    Ok(())
}

type Forget = fn(&mut Tx<'_>, Timestamp, i64) -> Result<u64, store::Error>;

/// Removes what is older than `age`, a chunk at a time so that other commands get their turn.
async fn forget(hub: &Hub, workspace: WorkspaceId, age: Duration, some: Forget) -> Result<(), store::Error> {
    let full = u64::try_from(CHUNK).expect("a positive number");
    loop {
        let gone = hub.db().write_essential(workspace, move |tx| {
            let before = tx.now() - age;
            some(tx, before, CHUNK)
        });
        if gone.await? < full {
            return Ok(());
        }
    }
}
