//! The whole product: the real binary, over HTTP, with the sandbox as Telegram.

mod cli;
mod crash;
mod documents;
mod faults;
mod openapi;
mod path;
mod place;
mod roles;
mod structure;
