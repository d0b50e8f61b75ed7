//! Being called by Telegram: setting the webhook and looking after it.

use std::time::Duration;

use serde::Serialize;

use super::poll::{token_refused, unreachable};
use crate::{
    api::{ALLOWED_UPDATES, CallError},
    link::Link,
    model::Status,
};

/// How often it is checked that the webhook is still ours.
const CHECK: Duration = Duration::from_secs(600);

#[derive(Serialize)]
struct SetWebhook<'a> {
    url: &'a str,
    secret_token: &'a str,
    allowed_updates: &'a [&'a str],
    max_connections: u32,
}

/// Keeps the webhook set until the link stops.
pub(crate) async fn run(link: &Link) {
    let Some(base) = &link.telegram.config().webhook_base else {
        link.say(Status::Error, Some("Webhooks need a public address, and none is configured. Switch to polling."))
            .await;
        return;
    };
    let url = address(base, link);
    let mut failures = 0_u32;
    while !link.stop.is_cancelled() {
        let pause = match ensure(link, &url).await {
            Ok(()) => {
                failures = 0;
                link.say(Status::Connected, None).await;
                CHECK
            }
            Err(error) => {
                failures += 1;
                tracing::warn!(bot = %link.bot, %error, failures, "the webhook could not be set");
                let detail = if error.is_about_token() { token_refused(&error) } else { unreachable(&error) };
                link.say(Status::Error, Some(&detail)).await;
                Duration::from_secs(1 << failures.min(8))
            }
        };
        if !link.rest(pause).await {
            return;
        }
    }
}

/// Where Telegram delivers a bot's updates.
fn address(base: &str, link: &Link) -> String {
    format!("{}/telegram/{}/webhook", base.trim_end_matches('/'), link.bot)
}

async fn ensure(link: &Link, url: &str) -> Result<(), CallError> {
    if link.api.webhook_info().await?.url == url && link.was_set() {
        return Ok(());
    }
    let secret_token = link.secret.expose();
    let parameters = SetWebhook { url, secret_token, allowed_updates: &ALLOWED_UPDATES, max_connections: 40 };
    link.api.call::<bool>("setWebhook", &parameters, None).await?;
    link.note_set();
    Ok(())
}

/// Takes the webhook back when the bot was removed; best effort, since Telegram gets a 404 from now on anyway.
pub(crate) async fn withdraw(link: &Link) {
    if let Err(error) = link.api.delete_webhook().await {
        tracing::warn!(bot = %link.bot, %error, "the webhook of a removed bot could not be taken back");
    }
}
