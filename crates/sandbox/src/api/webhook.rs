//! setWebhook, deleteWebhook, getWebhookInfo.

use super::{ApiError, Ctx, Reply};
use crate::state::{BotState, Record, Webhook};
use crate::{Sandbox, hooks, lock};
use serde_json::json;

pub(super) fn set(sandbox: &Sandbox, ctx: &Ctx<'_>) -> Result<Reply, ApiError> {
    let url = ctx.params.text("url").unwrap_or_default();
    if url.is_empty() {
        return delete(ctx);
    }
    // A sandbox is for one machine or a test network; it brings no TLS client.
    if !url.starts_with("http://") || url.parse::<hyper::Uri>().is_err() {
        return Err(ApiError::bad_request("bad webhook: the sandbox pushes to http:// addresses only"));
    }
    let max = ctx.params.number("max_connections").unwrap_or(40);
    let webhook =
        Webhook { url, secret: secret(ctx)?, max_connections: u32::try_from(max.clamp(1, 100)).unwrap_or(40) };
    {
        let mut state = lock(&ctx.bot.state);
        if let Some(Ok(allowed)) = ctx.params.json::<Vec<String>>("allowed_updates") {
            state.allowed = allowed;
        }
        if ctx.params.flag("drop_pending_updates") {
            let ids = state.queue.clear();
            keep_taken(ctx, ids);
        }
        if state.webhook.as_ref() == Some(&webhook) {
            keep_settings(ctx, &state);
            return Ok(Reply::yes().saying("Webhook is already set"));
        }
        state.set_webhook(Some(webhook));
        keep_settings(ctx, &state);
    }
    ctx.bot.wake.notify_waiters();
    hooks::start(sandbox, ctx.bot);
    Ok(Reply::yes().saying("Webhook was set"))
}

fn secret(ctx: &Ctx<'_>) -> Result<Option<String>, ApiError> {
    let secret = ctx.params.text("secret_token").filter(|s| !s.is_empty());
    let sound = |s: &String| s.len() <= 256 && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if secret.as_ref().is_some_and(|s| !sound(s)) {
        return Err(ApiError::bad_request("secret token contains unallowed characters"));
    }
    Ok(secret)
}

pub(super) fn delete(ctx: &Ctx<'_>) -> Result<Reply, ApiError> {
    let mut state = lock(&ctx.bot.state);
    if ctx.params.flag("drop_pending_updates") {
        let ids = state.queue.clear();
        keep_taken(ctx, ids);
    }
    if state.webhook.is_none() {
        return Ok(Reply::yes().saying("Webhook is already deleted"));
    }
    state.set_webhook(None);
    keep_settings(ctx, &state);
    ctx.bot.wake.notify_waiters();
    Ok(Reply::yes().saying("Webhook was deleted"))
}

pub(super) fn info(ctx: &Ctx<'_>) -> Result<Reply, ApiError> {
    let state = lock(&ctx.bot.state);
    let mut info = json!({
        "url": state.webhook.as_ref().map_or("", |w| &w.url),
        "has_custom_certificate": false,
        "pending_update_count": state.queue.len(),
    });
    if let Some(webhook) = &state.webhook {
        info["max_connections"] = json!(webhook.max_connections);
    }
    if let Some(error) = &state.push_error {
        info["last_error_date"] = json!(error.date);
        info["last_error_message"] = json!(error.message);
    }
    if !state.allowed.is_empty() {
        info["allowed_updates"] = json!(state.allowed);
    }
    Ok(Reply::new(info))
}

/// Keeps webhook and wanted kinds over a restart.
pub(super) fn keep_settings(ctx: &Ctx<'_>, state: &BotState) {
    ctx.shared.ledger.keep(|| Record::Settings {
        bot: ctx.bot.info.id,
        webhook: state.webhook.clone(),
        allowed: state.allowed.clone(),
    });
}

/// Keeps in mind that these updates are gone.
pub(super) fn keep_taken(ctx: &Ctx<'_>, ids: Vec<i64>) {
    if !ids.is_empty() {
        ctx.shared.ledger.keep(|| Record::Taken { bot: ctx.bot.info.id, ids });
    }
}
