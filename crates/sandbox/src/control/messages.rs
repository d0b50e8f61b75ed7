//! What people write, and what a chat looks like.

use super::{BotRef, ControlError, sound_text};
use crate::state::{Bot, BotState, Chat, Kind, Message, Record};
use crate::{Sandbox, lock, text, wire};
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::hash_map::Entry;

/// What became of a person's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The message.
    pub message_id: i64,
    /// The update that carries it; `None` when the bot did not ask for this kind of update.
    pub update_id: Option<i64>,
}

impl Sandbox {
    /// The person writes to the bot in their private chat, which begins if need be.
    ///
    /// # Errors
    /// An unknown bot or person, a blank or over-long text, or that the person has blocked the bot.
    pub fn say(&self, bot: i64, person: i64, text: &str) -> Result<Said, ControlError> {
        self.say_in(bot, person, person, text)
    }

    /// The person writes in a chat of the bot: a group's id, or the person's own for the private chat.
    ///
    /// # Errors
    /// As [`Sandbox::say`], and an unknown chat or one that the person is not in.
    pub fn say_in(&self, bot: i64, chat: i64, person: i64, text: &str) -> Result<Said, ControlError> {
        let bot = self.find_bot(bot)?;
        let person = self.find_person(person)?;
        let text = sound_text(text)?;
        let mut state = lock(&bot.state);
        if chat == person.id {
            if state.blocked.contains(&chat) {
                return Err(ControlError::Blocked);
            }
            self.open_private(&bot, &mut state, chat);
        }
        let place = state.chats.get_mut(&chat);
        let place = place.ok_or(ControlError::UnknownChat)?;
        if !place.has(person.id) {
            return Err(ControlError::NotAMember);
        }
        let message = Message {
            id: place.next_message,
            from: person.id,
            date: self.0.date(),
            edited: None,
            text: text.to_owned(),
            entities: text::commands(text),
            reply_to: None,
            markup: None,
        };
        let message_id = message.id;
        place.push(message);
        let update_id = self.announce(&bot, &mut state, chat, message_id, "message");
        Ok(Said { message_id, update_id })
    }

    fn open_private(&self, bot: &Bot, state: &mut BotState, person: i64) {
        if let Entry::Vacant(place) = state.chats.entry(person) {
            place.insert(Chat::new(person, Kind::Private));
            self.0.ledger.keep(|| Record::Chat { bot: bot.info.id, id: person, chat: Kind::Private, next_message: 1 });
        }
    }

    /// Keeps a person's new or edited message, queues its update and shows it on play pages.
    pub(super) fn announce(
        &self,
        bot: &Bot,
        state: &mut BotState,
        chat: i64,
        message: i64,
        field: &str,
    ) -> Option<i64> {
        let (place, message) = state.message(chat, message)?;
        self.0.ledger.keep(|| Record::Message { bot: bot.info.id, chat, message: message.clone() });
        let view = wire::message(&self.0, bot, place, message);
        let event = if field == "message" { field } else { "edited" };
        bot.show(chat, || json!({ "type": event, "message": view }).to_string());
        self.0.queue_update(bot, state, chat, field, &view.to_string())
    }

    /// The messages of a chat that are not deleted, oldest first, each as the Bot API writes it.
    ///
    /// # Errors
    /// An unknown bot. A chat that has not begun is empty.
    pub fn messages(&self, bot: i64, chat: i64) -> Result<Vec<Value>, ControlError> {
        let bot = self.find_bot(bot)?;
        let state = lock(&bot.state);
        let Some(chat) = state.chats.get(&chat) else {
            return Ok(Vec::new());
        };
        let view = |message| wire::message(&self.0, &bot, chat, message);
        Ok(chat.messages.iter().map(view).collect())
    }
}

#[derive(Deserialize)]
pub(super) struct NewMessage {
    bot: BotRef,
    from: i64,
    text: String,
    chat: Option<i64>,
}

pub(super) async fn say(
    State(sandbox): State<Sandbox>,
    Json(new): Json<NewMessage>,
) -> Result<Json<Said>, ControlError> {
    let bot = sandbox.resolve(&new.bot)?.info.id;
    let chat = new.chat.unwrap_or(new.from);
    sandbox.say_in(bot, chat, new.from, &new.text).map(Json)
}

pub(super) async fn history(
    State(sandbox): State<Sandbox>,
    Path((bot, chat)): Path<(String, i64)>,
) -> Result<Json<Value>, ControlError> {
    let bot = sandbox.resolve(&BotRef::from_text(&bot))?;
    let messages = sandbox.messages(bot.info.id, chat)?;
    let blocked = lock(&bot.state).blocked.contains(&chat);
    Ok(Json(json!({ "messages": messages, "blocked": blocked })))
}
