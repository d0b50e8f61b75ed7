//! A client of the live stream over WebSocket.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use crate::soon;

/// An open WebSocket to `/api/v1/live`.
#[derive(Debug)]
pub struct LiveClient {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    cursor: Option<String>,
    /// The welcome.
    pub welcome: Value,
}

impl LiveClient {
    pub(crate) async fn connect(base: &str) -> Self {
        match Self::try_connect(base, &[]).await {
            Ok(client) => client,
            Err(status) => panic!("the WebSocket was refused with {status}"),
        }
    }

    /// Opens a WebSocket to a server's base URL with these headers.
    ///
    /// # Errors
    /// The HTTP status when the server refuses.
    pub async fn try_connect(base: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let url = format!("{}/api/v1/live", base.replacen("http", "ws", 1));
        let mut request = url.into_client_request().expect("a URL");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header value"));
        }
        match soon("the WebSocket's handshake", connect_async(request)).await {
            Ok((socket, _)) => Ok(Self { socket, cursor: None, welcome: Value::Null }),
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("the WebSocket could not be opened: {error}"),
        }
    }

    pub(crate) async fn welcomed(mut self) -> Self {
        self.welcome = self.next_of("welcome").await;
        self
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: Value) {
        // A server that has closed already says so to the next read.
        let _maybe_closed = self.socket.send(Message::text(frame.to_string())).await;
    }

    /// Sends a text that need not be JSON.
    pub async fn send_text(&mut self, text: &str) {
        let _maybe_closed = self.socket.send(Message::text(text)).await;
    }

    /// The cursor of the last frame that had one.
    #[must_use]
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// The next frame; `None` when the server has closed.
    pub async fn try_next(&mut self) -> Option<Value> {
        loop {
            match soon("a frame", self.socket.next()).await {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text).expect("frames are JSON");
                    if let Some(cursor) = frame["cursor"].as_str() {
                        self.cursor = Some(cursor.to_owned());
                    }
                    return Some(frame);
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next frame.
    ///
    /// # Panics
    /// When the server closes instead.
    pub async fn next(&mut self) -> Value {
        self.try_next().await.expect("the stream is open")
    }

    /// The next frame of this type; others are passed over.
    pub async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await;
            assert!(kind == "closing" || frame["type"] != "closing", "waited for {kind}, got {frame}");
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// The next event of this kind; other frames are passed over. Returns the envelope.
    pub async fn next_event(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next_of("event").await;
            if frame["event"]["kind"] == kind {
                return frame["event"].clone();
            }
        }
    }

    /// All events up to `caught_up`.
    pub async fn backlog(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let frame = self.next().await;
            match frame["type"].as_str() {
                Some("event") => events.push(frame["event"].clone()),
                Some("caught_up") => return events,
                _ => {}
            }
        }
    }

    /// Waits until the server closes, and returns the code that it gave; 0 when it gave none.
    pub async fn closed(&mut self) -> u16 {
        loop {
            match soon("the close", self.socket.next()).await {
                Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
                Some(Ok(Message::Close(None)) | Err(_)) | None => return 0,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Says goodbye and waits until the server has heard it.
    pub async fn leave(mut self) {
        let _maybe_closed = self.socket.close(None).await;
        while let Some(Ok(_)) = soon("the goodbye", self.socket.next()).await {}
    }

    /// Says that the person types or views, or no longer.
    pub async fn signal(&mut self, kind: &str, chat_id: &str, active: bool) {
        self.send(json!({ "type": "signal", "kind": kind, "chat_id": chat_id, "active": active })).await;
    }
}
