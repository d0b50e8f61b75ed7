use std::sync::Arc;

use ::model::{ConversationId, DeliveryClass, Seq, check_text};
use axum::{Extension, extract::State, http::StatusCode, response::Response};
use chats::{Author, AuthorKind, Chats, MAX_NOTE, MAX_TEXT, Message, Post};
use kit::{Allowed, Hub, Input, Path, Principal, Problem, Write, rights};
use serde::{Deserialize, Serialize};
use store::Tx;
use utoipa::ToSchema;

use super::find;

/// How long a reply may wait for Telegram before it is `dead`.
const TIME_TO_LIVE: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// A reply or a note.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct SendMessage {
    /// Plain text; at most 4,096 characters, a note at most 16,000.
    #[schema(min_length = 1, max_length = 16000)]
    text: String,
    /// A note is seen by members only.
    #[serde(default)]
    note: bool,
    /// The newest message that the author has seen: 409 `conversation_moved` when others wrote since.
    last_seen_seq: Option<Seq>,
    /// Send although others wrote since.
    #[serde(default)]
    force: bool,
}

/// Send a message
///
/// A reply goes to the contact, a note stays inside.
#[utoipa::path(post, path = "/conversations/{id}/messages", tag = "conversations", params(("id" = ConversationId, Path)),
    request_body = SendMessage, responses((status = 201, body = Message)))]
pub(crate) async fn send_message(
    principal: Allowed<rights::ConversationsReply>,
    State(hub): State<Hub>,
    Extension(chats): Extension<Chats>,
    Path(id): Path<ConversationId>,
    write: Write,
    Input(input): Input<SendMessage>,
) -> Result<Response, Problem> {
    check_text(&input.text, if input.note { MAX_NOTE } else { MAX_TEXT })?;
    let key = write.key().map(str::to_owned);
    let sending = Sending { chats, actor: Arc::clone(&principal), id, input: input.clone(), key };
    write.run(&hub, &principal, StatusCode::CREATED, &input, move |tx| sending.run(tx)).await
}

struct Sending {
    chats: Chats,
    actor: Arc<Principal>,
    id: ConversationId,
    input: SendMessage,
    key: Option<String>,
}

impl Sending {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Message, Problem> {
        let conversation = find(tx, &self.actor, self.id)?.case;
        let chat = chats::chat(tx, self.actor.workspace, conversation.chat_id)?;
        let mut chat = chat.ok_or_else(Problem::not_found)?;
        if !self.input.note && !self.chats.can_send(tx, &chat)? {
            let detail = "The bot of this conversation was removed. Connect it again to reply; notes still work.";
            return Err(Problem::conflict("bot_removed", detail));
        }
        self.refuse_if_moved(tx, &chat)?;
        let post = Post {
            conversation: Some(self.id),
            author: author(&self.actor),
            text: self.input.text.trim(),
            note: self.input.note,
            class: DeliveryClass::Reply,
            expires_at: Some(tx.now() + TIME_TO_LIVE),
            idempotency_key: self.key.as_deref(),
        };
        Ok(self.chats.post(tx, &mut chat, post)?)
    }

    /// What others wrote after the author looked last; his own messages do not count.
    fn refuse_if_moved(&self, tx: &mut Tx<'_>, chat: &chats::Chat) -> Result<(), Problem> {
        let Some(seen) = self.input.last_seen_seq.filter(|_| !self.input.force) else { return Ok(()) };
        if chats::others_wrote_since(tx, chat, seen, self.actor.actor())? {
            let detail = "Others wrote in this conversation since you looked. Read it, then send again with force.";
            return Err(Problem::conflict("conversation_moved", detail));
        }
        Ok(())
    }
}

fn author(principal: &Principal) -> Author {
    match principal.user() {
        Some(user) => Author::member(user, principal.name.clone()),
        None => Author { kind: AuthorKind::Source, id: principal.actor().id, name: principal.name.clone() },
    }
}
