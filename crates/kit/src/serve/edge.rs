//! The edge: what happens to every request before and after its handler. One plain function instead of a stack of layers.

use std::{
    convert::Infallible,
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, Request},
    http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt as _;
use hyper::body::Incoming;
use tower::{Layer, Service};

use crate::{
    HttpConfig, Hub, Problem, auth::bearer, extract::Card, limits::Rate, live::LIVE, problem::whole_seconds,
    work::text_of,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const CSP: &str = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; script-src 'self'; \
                   connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Route patterns that are answered without a handler.
const NO_ROUTE: &str = "(none)";

pub(super) struct Edge {
    hub: Hub,
    router: Router,
    /// Request ids are this process's random prefix and a number.
    prefix: u32,
    next: AtomicU64,
}

impl Edge {
    pub(super) fn new(hub: Hub, router: Router) -> Self {
        let prefix = u32::from_le_bytes(hub.world().random());
        Self { hub, router, prefix, next: AtomicU64::new(1) }
    }

    pub(super) fn hub(&self) -> &Hub {
        &self.hub
    }

    pub(super) async fn handle(&self, request: hyper::Request<Incoming>, peer: SocketAddr) -> Response {
        let started = self.hub.world().clock().monotonic();
        let mut request = request.map(Body::new);
        let card = Arc::new(self.card(request.headers(), peer.ip()));
        request.extensions_mut().insert(card.clone());
        let (method, api) = (request.method().clone(), request.uri().path().starts_with("/api/"));
        let mut response = match self.admit(&request, &card, api) {
            Ok(()) => self.call(request).await,
            Err(problem) => problem.into_response(),
        };
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            report(&problem, &card, &method);
            response = with_headers_of(&response, problem.render(card.request_id()));
        }
        self.dress(response.headers_mut(), &card);
        let took = self.hub.world().clock().monotonic().saturating_sub(started);
        let route = card.route().unwrap_or(NO_ROUTE);
        let (method, status) = (name_of(&method), response.status().as_u16());
        self.hub.metrics().request(method, route, status, took);
        tracing::info!(
            target: "access",
            method, route, status, ms = took.as_micros() as f64 / 1000.0, request_id = card.request_id(),
        );
        response
    }

    fn card(&self, headers: &HeaderMap, peer: IpAddr) -> Card {
        let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| is_sane_id(id));
        let id = given.map_or_else(
            || {
                let mut id = String::with_capacity(20);
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                write!(id, "{:08x}-{number:x}", self.prefix).expect("writing to a string");
                id
            },
            str::to_owned,
        );
        Card::new(id, client_address(self.hub.config(), headers, peer))
    }

    /// Counts requests without a token against their address.
    fn admit(&self, request: &Request, card: &Card, api: bool) -> Result<(), Problem> {
        let counts = api && *request.method() != Method::OPTIONS && request.uri().path() != LIVE;
        if counts && bearer(request.headers()).is_none() {
            card.count_stranger(&self.hub)?;
        }
        Ok(())
    }

    async fn call(&self, request: Request) -> Response {
        let answer = AssertUnwindSafe(self.router.clone().call(request)).catch_unwind();
        match answer.await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(panic) => Problem::bug(format!("panicked: {}", text_of(&*panic))).into_response(),
        }
    }

    fn dress(&self, headers: &mut HeaderMap, card: &Card) {
        headers.insert(REQUEST_ID, HeaderValue::from_str(card.request_id()).expect("an id is visible ASCII"));
        let defaults = [
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::CONTENT_SECURITY_POLICY, CSP),
        ];
        for (name, value) in defaults {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
        if let Some(Rate { limit, verdict }) = card.rate() {
            let numbers = [
                ("x-ratelimit-limit", u64::from(*limit)),
                ("x-ratelimit-remaining", u64::from(verdict.remaining)),
                ("x-ratelimit-reset", whole_seconds(verdict.reset_after)),
            ];
            for (name, number) in numbers {
                headers.insert(HeaderName::from_static(name), HeaderValue::from(number));
            }
        }
    }
}

/// What a handler or a layer set on the problem's way out, such as a cookie or CORS, goes with it.
fn with_headers_of(before: &Response, mut rendered: Response) -> Response {
    for (name, value) in before.headers() {
        if *name != header::CONTENT_LENGTH && !rendered.headers().contains_key(name) {
            rendered.headers_mut().append(name, value.clone());
        }
    }
    rendered
}

/// The one place where problems are logged.
fn report(problem: &Problem, card: &Card, method: &Method) {
    let (status, code, route) = (problem.status().as_u16(), problem.code(), card.route().unwrap_or(NO_ROUTE));
    let (request_id, cause) = (card.request_id(), problem.cause());
    if status >= 500 {
        tracing::error!(%method, route, status, code, request_id, cause, "request failed");
    } else {
        tracing::debug!(%method, route, status, code, request_id, cause, "request refused");
    }
}

/// Methods come from clients; metrics know only the usual ones.
fn name_of(method: &Method) -> &'static str {
    let known = ["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"];
    known.into_iter().find(|name| *name == method.as_str()).unwrap_or("OTHER")
}

fn is_sane_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// The client's address: the rightmost forwarded one that is no trusted proxy, if the peer itself is one.
fn client_address(config: &HttpConfig, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
    let trusted = |address: IpAddr| config.trusted_proxies.iter().any(|block| block.contains(address));
    let mut address = peer.to_canonical();
    if !trusted(address) {
        return address;
    }
    for value in headers.get_all(FORWARDED_FOR).iter().rev() {
        for entry in value.to_str().unwrap_or_default().rsplit(',') {
            // What cannot be read was not written by a proxy of ours: the last known hop counts.
            let Ok(hop) = entry.trim().parse::<IpAddr>() else { return address };
            address = hop.to_canonical();
            if !trusted(address) {
                return address;
            }
        }
    }
    address
}

/// 405 as a problem.
pub(super) fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed")
        .detail("This address exists, but not for this method. Look at /api/v1/docs for what it takes.")
}

/// Compress JSON only: the web app's files are compressed when they are built, event streams must not wait for a block.
pub(super) fn is_json(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

/// Tells the edge which route pattern took the request: logs and metrics must never show a path.
#[derive(Clone, Copy)]
pub(super) struct NoteRoute;

impl<S> Layer<S> for NoteRoute {
    type Service = NotesRoute<S>;

    fn layer(&self, inner: S) -> Self::Service {
        NotesRoute(inner)
    }
}

#[derive(Clone)]
pub(super) struct NotesRoute<S>(S);

impl<S: Service<Request, Error = Infallible>> Service<Request> for NotesRoute<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if let (Some(card), Some(path)) =
            (request.extensions().get::<Arc<Card>>(), request.extensions().get::<MatchedPath>())
        {
            card.note_route(path);
        }
        self.0.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(trusted: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let config = HttpConfig {
            trusted_proxies: trusted.iter().map(|block| block.parse().expect("a block")).collect(),
            ..HttpConfig::default()
        };
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().expect("a header value"));
        }
        client_address(&config, &headers, peer.parse().expect("an address")).to_string()
    }

    #[test]
    fn a_forwarded_address_counts_only_from_a_trusted_proxy() {
        assert_eq!(address(&[], "10.0.0.1", &["1.2.3.4"]), "10.0.0.1");
        assert_eq!(address(&["10.0.0.0/8"], "10.0.0.1", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(address(&["10.0.0.0/8"], "10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.0.0.7"]), "1.2.3.4");
        assert_eq!(address(&["10.0.0.0/8"], "10.0.0.1", &["6.6.6.6", "1.2.3.4"]), "1.2.3.4");
        assert_eq!(address(&["10.0.0.0/8"], "::ffff:10.0.0.1", &["1.2.3.4, nonsense"]), "10.0.0.1");
        assert_eq!(address(&["10.0.0.0/8"], "10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn only_plain_request_ids_are_taken_over() {
        assert!(is_sane_id("abc-123_x.y"));
        assert!(!is_sane_id("") && !is_sane_id("a b") && !is_sane_id("a\"b") && !is_sane_id(&"x".repeat(65)));
    }
}
