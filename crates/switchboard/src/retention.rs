//! Work that repeats: the scheduled backup and the end of old events.

use std::{path::PathBuf, time::Duration};

use kit::{BoxFuture, Feature, Hub, JobHandler};
use model::{Timestamp, WorkspaceId};
use store::{Error, jobs::Job, log};

use crate::config::Config;

/// Events that one command removes at most.
const CHUNK: i64 = 500;

/// The feature of the binary itself.
pub(crate) fn feature(config: &Config) -> Feature {
    let days = Duration::from_secs(24 * 3600) * u32::try_from(config.retention.log_days).unwrap_or(u32::MAX);
    let mut feature = Feature::new("operations").job(PruneLog { keep: days });
    if config.backup.every_hours > 0 {
        feature = feature.job(Backup {
            every: Duration::from_secs(3600 * config.backup.every_hours),
            folder: config.backup_folder(),
            keep: config.backup.keep,
        });
    }
    feature
}

/// Removes events that are older than the retention.
struct PruneLog {
    keep: Duration,
}

impl JobHandler for PruneLog {
    fn kind(&self) -> &'static str {
        "operations.prune_log"
    }

    fn every(&self) -> Option<Duration> {
        Some(Duration::from_secs(3600))
    }

    fn run(&self, hub: Hub, _: Job) -> BoxFuture<'static, Result<(), String>> {
        let before = hub.world().now() - self.keep;
        Box::pin(async move { prune(&hub, before).await.map_err(|e| e.to_string()) })
    }
}

async fn prune(hub: &Hub, before: Timestamp) -> Result<(), Error> {
    let heads: Vec<(WorkspaceId, i64)> = hub.db().read(log::heads).await?;
    for (workspace, _) in heads {
        loop {
            let gone = hub.db().write_essential(workspace, move |tx| log::prune(tx, before, CHUNK)).await?;
            if gone < u64::try_from(CHUNK).unwrap_or(u64::MAX) {
                break;
            }
        }
    }
    Ok(())
}

/// Writes and verifies a backup, then removes the oldest ones.
struct Backup {
    every: Duration,
    folder: PathBuf,
    keep: usize,
}

impl JobHandler for Backup {
    fn kind(&self) -> &'static str {
        "operations.backup"
    }

    fn every(&self) -> Option<Duration> {
        Some(self.every)
    }

    fn run(&self, hub: Hub, _: Job) -> BoxFuture<'static, Result<(), String>> {
        let (folder, keep) = (self.folder.clone(), self.keep);
        Box::pin(async move {
            let file =
                crate::ops::write_backup(hub.db(), &folder, hub.world().now()).await.map_err(|e| format!("{e:#}"))?;
            tracing::info!(file = %file.display(), "backup written and verified");
            let removed = tokio::task::spawn_blocking(move || store::backup::prune(&folder, keep)).await;
            removed.map_err(|e| e.to_string())?.map(drop).map_err(|e| e.to_string())
        })
    }
}
