use axum::{extract::State, http::StatusCode, response::Response};
use kit::{Allowed, Caller, Hub, Input, Path, Principal, Problem, Write, audit::Act, rights};
use model::{Role, UserId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Tx;
use utoipa::ToSchema;

use crate::{
    model::{Member, may_manage, role_too_high},
    rows::{invitations, members},
};

/// What a member shall be.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct ChangeRole {
    /// His new role; nobody gives more than he has.
    role: Role,
}

/// Gives a member another role. His access tokens end and his live streams close, so that it takes effect at once; what he
/// invited to and could not grant any more is taken back.
#[utoipa::path(
    patch, path = "/members/{user_id}", tag = "members", params(("user_id" = UserId, Path)),
    request_body = ChangeRole, responses((status = 200, body = Member))
)]
pub(crate) async fn change_role(
    principal: Allowed<rights::MembersManage>,
    State(hub): State<Hub>,
    caller: Caller,
    Path(user): Path<UserId>,
    write: Write,
    Input(input): Input<ChangeRole>,
) -> Result<Response, Problem> {
    let (role, actor) = (input.role, principal.0.clone());
    let command = move |tx: &mut Tx<'_>| change(tx, &actor, &caller, user, role);
    write.run(&hub, &principal, StatusCode::OK, &input, command).await
}

fn change(
    tx: &mut Tx<'_>,
    principal: &Principal,
    caller: &Caller,
    user: UserId,
    role: Role,
) -> Result<Member, Problem> {
    let member = touchable(tx, principal, user)?;
    if !may_manage(principal, role) {
        return Err(role_too_high());
    }
    if member.role == role {
        return Ok(member);
    }
    keep_an_owner(tx, &member)?;
    let before = member.role;
    let member = members::set_role(tx, principal.actor(), member, role)?;
    invitations::withdraw(tx, principal.actor(), user.uuid(), |granted| role.may_manage(granted))?;
    let act = Act::by(principal, "member.role_changed").on("member", user, &member.user.name);
    act.detail(json!({ "from": before, "to": role })).from(caller.address()).record(tx)?;
    Ok(member)
}

/// A member whom `principal` may change.
///
/// # Errors
/// 404, or 403 `role_too_high`.
pub(crate) fn touchable(tx: &mut Tx<'_>, principal: &Principal, user: UserId) -> Result<Member, Problem> {
    let member = members::find(tx, principal.workspace, user)?.ok_or_else(Problem::not_found)?;
    if may_manage(principal, member.role) { Ok(member) } else { Err(role_too_high()) }
}

/// Refuses to take the last owner away.
///
/// # Errors
/// 409 `last_owner`.
pub(crate) fn keep_an_owner(tx: &mut Tx<'_>, leaving: &Member) -> Result<(), Problem> {
    if leaving.role == Role::Owner && members::owners(tx)? <= 1 {
        return Err(Problem::conflict(
            "last_owner",
            "A workspace keeps at least one owner. Make somebody else an owner first.",
        ));
    }
    Ok(())
}
