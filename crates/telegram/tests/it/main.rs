//! The feature against the sandbox, over real HTTP, on a clock that the tests move.

mod bots;
mod faults;
mod metrics;
mod polling;
mod sending;
mod storage;
mod takeover;
mod webhook;
mod world;
