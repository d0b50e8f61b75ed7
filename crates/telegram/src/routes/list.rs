use axum::{Extension, Json, extract::State};
use kit::{Allowed, Answer, Hub, Page, Paging, rights};
use store::{Error, log};

use crate::{feature::Telegram, model::Bot, store::bots as rows};

/// List the connected bots
#[utoipa::path(get, path = "/bots", tag = "bots", params(Paging), responses((status = 200, body = Page<Bot>)))]
pub(crate) async fn list_bots(
    principal: Allowed<rights::BotsRead>,
    State(hub): State<Hub>,
    Extension(telegram): Extension<Telegram>,
    paging: Paging,
) -> Answer<Page<Bot>> {
    let workspace = principal.workspace;
    let list = hub.list(workspace, "bots");
    let (after, fetch) = (paging.after(&list)?, paging.fetch());
    let read =
        hub.db().read(move |tx| Ok::<_, Error>((rows::list(tx, workspace, after, fetch)?, log::head(tx, workspace)?)));
    let (found, head) = read.await?;
    Ok(Json(paging.page(&list, found, |row| row.id, head).map(|row| telegram.view(&row))))
}
