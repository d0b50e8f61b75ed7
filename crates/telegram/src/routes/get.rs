use axum::{Extension, Json, extract::State};
use kit::{Allowed, Answer, Hub, Path, Problem, rights};
use model::BotId;

use crate::{feature::Telegram, model::Bot, store::bots as rows};

/// Read a bot
#[utoipa::path(get, path = "/bots/{id}", tag = "bots", params(("id" = BotId, Path)), responses((status = 200, body = Bot)))]
pub(crate) async fn get_bot(
    principal: Allowed<rights::BotsRead>,
    State(hub): State<Hub>,
    Extension(telegram): Extension<Telegram>,
    Path(id): Path<BotId>,
) -> Answer<Bot> {
    let workspace = principal.workspace;
    let found = hub.db().read(move |tx| rows::get(tx, workspace, id)).await?;
    Ok(Json(telegram.view(&found.ok_or_else(Problem::not_found)?)))
}
