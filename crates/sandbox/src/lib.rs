#![doc = include_str!("../README.md")]

mod api;
mod config;
mod control;
mod faults;
mod hooks;
mod journal;
mod limits;
mod params;
mod play;
mod rng;
mod server;
mod state;
mod text;
mod timer;
mod wire;

pub use config::{Clock, SandboxConfig, system_clock};
pub use control::{ControlError, GroupInfo, Said};
pub use faults::{Chaos, Fault, FaultKind};
pub use journal::{Call, Page};
pub use state::{BotInfo, Person};

use std::sync::Arc;

/// A running (or ready to run) sandbox. Cloning it is cheap and every clone is the same sandbox, so
/// a test may keep one to steer while another serves.
#[derive(Clone)]
pub struct Sandbox(Arc<state::Shared>);

impl Sandbox {
    /// Opens the sandbox: replays what a former run kept under `config.data` and opens the journal.
    ///
    /// # Errors
    /// When a file cannot be opened, read or written, or when its contents are not ours.
    pub fn new(config: SandboxConfig) -> std::io::Result<Self> {
        Ok(Self(Arc::new(state::Shared::open(config)?)))
    }
}

/// Locks, also after a panic elsewhere: every change under these locks is complete before anything can panic.
fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
