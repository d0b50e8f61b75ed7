//! Clean-up, in two jobs that run on one node at a time.
//!
//! `files.expire` follows the rows: what no message has used for a day is marked deleted, a day later its row goes, and its blob
//! with the last row. `files.sweep` looks through the whole blob store for what has no row: content whose upload was cut off
//! before its row was written. Nothing younger than a day is touched. Both may stop anywhere and run again.

use std::time::Duration;

use kit::{BoxFuture, Hub, JobHandler};
use model::Timestamp;
use store::{Tx, jobs::Job};

use crate::{
    Error, Files, Hash,
    rows::{self, Due},
};

/// What the clean-up waits for at each step, so that a backup finds what it refers to.
pub(crate) const WAIT: Duration = Duration::from_secs(24 * 3600);
/// Rows that are handled together.
const CHUNK: i64 = 100;
/// Blobs that are listed together.
const PAGE: usize = 1000;

/// See the module.
pub(crate) struct Expire(pub(crate) Files);

impl JobHandler for Expire {
    fn kind(&self) -> &'static str {
        "files.expire"
    }

    fn run(&self, _: Hub, _: Job) -> BoxFuture<'static, Result<(), String>> {
        let files = self.0.clone();
        Box::pin(async move { expire(&files).await.map_err(|error| error.to_string()) })
    }

    fn every(&self) -> Option<Duration> {
        Some(Duration::from_secs(3600))
    }
}

/// See the module.
pub(crate) struct Sweep(pub(crate) Files);

impl JobHandler for Sweep {
    fn kind(&self) -> &'static str {
        "files.sweep"
    }

    fn run(&self, _: Hub, _: Job) -> BoxFuture<'static, Result<(), String>> {
        let files = self.0.clone();
        Box::pin(async move { sweep(&files).await.map_err(|error| error.to_string()) })
    }

    fn every(&self) -> Option<Duration> {
        Some(Duration::from_secs(24 * 3600))
    }
}

async fn expire(files: &Files) -> Result<(), Error> {
    let before = files.world().now() - WAIT;
    loop {
        let due = files.db().read(move |tx| rows::unused(tx, before, CHUNK)).await?;
        let more = due.len() as i64 == CHUNK;
        for_each(files, due, move |tx, it| rows::mark_deleted(tx, it.id, before)).await?;
        if !more {
            break;
        }
    }
    loop {
        let due = files.db().read(move |tx| rows::deleted(tx, before, CHUNK)).await?;
        let (more, hashes) = (due.len() as i64 == CHUNK, due.iter().map(|it| it.hash).collect::<Vec<_>>());
        for_each(files, due, move |tx, it| rows::remove(tx, it.id)).await?;
        for hash in hashes {
            collect(files, hash, before).await?;
        }
        if !more {
            return Ok(());
        }
    }
}

/// Runs `change` for each row, in one transaction for each workspace.
async fn for_each(
    files: &Files,
    mut due: Vec<Due>,
    change: impl Fn(&mut Tx<'_>, &Due) -> Result<(), store::Error> + Clone + Send + 'static,
) -> Result<(), store::Error> {
    due.sort_by_key(|it| it.workspace);
    for chunk in due.chunk_by(|a, b| a.workspace == b.workspace) {
        let [first, ..] = chunk else { continue };
        let (chunk, change) = (chunk.to_vec(), change.clone());
        files.db().write_essential(first.workspace, move |tx| chunk.iter().try_for_each(|it| change(tx, it))).await?;
    }
    Ok(())
}

/// Removes a blob that no row refers to. Whoever puts the same content at this moment makes it young, and it stays.
async fn collect(files: &Files, hash: Hash, spared: Timestamp) -> Result<bool, Error> {
    if files.db().read(move |tx| rows::refers_to(tx, hash)).await? {
        return Ok(false);
    }
    files.blobs().remove(hash, spared).await
}

async fn sweep(files: &Files) -> Result<(), Error> {
    let before = files.world().now() - WAIT;
    let (mut removed, mut after) = (files.blobs().tidy(before).await?, None);
    loop {
        let page = files.blobs().list(after, PAGE).await?;
        for blob in page.iter().filter(|blob| blob.put_at <= before) {
            removed += u64::from(collect(files, blob.hash, before).await?);
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.hash),
            _ => break,
        }
    }
    if removed > 0 {
        tracing::info!(removed, "what broken uploads left behind was removed");
    }
    Ok(())
}
