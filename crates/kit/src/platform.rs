//! The feature "platform": the routes that belong to kit itself.

mod audit_log;
mod dead_letters;
mod describe;
mod probes;
mod replay;
mod upkeep;

use std::sync::Arc;

use axum::{Router, routing::get};
use utoipa_axum::router::OpenApiRouter;

use crate::{Feature, Hub, live, route};

pub(crate) use describe::{Description, complete};

/// The platform's own feature, around the description of all of them.
pub(crate) fn feature() -> Feature {
    let api = OpenApiRouter::new()
        .routes(route!(audit_log::audit))
        .routes(route!(dead_letters::dead_letters))
        .routes(route!(replay::replay))
        .routes(route!(live::live))
        .routes(route!(live::events));
    let plain = Router::new()
        .route("/live", get(probes::live))
        .route("/ready", get(probes::ready))
        .route("/metrics", get(probes::metrics));
    Feature::new("platform")
        .api(api)
        .plain(plain)
        .job(upkeep::Upkeep)
        .service("live signals", live::expire)
        .service("log tail", live::follow_other_nodes)
}

/// Routes that show the description, which is complete only when all features are known.
pub(crate) fn description_routes(description: Arc<Description>) -> Router<Hub> {
    let json = description.clone();
    Router::new()
        .route("/openapi.json", get(move || describe::openapi(json.clone())))
        .route("/docs", get(describe::docs))
        .route("/docs.js", get(describe::docs_script))
}
