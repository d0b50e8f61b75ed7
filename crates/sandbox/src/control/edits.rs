//! A person edits an own message.

use super::{BotRef, ControlError, Said, sound_text};
use crate::{Sandbox, lock, text};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;

impl Sandbox {
    /// The person changes the text of an own message in a chat of the bot.
    ///
    /// # Errors
    /// An unknown bot, chat or message, a message of someone else, a blank or over-long text.
    pub fn edit(&self, bot: i64, chat: i64, person: i64, message_id: i64, text: &str) -> Result<Said, ControlError> {
        let bot = self.find_bot(bot)?;
        let text = sound_text(text)?;
        let mut state = lock(&bot.state);
        let place = state.chats.get_mut(&chat);
        let place = place.ok_or(ControlError::UnknownChat)?;
        let message = place.message_mut(message_id).filter(|m| m.from == person).ok_or(ControlError::UnknownMessage)?;
        message.text = text.to_owned();
        message.entities = text::commands(text);
        message.edited = Some(self.0.date());
        let update_id = self.announce(&bot, &mut state, chat, message_id, "edited_message");
        Ok(Said { message_id, update_id })
    }
}

#[derive(Deserialize)]
pub(super) struct Edit {
    bot: BotRef,
    from: i64,
    message_id: i64,
    text: String,
    chat: Option<i64>,
}

pub(super) async fn edit(State(sandbox): State<Sandbox>, Json(edit): Json<Edit>) -> Result<Json<Said>, ControlError> {
    let bot = sandbox.resolve(&edit.bot)?.info.id;
    let chat = edit.chat.unwrap_or(edit.from);
    sandbox.edit(bot, chat, edit.from, edit.message_id, &edit.text).map(Json)
}
