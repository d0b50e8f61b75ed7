//! One bot and everything that is its own.

use super::{Chat, Message, Queue};
use crate::limits::BotPace;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, broadcast};

/// How many live lines a slow play page may fall behind before it is told to reload the chat.
const LIVE_BUFFER: usize = 256;

/// A bot of this sandbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BotInfo {
    /// Telegram user id of the bot, ten digits.
    pub id: i64,
    /// What a client is given: `id:secret`.
    pub token: String,
    /// Username without `@`, ending in `bot`.
    pub username: String,
    /// Display name.
    pub name: String,
}

/// A line for play pages: the chat it concerns and the JSON event.
pub(crate) type Live = (i64, Arc<str>);

pub(crate) struct Bot {
    pub(crate) info: BotInfo,
    pub(crate) state: Mutex<BotState>,
    /// Told when the queue, the webhook or the current poller changes.
    pub(crate) wake: Notify,
    pub(crate) live: broadcast::Sender<Live>,
}

/// Where updates are pushed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Webhook {
    pub(crate) url: String,
    pub(crate) secret: Option<String>,
    pub(crate) max_connections: u32,
}

/// The last failed push, for `getWebhookInfo`.
pub(crate) struct PushError {
    pub(crate) date: i64,
    pub(crate) message: String,
}

#[derive(Default)]
pub(crate) struct BotState {
    pub(crate) queue: Queue,
    pub(crate) next_update: Option<i64>,
    /// Update kinds that the bot asked for; empty means Telegram's default.
    pub(crate) allowed: Vec<String>,
    pub(crate) webhook: Option<Webhook>,
    /// Grows with every change of the webhook, so that a pusher knows when it is outdated.
    pub(crate) webhook_epoch: u64,
    pub(crate) push_error: Option<PushError>,
    /// Grows with every getUpdates, so that an older one knows it was replaced.
    pub(crate) poll_epoch: u64,
    pub(crate) chats: HashMap<i64, Chat>,
    /// People who blocked the bot.
    pub(crate) blocked: HashSet<i64>,
    /// Unanswered callback queries and the chat each came from.
    pub(crate) callbacks: HashMap<String, i64>,
    pub(crate) pace: BotPace,
}

impl Bot {
    pub(crate) fn new(info: BotInfo) -> Self {
        Self { info, state: Mutex::default(), wake: Notify::new(), live: broadcast::Sender::new(LIVE_BUFFER) }
    }

    /// Tells the play pages that show this chat; costs nothing while none is open.
    pub(crate) fn show(&self, chat: i64, event: impl FnOnce() -> String) {
        if self.live.receiver_count() > 0 {
            // An error only says that the last page has just left.
            let _ = self.live.send((chat, event().into()));
        }
    }
}

impl BotState {
    /// Telegram sends every kind but `chat_member` and reactions unless a list says otherwise;
    /// the sandbox makes none of those.
    pub(crate) fn wants(&self, field: &str) -> bool {
        self.allowed.is_empty() || self.allowed.iter().any(|a| a == field)
    }

    /// The next update id; the very first is drawn.
    pub(crate) fn next_update(&mut self, draw: impl FnOnce() -> i64) -> i64 {
        let id = self.next_update.unwrap_or_else(draw);
        self.next_update = Some(id + 1);
        id
    }

    pub(crate) fn message(&self, chat: i64, id: i64) -> Option<(&Chat, &Message)> {
        let chat = self.chats.get(&chat)?;
        chat.message(id).map(|message| (chat, message))
    }

    pub(crate) fn set_webhook(&mut self, webhook: Option<Webhook>) {
        self.webhook = webhook;
        self.webhook_epoch += 1;
        self.push_error = None;
        self.queue.release_busy();
    }
}
