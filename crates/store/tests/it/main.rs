//! The store from outside, on SQLite always and on PostgreSQL when `SWITCHBOARD_TEST_POSTGRES` names a server.

mod backup;
mod faults;
mod jobs;
mod leases;
mod log;
mod outbox;
mod postgres;
mod schema;
mod sql;
mod statements;
mod subscribers;
mod support;
mod writer;
