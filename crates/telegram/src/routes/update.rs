use axum::{Extension, extract::State, http::StatusCode, response::Response};
use kit::{Allowed, Caller, Hub, Input, Path, Problem, Write, rights};
use model::{BotId, Secret};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::connect::{mode_is_possible, purpose_of};
use crate::{
    bots::{self, By, Change},
    feature::Telegram,
    model::{Bot, Mode},
    store::bots as rows,
};

/// What to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct UpdateBot {
    /// How updates come in.
    mode: Option<Mode>,
    /// What the bot is for; an empty text removes it.
    #[schema(max_length = 200)]
    purpose: Option<String>,
    /// A new token of the same bot.
    #[schema(value_type = Option<String>)]
    token: Option<Secret>,
}

#[derive(Serialize)]
struct Fingerprint<'a> {
    mode: Option<Mode>,
    purpose: &'a Option<String>,
    token: Option<&'a str>,
}

/// Change a bot
///
/// Problems: as when connecting, and 422 `bot_token_of_another_bot`.
#[utoipa::path(patch, path = "/bots/{id}", tag = "bots", params(("id" = BotId, Path)), request_body = UpdateBot,
    responses((status = 200, body = Bot)))]
pub(crate) async fn update_bot(
    principal: Allowed<rights::BotsManage>,
    State(hub): State<Hub>,
    Extension(telegram): Extension<Telegram>,
    Path(id): Path<BotId>,
    caller: Caller,
    write: Write,
    Input(input): Input<UpdateBot>,
) -> Result<Response, Problem> {
    let UpdateBot { mode, purpose, token } = input;
    let purpose = match purpose {
        Some(purpose) => Some(purpose_of(Some(purpose))?.unwrap_or_default()),
        None => None,
    };
    mode_is_possible(&telegram, mode.unwrap_or_default())?;
    let fingerprint = Fingerprint { mode, purpose: &purpose, token: token.as_ref().map(|it| it.expose().as_str()) };
    if let Some(stored) = write.stored(&hub, &principal, &fingerprint).await? {
        return Ok(stored);
    }
    let workspace = principal.workspace;
    let row = hub.db().read(move |tx| rows::get(tx, workspace, id)).await?.ok_or_else(Problem::not_found)?;
    let checked = match &token {
        Some(token) => Some((bots::ask(&telegram, row.api, token).await?, token.clone())),
        None => None,
    };
    let change = Change { mode, purpose: purpose.clone(), token: checked };
    let (keys, by) = (hub.keys().clone(), By::principal(&principal, caller.address()));
    let command = move |tx: &mut store::Tx<'_>| bots::change(tx, &telegram, &keys, id, &change, &by);
    write.run(&hub, &principal, StatusCode::OK, &fingerprint, command).await
}
