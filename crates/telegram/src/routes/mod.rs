//! The operations, one file each.

mod check;
mod connect;
mod connect_sandbox;
mod discard;
mod get;
mod hook;
mod list;
mod list_deliveries;
mod remove;
mod retry;
mod update;

pub(crate) use connect_sandbox::make;

use axum::{Router, extract::DefaultBodyLimit, routing::post};
use kit::{Hub, route};
use utoipa_axum::router::OpenApiRouter;

/// Bytes of a webhook's body that are accepted.
const LARGEST_UPDATE: usize = 1 << 20;

pub(crate) fn all() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(route!(list::list_bots))
        .routes(route!(connect::connect_bot))
        .routes(route!(connect_sandbox::connect_sandbox_bot))
        .routes(route!(get::get_bot))
        .routes(route!(update::update_bot))
        .routes(route!(remove::remove_bot))
        .routes(route!(check::check_bot))
        .routes(route!(list_deliveries::list_deliveries))
        .routes(route!(retry::retry_delivery))
        .routes(route!(discard::discard_delivery))
}

pub(crate) fn plain() -> Router<Hub> {
    let limit = DefaultBodyLimit::max(LARGEST_UPDATE);
    Router::new().route("/telegram/{bot_id}/webhook", post(hook::receive).layer(limit))
}
