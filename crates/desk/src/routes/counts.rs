use axum::{Json, extract::State};
use kit::{Allowed, Answer, Hub, Problem, rights};
use serde::Serialize;
use store::subscribers;
use utoipa::ToSchema;

use crate::{counts::NAME, model::Status, store as rows};

/// How many conversations there are in each status.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Counts {
    open: i64,
    pending: i64,
    snoozed: i64,
    resolved: i64,
    /// The place in the stream up to which the counts are right.
    live_cursor: String,
}

/// Count conversations
#[utoipa::path(get, path = "/conversations/counts", tag = "conversations", responses((status = 200, body = Counts)))]
pub(crate) async fn count_conversations(
    principal: Allowed<rights::ConversationsRead>,
    State(hub): State<Hub>,
) -> Answer<Counts> {
    let workspace = principal.workspace;
    let (found, (seq, _)) = hub
        .db()
        .read(move |tx| Ok::<_, Problem>((rows::counts(tx, workspace)?, subscribers::position(tx, NAME, workspace)?)))
        .await?;
    let mut counts = Counts { live_cursor: hub.live_cursor(workspace, seq), ..Counts::default() };
    for (status, total) in found {
        match status {
            Status::Open => counts.open = total,
            Status::Pending => counts.pending = total,
            Status::Snoozed => counts.snoozed = total,
            Status::Resolved => counts.resolved = total,
        }
    }
    Ok(Json(counts))
}
