//! The facts that a sandbox with a data folder keeps, and how a restart rebuilds its state from them.

use super::{BotInfo, BotState, Chat, Kind, Message, Person, Shared, Webhook};
use crate::lock;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One line of the file.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Record {
    Bot(BotInfo),
    Person(Person),
    /// A chat began, or its counter is restated.
    Chat {
        bot: i64,
        id: i64,
        chat: Kind,
        next_message: i64,
    },
    /// A new message, or one that took the place of its former version.
    Message {
        bot: i64,
        chat: i64,
        message: Message,
    },
    Deleted {
        bot: i64,
        chat: i64,
        ids: Vec<i64>,
    },
    Update {
        bot: i64,
        id: i64,
        chat: i64,
        body: String,
    },
    /// The update is to be delivered once more.
    Again {
        bot: i64,
        id: i64,
    },
    /// Updates were confirmed, pushed or dropped.
    Taken {
        bot: i64,
        ids: Vec<i64>,
    },
    NextUpdate {
        bot: i64,
        id: i64,
    },
    Settings {
        bot: i64,
        webhook: Option<Webhook>,
        allowed: Vec<String>,
    },
    Blocked {
        bot: i64,
        person: i64,
        blocked: bool,
    },
}

impl Shared {
    /// Rebuilds state from one line; a line about something that is gone changes nothing.
    pub(super) fn apply(&self, record: Record) {
        match record {
            Record::Bot(info) => drop(self.add_bot(info)),
            Record::Person(person) => drop(self.add_person(person)),
            Record::Chat { bot, .. }
            | Record::Message { bot, .. }
            | Record::Deleted { bot, .. }
            | Record::Update { bot, .. }
            | Record::Again { bot, .. }
            | Record::Taken { bot, .. }
            | Record::NextUpdate { bot, .. }
            | Record::Settings { bot, .. }
            | Record::Blocked { bot, .. } => {
                if let Some(bot) = self.bot(bot) {
                    lock(&bot.state).apply(record);
                }
            }
        }
    }

    /// The shortest list of lines that rebuilds the present state.
    pub(super) fn snapshot(&self) -> Vec<Record> {
        let mut lines: Vec<Record> = self.people().iter().map(|p| Record::Person(Person::clone(p))).collect();
        for bot in self.bots() {
            lines.push(Record::Bot(bot.info.clone()));
            lock(&bot.state).snapshot(bot.info.id, &mut lines);
        }
        lines
    }
}

impl BotState {
    fn apply(&mut self, record: Record) {
        match record {
            Record::Chat { id, chat, next_message, .. } => {
                let chat = self.chats.entry(id).or_insert_with(|| Chat::new(id, chat));
                chat.next_message = chat.next_message.max(next_message);
            }
            Record::Message { chat, message, .. } => self.replay_message(chat, message),
            Record::Deleted { chat, ids, .. } => {
                if let Some(chat) = self.chats.get_mut(&chat) {
                    for id in ids {
                        chat.delete(id);
                    }
                }
            }
            Record::Update { id, chat, body, .. } => {
                self.queue.push(id, chat, body.into());
                self.next_update = Some(id + 1);
            }
            Record::Again { id, .. } => {
                let first = self.queue.all().find(|w| w.id == id);
                if let Some((chat, body)) = first.map(|w| (w.chat, Arc::clone(&w.body))) {
                    self.queue.push_again(id, chat, body);
                }
            }
            Record::Taken { ids, .. } => ids.into_iter().for_each(|id| self.queue.take_id(id)),
            Record::NextUpdate { id, .. } => self.next_update = Some(id),
            Record::Settings { webhook, allowed, .. } => {
                self.set_webhook(webhook);
                self.allowed = allowed;
            }
            Record::Blocked { person, blocked, .. } => drop(self.set_blocked(person, blocked)),
            Record::Bot(_) | Record::Person(_) => {}
        }
    }

    fn replay_message(&mut self, chat: i64, message: Message) {
        if let Some(chat) = self.chats.get_mut(&chat) {
            match chat.message_mut(message.id) {
                Some(former) => *former = message,
                None => chat.push(message),
            }
        }
    }

    /// True when this changed something.
    pub(crate) fn set_blocked(&mut self, person: i64, blocked: bool) -> bool {
        if blocked { self.blocked.insert(person) } else { self.blocked.remove(&person) }
    }

    fn snapshot(&self, bot: i64, lines: &mut Vec<Record>) {
        lines.push(Record::Settings { bot, webhook: self.webhook.clone(), allowed: self.allowed.clone() });
        for person in &self.blocked {
            lines.push(Record::Blocked { bot, person: *person, blocked: true });
        }
        for chat in self.chats.values() {
            lines.push(Record::Chat { bot, id: chat.id, chat: chat.kind.clone(), next_message: chat.next_message });
            lines.extend(chat.messages.iter().map(|message| Record::Message {
                bot,
                chat: chat.id,
                message: message.clone(),
            }));
        }
        lines.extend(self.queue.all().map(|w| Record::Update {
            bot,
            id: w.id,
            chat: w.chat,
            body: w.body.to_string(),
        }));
        if let Some(id) = self.next_update {
            lines.push(Record::NextUpdate { bot, id });
        }
    }
}
