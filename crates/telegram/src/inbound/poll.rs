//! Asking for updates: one long poll after the other, by one process at a time.
//!
//! The offset moves only after the commit of what was read, and lives in memory only: without one, Telegram starts with the
//! oldest update that was never confirmed, and those that were committed before a crash are recognised by their numbers.
//! After six days of silence it is dropped, because a week without updates lets Telegram start at a random number.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::value::RawValue;
use store::Error;

use super::{
    apply::{apply, keep_strange},
    update::{Update, parse},
};
use crate::{
    api::{self, ALLOWED_UPDATES, CallError, Refusal},
    lease::Held,
    link::Link,
    model::Status,
};

/// Updates per answer, Telegram's own limit.
const BATCH: usize = 100;
const SILENCE: Duration = Duration::from_secs(6 * 24 * 3600);
/// The answer may take this much longer than the wait that was asked for.
const GRACE: Duration = Duration::from_secs(10);
/// Failures in a row after which the bot is shown as in error.
const PATIENCE: u32 = 3;

#[derive(Serialize)]
struct GetUpdates<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    limit: usize,
    timeout: u64,
    allowed_updates: &'a [&'a str],
}

/// Polls until the link stops or loses its lease.
///
/// # Errors
/// What the database says; the caller starts it again.
pub(crate) async fn run(link: &Link) -> Result<(), Error> {
    let name = format!("telegram:poll:{}", link.bot);
    let ttl = link.telegram.config().lease_time();
    let Some(mut held) = Held::wait(&link.hub, link.workspace, name, ttl, &link.stop).await? else { return Ok(()) };
    let ended =
        Poller { link, offset: None, heard: link.hub.world().clock().monotonic(), failures: 0 }.poll(&mut held).await;
    held.release().await;
    ended
}

struct Poller<'a> {
    link: &'a Link,
    offset: Option<i64>,
    /// When updates came last, on the monotonic clock.
    heard: Duration,
    failures: u32,
}

impl Poller<'_> {
    async fn poll(&mut self, held: &mut Held) -> Result<(), Error> {
        let mut webhook_may_be_set = true;
        while !self.link.stop.is_cancelled() {
            if !held.keep().await? {
                return Ok(());
            }
            let done = if webhook_may_be_set { self.remove_webhook().await } else { self.ask().await };
            let Err(error) = done else {
                webhook_may_be_set = false;
                continue;
            };
            webhook_may_be_set |= matches!(&error, CallError::Refused(Refusal { code: 409, .. }));
            self.pause(&error).await;
        }
        Ok(())
    }

    /// Makes sure that no webhook is set, without dropping what waits.
    async fn remove_webhook(&self) -> Result<(), CallError> {
        let remove = async {
            if self.link.api.webhook_info().await?.url.is_empty() {
                return Ok(());
            }
            self.link.api.delete_webhook().await?;
            match self.link.api.webhook_info().await?.url.is_empty() {
                true => Ok(()),
                false => Err(CallError::Unclear("the webhook is still set after it was removed".to_owned())),
            }
        };
        tokio::select! {
            () = self.link.stop.cancelled() => return Ok(()),
            removed = remove => removed?,
        }
        if self.failures == 0 {
            // The first poll may wait long for its answer; that Telegram lets the bot in is known now.
            self.link.say(Status::Connected, None).await;
        }
        Ok(())
    }

    /// One poll and what it brought. When the work has to end first, its answer is lost, and comes again.
    async fn ask(&mut self) -> Result<(), CallError> {
        let now = self.link.hub.world().clock().monotonic();
        if now.saturating_sub(self.heard) > SILENCE {
            self.offset = None;
        }
        // After a failure the first answer should come at once, to show that it is over.
        let patience = self.link.telegram.config().poll_timeout.max(Duration::from_secs(1));
        let wait = if self.failures == 0 { patience } else { Duration::ZERO };
        let parameters = GetUpdates {
            offset: self.offset,
            limit: BATCH,
            timeout: wait.as_secs(),
            allowed_updates: &ALLOWED_UPDATES,
        };
        let body = tokio::select! {
            () = self.link.stop.cancelled() => return Ok(()),
            body = self.link.api.call_raw("getUpdates", &parameters, Some(wait + GRACE)) => body?,
        };
        let (mut updates, mut strange) = (Vec::new(), Vec::new());
        for raw in api::read::<Vec<&RawValue>>(&body)? {
            match parse(raw.get()) {
                Some(update) => updates.push(update),
                None => strange.push(raw.get().to_owned()),
            }
        }
        if updates.is_empty() && !strange.is_empty() {
            return Err(CallError::Unclear("no update of the answer could be understood".to_owned()));
        }
        self.failures = 0;
        self.link.say(Status::Connected, None).await;
        self.take(updates, strange).await;
        Ok(())
    }

    /// Commits updates, however long that takes, and only then moves the offset.
    async fn take(&mut self, updates: Vec<Update>, strange: Vec<String>) {
        let Some(last) = updates.iter().map(|update| update.id).max() else { return };
        self.heard = self.link.hub.world().clock().monotonic();
        let updates: Arc<[Update]> = updates.into();
        let mut pause = Duration::from_millis(100);
        while let Err(error) = self.store(&updates, &strange).await {
            tracing::warn!(bot = %self.link.bot, %error, "updates wait until they can be stored");
            if !self.link.rest(pause).await {
                return;
            }
            pause = (pause * 2).min(Duration::from_secs(5));
        }
        self.offset = Some(last.saturating_add(1));
    }

    async fn store(&self, updates: &Arc<[Update]>, strange: &[String]) -> Result<(), Error> {
        let link = self.link;
        for text in strange {
            link.telegram.numbers().applied(keep_strange(&link.hub, link.workspace, link.bot, text.clone()).await?);
        }
        let applied = apply(&link.hub, link.telegram.chats(), link.workspace, link.bot, updates).await?;
        link.telegram.numbers().applied(applied);
        Ok(())
    }

    /// Says what is wrong and waits.
    async fn pause(&mut self, error: &CallError) {
        self.failures += 1;
        tracing::warn!(bot = %self.link.bot, %error, failures = self.failures, "polling failed");
        let doubled = Duration::from_secs(1 << self.failures.min(6)).min(Duration::from_secs(30));
        let (detail, pause) = match error {
            _ if error.is_about_token() => (Some(token_refused(error)), Duration::from_secs(300)),
            CallError::Refused(Refusal { code: 409, .. }) => (Some(conflict()), doubled.max(Duration::from_secs(5))),
            CallError::Refused(Refusal { retry_after: Some(wait), .. }) => (None, *wait),
            _ => ((self.failures >= PATIENCE).then(|| unreachable(error)), doubled / 2),
        };
        if let Some(detail) = detail {
            self.link.say(Status::Error, Some(&detail)).await;
        }
        let jitter = self.link.hub.world().unit() / 4.0;
        self.link.rest(pause.mul_f64(1.0 - jitter)).await;
    }
}

pub(crate) fn token_refused(error: &impl std::fmt::Display) -> String {
    format!("Telegram refuses the bot's token ({error}). Make a new one with BotFather and enter it here.")
}

pub(crate) fn unreachable(error: &CallError) -> String {
    format!("Telegram cannot be reached ({error}). It is tried again by itself.")
}

fn conflict() -> String {
    "Another program asks for this bot's updates too. Stop it, or make a new token with BotFather.".to_owned()
}
