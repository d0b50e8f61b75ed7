//! Commands on bots: connecting, changing, removing, and what others are told about it.

use std::net::IpAddr;

use axum::http::StatusCode;
use kit::{Hub, KeyRing, Principal, Problem, audit::Act};
use model::{ActorRef, Audience, BotId, NewEvent, Right, Secret, WorkspaceId};
use serde::Serialize;
use serde_json::{json, value::to_raw_value};
use store::{Error, Tx, jobs::NewJob};

use crate::{
    api::{CallError, Me},
    feature::Telegram,
    jobs,
    model::{Api, Bot, BotRow, Mode, Status},
    store::bots as rows,
};

/// Who does it, for the log and the audit.
#[derive(Debug, Clone)]
pub(crate) struct By {
    pub(crate) actor: ActorRef,
    pub(crate) name: String,
    pub(crate) address: Option<IpAddr>,
}

impl By {
    pub(crate) fn principal(principal: &Principal, address: IpAddr) -> Self {
        Self { actor: principal.actor(), name: principal.name.clone(), address: Some(address) }
    }

    fn act(&self, action: &'static str, bot: &BotRow) -> Act {
        let act = Act::of(self.actor, self.name.clone(), action).on("bot", bot.id, &bot.name);
        match self.address {
            Some(address) => act.from(address),
            None => act,
        }
    }
}

/// A bot whose token was checked.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub(crate) me: Me,
    pub(crate) token: Secret,
    pub(crate) api: Api,
    pub(crate) mode: Mode,
    pub(crate) purpose: Option<String>,
}

/// Connects a bot: a new one, or one that this workspace removed earlier and that keeps its chats.
///
/// # Errors
/// 409 `bot_already_connected`, also when another workspace has it.
pub(crate) fn connect(
    tx: &mut Tx<'_>,
    telegram: &Telegram,
    keys: &KeyRing,
    checked: &Checked,
    by: &By,
) -> Result<Bot, Problem> {
    if rows::is_connected(tx, checked.api, checked.me.id)? {
        return Err(already_connected());
    }
    let (workspace, now) = (tx.workspace(), tx.now());
    let former = rows::removed(tx, workspace, checked.api, checked.me.id)?;
    let (id, revision, created_at) = former.unwrap_or_else(|| (tx.id(), 0, now));
    let (token, webhook_secret) = seal(tx, keys, id, &checked.token);
    let row = BotRow {
        id,
        workspace,
        telegram_id: checked.me.id,
        name: checked.me.first_name.clone(),
        username: checked.me.username.clone(),
        token,
        webhook_secret,
        api: checked.api,
        mode: checked.mode,
        purpose: checked.purpose.clone(),
        status: Status::Connecting,
        status_detail: None,
        checked_at: Some(now),
        revision: revision + 1,
        created_at,
    };
    rows::put(tx, &row).map_err(|error| if error.is_duplicate() { already_connected() } else { error.into() })?;
    by.act("bot.connected", &row).record(tx)?;
    announce(tx, telegram, "bot.created", by.actor, &row)
}

fn already_connected() -> Problem {
    let detail = "This bot is connected already, here or in another workspace. Remove it there first.";
    Problem::conflict("bot_already_connected", detail)
}

/// A token, sealed, with a new secret for its webhook.
fn seal(tx: &Tx<'_>, keys: &KeyRing, id: BotId, token: &Secret) -> (Vec<u8>, Vec<u8>) {
    let secret = uuid::Uuid::from_bytes(tx.world().random()).simple().to_string();
    let seal = |column, plain: &str| keys.seal(rows::TABLE, id.as_bytes(), column, plain.as_bytes());
    (seal("token", token.expose()), seal("webhook_secret", &secret))
}

/// Token and webhook secret of a bot; `None` when they do not open with the present keys.
pub(crate) fn secrets(keys: &KeyRing, row: &BotRow) -> Option<(Secret, Secret)> {
    let open = |column, sealed: &[u8]| {
        let plain = keys.open(rows::TABLE, row.id.as_bytes(), column, sealed).ok()?;
        String::from_utf8(plain).ok().map(Secret::new)
    };
    Some((open("token", &row.token)?, open("webhook_secret", &row.webhook_secret)?))
}

/// What a bot's owner may change.
#[derive(Debug, Clone, Default)]
pub(crate) struct Change {
    pub(crate) mode: Option<Mode>,
    /// An empty one removes it.
    pub(crate) purpose: Option<String>,
    pub(crate) token: Option<(Me, Secret)>,
}

/// Changes a bot. A new token or mode raises its revision, so that its work starts anew.
///
/// # Errors
/// 404, and 422 `bot_token_of_another_bot`.
pub(crate) fn change(
    tx: &mut Tx<'_>,
    telegram: &Telegram,
    keys: &KeyRing,
    id: BotId,
    change: &Change,
    by: &By,
) -> Result<Bot, Problem> {
    let workspace = tx.workspace();
    let mut row = rows::get(tx, workspace, id)?.ok_or_else(Problem::not_found)?;
    let (mode, now) = (row.mode, tx.now());
    if let Some((me, token)) = &change.token {
        if me.id != row.telegram_id {
            let detail = "This token belongs to another bot. Connect that bot instead.";
            return Err(Problem::invalid_field("token", "bot_token_of_another_bot", detail));
        }
        (row.token, row.webhook_secret) = seal(tx, keys, id, token);
        (row.name, row.username) = (me.first_name.clone(), me.username.clone());
        row.checked_at = Some(now);
    }
    row.mode = change.mode.unwrap_or(mode);
    if let Some(purpose) = &change.purpose {
        row.purpose = Some(purpose.clone()).filter(|it| !it.is_empty());
    }
    if change.token.is_some() || row.mode != mode {
        row.revision += 1;
        (row.status, row.status_detail) = (Status::Connecting, None);
    }
    rows::put(tx, &row)?;
    let detail = json!({ "token": change.token.is_some(), "mode": row.mode, "purpose": row.purpose });
    by.act("bot.changed", &row).detail(detail).record(tx)?;
    announce(tx, telegram, "bot.updated", by.actor, &row)
}

/// Disconnects a bot, forgets its secrets, and has what still waits for it buried.
///
/// # Errors
/// 404.
pub(crate) fn remove(tx: &mut Tx<'_>, id: BotId, by: &By) -> Result<(), Problem> {
    let workspace = tx.workspace();
    let row = rows::get(tx, workspace, id)?.ok_or_else(Problem::not_found)?;
    rows::remove(tx, id)?;
    by.act("bot.removed", &row).record(tx)?;
    let payload = to_raw_value(&jobs::Removed { bot: id }).map_err(corrupt)?;
    let (key, run_at) = (Some(id.to_string()), tx.now());
    store::jobs::schedule(tx, NewJob { kind: jobs::BURY, key, payload, run_at, max_attempts: 20 })?;
    append(tx, "bot.removed", by.actor, id, &json!({ "bot_id": id }))?;
    Ok(())
}

/// Stores what Telegram said about a bot, and how its connection stands.
///
/// # Errors
/// 404.
pub(crate) fn checked(
    tx: &mut Tx<'_>,
    telegram: &Telegram,
    id: BotId,
    me: Option<&Me>,
    status: Status,
    detail: Option<String>,
) -> Result<Bot, Problem> {
    let workspace = tx.workspace();
    let mut row = rows::get(tx, workspace, id)?.ok_or_else(Problem::not_found)?;
    if let Some(me) = me {
        (row.name, row.username, row.checked_at) = (me.first_name.clone(), me.username.clone(), Some(tx.now()));
    }
    (row.status, row.status_detail) = (status, detail);
    rows::put(tx, &row)?;
    announce(tx, telegram, "bot.updated", ActorRef::SYSTEM, &row)
}

/// Stores how a connection stands, also on a nearly full disk; a bot that is gone is not an error.
pub(crate) async fn set_status(
    hub: &Hub,
    telegram: &Telegram,
    workspace: WorkspaceId,
    bot: BotId,
    status: Status,
    detail: Option<String>,
) -> Result<(), Error> {
    let telegram = telegram.clone();
    hub.db()
        .write_essential(workspace, move |tx| {
            let workspace = tx.workspace();
            let Some(mut row) = rows::get(tx, workspace, bot)? else { return Ok(()) };
            if status == Status::Connected {
                row.checked_at = Some(tx.now());
            }
            (row.status, row.status_detail) = (status, detail.clone());
            rows::put(tx, &row)?;
            append(tx, "bot.updated", ActorRef::SYSTEM, bot, &json!({ "bot": telegram.view(&row) }))
        })
        .await
}

fn announce(
    tx: &mut Tx<'_>,
    telegram: &Telegram,
    kind: &'static str,
    actor: ActorRef,
    row: &BotRow,
) -> Result<Bot, Problem> {
    let bot = telegram.view(row);
    append(tx, kind, actor, row.id, &json!({ "bot": bot }))?;
    Ok(bot)
}

fn append(
    tx: &mut Tx<'_>,
    kind: &'static str,
    actor: ActorRef,
    bot: BotId,
    body: &impl Serialize,
) -> Result<(), Error> {
    tx.append(NewEvent {
        kind,
        version: 1,
        actor,
        audience: Audience::Right(Right::BotsRead),
        chat: None,
        entity: Some(bot.uuid()),
        body: to_raw_value(body).map_err(corrupt)?,
    })?;
    Ok(())
}

fn corrupt(error: serde_json::Error) -> Error {
    Error::Corrupt(error.to_string())
}

/// Asks Telegram whose token it is.
///
/// # Errors
/// 422 `bot_token_refused`, 503 `telegram_unreachable`, 409 `sandbox_off`.
pub(crate) async fn ask(telegram: &Telegram, api: Api, token: &Secret) -> Result<Me, Problem> {
    if !looks_like_a_token(token.expose()) {
        let detail = "A bot token looks like 1234567890:AAH… . BotFather shows it when a bot is made.";
        return Err(Problem::invalid_field("token", "bot_token_refused", detail));
    }
    let client = telegram.bot_api(api, token.clone()).ok_or_else(sandbox_off)?;
    client.get_me().await.map_err(|error| problem(&error))
}

/// 409: there is no sandbox in this process.
pub(crate) fn sandbox_off() -> Problem {
    let detail = "The sandbox is not running. Start the server with --sandbox to use it.";
    Problem::conflict("sandbox_off", detail)
}

/// Digits, a colon, and what may stand in a URL without quoting.
fn looks_like_a_token(token: &str) -> bool {
    let Some((id, key)) = token.split_once(':') else { return false };
    (1..=20).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_digit())
        && (8..=100).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn problem(error: &CallError) -> Problem {
    match error {
        CallError::Refused(refusal) if error.is_about_token() || refusal.code == 400 => {
            let detail = format!("Telegram refuses the token: {}.", refusal.description);
            Problem::invalid_field("token", "bot_token_refused", detail)
        }
        CallError::Refused(refusal) => {
            let wait = refusal.retry_after.unwrap_or(std::time::Duration::from_secs(10));
            Problem::unavailable("telegram_unreachable", format!("Telegram answers: {}.", refusal.description), wait)
        }
        CallError::NotSent(reason) | CallError::Unclear(reason) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "telegram_unreachable", "Telegram cannot be reached")
                .detail(format!("Telegram cannot be reached: {reason}. Check the server's connection and try again."))
                .retry_after(std::time::Duration::from_secs(10))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_stand_in_an_address_passes_for_a_token() {
        assert!(looks_like_a_token("1234567890:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"));
        for text in
            ["", "12:", ":AAHdqTcvCH1", "12:AAH/../getMe", "12:AAHdqTcv?x=1", "twelve:AAHdqTcvCH1", "12:äöüäöüäöü"]
        {
            assert!(!looks_like_a_token(text), "{text}");
        }
    }
}
