//! sendMessage, and what every method that names a chat or brings a text shares with it.

use super::{ApiError, Ctx, Reply};
use crate::state::{BotState, Chat, Message, Record};
use crate::text::{Entity, Formatted, format};
use crate::{limits, lock, wire};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct ReplyParameters {
    message_id: i64,
    #[serde(default)]
    allow_sending_without_reply: bool,
}

pub(super) fn run(ctx: &Ctx<'_>) -> Result<Reply, ApiError> {
    let text = formatted(ctx)?;
    let markup = markup(ctx)?;
    let mut state = lock(&ctx.bot.state);
    let chat_id = open_chat(ctx, &state)?;
    if ctx.shared.config.enforce_limits {
        pace(ctx, &mut state, chat_id)?;
    }
    let chat = state.chats.get_mut(&chat_id).ok_or_else(no_chat)?;
    let message = Message {
        id: chat.next_message,
        from: ctx.bot.info.id,
        date: ctx.shared.date(),
        edited: None,
        text: text.text,
        entities: text.entities,
        reply_to: reply_target(ctx, chat)?,
        markup,
    };
    let id = message.id;
    keep(ctx, chat_id, &message);
    chat.push(message);
    Ok(Reply::new(show(ctx, &state, chat_id, id, "message")?).about(id))
}

/// The text of the call, parsed, trimmed and within Telegram's limit.
pub(super) fn formatted(ctx: &Ctx<'_>) -> Result<Formatted, ApiError> {
    let raw = ctx.params.text("text").unwrap_or_default();
    let entities = match ctx.params.json::<Vec<Entity>>("entities") {
        None => Vec::new(),
        Some(Ok(entities)) => entities,
        Some(Err(())) => return Err(ApiError::bad_request("can't parse entities JSON object")),
    };
    let mode = ctx.params.text("parse_mode");
    format(&raw, mode.as_deref(), entities).map_err(|why| ApiError::bad_request(&why))
}

/// An inline keyboard is kept with the message; other keyboards change nothing here.
pub(super) fn markup(ctx: &Ctx<'_>) -> Result<Option<Value>, ApiError> {
    match ctx.params.json::<Value>("reply_markup") {
        None => Ok(None),
        Some(Ok(markup)) if markup.is_object() => Ok(Some(markup).filter(|m| m["inline_keyboard"].is_array())),
        Some(_) => Err(ApiError::bad_request("can't parse reply keyboard markup JSON object")),
    }
}

/// The chat that the call names, if the bot may write there.
pub(super) fn open_chat(ctx: &Ctx<'_>, state: &BotState) -> Result<i64, ApiError> {
    let text = ctx.params.text("chat_id").unwrap_or_default();
    if text.is_empty() {
        return Err(ApiError::bad_request("chat_id is empty"));
    }
    let id = ctx.params.number("chat_id").ok_or_else(no_chat)?;
    if state.blocked.contains(&id) {
        return Err(ApiError::blocked());
    }
    if state.chats.contains_key(&id) {
        return Ok(id);
    }
    if ctx.shared.person(id).is_some() {
        return Err(ApiError::forbidden("bot can't initiate conversation with a user"));
    }
    Err(no_chat())
}

pub(super) fn no_chat() -> ApiError {
    ApiError::bad_request("chat not found")
}

fn pace(ctx: &Ctx<'_>, state: &mut BotState, chat: i64) -> Result<(), ApiError> {
    let BotState { chats, pace, .. } = state;
    let chat = chats.get_mut(&chat).ok_or_else(no_chat)?;
    let group = chat.is_group();
    limits::take(pace, &mut chat.pace, group, ctx.shared.now()).map_err(ApiError::limit)
}

fn reply_target(ctx: &Ctx<'_>, chat: &Chat) -> Result<Option<i64>, ApiError> {
    let reply = match ctx.params.json::<ReplyParameters>("reply_parameters") {
        Some(Ok(reply)) => reply,
        Some(Err(())) => {
            return Err(ApiError::bad_request("can't parse reply parameters JSON object"));
        }
        // The older spelling, which many clients still use.
        None => match ctx.params.number("reply_to_message_id") {
            None | Some(0) => return Ok(None),
            Some(message_id) => ReplyParameters {
                message_id,
                allow_sending_without_reply: ctx.params.flag("allow_sending_without_reply"),
            },
        },
    };
    match chat.message(reply.message_id) {
        Some(message) => Ok(Some(message.id)),
        None if reply.allow_sending_without_reply => Ok(None),
        None => Err(ApiError::bad_request("message to be replied not found")),
    }
}

/// Keeps a new or changed message over a restart.
pub(super) fn keep(ctx: &Ctx<'_>, chat: i64, message: &Message) {
    ctx.shared.ledger.keep(|| Record::Message { bot: ctx.bot.info.id, chat, message: message.clone() });
}

/// The message as the caller gets it; play pages are shown the same.
pub(super) fn show(ctx: &Ctx<'_>, state: &BotState, chat: i64, id: i64, event: &str) -> Result<Value, ApiError> {
    let (chat, message) = state.message(chat, id).ok_or_else(no_chat)?;
    let view = wire::message(ctx.shared, ctx.bot, chat, message);
    ctx.bot.show(chat.id, || json!({ "type": event, "message": view }).to_string());
    Ok(view)
}
