//! The client against real sockets.

mod guarded;
mod outcomes;
mod server;
