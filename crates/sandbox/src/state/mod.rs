//! What the sandbox remembers. One lock per bot, held for microseconds and never over an await;
//! people and the list of bots have locks of their own, taken inside a bot's lock but never around it.

mod bot;
mod chat;
mod ledger;
mod queue;
mod record;

pub use bot::BotInfo;
pub(crate) use bot::{Bot, BotState, Live, PushError, Webhook};
pub(crate) use chat::{Chat, Kind, Message};
pub(crate) use ledger::Ledger;
pub(crate) use queue::Queue;
pub(crate) use record::Record;

use crate::config::SandboxConfig;
use crate::faults::{FaultKind, Faults};
use crate::journal::Journal;
use crate::rng::{self, Rng};
use crate::{lock, play};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use tokio::sync::watch;

/// A scripted person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Person {
    /// Telegram user id, and the id of the private chat with any bot.
    pub id: i64,
    /// Full name; Telegram's first name is its first word.
    pub name: String,
    /// Telegram username, without `@`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// IETF language tag of the person's app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

#[derive(Default)]
struct Bots {
    by_token: HashMap<String, Arc<Bot>>,
    by_id: HashMap<i64, Arc<Bot>>,
}

pub(crate) struct Shared {
    pub(crate) config: SandboxConfig,
    bots: RwLock<Bots>,
    people: RwLock<HashMap<i64, Arc<Person>>>,
    rng: Mutex<Rng>,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) journal: Journal,
    pub(crate) ledger: Ledger,
    pub(crate) keys: Mutex<play::Keys>,
    /// Turns true when the server stops.
    pub(crate) stop: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn open(config: SandboxConfig) -> io::Result<Self> {
        let journal = Journal::open(config.journal.as_deref(), config.journal_cap)?;
        let mut shared = Self {
            bots: RwLock::default(),
            people: RwLock::default(),
            rng: Mutex::new(Rng::new(config.seed)),
            faults: Mutex::new(Faults::new(config.seed)),
            journal,
            ledger: Ledger::none(),
            keys: Mutex::default(),
            stop: watch::Sender::new(false),
            config,
        };
        if let Some(folder) = shared.config.data.clone() {
            Ledger::replay(&folder, |record| shared.apply(record))?;
            shared.ledger = Ledger::compact(&folder, &shared.snapshot())?;
        }
        Ok(shared)
    }

    pub(crate) fn now(&self) -> i64 {
        (self.config.clock)()
    }

    /// Now in whole seconds, as Telegram's `date`.
    pub(crate) fn date(&self) -> i64 {
        self.now() / 1_000_000
    }

    fn bots_read(&self) -> RwLockReadGuard<'_, Bots> {
        self.bots.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn bot_by_token(&self, token: &str) -> Option<Arc<Bot>> {
        self.bots_read().by_token.get(token).cloned()
    }

    pub(crate) fn bot(&self, id: i64) -> Option<Arc<Bot>> {
        self.bots_read().by_id.get(&id).cloned()
    }

    /// All bots, by name.
    pub(crate) fn bots(&self) -> Vec<Arc<Bot>> {
        let mut all: Vec<_> = self.bots_read().by_id.values().cloned().collect();
        all.sort_by(|a, b| (&a.info.name, a.info.id).cmp(&(&b.info.name, b.info.id)));
        all
    }

    pub(crate) fn person(&self, id: i64) -> Option<Arc<Person>> {
        let people = self.people.read().unwrap_or_else(PoisonError::into_inner);
        people.get(&id).cloned()
    }

    /// All people, by name.
    pub(crate) fn people(&self) -> Vec<Arc<Person>> {
        let people = self.people.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = people.values().cloned().collect();
        all.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        all
    }

    pub(crate) fn add_bot(&self, info: BotInfo) -> Arc<Bot> {
        let bot = Arc::new(Bot::new(info));
        let mut bots = self.bots.write().unwrap_or_else(PoisonError::into_inner);
        bots.by_token.insert(bot.info.token.clone(), Arc::clone(&bot));
        bots.by_id.insert(bot.info.id, Arc::clone(&bot));
        bot
    }

    pub(crate) fn add_person(&self, person: Person) -> Arc<Person> {
        let person = Arc::new(person);
        let mut people = self.people.write().unwrap_or_else(PoisonError::into_inner);
        people.insert(person.id, Arc::clone(&person));
        person
    }

    /// A new id of ten digits that no bot, person or group has.
    pub(crate) fn fresh_id(&self) -> i64 {
        loop {
            let id = lock(&self.rng).between(1_000_000_000, 10_000_000_000);
            let taken = self.bot(id).is_some() || self.person(id).is_some();
            if !taken {
                return id;
            }
        }
    }

    /// The secret half of a bot token: nobody's guess when the sandbox is public, else from the seed.
    pub(crate) fn token_secret(&self) -> io::Result<String> {
        if self.config.public { rng::secret_letters() } else { Ok(lock(&self.rng).letters(33)) }
    }

    pub(crate) fn letters(&self, len: usize) -> String {
        lock(&self.rng).letters(len)
    }

    /// Queues an update for the bot's poller or webhook; `None` when the bot did not ask for this kind.
    /// `body` is the JSON of the update's one field, named `field`.
    pub(crate) fn queue_update(
        &self,
        bot: &Bot,
        state: &mut BotState,
        chat: i64,
        field: &str,
        body: &str,
    ) -> Option<i64> {
        if !state.wants(field) {
            return None;
        }
        let id = state.next_update(|| lock(&self.rng).between(100_000_000, 900_000_000));
        let body: Arc<str> = format!("{{\"update_id\":{id},\"{field}\":{body}}}").into();
        self.ledger.keep(|| Record::Update { bot: bot.info.id, id, chat, body: body.to_string() });
        let fault = lock(&self.faults).update(bot.info.id, chat);
        match fault {
            Some(FaultKind::LateUpdate) => state.queue.hold(id, chat, body),
            Some(FaultKind::DuplicateUpdate) => {
                state.queue.push(id, chat, Arc::clone(&body));
                state.queue.push_again(id, chat, body);
                // The second copy is an entry of its own for a restart, too.
                self.ledger.keep(|| Record::Again { bot: bot.info.id, id });
            }
            _ => state.queue.push(id, chat, body),
        }
        bot.wake.notify_waiters();
        Some(id)
    }
}
