#![doc = include_str!("../README.md")]

mod arg;
pub mod backup;
mod conn;
mod db;
mod error;
pub mod jobs;
pub mod leases;
pub mod log;
mod migrate;
pub mod outbox;
mod postgres;
mod reader;
mod row;
mod sqlite;
pub mod subscribers;
mod tx;
mod writer;

pub use arg::{Arg, ToArg};
pub use db::{Committed, Db, DbConfig, Driver, Stats};
pub use error::{Constraint, ConstraintKind, Error};
pub use leases::Lease;
pub use migrate::LATEST_SCHEMA;
pub use outbox::{Channel, Delivery, DeliveryView, NewDelivery, Outcome};
pub use row::{Column, FromColumn, Row};
pub use subscribers::{OnError, Subscriber};
pub use tx::Tx;
