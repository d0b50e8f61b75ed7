use axum::{Json, extract::State};
use kit::{Allowed, Answer, Hub, Page, Paging, rights};
use store::log;

use crate::{model::Invitation, rows};

/// Lists the invitations of the workspace, the newest first.
#[utoipa::path(get, path = "/invitations", tag = "invitations", params(Paging), responses((status = 200, body = Page<Invitation>)))]
pub(crate) async fn list_invitations(
    principal: Allowed<rights::MembersManage>,
    State(hub): State<Hub>,
    paging: Paging,
) -> Answer<Page<Invitation>> {
    let workspace = principal.workspace;
    let list = hub.list(workspace, "invitations");
    let (before, fetch) = (paging.after(&list)?, paging.fetch());
    let read = hub.db().read(move |tx| {
        let invitations = rows::invitations::list(tx, workspace, before, fetch)?;
        Ok::<_, store::Error>((invitations, log::head(tx, workspace)?))
    });
    let (invitations, head) = read.await?;
    Ok(Json(paging.page(&list, invitations, |it| it.id, head)))
}
