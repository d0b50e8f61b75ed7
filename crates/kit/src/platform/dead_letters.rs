use axum::{Json, extract::State};
use store::{
    log,
    subscribers::{self, DeadLetter},
};

use crate::{Allowed, Answer, Hub, Page, Paging, rights::SystemRead};

/// Dead letters
///
/// Events that a subscriber could not apply, newest first.
#[utoipa::path(get, path = "/dead-letters", tag = "system", params(Paging), responses((status = 200, body = Page<DeadLetter>)))]
pub(crate) async fn dead_letters(
    by: Allowed<SystemRead>,
    State(hub): State<Hub>,
    paging: Paging,
) -> Answer<Page<DeadLetter>> {
    let workspace = by.workspace;
    let list = hub.list(workspace, "dead-letters");
    let (before, fetch) = (paging.after(&list)?, paging.fetch());
    let read = hub
        .db()
        .read(move |tx| Ok((subscribers::dead_letters(tx, workspace, before, fetch)?, log::head(tx, workspace)?)));
    let (rows, head) = read.await.map_err(|error: store::Error| error)?;
    Ok(Json(paging.page(&list, rows, |row| row.id, head)))
}
