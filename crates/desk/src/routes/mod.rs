//! The operations, one file each.

mod counts;
mod get;
mod history;
mod list;
mod read;
mod send;
mod update;

use ::model::ConversationId;
use kit::{Hub, Principal, Problem, route};
use store::Tx;
use utoipa_axum::router::OpenApiRouter;

use crate::{model::Conversation, store as rows};

pub(crate) fn all() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(route!(list::list_conversations))
        .routes(route!(counts::count_conversations))
        .routes(route!(get::get_conversation))
        .routes(route!(update::update_conversation))
        .routes(route!(history::list_messages))
        .routes(route!(send::send_message))
        .routes(route!(read::mark_read))
}

/// A conversation of the principal's workspace; another's does not exist.
fn find(tx: &mut Tx<'_>, principal: &Principal, id: ConversationId) -> Result<Conversation, Problem> {
    rows::get(tx, principal.workspace, principal.user(), id)?.ok_or_else(Problem::not_found)
}
