//! The Bot API: `/bot{token}/{method}`.

mod answer;
mod chat_action;
mod delete;
mod edit;
mod get_chat;
mod get_me;
mod get_updates;
mod send_message;
mod webhook;

pub(crate) use answer::ApiError;

use crate::faults::{FaultKind, Strike};
use crate::journal::Entry;
use crate::params::{Params, Unreadable};
use crate::state::{Bot, Shared};
use crate::{Sandbox, lock};
use answer::{Noted, Reply};
use axum::body::Body;
use axum::http::{Request, Response};
use std::sync::Arc;

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
pub(crate) struct Cut;

/// What a method works on.
pub(crate) struct Ctx<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) bot: &'a Arc<Bot>,
    pub(crate) params: &'a Params,
}

/// A call on its way into the journal; one that its caller abandons while it waits is journalled as `gone`.
struct Received<'a> {
    shared: &'a Shared,
    at: i64,
    bot: i64,
    method: &'a str,
    params: Params,
    done: bool,
}

impl Received<'_> {
    fn finish(&mut self, noted: &Noted) {
        self.done = true;
        self.shared.journal.record(&Entry {
            at: self.at,
            bot: self.bot,
            method: self.method,
            params: &self.params.0,
            outcome: &noted.outcome,
            message_id: noted.message_id,
            updates: &noted.updates,
            breach: noted.breach,
        });
    }
}

impl Drop for Received<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.finish(&Noted::only("gone"));
        }
    }
}

/// Answers one call, or says that the connection is to be cut.
pub(crate) async fn handle(sandbox: &Sandbox, request: Request<Body>) -> Result<Response<Body>, Cut> {
    let shared = &*sandbox.0;
    let path = request.uri().path().to_owned();
    let Some((token, method)) = path.strip_prefix("/bot").and_then(|p| p.split_once('/')) else {
        return Ok(ApiError::not_found().response());
    };
    let bot = shared.bot_by_token(token);
    let at = shared.now();
    let (params, unreadable) = match Params::read(request).await {
        Ok(params) => (params, None),
        Err(why) => (Params::default(), Some(why)),
    };
    let id = bot.as_ref().map_or(0, |b| b.info.id);
    let mut call = Received { shared, at, bot: id, method, params, done: false };
    let chat = call.params.number("chat_id");
    let strike = lock(&shared.faults).call(id, method, chat);
    if let (Some(bot), Some(chat), Some(strike)) = (&bot, chat, &strike) {
        bot.show(chat, || serde_json::json!({ "type": "trouble", "kind": strike.kind, "method": method }).to_string());
    }
    if let Some(kind @ (FaultKind::Down | FaultKind::CutBefore)) = strike.as_ref().map(|s| s.kind) {
        let outcome = if kind == FaultKind::Down { "down" } else { "cut_before" };
        call.finish(&Noted::only(outcome));
        return Err(Cut);
    }
    let result = match (bot, unreadable, strike.as_ref().and_then(refusal)) {
        (None, ..) => Err(ApiError::unauthorized()),
        (_, Some(why), _) => Err(unreadable_error(&why)),
        (_, _, Some(refusal)) => Err(refusal),
        (Some(bot), None, None) => {
            let ctx = Ctx { shared, bot: &bot, params: &call.params };
            run(sandbox, &ctx, method).await
        }
    };
    conclude(call, strike, result).await
}

/// Journals the outcome, then answers it, cuts, or hangs.
async fn conclude(
    mut call: Received<'_>,
    strike: Option<Strike>,
    result: Result<Reply, ApiError>,
) -> Result<Response<Body>, Cut> {
    if result.as_ref().is_err_and(|error| error.cut) {
        call.finish(&Noted::only("down"));
        return Err(Cut);
    }
    let noted = Noted::of(&result);
    match strike.map(|s| s.kind) {
        Some(FaultKind::CutAfter) => {
            call.finish(&noted.but("cut_after"));
            Err(Cut)
        }
        Some(FaultKind::Hang) => {
            call.finish(&noted.but("hang"));
            // The server drops this future when the client gives up or the sandbox stops.
            std::future::pending().await
        }
        _ => {
            call.finish(&noted);
            Ok(result.map_or_else(|error| error.response(), Reply::response))
        }
    }
}

fn refusal(strike: &Strike) -> Option<ApiError> {
    match strike.kind {
        FaultKind::TooManyRequests => Some(ApiError::too_many(strike.retry_after)),
        FaultKind::Forbidden => Some(ApiError::blocked()),
        FaultKind::ServerError => Some(ApiError::internal()),
        _ => None,
    }
}

fn unreadable_error(why: &Unreadable) -> ApiError {
    match why {
        Unreadable::TooLarge => ApiError::too_large(),
        Unreadable::Malformed(why) => ApiError::bad_request(why),
    }
}

/// Carries out a call that came in the answer to a webhook push. Faults do not strike it: there is no connection to cut.
pub(crate) fn from_webhook(sandbox: &Sandbox, bot: &Arc<Bot>, method: &str, params: Params) -> Result<(), ApiError> {
    let shared = &*sandbox.0;
    let mut call = Received { shared, at: shared.now(), bot: bot.info.id, method, params, done: false };
    let ctx = Ctx { shared, bot, params: &call.params };
    let result = run_plain(&ctx, &method.to_ascii_lowercase());
    call.finish(&Noted::of(&result));
    result.map(drop)
}

async fn run(sandbox: &Sandbox, ctx: &Ctx<'_>, method: &str) -> Result<Reply, ApiError> {
    match method.to_ascii_lowercase().as_str() {
        "getupdates" => get_updates::run(ctx).await,
        "setwebhook" => webhook::set(sandbox, ctx),
        other => run_plain(ctx, other),
    }
}

/// The methods that neither wait nor start anything, by lower-case name.
fn run_plain(ctx: &Ctx<'_>, method: &str) -> Result<Reply, ApiError> {
    match method {
        "getme" => get_me::run(ctx),
        "deletewebhook" => webhook::delete(ctx),
        "getwebhookinfo" => webhook::info(ctx),
        "sendmessage" => send_message::run(ctx),
        "editmessagetext" => edit::run(ctx),
        "deletemessage" => delete::one(ctx),
        "deletemessages" => delete::many(ctx),
        "sendchataction" => chat_action::run(ctx),
        "answercallbackquery" => chat_action::answer_callback(ctx),
        "getchat" => get_chat::run(ctx),
        "getchatmember" => get_chat::member(ctx),
        "getfile" => get_chat::file(ctx),
        _ => Err(ApiError::not_found()),
    }
}
