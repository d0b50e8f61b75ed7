use ::model::{ConversationId, Seq};
use axum::{extract::State, http::StatusCode, response::Response};
use chats::ReadMark;
use kit::{Allowed, Hub, Input, Path, Principal, Problem, Write, rights};
use serde::{Deserialize, Serialize};
use store::Tx;
use utoipa::ToSchema;

use super::find;

/// How far the person has read.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub(crate) struct MarkRead {
    /// The last message that was on the screen.
    #[schema(minimum = 0)]
    seq: Seq,
}

/// Mark a conversation as read
///
/// Marks only move forward; two tabs converge. API keys have no marks and get 403.
#[utoipa::path(post, path = "/conversations/{id}/read", tag = "conversations", params(("id" = ConversationId, Path)),
    request_body = MarkRead, responses((status = 200, body = ReadMark)))]
pub(crate) async fn mark_read(
    principal: Allowed<rights::ConversationsRead>,
    State(hub): State<Hub>,
    Path(id): Path<ConversationId>,
    write: Write,
    Input(input): Input<MarkRead>,
) -> Result<Response, Problem> {
    let actor = principal.0.clone();
    write.run(&hub, &principal, StatusCode::OK, &input, move |tx| mark(tx, &actor, id, input.seq)).await
}

fn mark(tx: &mut Tx<'_>, actor: &Principal, id: ConversationId, seq: Seq) -> Result<ReadMark, Problem> {
    let user = actor.user().ok_or_else(Problem::forbidden)?;
    let conversation = find(tx, actor, id)?.case;
    let chat = chats::chat(tx, actor.workspace, conversation.chat_id)?.ok_or_else(Problem::not_found)?;
    Ok(chats::mark_read(tx, user, &chat, Some(id), seq)?)
}
