//! editMessageText.

use super::send_message::{formatted, keep, markup, no_chat, open_chat, show};
use super::{ApiError, Ctx, Reply};
use crate::lock;

pub(super) fn run(ctx: &Ctx<'_>) -> Result<Reply, ApiError> {
    let text = formatted(ctx)?;
    let markup = markup(ctx)?;
    let mut state = lock(&ctx.bot.state);
    let chat_id = open_chat(ctx, &state)?;
    let chat = state.chats.get_mut(&chat_id).ok_or_else(no_chat)?;
    let id = ctx.params.number("message_id").unwrap_or(0);
    let message = chat.message_mut(id).ok_or_else(|| ApiError::bad_request("message to edit not found"))?;
    if message.from != ctx.bot.info.id {
        return Err(ApiError::bad_request("message can't be edited"));
    }
    let same = message.text == text.text && message.entities == text.entities && message.markup == markup;
    if same {
        return Err(ApiError::bad_request(
            "message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message",
        ));
    }
    message.text = text.text;
    message.entities = text.entities;
    message.markup = markup;
    message.edited = Some(ctx.shared.date());
    keep(ctx, chat_id, message);
    Ok(Reply::new(show(ctx, &state, chat_id, id, "edited")?).about(id))
}
