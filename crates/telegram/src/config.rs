//! What the feature is told by its operator, and the sandbox it may be given.

use std::time::Duration;

use kit::BoxFuture;
use model::Secret;
use net::Settings;

use crate::out::budgets::Budgets;

/// Settings of the feature. Addresses come from here only, never from a request.
#[derive(Debug, Clone)]
pub struct TelegramConfig {
    /// The Bot API server, without a slash at the end.
    pub api_url: String,
    /// The sandbox's Bot API server, when it is another process's; see [`SandboxControl::api_url`] for our own.
    pub sandbox_url: Option<String>,
    /// The address under which Telegram reaches this server for webhooks; without it bots can only poll.
    pub webhook_base: Option<String>,
    /// How long a poll waits for updates.
    pub poll_timeout: Duration,
    /// Timeouts and proxy of the HTTP client.
    pub http: Settings,
    /// Requests of one bot that may be under way at the same time.
    pub in_flight: usize,
    /// How fast a bot may send.
    pub budgets: Budgets,
    /// How long a process keeps a bot to itself without renewing; another node waits that long after a crash.
    pub lease: Duration,
}

impl Default for TelegramConfig {
    fn default() -> Self {
        Self {
            api_url: "https://api.telegram.org".to_owned(),
            sandbox_url: None,
            webhook_base: None,
            poll_timeout: Duration::from_secs(25),
            http: Settings::default(),
            in_flight: 16,
            budgets: Budgets::default(),
            lease: Duration::from_secs(45),
        }
    }
}

impl TelegramConfig {
    /// A send may start only while the lease outlasts it by this much (RULES 8.3).
    pub(crate) fn send_margin(&self) -> Duration {
        self.http.request_timeout + Duration::from_secs(5)
    }

    /// The lease's time: long enough that a send may start at any moment between two renewals.
    pub(crate) fn lease_time(&self) -> Duration {
        self.lease.max(self.send_margin() * 2)
    }
}

/// A bot that a sandbox made.
#[derive(Debug)]
pub struct SandboxBot {
    /// Its token.
    pub token: Secret,
}

/// What the feature needs from a sandbox in the same process; the binary implements it.
pub trait SandboxControl: Send + Sync + 'static {
    /// Makes a bot with this name, and starts the sandbox first if it does not run yet.
    fn create_bot(&self, name: String) -> BoxFuture<'_, Result<SandboxBot, String>>;

    /// The address of its Bot API, once it runs.
    fn api_url(&self) -> Option<String> {
        None
    }

    /// The page on which one plays a customer of the bot with this username.
    fn play_url(&self, username: &str) -> String;
}
