use axum::{Extension, extract::State, http::StatusCode, response::Response};
use kit::{Allowed, Caller, Hub, Input, Problem, Write, rights};
use model::{Secret, check_line};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    bots::{self, By, Checked},
    feature::Telegram,
    model::{Api, Bot, Mode},
};

/// Longest purpose, in characters.
pub(crate) const MAX_PURPOSE: usize = 200;

/// A bot to connect.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ConnectBot {
    /// What BotFather shows. It is stored sealed and never shown again.
    #[schema(value_type = String)]
    token: Secret,
    /// What the bot is for.
    #[schema(max_length = 200)]
    purpose: Option<String>,
    /// How updates come in.
    #[serde(default)]
    mode: Mode,
    /// Which Bot API server it lives on.
    #[serde(default)]
    api: Api,
}

/// What tells one request from another.
#[derive(Serialize)]
struct Fingerprint<'a> {
    token: &'a str,
    purpose: &'a Option<String>,
    mode: Mode,
    api: Api,
}

/// Connect a bot
///
/// Telegram is asked whose token it is. Problems: 422 `bot_token_refused`, 409 `bot_already_connected`, 503
/// `telegram_unreachable`.
#[utoipa::path(post, path = "/bots", tag = "bots", request_body = ConnectBot, responses((status = 201, body = Bot)))]
pub(crate) async fn connect_bot(
    principal: Allowed<rights::BotsManage>,
    State(hub): State<Hub>,
    Extension(telegram): Extension<Telegram>,
    caller: Caller,
    write: Write,
    Input(input): Input<ConnectBot>,
) -> Result<Response, Problem> {
    let ConnectBot { token, purpose, mode, api } = input;
    let purpose = purpose_of(purpose)?;
    mode_is_possible(&telegram, mode)?;
    let fingerprint = Fingerprint { token: token.expose(), purpose: &purpose, mode, api };
    if let Some(stored) = write.stored(&hub, &principal, &fingerprint).await? {
        return Ok(stored);
    }
    let me = bots::ask(&telegram, api, &token).await?;
    let checked = Checked { me, token: token.clone(), api, mode, purpose: purpose.clone() };
    let (keys, by) = (hub.keys().clone(), By::principal(&principal, caller.address()));
    let command = move |tx: &mut store::Tx<'_>| bots::connect(tx, &telegram, &keys, &checked, &by);
    write.run(&hub, &principal, StatusCode::CREATED, &fingerprint, command).await
}

/// A purpose that may be stored; an empty one is none.
pub(crate) fn purpose_of(purpose: Option<String>) -> Result<Option<String>, Problem> {
    match purpose.filter(|it| !it.trim().is_empty()) {
        Some(purpose) => Ok(Some(check_line(&purpose, MAX_PURPOSE)?.to_owned())),
        None => Ok(None),
    }
}

/// Telegram can only call a server that it can reach.
pub(crate) fn mode_is_possible(telegram: &Telegram, mode: Mode) -> Result<(), Problem> {
    if mode == Mode::Webhook && telegram.config().webhook_base.is_none() {
        let detail =
            "Webhooks need a public address of this server in its configuration. Use polling, which needs none.";
        return Err(Problem::invalid_field("mode", "webhook_needs_address", detail));
    }
    Ok(())
}
