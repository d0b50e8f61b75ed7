use axum::{Extension, extract::State, http::StatusCode};
use kit::{Caller, Hub, Input, Problem, SignedIn, audit::Act};
use model::{SYSTEM_WORKSPACE, Secret};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{Identity, attempts::Attempt, entrance::person, password, rows};

/// The old and the new.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ChangePassword {
    /// The password as it is.
    current: Secret,
    /// The password as it shall be, 10 to 200 characters.
    new: Secret,
}

/// Changes the person's password and ends his other sessions.
#[utoipa::path(post, path = "/auth/password", tag = "auth", request_body = ChangePassword, responses((status = 204)))]
pub(crate) async fn change_password(
    principal: SignedIn,
    Extension(identity): Extension<Identity>,
    State(hub): State<Hub>,
    caller: Caller,
    Input(input): Input<ChangePassword>,
) -> Result<StatusCode, Problem> {
    let (user, session) = person(&principal)?;
    password::check("new", &input.new)?;
    let account = hub.db().read(move |tx| rows::users::get(tx, user)).await?;
    let attempt = Attempt::begin(&hub, &account.user.email, caller.address())?;
    if !identity.passwords().verify(&input.current, Some(&account.password_hash)).await? {
        attempt.failed();
        return Err(Problem::invalid_field("current", "password_wrong", "This is not your present password."));
    }
    attempt.succeeded();
    let (password_hash, address) = (identity.passwords().hash(&input.new).await?, caller.address());
    let changed = hub.db().write(SYSTEM_WORKSPACE, move |tx| {
        rows::users::set_password(tx, user, &password_hash)?;
        rows::resets::clear(tx, user)?;
        rows::sessions::end_all(tx, user, Some(session))?;
        Act::by(&principal, "user.password_changed").from(address).record(tx)?;
        Ok::<_, Problem>(())
    });
    changed.await?;
    Ok(StatusCode::NO_CONTENT)
}
