use axum::{extract::State, http::StatusCode, response::Response};
use kit::{Allowed, Caller, Hub, Path, Principal, Problem, Write, audit::Act, rights};
use model::UserId;
use store::Tx;

use crate::{
    routes::change_role::{keep_an_owner, touchable},
    rows::{invitations, members},
};

/// Ends a membership, and takes back whom he invited. The person keeps his account, and his other workspaces.
#[utoipa::path(
    delete, path = "/members/{user_id}", tag = "members", params(("user_id" = UserId, Path)), responses((status = 204))
)]
pub(crate) async fn remove_member(
    principal: Allowed<rights::MembersManage>,
    State(hub): State<Hub>,
    caller: Caller,
    Path(user): Path<UserId>,
    write: Write,
) -> Result<Response, Problem> {
    let actor = principal.0.clone();
    let command = move |tx: &mut Tx<'_>| remove(tx, &actor, &caller, user);
    write.run(&hub, &principal, StatusCode::NO_CONTENT, &(), command).await
}

fn remove(tx: &mut Tx<'_>, principal: &Principal, caller: &Caller, user: UserId) -> Result<(), Problem> {
    let member = touchable(tx, principal, user)?;
    keep_an_owner(tx, &member)?;
    members::remove(tx, principal.actor(), user)?;
    invitations::withdraw(tx, principal.actor(), user.uuid(), |_| false)?;
    Act::by(principal, "member.removed").on("member", user, &member.user.name).from(caller.address()).record(tx)?;
    Ok(())
}
