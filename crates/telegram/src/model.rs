//! What a bot is.

use model::{BotId, Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! texts {
    ($name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        impl $name {
            /// The name in the API and in the database.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// The value with this name.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

/// Which Bot API server a bot lives on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// Telegram's, or the one that the operator put in its place.
    #[default]
    Telegram,
    /// Our own sandbox.
    Sandbox,
}

texts! { Api { Telegram = "telegram", Sandbox = "sandbox" } }

/// How updates come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// We ask for them; works behind any firewall.
    #[default]
    Polling,
    /// Telegram calls us; needs a public address.
    Webhook,
}

texts! { Mode { Polling = "polling", Webhook = "webhook" } }

/// How the connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BotStatus)]
pub enum Status {
    /// Not yet known.
    Connecting,
    /// Telegram answers.
    Connected,
    /// Something is wrong; the detail says what.
    Error,
    /// Nothing is tried; the detail says why.
    Stopped,
}

texts! { Status { Connecting = "connecting", Connected = "connected", Error = "error", Stopped = "stopped" } }

/// A connected bot as clients see it. Its token never leaves the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Bot {
    /// Its id.
    pub id: BotId,
    /// The name that people see.
    pub name: String,
    /// The handle without `@`.
    pub username: String,
    /// Telegram's id of it.
    pub telegram_id: String,
    /// Which Bot API server it lives on.
    pub api: Api,
    /// How updates come in.
    pub mode: Mode,
    /// What it is for, in the workspace's own words.
    pub purpose: Option<String>,
    /// How the connection stands.
    pub status: Status,
    /// What is wrong, as a sentence.
    pub status_detail: Option<String>,
    /// When Telegram last answered a check.
    pub checked_at: Option<Timestamp>,
    /// When it was connected first.
    pub created_at: Timestamp,
    /// For a sandbox bot: the page on which one plays a customer.
    pub play_url: Option<String>,
}

/// A bot's row.
#[derive(Debug, Clone)]
pub(crate) struct BotRow {
    pub(crate) id: BotId,
    pub(crate) workspace: WorkspaceId,
    pub(crate) telegram_id: i64,
    pub(crate) name: String,
    pub(crate) username: String,
    /// Sealed.
    pub(crate) token: Vec<u8>,
    /// Sealed.
    pub(crate) webhook_secret: Vec<u8>,
    pub(crate) api: Api,
    pub(crate) mode: Mode,
    pub(crate) purpose: Option<String>,
    pub(crate) status: Status,
    pub(crate) status_detail: Option<String>,
    pub(crate) checked_at: Option<Timestamp>,
    pub(crate) revision: i64,
    pub(crate) created_at: Timestamp,
}

impl BotRow {
    /// What clients see; `play_url` is the sandbox's page.
    pub(crate) fn view(&self, play_url: Option<String>) -> Bot {
        Bot {
            id: self.id,
            name: self.name.clone(),
            username: self.username.clone(),
            telegram_id: self.telegram_id.to_string(),
            api: self.api,
            mode: self.mode,
            purpose: self.purpose.clone(),
            status: self.status,
            status_detail: self.status_detail.clone(),
            checked_at: self.checked_at,
            created_at: self.created_at,
            play_url,
        }
    }
}
