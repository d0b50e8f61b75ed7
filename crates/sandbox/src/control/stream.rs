//! What happens in one chat, as server-sent events, for play pages.

use super::{BotRef, ControlError};
use crate::Sandbox;
use crate::state::Live;
use axum::extract::{Query, State};
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::{Stream, stream};
use serde::Deserialize;
use std::convert::Infallible;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

#[derive(Deserialize)]
pub(super) struct Wanted {
    bot: String,
    /// The chat: a person's id, or a group's.
    person: i64,
}

/// Starts with a `reset`: the page subscribes first, then loads the chat, so that nothing falls between.
pub(super) async fn stream(
    State(sandbox): State<Sandbox>,
    Query(wanted): Query<Wanted>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ControlError> {
    let bot = sandbox.resolve(&BotRef::from_text(&wanted.bot))?;
    let feed = Feed { chat: wanted.person, lines: bot.live.subscribe(), stop: sandbox.0.stop.subscribe(), fresh: true };
    let events = stream::unfold(feed, |mut feed| async move {
        let line = feed.next().await?;
        Some((Ok(Event::default().data(line)), feed))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

struct Feed {
    chat: i64,
    lines: Receiver<Live>,
    stop: watch::Receiver<bool>,
    fresh: bool,
}

impl Feed {
    async fn next(&mut self) -> Option<String> {
        let reset = || Some("{\"type\":\"reset\"}".to_owned());
        if std::mem::take(&mut self.fresh) {
            return reset();
        }
        loop {
            let received = tokio::select! {
                received = self.lines.recv() => received,
                _ = self.stop.wait_for(|stopped| *stopped) => return None,
            };
            match received {
                Ok((chat, line)) if chat == self.chat => return Some(line.to_string()),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return reset(),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
