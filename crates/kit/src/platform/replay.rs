use axum::{extract::State, http::StatusCode, response::Response};
use model::DeadLetterId;
use serde::Serialize;
use store::subscribers;
use utoipa::ToSchema;

use crate::{Allowed, Hub, Path, Problem, Write, audit::Act, rights::SystemRead};

/// What a replay did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Replayed {
    /// Events that were applied: the dead letter's, and those that waited behind it.
    replayed: u64,
}

/// Replay a dead letter
///
/// Tries the event again, and then the later events of the same entity that wait behind it.
#[utoipa::path(post, path = "/dead-letters/{id}/replay", tag = "system", params(("id" = DeadLetterId, Path)),
    responses((status = 200, body = Replayed)))]
pub(crate) async fn replay(
    by: Allowed<SystemRead>,
    State(hub): State<Hub>,
    Path(id): Path<DeadLetterId>,
    write: Write,
) -> Result<Response, Problem> {
    let (subscribing, principal, workspace) = (hub.clone(), by.0.clone(), by.workspace);
    let answer = write.run(&hub, &by, StatusCode::OK, &(), move |tx| {
        let replayed = subscribers::replay(tx, id, |name| subscribing.subscriptions().find(name))?;
        Act::by(&principal, "dead_letter.replayed").on("dead_letter", id, "").record(tx)?;
        Ok::<_, store::Error>(Replayed { replayed })
    });
    let answer = answer.await?;
    // A subscriber that had halted goes on from here.
    hub.subscriptions().mark(workspace);
    Ok(answer)
}
