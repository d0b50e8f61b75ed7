//! Cleaning up: sessions a month after they ended, rotated refresh tokens after their grace, networks after half a year.

use std::time::Duration;

use kit::{BoxFuture, Hub, JobHandler};
use model::SYSTEM_WORKSPACE;
use store::jobs::Job;

use crate::rows;

pub(crate) struct Purge;

impl JobHandler for Purge {
    fn kind(&self) -> &'static str {
        "identity.purge"
    }

    fn every(&self) -> Option<Duration> {
        Some(Duration::from_secs(3600))
    }

    fn run(&self, hub: Hub, _: Job) -> BoxFuture<'static, Result<(), String>> {
        Box::pin(async move {
            loop {
                let purged: Result<u64, store::Error> =
                    hub.db().write_essential(SYSTEM_WORKSPACE, rows::sessions::purge).await;
                if purged.map_err(|error| error.to_string())? == 0 {
                    return Ok(());
                }
            }
        })
    }
}
