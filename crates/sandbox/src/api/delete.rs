//! deleteMessage and deleteMessages.

use super::send_message::{no_chat, open_chat};
use super::{ApiError, Ctx, Reply};
use crate::lock;
use crate::state::Record;
use serde_json::json;

/// Telegram's most per call.
const MAX_IDS: usize = 100;

pub(super) fn one(ctx: &Ctx<'_>) -> Result<Reply, ApiError> {
    let id = ctx.params.number("message_id").unwrap_or(0);
    if delete(ctx, &[id])?.is_empty() {
        return Err(ApiError::bad_request("message to delete not found"));
    }
    Ok(Reply::yes().about(id))
}

/// Skips ids that are not there, as Telegram does.
pub(super) fn many(ctx: &Ctx<'_>) -> Result<Reply, ApiError> {
    let ids = match ctx.params.json::<Vec<i64>>("message_ids") {
        Some(Ok(ids)) => ids,
        _ => {
            return Err(ApiError::bad_request("message identifiers are not specified"));
        }
    };
    if ids.is_empty() {
        return Err(ApiError::bad_request("message identifiers are not specified"));
    }
    if ids.len() > MAX_IDS {
        return Err(ApiError::bad_request("too many message identifiers specified"));
    }
    delete(ctx, &ids)?;
    Ok(Reply::yes())
}

fn delete(ctx: &Ctx<'_>, ids: &[i64]) -> Result<Vec<i64>, ApiError> {
    let mut state = lock(&ctx.bot.state);
    let chat_id = open_chat(ctx, &state)?;
    let chat = state.chats.get_mut(&chat_id).ok_or_else(no_chat)?;
    let gone: Vec<i64> = ids.iter().copied().filter(|id| chat.delete(*id)).collect();
    if !gone.is_empty() {
        ctx.shared.ledger.keep(|| Record::Deleted { bot: ctx.bot.info.id, chat: chat_id, ids: gone.clone() });
        ctx.bot.show(chat_id, || json!({ "type": "deleted", "message_ids": gone }).to_string());
    }
    Ok(gone)
}
