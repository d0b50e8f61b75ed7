//! Telegram's calls: `POST /telegram/{bot_id}/webhook`.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{Request, State},
    http::StatusCode,
};
use kit::{Caller, Hub, Path, Problem, extract};
use model::BotId;
use store::Error;
use subtle::ConstantTimeEq;

use crate::{
    feature::Telegram,
    inbound::{
        apply::{Applied, apply, keep_strange},
        update::{Update, parse},
    },
    link::Link,
    model::Mode,
};

const SECRET: &str = "x-telegram-bot-api-secret-token";

/// Takes one update; 200 only once it is committed. Telegram tries again after anything else. Whoever does not know the
/// secret is a stranger: his body is not read, and his address is counted.
pub(crate) async fn receive(
    State(hub): State<Hub>,
    Extension(telegram): Extension<Telegram>,
    Path(bot): Path<BotId>,
    caller: Caller,
    request: Request,
) -> Result<StatusCode, Problem> {
    let link = telegram.link(bot);
    let shown = request.headers().get(SECRET).map_or(&b""[..], |value| value.as_bytes());
    let known = link.filter(|link| bool::from(shown.ct_eq(link.secret.expose().as_bytes())));
    let Some(link) = known else {
        caller.count_stranger(&hub)?;
        return Err(secret_wrong(telegram.link(bot).is_some()));
    };
    if link.mode != Mode::Webhook {
        // On its way to polling: the update stays with Telegram until it is asked for.
        let detail = "This bot does not take webhooks at the moment. Send the update again later.";
        return Err(Problem::unavailable("webhook_off", detail, Duration::from_secs(10)));
    }
    let body = extract::body(request, &hub).await?;
    let applied = match std::str::from_utf8(&body).ok().and_then(parse) {
        Some(update) => take(&hub, &telegram, &link, update).await?,
        // The secret was right and the rest is no update: kept, so that it can be looked at.
        None => {
            let text = String::from_utf8_lossy(&body).into_owned();
            keep_strange(&hub, link.workspace, link.bot, text).await.map_err(|error| not_now(&error))?
        }
    };
    telegram.numbers().applied(applied);
    Ok(StatusCode::OK)
}

fn secret_wrong(bot_is_known: bool) -> Problem {
    if !bot_is_known {
        return Problem::not_found();
    }
    Problem::new(StatusCode::FORBIDDEN, "webhook_secret_wrong", "Not allowed")
        .detail("The secret token of this webhook is missing or wrong. Set the webhook again.")
}

async fn take(hub: &Hub, telegram: &Telegram, link: &Link, update: Update) -> Result<Applied, Problem> {
    let updates: Arc<[Update]> = Arc::from([update]);
    apply(hub, telegram.chats(), link.workspace, link.bot, &updates).await.map_err(|error| not_now(&error))
}

fn not_now(error: &Error) -> Problem {
    let detail = "The update could not be stored now. Send it again.";
    Problem::unavailable("busy", detail, Duration::from_secs(1)).internal(error.to_string())
}
