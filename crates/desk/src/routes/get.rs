use ::model::ConversationId;
use axum::{Json, extract::State};
use kit::{Allowed, Answer, Hub, Path, rights};

use super::find;
use crate::model::Conversation;

/// Read a conversation
#[utoipa::path(get, path = "/conversations/{id}", tag = "conversations", params(("id" = ConversationId, Path)),
    responses((status = 200, body = Conversation)))]
pub(crate) async fn get_conversation(
    principal: Allowed<rights::ConversationsRead>,
    State(hub): State<Hub>,
    Path(id): Path<ConversationId>,
) -> Answer<Conversation> {
    let principal = principal.0;
    hub.db().read(move |tx| find(tx, &principal, id)).await.map(Json)
}
