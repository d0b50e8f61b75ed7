use axum::{Extension, extract::State, http::StatusCode, response::Response};
use kit::{Allowed, Hub, Path, Problem, Write, rights};
use model::BotId;

use crate::{
    api::Me,
    bots,
    feature::Telegram,
    inbound::poll::{token_refused, unreachable},
    model::{Bot, BotRow, Status},
    store::bots as rows,
};

/// Check a bot
///
/// Asks Telegram for the bot now and answers how its connection stands.
#[utoipa::path(post, path = "/bots/{id}/check", tag = "bots", params(("id" = BotId, Path)),
    responses((status = 200, body = Bot)))]
pub(crate) async fn check_bot(
    principal: Allowed<rights::BotsManage>,
    State(hub): State<Hub>,
    Extension(telegram): Extension<Telegram>,
    Path(id): Path<BotId>,
    write: Write,
) -> Result<Response, Problem> {
    let workspace = principal.workspace;
    let row = hub.db().read(move |tx| rows::get(tx, workspace, id)).await?.ok_or_else(Problem::not_found)?;
    let (me, status, detail) = ask(&hub, &telegram, &row).await;
    let command = move |tx: &mut store::Tx<'_>| bots::checked(tx, &telegram, id, me.as_ref(), status, detail.clone());
    write.run(&hub, &principal, StatusCode::OK, &(), command).await
}

async fn ask(hub: &Hub, telegram: &Telegram, row: &BotRow) -> (Option<Me>, Status, Option<String>) {
    let Some((token, _)) = bots::secrets(hub.keys(), row) else {
        return (None, Status::Error, Some("The token cannot be opened. Enter it again.".to_owned()));
    };
    let Some(client) = telegram.bot_api(row.api, token) else {
        return (None, Status::Stopped, Some("The sandbox is not running.".to_owned()));
    };
    match client.get_me().await {
        Ok(me) => (Some(me), Status::Connected, None),
        Err(error) if error.is_about_token() => (None, Status::Error, Some(token_refused(&error))),
        Err(error) => (None, Status::Error, Some(unreachable(&error))),
    }
}
