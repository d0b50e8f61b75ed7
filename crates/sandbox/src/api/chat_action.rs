//! sendChatAction and answerCallbackQuery: signs that leave no message.

use super::send_message::open_chat;
use super::{ApiError, Ctx, Reply};
use crate::lock;
use serde_json::json;

const ACTIONS: &[&str] = &[
    "typing",
    "upload_photo",
    "record_video",
    "upload_video",
    "record_voice",
    "upload_voice",
    "upload_document",
    "choose_sticker",
    "find_location",
    "record_video_note",
    "upload_video_note",
];

pub(super) fn run(ctx: &Ctx<'_>) -> Result<Reply, ApiError> {
    let action = ctx.params.text("action").unwrap_or_default();
    if !ACTIONS.contains(&action.as_str()) {
        return Err(ApiError::bad_request("wrong parameter action in request"));
    }
    let state = lock(&ctx.bot.state);
    let chat = open_chat(ctx, &state)?;
    ctx.bot.show(chat, || json!({ "type": "action", "action": action }).to_string());
    Ok(Reply::yes())
}

pub(super) fn answer_callback(ctx: &Ctx<'_>) -> Result<Reply, ApiError> {
    let id = ctx.params.text("callback_query_id").unwrap_or_default();
    let Some(chat) = lock(&ctx.bot.state).callbacks.remove(&id) else {
        return Err(ApiError::bad_request("query is too old and response timeout expired or query ID is invalid"));
    };
    let text = ctx.params.text("text").unwrap_or_default();
    if text.chars().count() > 200 {
        return Err(ApiError::bad_request("MESSAGE_TOO_LONG"));
    }
    ctx.bot
        .show(chat, || json!({ "type": "answer", "text": text, "alert": ctx.params.flag("show_alert") }).to_string());
    Ok(Reply::yes())
}
