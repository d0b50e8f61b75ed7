//! Creating and listing bots, and setting a webhook from outside.

use super::{ControlError, sound_username};
use crate::state::{BotInfo, Record, Webhook};
use crate::{Sandbox, hooks, lock};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;

impl Sandbox {
    /// Makes a bot. Without a username one is made from the name.
    ///
    /// # Errors
    /// An empty name, a username that Telegram would refuse or that is taken.
    pub fn create_bot(&self, name: &str, username: Option<&str>) -> Result<BotInfo, ControlError> {
        let name = name.trim();
        if name.is_empty() {
            return Err(ControlError::Empty);
        }
        let taken = |wanted: &str| {
            let bots = self.0.bots();
            bots.iter().any(|b| b.info.username.eq_ignore_ascii_case(wanted))
        };
        let username = match username {
            Some(wanted) => {
                let wanted = sound_username(wanted)?;
                if !wanted.to_ascii_lowercase().ends_with("bot") {
                    return Err(ControlError::BadUsername);
                }
                if taken(&wanted) {
                    return Err(ControlError::UsernameTaken);
                }
                wanted
            }
            None => made_up(name, taken),
        };
        let id = self.0.fresh_id();
        let secret = self.0.token_secret();
        let secret = secret.map_err(|_| ControlError::NoRandomness)?;
        let info = BotInfo { id, token: format!("{id}:AA{secret}"), username, name: name.to_owned() };
        self.0.ledger.keep(|| Record::Bot(info.clone()));
        self.0.add_bot(info.clone());
        Ok(info)
    }

    /// All bots, by name.
    pub fn bots(&self) -> Vec<BotInfo> {
        self.0.bots().iter().map(|b| b.info.clone()).collect()
    }

    /// Sets the bot's webhook as setWebhook does, or with `None` takes it away. Needs a tokio runtime.
    ///
    /// # Errors
    /// An unknown bot, or an address that is not `http://`.
    pub fn set_webhook(&self, bot: i64, url: Option<&str>, secret: Option<&str>) -> Result<(), ControlError> {
        let bot = self.find_bot(bot)?;
        if url.is_some_and(|u| !u.starts_with("http://") || u.parse::<hyper::Uri>().is_err()) {
            return Err(ControlError::BadWebhook);
        }
        let webhook =
            url.map(|url| Webhook { url: url.to_owned(), secret: secret.map(str::to_owned), max_connections: 40 });
        {
            let mut state = lock(&bot.state);
            state.set_webhook(webhook);
            self.0.ledger.keep(|| Record::Settings {
                bot: bot.info.id,
                webhook: state.webhook.clone(),
                allowed: state.allowed.clone(),
            });
        }
        bot.wake.notify_waiters();
        hooks::start(self, &bot);
        Ok(())
    }

    /// How many updates the bot has not taken yet.
    ///
    /// # Errors
    /// An unknown bot.
    pub fn pending_updates(&self, bot: i64) -> Result<usize, ControlError> {
        Ok(lock(&self.find_bot(bot)?.state).queue.len())
    }
}

/// `Corner Shop` and `Corner Shop Bot` become `corner_shop_bot`, or `corner_shop_2_bot` if that is taken.
fn made_up(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let letters: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).take(20).collect();
    let stem = letters.trim_matches('_');
    let stem = stem.strip_suffix("_bot").unwrap_or(stem);
    let stem = if stem.is_empty() { "sandbox" } else { stem };
    let first = format!("{stem}_bot");
    if !taken(&first) {
        return first;
    }
    (2u64..)
        .map(|n| format!("{stem}_{n}_bot"))
        .find(|username| !taken(username))
        .expect("there are more numbers than bots")
}

#[derive(Deserialize)]
pub(super) struct NewBot {
    name: String,
    username: Option<String>,
}

pub(super) async fn create(
    State(sandbox): State<Sandbox>,
    Json(new): Json<NewBot>,
) -> Result<Json<BotInfo>, ControlError> {
    sandbox.create_bot(&new.name, new.username.as_deref()).map(Json)
}

pub(super) async fn list(State(sandbox): State<Sandbox>) -> Json<Vec<BotInfo>> {
    Json(sandbox.bots())
}
