//! The operations, one file each.

mod get;
mod open_session;
mod serve;
mod upload;

use axum::Router;
use kit::{Hub, route};
use utoipa_axum::router::OpenApiRouter;

pub(crate) fn api() -> OpenApiRouter<Hub> {
    OpenApiRouter::new()
        .routes(route!(upload::upload_file))
        .routes(route!(get::get_file))
        .routes(route!(open_session::open_file_session))
}

pub(crate) fn plain() -> Router<Hub> {
    Router::new().route("/files/{id}/{name}", axum::routing::get(serve::serve_file))
}
