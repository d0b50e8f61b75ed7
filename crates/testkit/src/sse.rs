//! A client of the live stream over server-sent events.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, StatusCode, body::Incoming};
use serde_json::Value;

use crate::{soon, wire::Wire};

/// An open event stream.
#[derive(Debug)]
pub struct SseClient {
    /// Status of the answer.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    body: Incoming,
    buffer: String,
}

/// One server-sent event.
#[derive(Debug, Clone)]
pub struct SseEvent {
    /// `event`; empty for a comment.
    pub kind: String,
    /// `id`.
    pub id: Option<String>,
    /// `data`.
    pub data: Value,
}

impl SseClient {
    pub(crate) async fn open(wire: &Wire, request: hyper::Request<Full<Bytes>>) -> Self {
        let (parts, body) = wire.open(request).await.into_parts();
        Self { status: parts.status, headers: parts.headers, body, buffer: String::new() }
    }

    /// The next event or comment; `None` when the server ended the stream.
    pub async fn try_next(&mut self) -> Option<SseEvent> {
        loop {
            if let Some(end) = self.buffer.find("\n\n") {
                let block: String = self.buffer.drain(..end + 2).collect();
                return Some(parse(&block));
            }
            let frame = soon("an event", self.body.frame()).await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.buffer.push_str(std::str::from_utf8(&data).expect("events are UTF-8"));
            }
        }
    }

    /// The next event of this type; others are passed over.
    ///
    /// # Panics
    /// When the server ends the stream.
    pub async fn next_of(&mut self, kind: &str) -> SseEvent {
        loop {
            let event = self.try_next().await.expect("the stream is open");
            if event.kind == kind {
                return event;
            }
        }
    }
}

fn parse(block: &str) -> SseEvent {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    let data = field("data: ").and_then(|data| serde_json::from_str(&data).ok()).unwrap_or(Value::Null);
    SseEvent { kind: field("event: ").unwrap_or_default(), id: field("id: "), data }
}
