use ::model::ConversationId;
use axum::{extract::State, http::StatusCode, response::Response};
use kit::{Allowed, Hub, Input, Path, Principal, Problem, Write, rights};
use serde::{Deserialize, Serialize};
use store::Tx;
use utoipa::ToSchema;

use super::find;
use crate::{
    model::{Conversation, Status},
    set_status,
};

/// What may be changed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
pub(crate) struct UpdateConversation {
    status: Settable,
}

/// The statuses that a person sets.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Settable {
    Open,
    Resolved,
}

/// Resolve or reopen a conversation
#[utoipa::path(patch, path = "/conversations/{id}", tag = "conversations", params(("id" = ConversationId, Path)),
    request_body = UpdateConversation, responses((status = 200, body = Conversation)))]
pub(crate) async fn update_conversation(
    principal: Allowed<rights::ConversationsReply>,
    State(hub): State<Hub>,
    Path(id): Path<ConversationId>,
    write: Write,
    Input(input): Input<UpdateConversation>,
) -> Result<Response, Problem> {
    let actor = principal.0.clone();
    write.run(&hub, &principal, StatusCode::OK, &input, move |tx| update(tx, &actor, id, input)).await
}

fn update(
    tx: &mut Tx<'_>,
    actor: &Principal,
    id: ConversationId,
    input: UpdateConversation,
) -> Result<Conversation, Problem> {
    let status = match input.status {
        Settable::Open => Status::Open,
        Settable::Resolved => Status::Resolved,
    };
    set_status(tx, actor.actor(), id, status).map_err(|error| {
        if error.is_duplicate() {
            let detail = "The contact has a newer conversation. Go on there.";
            return Problem::conflict("conversation_superseded", detail);
        }
        error.into()
    })?;
    find(tx, actor, id)
}
