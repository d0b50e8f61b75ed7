use axum::{Json, extract::State};
use store::log;

use crate::{
    Allowed, Answer, Hub, Page, Paging,
    audit::{self, AuditEntry},
    rights::AuditRead,
};

/// Audit log
///
/// Administrative acts in the workspace, newest first.
#[utoipa::path(get, path = "/audit", tag = "audit", params(Paging), responses((status = 200, body = Page<AuditEntry>)))]
pub(crate) async fn audit(by: Allowed<AuditRead>, State(hub): State<Hub>, paging: Paging) -> Answer<Page<AuditEntry>> {
    let workspace = by.workspace;
    let list = hub.list(workspace, "audit");
    let (before, fetch) = (paging.after(&list)?, paging.fetch());
    let read = hub.db().read(move |tx| Ok((audit::newest(tx, workspace, before, fetch)?, log::head(tx, workspace)?)));
    let (rows, head) = read.await.map_err(|error: store::Error| error)?;
    Ok(Json(paging.page(&list, rows, |row| row.id, head)))
}
