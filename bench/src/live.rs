//! A client of the live stream over a WebSocket.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};

/// Longest that a frame which is expected may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// An open stream.
pub struct Live {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The cursor of the last frame that had one.
    pub cursor: String,
}

impl Live {
    /// Connects and says hello. `cursor` is where to go on.
    ///
    /// # Errors
    /// When the server cannot be reached, or ends the stream before its welcome.
    pub async fn open(base: &str, token: &str, cursor: Option<&str>) -> Result<Self, String> {
        let address = format!("{}/api/v1/live", base.trim_end_matches('/').replacen("http://", "ws://", 1));
        let (mut socket, _) = tokio_tungstenite::connect_async(address).await.map_err(|e| e.to_string())?;
        let hello = json!({ "type": "hello", "token": token, "cursor": cursor });
        socket.send(Message::text(hello.to_string())).await.map_err(|e| e.to_string())?;
        let mut live = Self { socket, cursor: String::new() };
        match live.frame().await {
            Some(welcome) if welcome["type"] == "welcome" => Ok(live),
            other => Err(format!("no welcome but {other:?}")),
        }
    }

    /// The next frame; `None` when the stream has ended.
    pub async fn frame(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => {
                    let frame: Value = serde_json::from_str(&text).ok()?;
                    if let Some(cursor) = frame["cursor"].as_str() {
                        cursor.clone_into(&mut self.cursor);
                    }
                    return Some(frame);
                }
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next frame that `wanted` accepts, skipping others.
    ///
    /// # Panics
    /// When none comes.
    pub async fn find(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let search = async {
            loop {
                match self.frame().await {
                    Some(frame) if wanted(&frame) => return frame,
                    Some(_) => {}
                    None => panic!("the stream ended before {what}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, search).await.unwrap_or_else(|_| panic!("no {what} came"))
    }

    /// The next event of this kind.
    ///
    /// # Panics
    /// When none comes.
    pub async fn event(&mut self, kind: &str) -> Value {
        let frame = self.find(kind, |frame| frame["event"]["kind"] == kind).await;
        frame["event"].clone()
    }

    /// Sends a frame.
    ///
    /// # Panics
    /// When the stream has ended.
    pub async fn send(&mut self, frame: &Value) {
        self.socket.send(Message::text(frame.to_string())).await.expect("an open stream");
    }
}
