//! A person blocks a bot, or lets it write again.

use super::{BotRef, ControlError};
use crate::state::Record;
use crate::{Sandbox, lock, wire};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;

impl Sandbox {
    /// Blocks or unblocks. Gives the update that tells the bot; `None` when nothing changed, the bot did not ask
    /// for it, or the two never talked.
    ///
    /// # Errors
    /// An unknown bot or person.
    pub fn block(&self, bot: i64, person: i64, blocked: bool) -> Result<Option<i64>, ControlError> {
        let bot = self.find_bot(bot)?;
        let person = self.find_person(person)?;
        let mut state = lock(&bot.state);
        if !state.set_blocked(person.id, blocked) {
            return Ok(None);
        }
        self.0.ledger.keep(|| Record::Blocked { bot: bot.info.id, person: person.id, blocked });
        bot.show(person.id, || json!({ "type": "blocked", "blocked": blocked }).to_string());
        let Some(chat) = state.chats.get(&person.id) else {
            return Ok(None);
        };
        let (old, new) = if blocked { ("member", "kicked") } else { ("kicked", "member") };
        let me = wire::bot_user(&bot.info);
        let change = json!({
            "chat": wire::chat(&self.0, chat),
            "from": wire::user(&person),
            "date": self.0.date(),
            "old_chat_member": wire::member(me.clone(), old),
            "new_chat_member": wire::member(me, new),
        });
        let body = change.to_string();
        Ok(self.0.queue_update(&bot, &mut state, person.id, "my_chat_member", &body))
    }
}

#[derive(Deserialize)]
pub(super) struct Block {
    bot: BotRef,
    person: i64,
    blocked: bool,
}

#[derive(Serialize)]
pub(super) struct Blocked {
    blocked: bool,
    update_id: Option<i64>,
}

pub(super) async fn block(
    State(sandbox): State<Sandbox>,
    Json(block): Json<Block>,
) -> Result<Json<Blocked>, ControlError> {
    let bot = sandbox.resolve(&block.bot)?.info.id;
    let update_id = sandbox.block(bot, block.person, block.blocked)?;
    Ok(Json(Blocked { blocked: block.blocked, update_id }))
}
