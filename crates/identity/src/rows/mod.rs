//! All SQL of identity; its tables are touched nowhere else.
//!
//! Which transaction writes what: users, sessions, resets and the setup row are written in transactions of the system
//! workspace; workspaces, memberships, invitations and keys in those of their own workspace. An act that needs both is two
//! transactions, ordered so that a crash in between leaves nothing half-open; each such place says how.

pub(crate) mod invitations;
pub(crate) mod keys;
pub(crate) mod members;
pub(crate) mod resets;
pub(crate) mod sessions;
pub(crate) mod setup;
pub(crate) mod users;

use std::str::FromStr;

use model::{ActorRef, Audience, NewEvent};
use serde::Serialize;
use store::{Error, Tx};
use uuid::Uuid;

/// Reads a stored name of an enum.
fn parse<T: FromStr>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::Corrupt(format!("no such name: {text}")))
}

/// Appends a fact about `entity` to the log of the command's workspace.
pub(crate) fn tell(
    tx: &mut Tx<'_>,
    kind: &'static str,
    actor: ActorRef,
    audience: Audience,
    entity: Uuid,
    body: &impl Serialize,
) -> Result<(), Error> {
    let body = serde_json::value::to_raw_value(body).map_err(|error| Error::Corrupt(error.to_string()))?;
    tx.append(NewEvent { kind, version: 1, actor, audience, chat: None, entity: Some(entity), body })?;
    Ok(())
}
