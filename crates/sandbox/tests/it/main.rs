//! The sandbox over real HTTP.

mod client;
mod control;
mod faults;
mod journal;
mod limits;
mod messages;
mod page;
mod persistence;
mod updates;
mod webhook;
