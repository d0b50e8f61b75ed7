//! The client: one request, one outcome.

use std::{error::Error as _, fmt, sync::Once, time::Duration};

use bytes::{Bytes, BytesMut};
use reqwest::{Method, Url, redirect::Policy};

use crate::{Guard, resolve};

/// How a client behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The `User-Agent` header.
    pub user_agent: String,
    /// How long opening a connection (name, TCP, TLS) may take; beyond it the request was not sent.
    pub connect_timeout: Duration,
    /// How long one request may take in all, its connection and its answer included.
    pub request_timeout: Duration,
    /// How long an idle connection is kept. Shorter than the other side's own limit, or a request may be written
    /// into a connection that is just being closed, which makes it `Unclear`.
    pub keep_idle: Duration,
    /// A proxy's URL, from the configuration only.
    pub proxy: Option<String>,
    /// Bytes of an answer's body that are accepted.
    pub largest_answer: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            user_agent: concat!("switchboard/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(15),
            keep_idle: Duration::from_secs(20),
            proxy: None,
            largest_answer: 16 << 20,
        }
    }
}

/// The client cannot be built from its settings.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be set up: {0}")]
pub struct BuildError(String);

/// One request.
#[derive(Clone)]
pub struct Request<'a> {
    url: &'a str,
    method: Method,
    body: Bytes,
    headers: Vec<(&'static str, String)>,
    timeout: Option<Duration>,
}

impl<'a> Request<'a> {
    /// A GET.
    #[must_use]
    pub fn get(url: &'a str) -> Self {
        Self { url, method: Method::GET, body: Bytes::new(), headers: Vec::new(), timeout: None }
    }

    /// A POST of JSON.
    #[must_use]
    pub fn post_json(url: &'a str, body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { url, method: Method::POST, body: body.into(), headers, timeout: None }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With another limit than the client's; for long polls.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// How a request ended; see the crate's documentation.
#[derive(Debug)]
pub enum Outcome {
    /// A whole answer came back.
    Answer(Answer),
    /// Nothing was written.
    NotSent(Reason),
    /// Something may have been written, and no whole answer came back.
    Unclear(Reason),
    /// The guard forbids the address.
    Refused(Reason),
}

/// What the other side said.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer: a sentence without any part of the URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A pooled HTTP client; clones share the pool.
#[derive(Clone)]
pub struct Http {
    client: reqwest::Client,
    guard: Option<Guard>,
    largest_answer: usize,
}

impl Http {
    /// A client for addresses that the operator configured. It follows no redirects.
    ///
    /// # Errors
    /// When the proxy's URL is not valid.
    pub fn new(settings: &Settings) -> Result<Self, BuildError> {
        let proxy = settings.proxy.as_deref().map(reqwest::Proxy::all).transpose();
        let proxy = proxy.map_err(|_| BuildError("the proxy's address is not valid".to_owned()))?;
        let client = build(|| {
            let base = base(settings).redirect(Policy::none());
            proxy.clone().into_iter().fold(base, reqwest::ClientBuilder::proxy)
        })?;
        Ok(Self { client, guard: None, largest_answer: settings.largest_answer })
    }

    /// A client for addresses that users supply. It ignores the proxy and follows a few redirects, all under `guard`.
    ///
    /// # Errors
    /// When the library cannot be set up.
    pub fn guarded(settings: &Settings, guard: Guard) -> Result<Self, BuildError> {
        let client = build(|| {
            base(settings).redirect(resolve::redirects(guard.clone())).dns_resolver(resolve::Guarded(guard.clone()))
        })?;
        Ok(Self { client, guard: Some(guard), largest_answer: settings.largest_answer })
    }

    /// Sends it once and says how that ended.
    pub async fn send(&self, request: Request<'_>) -> Outcome {
        let Ok(url) = Url::parse(request.url) else {
            return Outcome::Refused(Reason("the address is not a valid URL".to_owned()));
        };
        if let Some(guard) = &self.guard
            && let Err(forbidden) = resolve::check(guard, &url)
        {
            return Outcome::Refused(Reason(forbidden.to_string()));
        }
        let mut builder = self.client.request(request.method, url).body(request.body);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if let Some(timeout) = request.timeout {
            builder = builder.timeout(timeout);
        }
        match builder.send().await {
            Ok(response) => self.read(response).await,
            Err(error) => failed(error),
        }
    }

    async fn read(&self, mut response: reqwest::Response) -> Outcome {
        let status = response.status().as_u16();
        let mut body = BytesMut::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > self.largest_answer => {
                    return Outcome::Unclear(Reason(format!("the answer is over {} bytes", self.largest_answer)));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Outcome::Answer(Answer { status, body: body.freeze() }),
                Err(error) => return Outcome::Unclear(reason(error)),
            }
        }
    }
}

/// What every client has in common.
fn base(settings: &Settings) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(&settings.user_agent)
        .connect_timeout(settings.connect_timeout)
        .timeout(settings.request_timeout)
        .pool_idle_timeout(settings.keep_idle)
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .tcp_nodelay(true)
}

/// Builds a client on ring. A machine without CA certificates can still talk plain HTTP (a sandbox, a local Bot API
/// server), so that is a warning there and an error of each TLS connection later.
fn build(builder: impl Fn() -> reqwest::ClientBuilder) -> Result<reqwest::Client, BuildError> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // An error says that the process has one already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    builder().build().or_else(|error| {
        let client = builder().tls_certs_only([]).build().map_err(|error| BuildError(reason(error).0))?;
        tracing::warn!(reason = %reason(error), "https cannot be used: install the CA certificates of this system");
        Ok(client)
    })
}

fn failed(error: reqwest::Error) -> Outcome {
    let not_sent = error.is_connect() || error.is_builder();
    let forbidden = sources(&error).any(|source| source.is::<resolve::Forbidden>());
    let reason = reason(error);
    match (forbidden, not_sent) {
        (true, _) => Outcome::Refused(reason),
        (false, true) => Outcome::NotSent(reason),
        (false, false) => Outcome::Unclear(reason),
    }
}

fn sources(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |error| {
        let error: &(dyn std::error::Error + 'static) = *error;
        error.source()
    })
}

/// The innermost cause says most: "Connection refused", not "error sending request".
fn reason(error: reqwest::Error) -> Reason {
    let timed_out = error.is_timeout();
    let error = error.without_url();
    let innermost = sources(&error).last().map_or_else(|| error.to_string(), ToString::to_string);
    Reason(if timed_out { format!("timed out ({innermost})") } else { innermost })
}
