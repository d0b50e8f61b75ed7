use ::model::{ConversationId, Seq};
use axum::{Json, extract::State};
use chats::{HistoryQuery, Message, history};
use kit::{Allowed, Answer, Hub, Path, Problem, Query, rights};
use serde::{Deserialize, Serialize};
use store::log;
use utoipa::{IntoParams, ToSchema};

use super::find;

/// Which page of the history.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Messages with a smaller `seq`.
    #[param(minimum = 0)]
    before: Option<Seq>,
    /// Messages with a larger `seq`.
    #[param(minimum = 0)]
    after: Option<Seq>,
    /// Messages around this `seq`.
    #[param(minimum = 0)]
    anchor: Option<Seq>,
    /// Most messages, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
}

/// A page of messages in ascending order of `seq`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessagePage {
    items: Vec<Message>,
    /// Whether older messages exist.
    has_before: bool,
    /// Whether newer messages exist.
    has_after: bool,
    /// The live stream's cursor of the snapshot that the page was read in.
    live_cursor: String,
}

/// Read messages
///
/// The newest page without parameters; at most one of `before`, `after` and `anchor`.
#[utoipa::path(get, path = "/conversations/{id}/messages", tag = "conversations",
    params(("id" = ConversationId, Path), PageQuery), responses((status = 200, body = MessagePage)))]
pub(crate) async fn list_messages(
    principal: Allowed<rights::ConversationsRead>,
    State(hub): State<Hub>,
    Path(id): Path<ConversationId>,
    Query(query): Query<PageQuery>,
) -> Answer<MessagePage> {
    let wanted = checked(&query)?;
    let (principal, workspace) = (principal.0.clone(), principal.workspace);
    let (page, head) = hub
        .db()
        .read(move |tx| {
            let conversation = find(tx, &principal, id)?;
            Ok::<_, Problem>((history(tx, workspace, conversation.case.chat_id, wanted)?, log::head(tx, workspace)?))
        })
        .await?;
    let live_cursor = hub.live_cursor(workspace, head);
    Ok(Json(MessagePage { items: page.items, has_before: page.has_before, has_after: page.has_after, live_cursor }))
}

fn checked(query: &PageQuery) -> Result<HistoryQuery, Problem> {
    let PageQuery { before, after, anchor, limit } = *query;
    let limit = limit.unwrap_or(kit::page::DEFAULT_LIMIT);
    let places = [before, after, anchor];
    let bad = |detail: &str| {
        Problem::new(axum::http::StatusCode::BAD_REQUEST, "invalid_query", "Invalid query").detail(detail)
    };
    if !(1..=kit::page::MOST).contains(&limit) {
        return Err(bad("Give a limit of 1 to 200."));
    }
    if places.iter().flatten().count() > 1 {
        return Err(bad("Give at most one of before, after and anchor."));
    }
    if places.iter().flatten().any(|seq| *seq < 0) {
        return Err(bad("A place in a chat is not negative. Give a seq of 0 or more."));
    }
    Ok(HistoryQuery { before, after, anchor, limit })
}
