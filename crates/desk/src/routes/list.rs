use ::model::BotId;
use axum::{Json, extract::State};
use kit::{Allowed, Answer, Hub, Page, Paging, Problem, Query, rights};
use serde::Deserialize;
use store::log;
use utoipa::IntoParams;

use crate::{
    model::{Conversation, Status},
    store::{self as rows, Filter},
};

/// Which conversations to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// A status, or `all`.
    #[serde(default)]
    #[param(inline)]
    status: Which,
    /// Only those of this bot.
    bot: Option<BotId>,
}

/// A status, or all of them.
#[derive(Debug, Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Which {
    Open,
    Pending,
    Snoozed,
    Resolved,
    #[default]
    All,
}

impl Which {
    const fn status(self) -> Option<Status> {
        match self {
            Self::Open => Some(Status::Open),
            Self::Pending => Some(Status::Pending),
            Self::Snoozed => Some(Status::Snoozed),
            Self::Resolved => Some(Status::Resolved),
            Self::All => None,
        }
    }
}

/// List conversations
///
/// The latest activity first.
#[utoipa::path(get, path = "/conversations", tag = "conversations", params(ListQuery, Paging),
    responses((status = 200, body = Page<Conversation>)))]
pub(crate) async fn list_conversations(
    principal: Allowed<rights::ConversationsRead>,
    State(hub): State<Hub>,
    Query(query): Query<ListQuery>,
    paging: Paging,
) -> Answer<Page<Conversation>> {
    let list = hub.list(principal.workspace, "conversations");
    let filter =
        Filter { status: query.status.status(), bot: query.bot, below: paging.after(&list)?, limit: paging.fetch() };
    let (workspace, user) = (principal.workspace, principal.user());
    let (found, head) = hub
        .db()
        .read(move |tx| Ok::<_, Problem>((rows::list(tx, workspace, user, filter)?, log::head(tx, workspace)?)))
        .await?;
    Ok(Json(paging.page(&list, found, |it| (it.case.last_activity_at, it.case.id), head)))
}
