//! Identity through its public API: a real hub on a real database, asked over HTTP.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod audit;
mod harness;
mod hostile;
mod invitations;
mod keys;
mod limits;
mod live;
mod members;
mod sessions;
mod setup;
