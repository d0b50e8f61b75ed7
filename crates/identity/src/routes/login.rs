use axum::{Extension, extract::State, http::StatusCode, response::Response};
use kit::{Caller, Hub, Input, Problem, route::Public};
use model::{Secret, UserId, WorkspaceId};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    Identity,
    attempts::{Attempt, network_mark},
    entrance,
    model::SignedInBody,
    rows,
};

/// Who wants to sign in.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Login {
    /// The e-mail address.
    email: String,
    /// The password.
    password: Secret,
    /// The workspace to enter; the one used last when absent.
    workspace: Option<WorkspaceId>,
}

/// Signs a person in.
#[utoipa::path(post, path = "/auth/login", tag = "auth", request_body = Login, responses((status = 200, body = SignedInBody)))]
pub(crate) async fn login(
    _: Public,
    Extension(identity): Extension<Identity>,
    State(hub): State<Hub>,
    caller: Caller,
    Input(input): Input<Login>,
) -> Result<Response, Problem> {
    let user = prove(&identity, &hub, &caller, &input.email, &input.password).await?;
    let entrance = entrance::enter(&hub, &caller, user, input.workspace).await?;
    Ok(entrance.answer(&hub, StatusCode::OK))
}

/// Checks an address and a password, with the limits on guessing. An unknown address takes as long as a known one.
///
/// # Errors
/// 401 `credentials_wrong`, 429 `rate_limited`, 503 `busy`.
pub(crate) async fn prove(
    identity: &Identity,
    hub: &Hub,
    caller: &Caller,
    email: &str,
    password: &Secret,
) -> Result<UserId, Problem> {
    let email = email.trim().to_lowercase();
    let attempt = Attempt::begin(hub, &email, caller.address())?;
    let (keys, address) = (hub.keys().clone(), caller.address());
    let found = hub.db().read(move |tx| {
        let account = rows::users::by_email(tx, &email)?;
        // Asked for nobody as well, so that an unknown account takes the same steps.
        let user = account.as_ref().map_or(UserId::from_uuid(uuid::Uuid::nil()), |it| it.user.id);
        let known = rows::users::knows_network(tx, user, &network_mark(&keys, user, address))?;
        Ok::<_, store::Error>((account, known))
    });
    let (account, known) = found.await?;
    if !known {
        attempt.count_as_unknown()?;
    }
    let stored = account.as_ref().map(|it| it.password_hash.as_str());
    let right = identity.passwords().verify(password, stored).await?;
    let Some(account) = account.filter(|_| right) else {
        attempt.failed();
        return Err(credentials_wrong());
    };
    attempt.succeeded();
    Ok(account.user.id)
}

fn credentials_wrong() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "credentials_wrong", "Not signed in")
        .detail("E-mail address and password do not belong together. Check both and try again.")
}
