//! One-time links for those who forgot their password.

use std::time::Duration;

use model::UserId;
use store::{Error, Tx, args};

/// How long a link works.
pub(crate) const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Replaces the person's links by one new one.
pub(crate) fn issue(tx: &mut Tx<'_>, user: UserId, token_hash: &[u8; 32]) -> Result<(), Error> {
    let now = tx.now();
    tx.exec("DELETE FROM password_resets WHERE user_id = $1", args![user])?;
    tx.exec(
        "INSERT INTO password_resets (token_hash, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)",
        args![token_hash, user, now, now + LIFETIME],
    )?;
    Ok(())
}

/// Whose link it is, while it works.
pub(crate) fn find(tx: &mut Tx<'_>, token_hash: &[u8; 32]) -> Result<Option<UserId>, Error> {
    let now = tx.now();
    tx.first(
        "SELECT user_id FROM password_resets WHERE token_hash = $1 AND expires_at > $2",
        args![token_hash, now],
        |row| row.get(0),
    )
}

/// Ends every link of the person.
pub(crate) fn clear(tx: &mut Tx<'_>, user: UserId) -> Result<(), Error> {
    tx.exec("DELETE FROM password_resets WHERE user_id = $1", args![user])?;
    Ok(())
}
