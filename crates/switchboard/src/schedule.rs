//! The scheduled backup.

use std::{path::PathBuf, time::Duration};

use kit::{BoxFuture, Feature, Hub, JobHandler};
use store::jobs::Job;

use crate::config::Config;

/// The feature of the binary itself.
pub(crate) fn feature(config: &Config) -> Feature {
    let feature = Feature::new("operations");
    if config.backup.every_hours == 0 {
        return feature;
    }
    feature.job(Backup {
        every: Duration::from_secs(3600 * config.backup.every_hours),
        folder: config.backup_folder(),
        keep: config.backup.keep,
    })
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
