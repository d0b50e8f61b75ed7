//! Leases: one owner at a time for a piece of work, with a fence.
//!
//! **Contract.** [`acquire`] succeeds when nobody holds the name, when its time has run out, or when the caller holds it already
//! (the same process that restarted its task). Each change of hands, and each new acquisition, raises the fence by one;
//! whatever is written under a fence checks it. [`renew`] fails when the lease is no longer the caller's.
//!
//! **Time.** Moments come from the database's own clock: on PostgreSQL the server's, on SQLite (one process) the world's. A
//! holder measures how much of its lease is left on its own monotonic clock, from before it asked.

use std::time::Duration;

use model::Timestamp;
use uuid::Uuid;

use crate::{Driver, Error, Row, Tx, args};

/// A held lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What is leased.
    pub name: String,
    /// Who holds it: an id of the process.
    pub owner: Uuid,
    /// Rises with every acquisition.
    pub fence: i64,
    /// When it ends, on the database's clock.
    pub expires_at: Timestamp,
}

/// The database's clock.
///
/// # Errors
/// See [`Error`].
pub fn clock(tx: &mut Tx<'_>) -> Result<Timestamp, Error> {
    match tx.driver() {
        Driver::Sqlite => Ok(tx.now()),
        Driver::Postgres => {
            tx.one("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)", &[], |row| row.get(0))
        }
    }
}

/// Takes the lease for `ttl`; `None` when somebody else holds it.
///
/// # Errors
/// See [`Error`].
pub fn acquire(tx: &mut Tx<'_>, name: &str, owner: Uuid, ttl: Duration) -> Result<Option<Lease>, Error> {
    let now = clock(tx)?;
    tx.first(
        "INSERT INTO leases (name, owner, fence, expires_at) VALUES ($1, $2, 1, $3)
         ON CONFLICT (name) DO UPDATE SET owner = $2, fence = leases.fence + 1, expires_at = $3
         WHERE leases.expires_at <= $4 OR leases.owner = $2
         RETURNING name, owner, fence, expires_at",
        args![name, owner, now + ttl, now],
        read,
    )
}

/// Extends a lease that is still the caller's; `None` when it is not.
///
/// # Errors
/// See [`Error`].
pub fn renew(tx: &mut Tx<'_>, lease: &Lease, ttl: Duration) -> Result<Option<Lease>, Error> {
    let now = clock(tx)?;
    tx.first(
        "UPDATE leases SET expires_at = $4 WHERE name = $1 AND owner = $2 AND fence = $3
         RETURNING name, owner, fence, expires_at",
        args![lease.name, lease.owner, lease.fence, now + ttl],
        read,
    )
}

/// Gives a lease back, so that the next owner need not wait. The fence stays.
///
/// # Errors
/// See [`Error`].
pub fn release(tx: &mut Tx<'_>, lease: &Lease) -> Result<(), Error> {
    tx.exec(
        "UPDATE leases SET expires_at = 0 WHERE name = $1 AND owner = $2 AND fence = $3",
        args![lease.name, lease.owner, lease.fence],
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Lease, Error> {
    Ok(Lease { name: row.get(0)?, owner: row.get(1)?, fence: row.get(2)?, expires_at: row.get(3)? })
}
