//! What may be forgotten after a while. Each call removes one chunk; call again while it removes as many as it may.
//!
//! The rows are not a workspace's data but the platform's, so one call serves the whole installation.

use model::Timestamp;

use crate::{Error, Tx, args};

/// Ids of batches, which matter only to a writer that lost its connection moments ago.
///
/// # Errors
/// See [`Error`].
pub fn batches(tx: &mut Tx<'_>, before: Timestamp, most: i64) -> Result<u64, Error> {
    tx.exec(
        "DELETE FROM batches WHERE id IN
           (SELECT id FROM batches WHERE committed_at < $1 ORDER BY committed_at LIMIT $2)",
        args![before, most],
    )
}

/// Stored results of requests with an idempotency key.
///
/// # Errors
/// See [`Error`].
pub fn idempotency(tx: &mut Tx<'_>, before: Timestamp, most: i64) -> Result<u64, Error> {
    tx.exec(
        "DELETE FROM idempotency WHERE (workspace_id, principal, method, route, key) IN
           (SELECT workspace_id, principal, method, route, key FROM idempotency
            WHERE created_at < $1 ORDER BY created_at LIMIT $2)",
        args![before, most],
    )
}

/// Results of deliveries that came in under an old fence. Their ids rise with time, so the oldest are found first.
///
/// # Errors
/// See [`Error`].
pub fn delivery_attempts(tx: &mut Tx<'_>, before: Timestamp, most: i64) -> Result<u64, Error> {
    tx.exec(
        "DELETE FROM delivery_attempts WHERE id IN
           (SELECT id FROM delivery_attempts WHERE at < $1 ORDER BY id LIMIT $2)",
        args![before, most],
    )
}
