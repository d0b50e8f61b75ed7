use std::{sync::Arc, time::Duration};

use axum::{Extension, extract::State, http::StatusCode, response::Response};
use kit::{Caller, Hub, Input, Problem, audit::Act, route::Public};
use model::{ActorRef, Limit, SYSTEM_WORKSPACE, Secret, WorkspaceId};
use serde::Deserialize;
use store::Tx;
use utoipa::ToSchema;

use crate::{
    Identity,
    attempts::network_mark,
    entrance::{self, Entrance},
    model::{SignedInBody, User, email, name},
    password, rows, workspace,
};

/// The first person, and the first workspace.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Setup {
    /// The one-time code that the server printed.
    code: Secret,
    /// Name of the workspace.
    workspace: String,
    /// The person's name.
    name: String,
    /// His e-mail address.
    email: String,
    /// His password, 10 to 200 characters.
    password: Secret,
    /// Whether to connect a sandbox bot as well.
    #[serde(default)]
    sandbox: bool,
}

/// Sets the installation up: makes the first workspace and its owner, and signs him in.
#[utoipa::path(post, path = "/setup", tag = "setup", request_body = Setup, responses((status = 201, body = SignedInBody)))]
pub(crate) async fn set_up(
    _: Public,
    Extension(identity): Extension<Identity>,
    State(hub): State<Hub>,
    caller: Caller,
    Input(input): Input<Setup>,
) -> Result<Response, Problem> {
    if !identity.needs_setup().await? {
        return Err(already_set_up());
    }
    hub.limits().check("setup", (), Limit::per(10, Duration::from_secs(60)))?;
    if !identity.0.setup_code.is(&input.code) {
        return Err(code_wrong());
    }
    let (workspace, name) = (name("workspace", &input.workspace)?, name("name", &input.name)?);
    let email = email(&input.email)?;
    password::check("password", &input.password)?;
    let password_hash = identity.passwords().hash(&input.password).await?;
    let user = User { id: hub.world().id(), name, email };
    let entrance = create(&hub, &caller, workspace, user, password_hash).await?;
    identity.0.setup_code.spend();
    if input.sandbox {
        start_sandbox(&identity, &hub, &entrance).await;
    }
    Ok(entrance.answer(&hub, StatusCode::CREATED))
}

/// Two transactions, because they are of two workspaces: the new workspace with a membership of somebody who does not exist
/// yet, then person, session and the setup row. The second decides. A crash between them leaves a workspace that nobody can
/// see or enter, and setup is still open; the loser of two simultaneous setups clears his away.
async fn create(
    hub: &Hub,
    caller: &Caller,
    name: String,
    user: User,
    password_hash: String,
) -> Result<Entrance, Problem> {
    let workspace: WorkspaceId = hub.world().id();
    let (owner, address) = (user.clone(), caller.address());
    let founded = hub.db().write(workspace, move |tx| {
        let act = Act::of(ActorRef::member(owner.id), &owner.name, "workspace.created").from(address);
        workspace::found(tx, &name, &owner, act)
    });
    founded.await?;
    let (keys, origin) = (hub.keys().clone(), entrance::origin(caller));
    let network = network_mark(&keys, user.id, caller.address());
    let entered = hub.db().write(SYSTEM_WORKSPACE, move |tx| {
        install(tx, &user, workspace, &password_hash)?;
        entrance::open(tx, &keys, user.id, Some(workspace), &origin, &network)
    });
    let entered = entered.await;
    if entered.as_ref().is_err_and(|problem| problem.code() == already_set_up().code()) {
        hub.db().write(workspace, rows::members::discard_workspace).await?;
    }
    entered
}

fn install(tx: &mut Tx<'_>, user: &User, workspace: WorkspaceId, password_hash: &str) -> Result<(), Problem> {
    if !rows::setup::take(tx, user.id, workspace)? {
        return Err(already_set_up());
    }
    rows::users::insert(tx, user, password_hash)?;
    Ok(())
}

/// The installation is complete without it, so a failure is only logged: the bot can be connected later.
async fn start_sandbox(identity: &Identity, hub: &Hub, entrance: &Entrance) {
    let Some(start) = &identity.0.sandbox else { return };
    let owner = Arc::new(entrance.ticket.principal());
    if let Err(problem) = start(hub.clone(), owner).await {
        tracing::warn!(code = problem.code(), "the sandbox bot could not be connected");
    }
}

fn already_set_up() -> Problem {
    Problem::conflict("already_set_up", "This installation is set up already. Sign in instead.")
}

fn code_wrong() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "setup_code_wrong", "Not allowed")
        .detail("This is not the setup code. The server prints it, with a link, each time it starts.")
}
