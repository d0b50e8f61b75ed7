use axum::{Json, extract::State};
use kit::{Allowed, Answer, Hub, Page, Paging, rights};
use store::log;

use crate::{model::Member, rows};

/// Lists the members of the workspace in the order in which they joined.
#[utoipa::path(get, path = "/members", tag = "members", params(Paging), responses((status = 200, body = Page<Member>)))]
pub(crate) async fn list_members(
    principal: Allowed<rights::MembersRead>,
    State(hub): State<Hub>,
    paging: Paging,
) -> Answer<Page<Member>> {
    let workspace = principal.workspace;
    let list = hub.list(workspace, "members");
    let (after, fetch) = (paging.after(&list)?, paging.fetch());
    let read = hub.db().read(move |tx| {
        let members = rows::members::list(tx, workspace, after, fetch)?;
        Ok::<_, store::Error>((members, log::head(tx, workspace)?))
    });
    let (members, head) = read.await?;
    Ok(Json(paging.page(&list, members, |it| (it.joined_at, it.user.id), head)))
}
