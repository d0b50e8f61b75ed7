#![doc = include_str!("../README.md")]

mod arg;
pub mod backup;
mod command;
mod config;
mod conn;
mod copy;
mod db;
mod error;
mod hooks;
pub mod jobs;
pub mod leases;
pub mod log;
pub mod meta;
mod migrate;
pub mod outbox;
mod postgres;
pub mod purge;
mod reader;
mod row;
mod sqlite;
pub mod subscribers;
mod tx;
mod writer;

pub use arg::{Arg, ToArg};
pub use config::{DbConfig, FreeSpace, free_bytes};
pub use db::{Db, Driver, Stats};
pub use error::{Constraint, ConstraintKind, Error};
pub use hooks::{Committed, Hook};
pub use leases::Lease;
pub use migrate::LATEST_SCHEMA;
pub use outbox::{Channel, Delivery, DeliveryView, NewDelivery, Outcome};
pub use row::{Column, FromColumn, Row};
pub use subscribers::{OnError, Subscriber, SubscriberError};
pub use tx::Tx;
