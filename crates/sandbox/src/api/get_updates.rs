//! getUpdates: one long poller at a time; an update stays until an offset beyond it confirms it.

use super::{ApiError, Ctx, Reply};
use crate::{lock, timer};
use serde_json::Value;
use std::time::Duration;

/// Telegram's longest poll.
const MAX_TIMEOUT: i64 = 50;

pub(super) async fn run(ctx: &Ctx<'_>) -> Result<Reply, ApiError> {
    let limit = ctx.params.number("limit").unwrap_or(100).clamp(1, 100);
    let limit = usize::try_from(limit).unwrap_or(100);
    let seconds = ctx.params.number("timeout").unwrap_or(0);
    let seconds = u64::try_from(seconds.clamp(0, MAX_TIMEOUT)).unwrap_or(0);
    let deadline = timer::now() + Duration::from_secs(seconds);
    let epoch = begin(ctx)?;
    let mut stop = ctx.shared.stop.subscribe();
    loop {
        let woken = ctx.bot.wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        if lock(&ctx.shared.faults).down(ctx.bot.info.id) {
            return Err(ApiError::down());
        }
        let batch = collect(ctx, epoch, limit)?;
        if !batch.updates.is_empty() || timer::now() >= deadline || *stop.borrow() {
            return Ok(batch);
        }
        tokio::select! {
            () = woken => {}
            () = timer::until(deadline) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Replaces an older poller, confirms by the offset and takes note of the wanted kinds.
fn begin(ctx: &Ctx<'_>) -> Result<u64, ApiError> {
    let mut state = lock(&ctx.bot.state);
    if state.webhook.is_some() {
        return Err(ApiError::conflict(
            "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
        ));
    }
    if let Some(Ok(allowed)) = ctx.params.json::<Vec<String>>("allowed_updates")
        && allowed != state.allowed
    {
        state.allowed = allowed;
        super::webhook::keep_settings(ctx, &state);
    }
    let offset = ctx.params.number("offset").unwrap_or(0);
    if offset != 0 {
        let ids = state.queue.confirm(offset);
        super::webhook::keep_taken(ctx, ids);
    }
    state.poll_epoch += 1;
    ctx.bot.wake.notify_waiters();
    Ok(state.poll_epoch)
}

fn collect(ctx: &Ctx<'_>, epoch: u64, limit: usize) -> Result<Reply, ApiError> {
    let mut state = lock(&ctx.bot.state);
    if state.webhook.is_some() {
        return Err(ApiError::conflict("terminated by setWebhook request"));
    }
    if state.poll_epoch != epoch {
        return Err(ApiError::conflict(
            "terminated by other getUpdates request; make sure that only one bot instance is running",
        ));
    }
    let mut updates = Vec::new();
    let mut bodies = Vec::new();
    for (id, body) in state.queue.hand_out(limit) {
        updates.push(id);
        bodies.push(serde_json::from_str(&body).expect("an update is kept as JSON"));
    }
    Ok(Reply { updates, ..Reply::new(Value::Array(bodies)) })
}
