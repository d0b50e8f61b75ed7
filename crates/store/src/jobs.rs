//! Jobs: delayed and repeated work as rows.
//!
//! **Contract.** A job is scheduled inside the command that wants it, so it exists if and only if that command is committed. A
//! worker leases it ([`lease`]), does the work, and finishes or fails it under the fence it got. A worker that died loses its
//! lease when its time is over and the job runs again: work is done **at least once** and has to be idempotent.
//!
//! **Time.** `run_at` is when somebody should look at the row: when it is due, or, while it runs, when its lease ends. One index
//! serves both.
//!
//! **Keys.** Of one kind and key at most one job is alive in a workspace; scheduling another is a no-op.

use std::time::Duration;

use model::{JobId, Timestamp, WorkspaceId};
use serde_json::value::RawValue;

use crate::{Error, Row, Tx, args};

/// What to do, before it has an id.
#[derive(Debug)]
pub struct NewJob {
    /// Names its handler.
    pub kind: &'static str,
    /// At most one live job per kind and key.
    pub key: Option<String>,
    /// What the handler needs to know, as JSON.
    pub payload: Box<RawValue>,
    /// When it is due.
    pub run_at: Timestamp,
    /// How often it is tried before it is dead.
    pub max_attempts: i64,
}

/// A job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// The tenant it works for.
    pub workspace: WorkspaceId,
    /// See [`NewJob::kind`].
    pub kind: String,
    /// See [`NewJob::key`].
    pub key: Option<String>,
    /// See [`NewJob::payload`].
    pub payload: Box<RawValue>,
    /// When somebody should look at it.
    pub run_at: Timestamp,
    /// How often it was leased.
    pub attempts: i64,
    /// See [`NewJob::max_attempts`].
    pub max_attempts: i64,
    /// Rises with each lease.
    pub fence: i64,
    /// What went wrong last.
    pub error: Option<String>,
}

const COLUMNS: &str = "id, workspace_id, kind, dedup_key, payload, run_at, attempts, max_attempts, fence, error";

fn read(row: &Row<'_>) -> Result<Job, Error> {
    Ok(Job {
        id: row.get(0)?,
        workspace: row.get(1)?,
        kind: row.get(2)?,
        key: row.get(3)?,
        payload: RawValue::from_string(row.get(4)?).map_err(Error::corrupt)?,
        run_at: row.get(5)?,
        attempts: row.get(6)?,
        max_attempts: row.get(7)?,
        fence: row.get(8)?,
        error: row.get(9)?,
    })
}

/// Schedules a job for the command's workspace; false when one with its key is alive already.
///
/// # Errors
/// See [`Error`].
pub fn schedule(tx: &mut Tx<'_>, new: NewJob) -> Result<bool, Error> {
    let (id, workspace, now): (JobId, _, _) = (tx.id(), tx.workspace(), tx.now());
    let added = tx.exec(
        "INSERT INTO jobs (id, workspace_id, kind, dedup_key, payload, state, run_at, attempts, max_attempts, fence, created_at)
         VALUES ($1, $2, $3, $4, $5, 'waiting', $6, 0, $7, 0, $8)
         ON CONFLICT (workspace_id, kind, dedup_key) WHERE state IN ('waiting', 'running') AND dedup_key IS NOT NULL DO NOTHING",
        args![id, workspace, new.kind, new.key, new.payload.get(), new.run_at, new.max_attempts, now],
    )?;
    tx.effects().jobs.push(workspace);
    Ok(added > 0)
}

/// Jobs of all workspaces that are due, the longest waiting first.
///
/// # Errors
/// See [`Error`].
pub fn due(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Job>, Error> {
    let now = tx.now();
    tx.query(
        &format!(
            "SELECT {COLUMNS} FROM jobs WHERE state IN ('waiting', 'running') AND run_at <= $1 ORDER BY run_at LIMIT $2"
        ),
        args![now, limit],
        read,
    )
}

/// When the next job has to be looked at.
///
/// # Errors
/// See [`Error`].
pub fn next_due(tx: &mut Tx<'_>) -> Result<Option<Timestamp>, Error> {
    tx.one("SELECT MIN(run_at) FROM jobs WHERE state IN ('waiting', 'running')", &[], |row| row.get(0))
}

/// Takes a due job for `ttl`; `None` when somebody else was faster. `seen` is the job as [`due`] gave it. A job whose last
/// attempt ended without a word (its worker died) is dead, so that it cannot kill one worker after the other for ever.
///
/// # Errors
/// See [`Error`].
pub fn lease(tx: &mut Tx<'_>, seen: &Job, ttl: Duration) -> Result<Option<Job>, Error> {
    let now = tx.now();
    if seen.attempts >= seen.max_attempts {
        tx.exec(
            "UPDATE jobs SET state = 'dead', error = $4 WHERE id = $1 AND fence = $2 AND run_at <= $3 AND state IN ('waiting', 'running')",
            args![seen.id, seen.fence, now, "the worker did not come back from the last attempt"],
        )?;
        return Ok(None);
    }
    tx.first(
        &format!(
            "UPDATE jobs SET state = 'running', attempts = attempts + 1, fence = fence + 1, run_at = $3
             WHERE id = $1 AND fence = $2 AND run_at <= $4 AND state IN ('waiting', 'running') RETURNING {COLUMNS}"
        ),
        args![seen.id, seen.fence, now + ttl, now],
        read,
    )
}

/// Keeps a running job for another `ttl`; false when it is no longer the caller's.
///
/// # Errors
/// See [`Error`].
pub fn renew(tx: &mut Tx<'_>, job: &Job, ttl: Duration) -> Result<bool, Error> {
    let until = tx.now() + ttl;
    let renewed = tx.exec(
        "UPDATE jobs SET run_at = $3 WHERE id = $1 AND fence = $2 AND state = 'running'",
        args![job.id, job.fence, until],
    )?;
    Ok(renewed > 0)
}

/// Ends a job that did its work; false when it is no longer the caller's.
///
/// # Errors
/// See [`Error`].
pub fn finish(tx: &mut Tx<'_>, job: &Job) -> Result<bool, Error> {
    Ok(tx.exec("DELETE FROM jobs WHERE id = $1 AND fence = $2 AND state = 'running'", args![job.id, job.fence])? > 0)
}

/// Ends an attempt that failed: the job waits until `again_at`, or is dead when its attempts are used up.
///
/// # Errors
/// See [`Error`].
pub fn fail(tx: &mut Tx<'_>, job: &Job, error: &str, again_at: Timestamp) -> Result<(), Error> {
    let state = if job.attempts >= job.max_attempts { "dead" } else { "waiting" };
    tx.exec(
        "UPDATE jobs SET state = $3, error = $4, run_at = $5 WHERE id = $1 AND fence = $2 AND state = 'running'",
        args![job.id, job.fence, state, error, again_at],
    )?;
    let workspace = tx.workspace();
    tx.effects().jobs.push(workspace);
    Ok(())
}

/// Dead jobs of all workspaces, for the operator of the server.
///
/// # Errors
/// See [`Error`].
pub fn dead(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Job>, Error> {
    tx.query(&format!("SELECT {COLUMNS} FROM jobs WHERE state = 'dead' ORDER BY id LIMIT $1"), args![limit], read)
}
