//! The Desk and the trunk on a running server.

mod invariants;
mod office;
mod path;
mod routes;
