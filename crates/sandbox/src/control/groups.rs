//! Groups with a bot in them.

use super::{BotRef, ControlError};
use crate::state::{Chat, Kind, Record};
use crate::{Sandbox, lock, wire};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GroupInfo {
    /// Chat id: negative, as a supergroup's.
    pub id: i64,
    /// Title.
    pub title: String,
    /// The update that tells the bot that it was added; `None` when the bot did not ask for it.
    pub update_id: Option<i64>,
}

impl Sandbox {
    /// Makes a group of these people and adds the bot as administrator, so that it sees every message.
    /// The first member is the creator.
    ///
    /// # Errors
    /// An unknown bot or person, an empty title, no members.
    pub fn group(&self, bot: i64, title: &str, members: &[i64]) -> Result<GroupInfo, ControlError> {
        let bot = self.find_bot(bot)?;
        let title = title.trim();
        let creator = members.first().ok_or(ControlError::Empty)?;
        if title.is_empty() {
            return Err(ControlError::Empty);
        }
        let creator = self.find_person(*creator)?;
        for member in members {
            self.find_person(*member)?;
        }
        let id = -1_000_000_000_000 - self.0.fresh_id();
        let kind = Kind::Group { title: title.to_owned(), members: members.to_vec() };
        let chat = Chat::new(id, kind.clone());
        self.0.ledger.keep(|| Record::Chat { bot: bot.info.id, id, chat: kind, next_message: 1 });
        let me = wire::bot_user(&bot.info);
        let change = json!({
            "chat": wire::chat(&self.0, &chat),
            "from": wire::user(&creator),
            "date": self.0.date(),
            "old_chat_member": wire::member(me.clone(), "left"),
            "new_chat_member": wire::member(me, "administrator"),
        });
        let mut state = lock(&bot.state);
        state.chats.insert(id, chat);
        let body = change.to_string();
        let update_id = self.0.queue_update(&bot, &mut state, id, "my_chat_member", &body);
        Ok(GroupInfo { id, title: title.to_owned(), update_id })
    }
}

#[derive(Deserialize)]
pub(super) struct NewGroup {
    bot: BotRef,
    title: String,
    members: Vec<i64>,
}

pub(super) async fn create(
    State(sandbox): State<Sandbox>,
    Json(new): Json<NewGroup>,
) -> Result<Json<GroupInfo>, ControlError> {
    let bot = sandbox.resolve(&new.bot)?.info.id;
    sandbox.group(bot, &new.title, &new.members).map(Json)
}
