#![doc = include_str!("../README.md")]

mod api;
mod bots;
mod config;
mod courier;
mod feature;
mod inbound;
mod jobs;
mod lease;
mod link;
mod metrics;
mod model;
mod out;
mod reseal;
mod routes;
mod setup;
mod store;
mod supervisor;

pub use config::{SandboxBot, SandboxControl, TelegramConfig};
pub use courier::Courier;
pub use feature::Telegram;
pub use model::{Api, Bot, Mode, Status};
pub use out::budgets::Budgets;

/// Reads an update as the feature does and throws the result away; for the fuzzer.
#[doc(hidden)]
pub fn read_update(json: &str) -> bool {
    inbound::update::parse(json).is_some()
}
