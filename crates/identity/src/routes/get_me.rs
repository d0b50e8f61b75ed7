use axum::{Json, extract::State};
use kit::{Answer, Hub, Principal, SignedIn};
use store::{Error, Tx};

use crate::{model::Me, rows};

/// Tells who is asking and what he may do.
#[utoipa::path(get, path = "/me", tag = "me", responses((status = 200, body = Me)))]
pub(crate) async fn get_me(principal: SignedIn, State(hub): State<Hub>) -> Answer<Me> {
    Ok(Json(hub.db().read(move |tx| me(tx, &principal)).await?))
}

/// The principal as the API shows it.
pub(crate) fn me(tx: &mut Tx<'_>, principal: &Principal) -> Result<Me, Error> {
    let user = principal.user().map(|id| rows::users::get(tx, id)).transpose()?;
    Ok(Me {
        user: user.map(|it| it.user),
        workspace: rows::members::workspace(tx, principal.workspace)?,
        role: principal.role(),
        rights: principal.rights.iter().collect(),
        session_id: principal.session(),
    })
}
