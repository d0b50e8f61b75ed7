//! One event as it goes over the wires: encoded once, by whoever sends it first, and shared.

use std::sync::{Arc, OnceLock};

use axum::extract::ws::Utf8Bytes;
use bytes::Bytes;
use model::{Audience, Event, Seq};

use crate::cursor::Cursors;

/// What stands in a frame before the item that a long poll gives.
const BEFORE_ITEM: &str = r#"{"type":"event","#;

pub(super) struct Frame {
    event: Arc<Event>,
    text: OnceLock<Utf8Bytes>,
    sse: OnceLock<Bytes>,
}

impl Frame {
    pub(super) fn new(event: Arc<Event>) -> Self {
        Self { event, text: OnceLock::new(), sse: OnceLock::new() }
    }

    pub(super) fn seq(&self) -> Seq {
        self.event.seq
    }

    pub(super) fn audience(&self) -> Audience {
        self.event.audience
    }

    /// Bytes that the event holds in memory, about.
    pub(super) fn weight(&self) -> usize {
        512 + 3 * self.event.body.as_ref().map_or(0, |body| body.get().len())
    }

    fn cursor(&self, cursors: &Cursors) -> String {
        cursors.make(self.event.workspace, self.event.seq)
    }

    /// The WebSocket frame: `{"type":"event","cursor":…,"event":…}`.
    pub(super) fn text(&self, cursors: &Cursors) -> Utf8Bytes {
        let encode = || {
            let body = self.event.body.as_ref().map_or(0, |body| body.get().len());
            let mut text = Vec::with_capacity(body + 320);
            text.extend_from_slice(BEFORE_ITEM.as_bytes());
            text.extend_from_slice(br#""cursor":""#);
            text.extend_from_slice(self.cursor(cursors).as_bytes());
            text.extend_from_slice(br#"","event":"#);
            serde_json::to_writer(&mut text, &*self.event).expect("an event is serialisable");
            text.push(b'}');
            Utf8Bytes::try_from(Bytes::from(text)).expect("JSON is UTF-8")
        };
        self.text.get_or_init(encode).clone()
    }

    /// The server-sent event, whose data is the same JSON as the WebSocket frame.
    pub(super) fn sse(&self, cursors: &Cursors) -> Bytes {
        let encode = || sse("event", Some(&self.cursor(cursors)), &self.text(cursors));
        self.sse.get_or_init(encode).clone()
    }

    /// The item of a long poll: `{"cursor":…,"event":…}`.
    pub(super) fn item(&self, cursors: &Cursors) -> String {
        let text = self.text(cursors);
        let item = text.as_str().strip_prefix(BEFORE_ITEM).expect("a frame starts like this");
        format!("{{{item}")
    }
}

/// One server-sent event.
pub(super) fn sse(kind: &str, id: Option<&str>, data: &str) -> Bytes {
    let mut text = String::with_capacity(data.len() + 96);
    if let Some(id) = id {
        text.extend(["id: ", id, "\n"]);
    }
    text.extend(["event: ", kind, "\ndata: ", data, "\n\n"]);
    text.into()
}
