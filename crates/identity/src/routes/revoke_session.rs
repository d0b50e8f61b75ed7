use axum::{extract::State, http::StatusCode};
use kit::{Hub, Path, Problem, SignedIn};
use model::{SYSTEM_WORKSPACE, SessionId};

use crate::{entrance::person, rows};

/// Ends a session of the person who asks: its tokens are refused from the next request on, its live streams close.
#[utoipa::path(delete, path = "/auth/sessions/{id}", tag = "auth", params(("id" = SessionId, Path)), responses((status = 204)))]
pub(crate) async fn revoke_session(
    principal: SignedIn,
    State(hub): State<Hub>,
    Path(id): Path<SessionId>,
) -> Result<StatusCode, Problem> {
    let (user, _) = person(&principal)?;
    let ended = hub.db().write_essential(SYSTEM_WORKSPACE, move |tx| rows::sessions::end(tx, user, id));
    if ended.await? { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}
