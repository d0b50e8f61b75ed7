//! What a sandbox is started with.

use std::path::PathBuf;
use std::sync::Arc;

/// Tells the time: microseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How a sandbox behaves. Start from `SandboxConfig::default()` and change what matters.
#[derive(Clone)]
pub struct SandboxConfig {
    /// Folder for `sandbox.jsonl`, which keeps bots, people, chats and undelivered updates over a restart.
    /// Without it everything is in memory.
    pub data: Option<PathBuf>,
    /// The listener is reachable by others: the play page and the control API then need a [play key](crate::Sandbox::play_key).
    pub public: bool,
    /// Answer 429 beyond 1/s per chat (burst 3), 30/s per bot and 20/min per group.
    pub enforce_limits: bool,
    /// Where ids and chaos come from: the same seed gives the same run. Secrets of a public sandbox never come from it.
    pub seed: u64,
    /// File that gets one JSON line per received Bot API call, written before the call is answered.
    pub journal: Option<PathBuf>,
    /// How many calls the journal keeps in memory; its file is complete.
    pub journal_cap: usize,
    /// Source of `date` and of the limits' time.
    pub clock: Clock,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            data: None,
            public: false,
            enforce_limits: false,
            seed: 1,
            journal: None,
            journal_cap: 200_000,
            clock: system_clock(),
        }
    }
}

/// The machine's own clock.
pub fn system_clock() -> Clock {
    Arc::new(crate::timer::wall)
}
