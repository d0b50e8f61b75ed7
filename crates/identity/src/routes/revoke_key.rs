use axum::{extract::State, http::StatusCode, response::Response};
use kit::{Allowed, Caller, Hub, Path, Principal, Problem, Write, audit::Act, rights};
use model::KeyId;
use store::Tx;

use crate::rows::{invitations, keys};

/// Revokes an API key: refused from the next request on, its live streams close. A revoked one stays as it is.
#[utoipa::path(delete, path = "/keys/{id}", tag = "keys", params(("id" = KeyId, Path)), responses((status = 204)))]
pub(crate) async fn revoke_key(
    principal: Allowed<rights::KeysManage>,
    State(hub): State<Hub>,
    caller: Caller,
    Path(id): Path<KeyId>,
    write: Write,
) -> Result<Response, Problem> {
    let actor = principal.0.clone();
    let command = move |tx: &mut Tx<'_>| revoke(tx, &actor, &caller, id);
    write.run(&hub, &principal, StatusCode::NO_CONTENT, &(), command).await
}

fn revoke(tx: &mut Tx<'_>, principal: &Principal, caller: &Caller, id: KeyId) -> Result<(), Problem> {
    let key = keys::get(tx, id)?;
    if key.revoked_at.is_some() {
        return Ok(());
    }
    let key = keys::revoke(tx, principal.actor(), key)?;
    invitations::withdraw(tx, principal.actor(), id.uuid(), |_| false)?;
    Act::by(principal, "key.revoked").on("key", id, key.name).from(caller.address()).record(tx)?;
    Ok(())
}
