use axum::{Extension, Json};
use kit::{Answer, route::Public};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Identity;

/// Whether the installation has to be set up.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SetupState {
    /// Nobody has set it up yet.
    needed: bool,
    /// A Telegram sandbox runs, so setup can connect a bot of it.
    sandbox: bool,
}

/// Tells whether setup is needed.
#[utoipa::path(get, path = "/setup", tag = "setup", responses((status = 200, body = SetupState)))]
pub(crate) async fn get_setup(_: Public, Extension(identity): Extension<Identity>) -> Answer<SetupState> {
    let needed = identity.needs_setup().await?;
    Ok(Json(SetupState { needed, sandbox: identity.0.sandbox.is_some() }))
}
