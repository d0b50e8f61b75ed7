//! The page on which one plays a Telegram user, and the gate before it and the control API.
//!
//! On loopback the gate lets in who names this machine in `Host` (so that no foreign page reaches it by a name that
//! resolves here). A public sandbox wants the cookie that a one-time link gives.

use crate::{Sandbox, lock, rng};
use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;
use std::collections::{HashSet, VecDeque};

const COOKIE: &str = "sandbox_play";
/// Unused links beyond this many lose their force, oldest first.
const MOST_LINKS: usize = 16;

const INDEX: &str = include_str!("../assets/index.html");
const PLAY: &str = include_str!("../assets/play.html");
const STYLE: &str = include_str!("../assets/play.css");
/// The scripts under `/assets`, by name.
const SCRIPTS: &[(&str, &str)] = &[
    ("/assets/index.js", include_str!("../assets/index.js")),
    ("/assets/play.js", include_str!("../assets/play.js")),
    ("/assets/dom.js", include_str!("../assets/dom.js")),
    ("/assets/text.js", include_str!("../assets/text.js")),
    ("/assets/trouble.js", include_str!("../assets/trouble.js")),
];

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Unused link keys and the sessions that used ones gave.
#[derive(Default)]
pub(crate) struct Keys {
    links: VecDeque<String>,
    sessions: HashSet<String>,
}

impl Sandbox {
    /// A new one-time key, 128 random bits as hex: `/play?key=KEY` lets one browser in to a public sandbox.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn play_key(&self) -> std::io::Result<String> {
        let key = rng::secret()?;
        let mut keys = lock(&self.0.keys);
        keys.links.push_back(key.clone());
        if keys.links.len() > MOST_LINKS {
            keys.links.pop_front();
        }
        Ok(key)
    }

    /// Trades a link key for a session.
    fn redeem(&self, key: &str) -> Option<String> {
        let session = rng::secret().ok()?;
        let mut keys = lock(&self.0.keys);
        let at = keys.links.iter().position(|k| k == key)?;
        keys.links.remove(at);
        keys.sessions.insert(session.clone());
        Some(session)
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        if !self.0.config.public {
            return headers.get(header::HOST).and_then(|h| h.to_str().ok()).is_none_or(names_loopback);
        }
        let cookies = headers.get_all(header::COOKIE).iter();
        let mut pairs = cookies
            .filter_map(|c| c.to_str().ok())
            .flat_map(|c| c.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        let keys = lock(&self.0.keys);
        pairs.any(|(name, value)| name == COOKIE && keys.sessions.contains(value))
    }
}

fn names_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Lets the request through or answers 403.
pub(crate) async fn gate(State(sandbox): State<Sandbox>, request: Request, next: Next) -> Response {
    if sandbox.admits(request.headers()) {
        return next.run(request).await;
    }
    let why = if sandbox.0.config.public {
        "This sandbox is shared: open it by the one-time link that its operator has.\n"
    } else {
        "This sandbox answers on this machine only. Start it as public to use it from elsewhere.\n"
    };
    (StatusCode::FORBIDDEN, why).into_response()
}

pub(crate) fn routes(sandbox: &Sandbox) -> Router {
    let mut routes = Router::new()
        .route("/", get(|| async { page(INDEX) }))
        .route("/play/{bot}", get(play))
        .route("/assets/play.css", get(|| async { asset(STYLE, "text/css; charset=utf-8") }));
    for (path, script) in SCRIPTS {
        routes = routes.route(path, get(|| async { asset(script, "text/javascript; charset=utf-8") }));
    }
    routes
        .layer(middleware::from_fn_with_state(sandbox.clone(), gate))
        .route("/play", get(enter))
        .with_state(sandbox.clone())
}

async fn play(State(sandbox): State<Sandbox>, Path(bot): Path<String>) -> Response {
    let known = sandbox.bots().iter().any(|b| b.username == bot);
    if known { page(PLAY) } else { Redirect::to("/").into_response() }
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    key: String,
}

/// Takes a one-time link: sets the cookie and goes on to the bots.
async fn enter(State(sandbox): State<Sandbox>, Query(entry): Query<Entry>) -> Response {
    if !sandbox.0.config.public {
        return Redirect::to("/").into_response();
    }
    let Some(session) = sandbox.redeem(&entry.key) else {
        let why = "This link was used before or is wrong. Ask for a new one.\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    };
    let cookie = format!("{COOKIE}={session}; Path=/; HttpOnly; SameSite=Strict");
    ([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()
}

fn page(html: &'static str) -> Response {
    asset(html, "text/html; charset=utf-8")
}

fn asset(text: &'static str, kind: &'static str) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
