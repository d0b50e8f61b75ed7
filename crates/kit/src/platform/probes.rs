//! What load balancers and Prometheus ask. Detail is for loopback, or for who has the token.

use std::net::IpAddr;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::SYSTEM_WORKSPACE;
use serde_json::{Map, Value, json};
use store::meta;
use subtle::ConstantTimeEq as _;

use crate::{Caller, Hub, Problem, auth::bearer};

/// The process runs.
pub(crate) async fn live() -> Json<Value> {
    Json(json!({ "status": "live" }))
}

/// Everything that the server needs answers: the database takes a write, and what features registered.
pub(crate) async fn ready(State(hub): State<Hub>, caller: Caller, headers: HeaderMap) -> Response {
    let turn = hub.readiness().turn().await;
    let mut checks = vec![("database", write_probe(&hub).await)];
    checks.extend(hub.readiness().ask(&hub).await);
    drop(turn);
    let ready = checks.iter().all(|(_, outcome)| outcome.is_ok()) && !hub.shutdown().is_cancelled();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = json!({ "status": if ready { "ready" } else { "not_ready" } });
    if may_see_detail(&hub, &headers, caller.address()) {
        let word = |outcome: &Result<(), String>| Value::from(outcome.as_ref().err().map_or("ok", String::as_str));
        let detail: Map<_, _> = checks.iter().map(|(name, outcome)| ((*name).to_owned(), word(outcome))).collect();
        body["checks"] = detail.into();
    }
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

async fn write_probe(hub: &Hub) -> Result<(), String> {
    let probe = hub.db().write(SYSTEM_WORKSPACE, |tx| {
        let now = tx.now().to_string();
        meta::set(tx, "probe", &now)
    });
    probe.await.map_err(|error: store::Error| error.to_string())
}

/// Numbers for Prometheus.
pub(crate) async fn metrics(State(hub): State<Hub>, caller: Caller, headers: HeaderMap) -> Result<Response, Problem> {
    if !may_see_detail(&hub, &headers, caller.address()) {
        return Err(Problem::forbidden());
    }
    let text = hub.metrics().scrape(&hub).await.map_err(|error| Problem::bug(error.to_string()))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], text).into_response())
}

fn may_see_detail(hub: &Hub, headers: &HeaderMap, address: IpAddr) -> bool {
    let token = hub.config().metrics_token.as_ref();
    let has_token = token.zip(bearer(headers)).is_some_and(|(token, given)| {
        let equal: bool = token.expose().as_bytes().ct_eq(given.as_bytes()).into();
        equal
    });
    // A proxy on this machine also comes from loopback, on behalf of anybody.
    let proxied = ["x-forwarded-for", "forwarded"].iter().any(|name| headers.contains_key(*name));
    has_token || (address.to_canonical().is_loopback() && !proxied)
}
