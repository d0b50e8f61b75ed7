use axum::{extract::State, http::StatusCode, response::Response};
use kit::{Allowed, Caller, Hub, Path, Problem, Write, rights};
use model::BotId;

use crate::bots::{self, By};

/// Remove a bot
///
/// Its conversations stay; what still waits to be sent is ended. Connecting it again goes on where it stopped.
#[utoipa::path(delete, path = "/bots/{id}", tag = "bots", params(("id" = BotId, Path)), responses((status = 204)))]
pub(crate) async fn remove_bot(
    principal: Allowed<rights::BotsManage>,
    State(hub): State<Hub>,
    Path(id): Path<BotId>,
    caller: Caller,
    write: Write,
) -> Result<Response, Problem> {
    let by = By::principal(&principal, caller.address());
    let command = move |tx: &mut store::Tx<'_>| bots::remove(tx, id, &by);
    write.run(&hub, &principal, StatusCode::NO_CONTENT, &(), command).await
}
