//! Pushes updates to a bot's webhook: chats side by side up to `max_connections`, the updates of one chat one
//! after the other, each until the receiver answers 2xx, with growing pauses after a failure.

use crate::api::{self, ApiError};
use crate::params::Params;
use crate::state::{Bot, PushError, Record, Webhook};
use crate::{Sandbox, lock, timer};
use axum::http::{Request, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long a receiver may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
const ANSWER_LIMIT: usize = 64 * 1024;

type Http = Client<HttpConnector, Full<Bytes>>;

/// One push that has ended.
struct Pushed {
    place: u64,
    chat: i64,
    result: Result<Bytes, String>,
}

/// Starts pushing to the webhook that is set now; ends by itself when that changes or the sandbox stops.
pub(crate) fn start(sandbox: &Sandbox, bot: &Arc<Bot>) {
    let (webhook, epoch) = {
        let state = lock(&bot.state);
        (state.webhook.clone(), state.webhook_epoch)
    };
    if let Some(webhook) = webhook {
        tokio::spawn(run(sandbox.clone(), Arc::clone(bot), webhook, epoch));
    }
}

/// Starts pushing for every bot whose webhook was kept from a former run.
pub(crate) fn start_all(sandbox: &Sandbox) {
    for bot in sandbox.0.bots() {
        start(sandbox, &bot);
    }
}

async fn run(sandbox: Sandbox, bot: Arc<Bot>, webhook: Webhook, epoch: u64) {
    let http: Http = Client::builder(TokioExecutor::new()).build_http();
    let webhook = Arc::new(webhook);
    let most = usize::try_from(webhook.max_connections).unwrap_or(1);
    let mut pushes: JoinSet<Pushed> = JoinSet::new();
    let mut stop = sandbox.0.stop.subscribe();
    // Leaving drops `pushes`, which aborts what is under way: those updates stay in the queue.
    while !*stop.borrow() {
        let woken = bot.wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let down = lock(&sandbox.0.faults).down(bot.info.id);
        let again = loop {
            let mut state = lock(&bot.state);
            if state.webhook_epoch != epoch {
                return;
            }
            if down || pushes.len() >= most {
                break None;
            }
            match state.queue.next_push(timer::now()) {
                Err(again) => break again,
                Ok((place, chat, body)) => {
                    let (http, webhook) = (http.clone(), Arc::clone(&webhook));
                    pushes.spawn(async move {
                        let result = push(&http, &webhook, &body).await;
                        Pushed { place, chat, result }
                    });
                }
            }
        };
        tokio::select! {
            () = woken => {}
            _ = stop.changed() => {}
            () = until(again) => {}
            Some(Ok(pushed)) = pushes.join_next() => settle(&sandbox, &bot, epoch, pushed),
        }
    }
}

async fn until(again: Option<Instant>) {
    match again {
        Some(at) => timer::until(at).await,
        None => std::future::pending().await,
    }
}

/// Books one push; an outdated one is not booked, because its successor pushes the update again.
fn settle(sandbox: &Sandbox, bot: &Arc<Bot>, epoch: u64, pushed: Pushed) {
    let answer = {
        let mut state = lock(&bot.state);
        if state.webhook_epoch != epoch {
            return;
        }
        match pushed.result {
            Ok(answer) => {
                if let Some(id) = state.queue.pushed(pushed.place, pushed.chat) {
                    sandbox.0.ledger.keep(|| Record::Taken { bot: bot.info.id, ids: vec![id] });
                }
                answer
            }
            Err(message) => {
                state.push_error = Some(PushError { date: sandbox.0.date(), message });
                state.queue.push_failed(pushed.chat, timer::now(), pause);
                return;
            }
        }
    };
    carry_out(sandbox, bot, &answer);
}

/// The pause after the given number of failures in a row.
fn pause(tries: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(LONGEST_PAUSE)
}

async fn push(http: &Http, webhook: &Webhook, body: &Arc<str>) -> Result<Bytes, String> {
    let mut request = Request::post(webhook.url.as_str()).header(header::CONTENT_TYPE, "application/json");
    if let Some(secret) = &webhook.secret {
        request = request.header("X-Telegram-Bot-Api-Secret-Token", secret);
    }
    let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
    let request = request.body(body).map_err(|e| e.to_string())?;
    let answer = async {
        let answer = http.request(request).await.map_err(|_| "Connection failed".to_owned())?;
        let status = answer.status();
        if !status.is_success() {
            let reason = status.canonical_reason().unwrap_or_default();
            return Err(format!("Wrong response from the webhook: {} {reason}", status.as_u16()));
        }
        let body = Limited::new(answer.into_body(), ANSWER_LIMIT).collect().await;
        Ok(body.map(http_body_util::Collected::to_bytes).unwrap_or_default())
    };
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(result) => result,
        Err(_) => Err("Read timeout expired".to_owned()),
    }
}

/// A receiver may answer an update with a call of its own: `{"method": "sendMessage", …}`. Its result goes nowhere,
/// as with Telegram; it is journalled like any call.
fn carry_out(sandbox: &Sandbox, bot: &Arc<Bot>, answer: &Bytes) {
    let Ok(params) = serde_json::from_slice(answer) else {
        return;
    };
    let params = Params(params);
    if let Some(method) = params.text("method") {
        let result = api::from_webhook(sandbox, bot, &method, params);
        if let Err(ApiError { code, .. }) = result {
            tracing::debug!(code, method, "a call in a webhook answer was refused");
        }
    }
}
