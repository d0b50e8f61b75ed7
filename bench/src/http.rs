//! A small HTTP client for JSON. It never repeats a request by itself: the journal of what was answered would lie.

use std::{error::Error, fmt, time::Duration};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Method, Request, StatusCode,
    body::Bytes,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

/// Longest that an answer may take; a long poll of the API waits for 50 s at most.
const PATIENCE: Duration = Duration::from_secs(90);

/// An address, with a pool of connections to it and the token that goes with every request.
#[derive(Clone)]
pub struct Client {
    base: String,
    token: Option<String>,
    pool: Pool<HttpConnector, Full<Bytes>>,
}

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// There was no answer: refused, broken off, or too late. Whether the request took effect is not known.
#[derive(Debug)]
pub struct NoAnswer(pub String);

impl NoAnswer {
    /// The error with its causes.
    fn of(error: &(dyn Error + 'static)) -> Self {
        let (mut text, mut cause) = (error.to_string(), error.source());
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        Self(text)
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Reply {
    /// The body as JSON; `null` when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The stable code of a problem, or an empty text.
    #[must_use]
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// A header's text, or an empty one.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default()
    }

    /// The body of an answer with this status.
    ///
    /// # Panics
    /// With what came, when it is another.
    #[must_use]
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// Checks for a problem with this status and code.
    ///
    /// # Panics
    /// With what came, when it is another.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) {
        let _ = self.expect(status);
        assert_eq!(self.code(), code, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.header("content-type"), "application/problem+json");
    }
}

impl Client {
    /// A client of `base`, such as `http://127.0.0.1:8080`, without a token.
    #[must_use]
    pub fn new(base: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let pool = Pool::builder(TokioExecutor::new()).retry_canceled_requests(false).build(connector);
        Self { base: base.trim_end_matches('/').to_owned(), token: None, pool }
    }

    /// The same address with this token and connections of its own.
    #[must_use]
    pub fn with(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..Self::new(&self.base) }
    }

    /// The address.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The token.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn token(&self) -> &str {
        self.token.as_deref().expect("a client with a token")
    }

    /// Sends a request with extra headers and a raw body.
    ///
    /// # Errors
    /// When no whole answer came.
    ///
    /// # Panics
    /// When path or headers are malformed.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<Reply, NoAnswer> {
        let mut request = Request::new(Full::new(Bytes::from(body.unwrap_or_default())));
        *request.method_mut() = method;
        *request.uri_mut() = format!("{}{path}", self.base).parse().expect("an address");
        let map = request.headers_mut();
        map.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(token) = &self.token {
            map.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).expect("a visible token"));
        }
        for (name, value) in headers {
            let name: hyper::header::HeaderName = name.parse().expect("a header name");
            map.insert(name, HeaderValue::from_str(value).expect("a header value"));
        }
        let whole = async {
            let answer = self.pool.request(request).await.map_err(|e| NoAnswer::of(&e))?;
            let (parts, body) = answer.into_parts();
            let body = body.collect().await.map_err(|e| NoAnswer::of(&e))?.to_bytes();
            Ok(Reply { status: parts.status, headers: parts.headers, body })
        };
        tokio::time::timeout(PATIENCE, whole).await.map_err(|_| NoAnswer("no answer in time".to_owned()))?
    }

    /// POST with an idempotency key.
    ///
    /// # Errors
    /// When no whole answer came.
    pub async fn post_once(&self, path: &str, key: &str, body: &Value) -> Result<Reply, NoAnswer> {
        self.send(Method::POST, path, &[("idempotency-key", key)], Some(body.to_string().into_bytes())).await
    }

    async fn answer(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Reply {
        let answer = self.send(method.clone(), path, &[], body).await;
        answer.unwrap_or_else(|error| panic!("{method} {}{path}: {error}", self.base))
    }

    /// GET.
    ///
    /// # Panics
    /// When no answer came.
    pub async fn get(&self, path: &str) -> Reply {
        self.answer(Method::GET, path, None).await
    }

    /// POST.
    ///
    /// # Panics
    /// When no answer came.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.answer(Method::POST, path, Some(body.to_string().into_bytes())).await
    }

    /// PATCH.
    ///
    /// # Panics
    /// When no answer came.
    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.answer(Method::PATCH, path, Some(body.to_string().into_bytes())).await
    }

    /// DELETE.
    ///
    /// # Panics
    /// When no answer came.
    pub async fn delete(&self, path: &str) -> Reply {
        self.answer(Method::DELETE, path, None).await
    }
}
