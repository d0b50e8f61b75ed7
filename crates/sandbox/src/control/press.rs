//! A person presses a button under a bot's message.

use super::{BotRef, ControlError, Said};
use crate::{Sandbox, lock, wire};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

impl Sandbox {
    /// The person presses the inline button that carries `data` under a message of the bot.
    ///
    /// # Errors
    /// An unknown bot, person, chat, message or button.
    pub fn press(&self, bot: i64, chat: i64, person: i64, message_id: i64, data: &str) -> Result<Said, ControlError> {
        let bot = self.find_bot(bot)?;
        let person = self.find_person(person)?;
        let query_id = self.0.letters(18);
        let mut state = lock(&bot.state);
        if !state.chats.get(&chat).is_some_and(|c| c.has(person.id)) {
            return Err(ControlError::UnknownChat);
        }
        let (place, message) = state
            .message(chat, message_id)
            .filter(|(_, m)| m.markup.as_ref().is_some_and(|m| has_button(m, data)))
            .ok_or(ControlError::UnknownMessage)?;
        let query = json!({
            "id": query_id,
            "from": wire::user(&person),
            "message": wire::message(&self.0, &bot, place, message),
            "chat_instance": chat.to_string(),
            "data": data,
        });
        state.callbacks.insert(query_id, chat);
        let body = query.to_string();
        let update_id = self.0.queue_update(&bot, &mut state, chat, "callback_query", &body);
        Ok(Said { message_id, update_id })
    }
}

fn has_button(markup: &Value, data: &str) -> bool {
    let rows = markup["inline_keyboard"].as_array();
    let mut buttons = rows.into_iter().flatten().filter_map(Value::as_array);
    buttons.any(|row| row.iter().any(|button| button["callback_data"] == data))
}

#[derive(Deserialize)]
pub(super) struct Press {
    bot: BotRef,
    from: i64,
    message_id: i64,
    data: String,
    chat: Option<i64>,
}

pub(super) async fn press(
    State(sandbox): State<Sandbox>,
    Json(press): Json<Press>,
) -> Result<Json<Said>, ControlError> {
    let bot = sandbox.resolve(&press.bot)?.info.id;
    let chat = press.chat.unwrap_or(press.from);
    sandbox.press(bot, chat, press.from, press.message_id, &press.data).map(Json)
}
