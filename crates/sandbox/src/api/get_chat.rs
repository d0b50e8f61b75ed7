//! getChat, getChatMember and getFile.

use super::send_message::no_chat;
use super::{ApiError, Ctx, Reply};
use crate::state::{BotState, Chat, Kind};
use crate::{lock, wire};
use serde_json::json;

pub(super) fn run(ctx: &Ctx<'_>) -> Result<Reply, ApiError> {
    let state = lock(&ctx.bot.state);
    let chat = named(ctx, &state)?;
    let mut view = wire::chat(ctx.shared, chat);
    view["accent_color_id"] = json!(chat.id.rem_euclid(7));
    view["max_reaction_count"] = json!(11);
    view["accepted_gift_types"] = json!({
        "unlimited_gifts": true,
        "limited_gifts": true,
        "unique_gifts": true,
        "premium_subscription": true,
        "gifts_from_channels": true,
    });
    Ok(Reply::new(view))
}

/// A person's standing: in a private chat that of a member who may have blocked the bot.
pub(super) fn member(ctx: &Ctx<'_>) -> Result<Reply, ApiError> {
    let state = lock(&ctx.bot.state);
    let chat = named(ctx, &state)?;
    let id = ctx.params.number("user_id").unwrap_or(0);
    if id == ctx.bot.info.id {
        let status = if chat.is_group() { "administrator" } else { "member" };
        let me = wire::bot_user(&ctx.bot.info);
        return Ok(Reply::new(wire::member(me, status)));
    }
    let person = ctx.shared.person(id).ok_or_else(|| ApiError::bad_request("member not found"))?;
    let status = match &chat.kind {
        Kind::Private if chat.id != id => return Err(ApiError::bad_request("member not found")),
        Kind::Group { members, .. } if members.first() == Some(&id) => "creator",
        _ if chat.has(id) => "member",
        _ => "left",
    };
    Ok(Reply::new(wire::member(wire::user(&person), status)))
}

/// There are no files here, so no id is right.
pub(super) fn file(ctx: &Ctx<'_>) -> Result<Reply, ApiError> {
    let id = ctx.params.text("file_id").unwrap_or_default();
    let why =
        if id.is_empty() { "file_id not specified" } else { "wrong file_id or the file is temporarily unavailable" };
    Err(ApiError::bad_request(why))
}

/// The chat that the call names; reading it does not ask whether the bot may write there.
fn named<'a>(ctx: &Ctx<'_>, state: &'a BotState) -> Result<&'a Chat, ApiError> {
    let id = ctx.params.number("chat_id").ok_or_else(no_chat)?;
    state.chats.get(&id).ok_or_else(no_chat)
}
