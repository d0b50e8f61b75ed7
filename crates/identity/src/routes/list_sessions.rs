use axum::{Json, extract::State};
use kit::{Answer, Hub, SignedIn};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{entrance::person, model::Session, rows};

/// A person's sign-ins.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sessions {
    /// The last used first; there are never more than 50.
    items: Vec<Session>,
}

/// Lists the sessions of the person who asks.
#[utoipa::path(get, path = "/auth/sessions", tag = "auth", responses((status = 200, body = Sessions)))]
pub(crate) async fn list_sessions(principal: SignedIn, State(hub): State<Hub>) -> Answer<Sessions> {
    let (user, session) = person(&principal)?;
    let items = hub.db().read(move |tx| {
        let now = tx.now();
        rows::sessions::list(tx, user, session, now)
    });
    Ok(Json(Sessions { items: items.await? }))
}
