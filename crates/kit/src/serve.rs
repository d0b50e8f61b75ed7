//! The server: all features behind one listener, and how it stops.
//!
//! [`assemble`] puts the features' routes together: described operations below `/api/v1`, plain routes at the top, and a
//! fallback that answers when nothing else does. [`serve`] runs it, with the background work, until `shutdown` resolves, and
//! then drains: no new connections; live streams are closed with 1012; requests in flight are finished; services, jobs and
//! subscribers stop; the writer's queue is emptied.

mod drain;
mod edge;

use std::{future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderName, Method, header},
    routing::any,
};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::{
    CompressionLevel,
    compression::{
        CompressionLayer, Predicate as _,
        predicate::{DefaultPredicate, SizeAbove},
    },
    cors::{AllowOrigin, CorsLayer},
};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    Feature, Hub, JobHandler, Problem, Service,
    platform::{self, Description},
    work,
};
use edge::{Edge, NoteRoute};

/// A client has so long to send a request's head.
const HEAD: Duration = Duration::from_secs(30);

/// All features put together; made by [`assemble`].
pub struct Assembled {
    edge: Arc<Edge>,
    openapi: OpenApi,
    jobs: Vec<Arc<dyn JobHandler>>,
    services: Vec<Service>,
}

impl Assembled {
    /// The API description.
    #[must_use]
    pub fn openapi(&self) -> &OpenApi {
        &self.openapi
    }
}

impl std::fmt::Debug for Assembled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Assembled")
    }
}

/// Puts the features together, with the platform's own, and installs what they follow and decide into the hub. Once per hub.
pub fn assemble(hub: &Hub, features: Vec<Feature>) -> Assembled {
    let mut api = OpenApiRouter::new();
    let (mut plain, mut fallback) = (Router::new(), None);
    let (mut subscribers, mut jobs, mut services, mut access) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for feature in std::iter::once(platform::feature()).chain(features) {
        api = api.merge(feature.api);
        plain = plain.merge(feature.plain);
        fallback = fallback.or(feature.fallback);
        subscribers.extend(feature.subscribers);
        jobs.extend(feature.jobs);
        services.extend(feature.services);
        access.extend(feature.chat_access);
    }
    hub.subscriptions().install(subscribers);
    hub.live().install(access);
    drain::measure(hub);
    let (api, openapi) = OpenApiRouter::new().nest("/api/v1", api).split_for_parts();
    let openapi = platform::complete(openapi, &hub.config().version);
    let router = router(hub, api, plain, fallback, &openapi);
    Assembled { edge: Arc::new(Edge::new(hub.clone(), router)), openapi, jobs, services }
}

fn router(hub: &Hub, api: Router<Hub>, plain: Router<Hub>, fallback: Option<Router<Hub>>, openapi: &OpenApi) -> Router {
    let json = openapi.to_json().expect("the description is serialisable");
    let described = platform::description_routes(Arc::new(Description { json: json.into() }));
    let not_found = || async { Problem::not_found() };
    let api = api
        .merge(Router::new().nest("/api/v1", described))
        .route("/api/{*rest}", any(not_found))
        .method_not_allowed_fallback(|| async { edge::method_not_allowed() });
    let all = api.merge(plain).layer(NoteRoute).layer(DefaultBodyLimit::max(hub.config().body_limit));
    let all = match fallback {
        Some(fallback) => all.fallback_service(fallback.layer(NoteRoute).with_state(hub.clone())),
        None => all.fallback(not_found),
    };
    let json_only = DefaultPredicate::new().and(SizeAbove::new(1024)).and(edge::is_json);
    let mut all = all.layer(CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(json_only));
    if let Some(cors) = cors(hub) {
        all = all.layer(cors);
    }
    all.with_state(hub.clone())
}

/// No origin but our own may call the API from a browser, unless it is configured; credentials never cross.
fn cors(hub: &Hub) -> Option<CorsLayer> {
    let origins = &hub.config().cors_origins;
    if origins.is_empty() {
        return None;
    }
    let names = ["idempotency-key", "last-event-id", "x-request-id"].map(HeaderName::from_static);
    let exposed = ["x-request-id", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after"];
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().filter_map(|origin| origin.parse().ok())))
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE])
        .allow_headers(names.into_iter().chain([header::AUTHORIZATION, header::CONTENT_TYPE]).collect::<Vec<_>>())
        .expose_headers(exposed.map(HeaderName::from_static));
    Some(layer.max_age(Duration::from_secs(3600)))
}

/// Serves `features` on `listener` until `shutdown` resolves, drains, and closes the database.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    hub: Hub,
    features: Vec<Feature>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let assembled = assemble(&hub, features);
    let mut services = assembled.services;
    services.push(work::runner(&assembled.jobs));
    services.extend(hub.subscriptions().services());
    for service in services {
        drop(service.spawn(&hub));
    }
    let (connections, closing) = (TaskTracker::new(), CancellationToken::new());
    let accepted = accept(&listener, &assembled.edge, &connections, &closing, shutdown).await;
    drop(listener);
    drain::drain(&hub, &connections, &closing).await;
    accepted
}

async fn accept(
    listener: &TcpListener,
    edge: &Arc<Edge>,
    connections: &TaskTracker,
    closing: &CancellationToken,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => return Ok(()),
        };
        match accepted {
            Ok((stream, peer)) => {
                connections.spawn(connection(stream, peer, edge.clone(), closing.clone()));
            }
            // Out of descriptors, or a client that was gone already: neither is a reason to stop.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                edge.hub().world().clock().sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, edge: Arc<Edge>, closing: CancellationToken) {
    let _best_effort = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let edge = edge.clone();
        async move { Ok::<_, std::convert::Infallible>(edge.handle(request, peer).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut served = pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = closing.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        // Clients go away all the time; nothing of it is our concern, but it helps to see it.
        tracing::debug!(%error, "a connection ended early");
    }
}
