//! Somebody who speaks HTTP with the server: with a token, or without.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, header};
use serde_json::{Value, json};

use crate::{LiveClient, Reply, SseClient, wire::Wire};

/// Somebody with one way to authenticate himself. Cloning gives the same person in another tab.
#[derive(Debug, Clone)]
pub struct Actor {
    wire: Wire,
    who: Arc<Mutex<Who>>,
}

#[derive(Debug, Default, Clone)]
struct Who {
    token: Option<String>,
    refresh: Option<String>,
    signed_in: Value,
}

impl Actor {
    pub(crate) fn new(wire: Wire, token: Option<String>) -> Self {
        Self { wire, who: Arc::new(Mutex::new(Who { token, ..Who::default() })) }
    }

    /// The person whom a `SignedIn` answer is about.
    pub(crate) fn signed_in(wire: Wire, reply: &Reply) -> Self {
        let actor = Self::new(wire, None);
        actor.remember(reply);
        actor
    }

    fn who(&self) -> Who {
        self.who.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, reply: &Reply) {
        let mut who = self.who.lock().unwrap_or_else(PoisonError::into_inner);
        who.token = Some(reply.str("/access_token").to_owned());
        who.refresh = reply.cookie("sb_refresh").or(who.refresh.take());
        who.signed_in = reply.json.clone();
    }

    /// The token that he shows now.
    #[must_use]
    pub fn token(&self) -> Option<String> {
        self.who().token
    }

    /// His refresh token.
    #[must_use]
    pub fn refresh_token(&self) -> Option<String> {
        self.who().refresh
    }

    /// What the server said when he signed in, by JSON pointer: `/user/id`, `/workspace/id`, `/user/email`…
    ///
    /// # Panics
    /// When it said no such thing.
    #[must_use]
    pub fn know(&self, pointer: &str) -> String {
        let signed_in = self.who().signed_in;
        signed_in.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("nothing at {pointer}")).to_owned()
    }

    /// Gets a new access token by his refresh token.
    pub async fn refresh(&self) -> Reply {
        let cookie = format!("sb_refresh={}", self.refresh_token().unwrap_or_default());
        let request = self.post("/api/v1/auth/refresh", json!({})).without_token();
        let reply = request.header("cookie", &cookie).header("origin", self.wire.base()).await;
        if reply.status.is_success() {
            self.remember(&reply);
        }
        reply
    }

    /// A request that can be added to; awaiting it sends it.
    pub fn request(&self, method: Method, path: &str) -> Request {
        let request = Request {
            wire: self.wire.clone(),
            method,
            uri: format!("{}{path}", self.wire.base()),
            headers: Vec::new(),
            body: Bytes::new(),
        };
        match self.token() {
            Some(token) => request.header("authorization", &format!("Bearer {token}")),
            None => request,
        }
    }

    /// GET.
    pub fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    /// POST with a JSON body.
    pub fn post(&self, path: &str, body: Value) -> Request {
        self.request(Method::POST, path).json(&body)
    }

    /// PATCH with a JSON body.
    pub fn patch(&self, path: &str, body: Value) -> Request {
        self.request(Method::PATCH, path).json(&body)
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> Request {
        self.request(Method::DELETE, path)
    }

    /// Opens a WebSocket, says hello and waits for the welcome.
    pub async fn live(&self, cursor: Option<&str>) -> LiveClient {
        self.live_in_tab(cursor, "tab").await
    }

    /// As [`Self::live`], in a tab of this name.
    pub async fn live_in_tab(&self, cursor: Option<&str>, tab: &str) -> LiveClient {
        let mut client = LiveClient::connect(self.wire.base()).await;
        client.send(json!({ "type": "hello", "token": self.token(), "cursor": cursor, "tab": tab })).await;
        client.welcomed().await
    }

    /// Opens a WebSocket without saying anything.
    pub async fn socket(&self) -> LiveClient {
        LiveClient::connect(self.wire.base()).await
    }

    /// Opens the stream as server-sent events.
    pub async fn events(&self, cursor: Option<&str>) -> SseClient {
        let request = self.get("/api/v1/events").header("accept", "text/event-stream");
        let request = match cursor {
            Some(cursor) => request.header("last-event-id", cursor),
            None => request,
        };
        SseClient::open(&self.wire, request.build()).await
    }
}

/// A request in the making; awaiting it sends it.
#[derive(Debug, Clone)]
#[must_use = "a request is sent when it is awaited"]
pub struct Request {
    wire: Wire,
    method: Method,
    uri: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Request {
    /// Sets a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without `Authorization`.
    pub fn without_token(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "authorization");
        self
    }

    /// Sets the idempotency key.
    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// Sets a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.text("application/json", body.to_string())
    }

    /// Sets a body of any kind.
    pub fn text(mut self, kind: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header(header::CONTENT_TYPE.as_str(), kind)
    }

    fn build(self) -> hyper::Request<Full<Bytes>> {
        let mut request = hyper::Request::builder().method(self.method).uri(self.uri);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(self.body)).expect("a test asks for what can be asked")
    }
}

impl IntoFuture for Request {
    type Output = Reply;
    type IntoFuture = Pin<Box<dyn Future<Output = Reply> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let wire = self.wire.clone();
            wire.send(self.build()).await
        })
    }
}
