//! Facts about the installation: a few keys with a text each.
//!
//! `epoch` changes when the history that clients know may no longer be the one that is here (after a restore), so that their
//! cursors are answered with a reset. `key_check` tells whether the sealing key at hand is the one that sealed the data.

use crate::{Error, Tx, args};

/// Random hex that a restore replaces; absent on an installation that never was one.
pub const EPOCH: &str = "epoch";
/// Written by whoever holds the sealing key; see [`crate::backup::restore`].
pub const KEY_CHECK: &str = "key_check";

/// The value of a key.
///
/// # Errors
/// See [`Error`].
pub fn get(tx: &mut Tx<'_>, key: &str) -> Result<Option<String>, Error> {
    tx.first("SELECT value FROM meta WHERE key = $1", args![key], |row| row.get(0))
}

/// Sets a key, whether it is there or not.
///
/// # Errors
/// See [`Error`].
pub fn set(tx: &mut Tx<'_>, key: &str, value: &str) -> Result<(), Error> {
    tx.exec(
        "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2",
        args![key, value],
    )?;
    Ok(())
}
