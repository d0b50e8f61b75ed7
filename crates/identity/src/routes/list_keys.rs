use axum::{Extension, Json, extract::State};
use kit::{Allowed, Answer, Hub, Page, Paging, rights};
use store::log;

use crate::{Identity, model::ApiKey, rows};

/// Lists the API keys of the workspace, the newest first.
#[utoipa::path(get, path = "/keys", tag = "keys", params(Paging), responses((status = 200, body = Page<ApiKey>)))]
pub(crate) async fn list_keys(
    principal: Allowed<rights::KeysManage>,
    Extension(identity): Extension<Identity>,
    State(hub): State<Hub>,
    paging: Paging,
) -> Answer<Page<ApiKey>> {
    let workspace = principal.workspace;
    let list = hub.list(workspace, "keys");
    let (before, fetch) = (paging.after(&list)?, paging.fetch());
    let read = hub.db().read(move |tx| {
        let keys = rows::keys::list(tx, workspace, before, fetch)?;
        Ok::<_, store::Error>((keys, log::head(tx, workspace)?))
    });
    let (keys, head) = read.await?;
    let page = paging.page(&list, keys, |it| it.id, head);
    // The last use may still wait in memory to be written.
    Ok(Json(page.map(|key| ApiKey { last_used_at: identity.gate().usage().last(key.id).or(key.last_used_at), ..key })))
}
