//! Sessions and the families of their refresh tokens.
//!
//! A family is a session: each refresh rotates its token to the next counter. A token that was rotated less than [`GRACE`] ago
//! and is shown again (two tabs, a lost answer) gets the family's present token and rotates nothing; that is its own successor
//! unless another tab has gone on meanwhile, and then the older successor would only lead to a false alarm later. One that was
//! rotated earlier was copied: the family ends.

use std::time::Duration;

use kit::KeyRing;
use model::{ActorRef, Audience, Role, SessionId, Timestamp, UserId, WorkspaceId};
use serde_json::json;
use store::{Error, Row, Tx, args};

use crate::{
    model::Session,
    rows::{parse, tell},
    tokens::Refresh,
};

/// How long a session lives after its last refresh.
pub(crate) const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a rotated refresh token may be shown again.
pub(crate) const GRACE: Duration = Duration::from_secs(30);
/// Sessions that one person may have; a new one beyond that ends the one that was not used for longest.
pub(crate) const MOST: i64 = 50;

/// From where somebody signs in.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) user_agent: Option<String>,
    pub(crate) address: String,
}

/// What a refresh token turned out to be.
#[derive(Debug)]
pub(crate) enum Rotated {
    /// The family's present token.
    Token { token: Refresh, user: UserId, workspace: WorkspaceId },
    /// It had been used long ago: the family is ended now.
    Reused { user: UserId },
    /// No such family, or it is over.
    Ended,
}

/// What an access token's session and membership say now.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) user: UserId,
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) epoch: i64,
}

struct Family {
    user: UserId,
    workspace: WorkspaceId,
    salt: [u8; 16],
    counter: i64,
    hash: [u8; 32],
    expires_at: Timestamp,
}

/// Opens a session in `workspace` and returns its first refresh token.
pub(crate) fn open(
    tx: &mut Tx<'_>,
    keys: &KeyRing,
    user: UserId,
    workspace: WorkspaceId,
    origin: &Origin,
) -> Result<Refresh, Error> {
    make_room(tx, user)?;
    let (id, now, salt): (SessionId, _, [u8; 16]) = (tx.id(), tx.now(), tx.world().random());
    let token = Refresh::derive(keys, id, 1, &salt);
    tx.exec(
        "INSERT INTO sessions (id, user_id, workspace_id, salt, counter, refresh_hash, user_agent, address,
            created_at, last_used_at, expires_at)
         VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8, $8, $9)",
        args![id, user, workspace, salt, token.hash(), origin.user_agent, origin.address, now, now + LIFETIME],
    )?;
    Ok(token)
}

fn make_room(tx: &mut Tx<'_>, user: UserId) -> Result<(), Error> {
    let mut live = ids(tx, user)?;
    let keep = usize::try_from(MOST - 1).unwrap_or(0);
    for id in live.drain(..live.len().saturating_sub(keep)) {
        end(tx, user, id)?;
    }
    Ok(())
}

/// The person's sessions that are not ended, the longest unused first.
fn ids(tx: &mut Tx<'_>, user: UserId) -> Result<Vec<SessionId>, Error> {
    tx.query(
        "SELECT id FROM sessions WHERE user_id = $1 AND ended_at IS NULL ORDER BY last_used_at, id",
        args![user],
        |row| row.get(0),
    )
}

/// Checks a refresh token and rotates its family; see the module. The caller commits whatever comes out.
pub(crate) fn rotate(tx: &mut Tx<'_>, keys: &KeyRing, shown: &Refresh) -> Result<Rotated, Error> {
    let Some(family) = family(tx, shown.session)? else { return Ok(Rotated::Ended) };
    let (user, workspace) = (family.user, family.workspace);
    if family.expires_at <= tx.now() {
        return Ok(Rotated::Ended);
    }
    if shown.counter == family.counter && shown.matches(&family.hash) {
        let token = advance(tx, keys, shown.session, &family)?;
        return Ok(Rotated::Token { token, user, workspace });
    }
    if !shown.is_genuine(keys, &family.salt) {
        return Ok(Rotated::Ended);
    }
    if !was_just_rotated(tx, shown)? {
        end(tx, user, shown.session)?;
        return Ok(Rotated::Reused { user });
    }
    let present = Refresh::derive(keys, shown.session, family.counter, &family.salt);
    // A new master key derives other tokens; then the family goes one step on.
    let token = if present.matches(&family.hash) { present } else { advance(tx, keys, shown.session, &family)? };
    Ok(Rotated::Token { token, user, workspace })
}

fn family(tx: &mut Tx<'_>, id: SessionId) -> Result<Option<Family>, Error> {
    tx.first(
        "SELECT user_id, workspace_id, salt, counter, refresh_hash, expires_at FROM sessions WHERE id = $1 AND ended_at IS NULL",
        args![id],
        |row| {
            Ok(Family {
                user: row.get(0)?,
                workspace: row.get(1)?,
                salt: row.get(2)?,
                counter: row.get(3)?,
                hash: row.get(4)?,
                expires_at: row.get(5)?,
            })
        },
    )
}

fn was_just_rotated(tx: &mut Tx<'_>, shown: &Refresh) -> Result<bool, Error> {
    let since = tx.now() - GRACE;
    let found = tx.first(
        "SELECT refresh_hash FROM refresh_rotations WHERE session_id = $1 AND counter = $2 AND rotated_at >= $3",
        args![shown.session, shown.counter, since],
        |row| row.get::<[u8; 32]>(0),
    )?;
    Ok(found.is_some_and(|hash| shown.matches(&hash)))
}

fn advance(tx: &mut Tx<'_>, keys: &KeyRing, id: SessionId, family: &Family) -> Result<Refresh, Error> {
    let now = tx.now();
    let next = Refresh::derive(keys, id, family.counter + 1, &family.salt);
    tx.exec("DELETE FROM refresh_rotations WHERE session_id = $1 AND rotated_at < $2", args![id, now - GRACE])?;
    tx.exec(
        "INSERT INTO refresh_rotations (session_id, counter, refresh_hash, rotated_at) VALUES ($1, $2, $3, $4)",
        args![id, family.counter, family.hash, now],
    )?;
    tx.exec(
        "UPDATE sessions SET counter = $2, refresh_hash = $3, last_used_at = $4, expires_at = $5 WHERE id = $1",
        args![id, next.counter, next.hash(), now, now + LIFETIME],
    )?;
    Ok(next)
}

/// Whose family a refresh token belongs to, if it is one that was given out; for signing out, where its age does not matter.
pub(crate) fn owner(tx: &mut Tx<'_>, keys: &KeyRing, shown: &Refresh) -> Result<Option<UserId>, Error> {
    Ok(family(tx, shown.session)?.filter(|it| shown.is_genuine(keys, &it.salt)).map(|it| it.user))
}

/// Ends a session of `user`; says whether there was one. Its access tokens are refused and its streams closed by the event.
pub(crate) fn end(tx: &mut Tx<'_>, user: UserId, id: SessionId) -> Result<bool, Error> {
    let now = tx.now();
    let ended = tx.exec(
        "UPDATE sessions SET ended_at = $3 WHERE id = $1 AND user_id = $2 AND ended_at IS NULL",
        args![id, user, now],
    )?;
    if ended == 0 {
        return Ok(false);
    }
    tx.exec("DELETE FROM refresh_rotations WHERE session_id = $1", args![id])?;
    let body = json!({ "session_id": id, "user_id": user });
    tell(tx, "session.revoked", ActorRef::member(user), Audience::Internal, id.uuid(), &body)?;
    Ok(true)
}

/// Ends every session of `user` but `kept`.
pub(crate) fn end_all(tx: &mut Tx<'_>, user: UserId, kept: Option<SessionId>) -> Result<(), Error> {
    for id in ids(tx, user)? {
        if Some(id) != kept {
            end(tx, user, id)?;
        }
    }
    Ok(())
}

/// The person's sessions, the last used first.
pub(crate) fn list(tx: &mut Tx<'_>, user: UserId, current: SessionId, now: Timestamp) -> Result<Vec<Session>, Error> {
    tx.query(
        "SELECT id, user_agent, address, created_at, last_used_at, expires_at FROM sessions
         WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY last_used_at DESC, id DESC",
        args![user, now],
        |row| session(row, current),
    )
}

fn session(row: &Row<'_>, current: SessionId) -> Result<Session, Error> {
    let id = row.get(0)?;
    Ok(Session {
        id,
        current: id == current,
        user_agent: row.get(1)?,
        address: row.get(2)?,
        created_at: row.get(3)?,
        last_used_at: row.get(4)?,
        expires_at: row.get(5)?,
    })
}

/// Moves a session to another workspace: its next refresh leads there.
pub(crate) fn set_workspace(tx: &mut Tx<'_>, id: SessionId, workspace: WorkspaceId) -> Result<(), Error> {
    tx.exec("UPDATE sessions SET workspace_id = $2 WHERE id = $1", args![id, workspace])?;
    Ok(())
}

/// What session and membership say now, if both exist.
pub(crate) fn seen(tx: &mut Tx<'_>, id: SessionId, workspace: WorkspaceId) -> Result<Option<Seen>, Error> {
    tx.first(
        "SELECT u.id, u.name, m.role, m.epoch FROM sessions s
         JOIN users u ON u.id = s.user_id
         JOIN memberships m ON m.workspace_id = $2 AND m.user_id = s.user_id
         WHERE s.id = $1 AND s.ended_at IS NULL",
        args![id, workspace],
        |row| {
            Ok(Seen { user: row.get(0)?, name: row.get(1)?, role: parse(&row.get::<String>(2)?)?, epoch: row.get(3)? })
        },
    )
}

/// Removes what is long over, about 500 rows of each table; says how many went.
pub(crate) fn purge(tx: &mut Tx<'_>) -> Result<u64, Error> {
    let now = tx.now();
    let (month, half_year) = (Duration::from_secs(30 * 24 * 3600), Duration::from_secs(180 * 24 * 3600));
    let sessions = tx.exec(
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT 500)",
        args![now - month],
    )?;
    let rotations = tx.exec(
        "DELETE FROM refresh_rotations WHERE (session_id, counter) IN
            (SELECT session_id, counter FROM refresh_rotations WHERE rotated_at < $1 ORDER BY rotated_at LIMIT 500)",
        args![now - GRACE],
    )?;
    let networks = tx.exec(
        "DELETE FROM known_networks WHERE (user_id, network) IN
            (SELECT user_id, network FROM known_networks WHERE last_at < $1 ORDER BY last_at LIMIT 500)",
        args![now - half_year],
    )?;
    Ok(sessions + rotations + networks)
}
