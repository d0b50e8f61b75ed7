//! The WebSocket transport: JSON text frames, both ways.

use std::{net::IpAddr, time::Duration};

use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use futures_util::{FutureExt as _, SinkExt as _};
use model::{ChatId, Limit};
use serde::Deserialize;
use serde_json::json;

use super::{
    session::{End, Out, Session},
    signals::Kind,
};
use crate::{Caller, Hub, Problem, limits::Limits, route::Public};

/// Its address. The token comes in the hello, not in a header, so requests are counted there.
pub(crate) const LIVE: &str = "/api/v1/live";

const HELLO: Duration = Duration::from_secs(5);
/// A client that has answered none of so many pings in a row is gone.
const UNANSWERED: u8 = 2;
/// So is one that takes nothing for so long.
const STALLED: Duration = Duration::from_secs(60);
/// Small buffers: there may be ten thousand idle streams. A larger frame makes them grow.
const READ_BUFFER: usize = 1024;
const WRITE_BUFFER: usize = 4096;
const LARGEST_MESSAGE: usize = 16 * 1024;
/// Signals and tokens that one user sends per minute over all his streams; beyond that they are dropped. Ten busy tabs send 150.
const HEARD: u32 = 600;

/// Live stream over WebSocket.
///
/// The client sends `hello` within 5 s: `{"type":"hello","token","cursor"?,"tab"?}`. See the chapter on the live stream.
#[utoipa::path(
    get,
    path = "/live",
    tag = "live",
    responses((status = 101, description = "The stream is open"), (status = 426, description = "Not a WebSocket request")),
)]
pub(crate) async fn live(
    _: Public,
    State(hub): State<Hub>,
    caller: Caller,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    check_origin(&hub, &headers)?;
    let upgrade = upgrade.map_err(|_| {
        Problem::new(StatusCode::UPGRADE_REQUIRED, "websocket_expected", "WebSocket expected")
            .detail("Open this address as a WebSocket, or use /api/v1/events.")
    })?;
    let address = caller.address();
    let upgrade = upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(LARGEST_MESSAGE)
        .max_frame_size(LARGEST_MESSAGE);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let tasks = hub.tasks().clone();
        tasks.track_future(serve(socket, hub, address)).await;
    }))
}

/// A browser tells where the page comes from; only ours and configured ones may open a stream.
fn check_origin(hub: &Hub, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let allowed = origin.to_str().is_ok_and(|origin| {
        let own = origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == host);
        own || hub.config().allows_origin(origin)
    });
    if allowed {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "origin_refused", "Origin refused")
        .detail("Pages of this origin may not open a live stream here. Open the app at the server's own address."))
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum FromClient {
    Hello { token: String, cursor: Option<String>, tab: Option<String> },
    Signal { kind: Kind, chat_id: ChatId, active: bool },
    Token { token: String },
    Ping,
}

/// The other side is gone; there is nobody to tell.
struct Gone;

async fn serve(mut socket: WebSocket, hub: Hub, address: IpAddr) {
    let opened = Box::pin(open(&mut socket, &hub, address)).await;
    let end = match opened {
        Ok(Some(session)) => Box::pin(Stream { socket: &mut socket, session, limits: hub.limits() }.run()).await,
        Ok(None) => Err(Gone),
        Err(end) => Ok(end),
    };
    if let Ok(end) = end {
        close(&mut socket, &hub, end).await;
    }
}

/// Reads the hello and opens the session; `None` when the client went away.
async fn open(socket: &mut WebSocket, hub: &Hub, address: IpAddr) -> Result<Option<Session>, End> {
    let hello = tokio::select! {
        message = socket.recv() => message,
        () = hub.world().clock().sleep(HELLO) => return Err(End::HelloTimeout),
        () = hub.live().0.closing.cancelled() => return Err(End::Restart),
    };
    let Some(Ok(message)) = hello else { return Ok(None) };
    let hello = message.to_text().ok().and_then(|text| serde_json::from_str(text).ok());
    let Some(FromClient::Hello { token, cursor, tab }) = hello else {
        return Err(End::Unauthenticated);
    };
    let tab = tab.map(|tab| model::preview(&tab, 64)).unwrap_or_default();
    let opened = Session::open(hub.live(), token, cursor.as_deref(), tab).await;
    if opened.is_err() {
        count_refusal(hub.limits(), address);
    }
    let session = opened?;
    let welcome = welcome(&session);
    Ok(socket.send(Message::Text(welcome.into())).await.is_ok().then_some(session))
}

/// A refused hello counts like any unauthenticated request of the address.
fn count_refusal(limits: &Limits, address: IpAddr) {
    let _counted = limits.address(address);
}

/// The cursor is that of the stream's start: whoever comes back with it misses nothing of the backlog.
fn welcome(session: &Session) -> String {
    let user = session.principal.user().map(|id| json!({ "id": id, "name": session.principal.name }));
    json!({ "type": "welcome", "cursor": session.cursor(), "user": user }).to_string()
}

struct Stream<'s> {
    socket: &'s mut WebSocket,
    session: Session,
    limits: &'s Limits,
}

impl Stream<'_> {
    async fn run(mut self) -> Result<End, Gone> {
        let mut unanswered = 0;
        loop {
            tokio::select! {
                message = self.socket.recv() => {
                    let Some(Ok(message)) = message else { return Err(Gone) };
                    unanswered = 0;
                    if let Some(end) = self.hear(message).await? {
                        return Ok(end);
                    }
                }
                out = self.session.next() => {
                    if matches!(out, Out::Beat) {
                        if unanswered == UNANSWERED {
                            return Err(Gone);
                        }
                        unanswered += 1;
                    }
                    if let Some(end) = self.tell(out).await? {
                        return Ok(end);
                    }
                }
            }
        }
    }

    async fn hear(&mut self, message: Message) -> Result<Option<End>, Gone> {
        let Message::Text(text) = message else {
            return if matches!(message, Message::Close(_)) { Err(Gone) } else { Ok(None) };
        };
        match serde_json::from_str(&text) {
            Ok(FromClient::Ping) => self.send(vec![Message::Text(Utf8Bytes::from_static(r#"{"type":"pong"}"#))]).await,
            Ok(FromClient::Token { .. } | FromClient::Signal { .. }) if self.is_too_loud() => Ok(None),
            Ok(FromClient::Token { token }) => Ok(self.session.renew(token).await.err()),
            Ok(FromClient::Signal { kind, chat_id, active }) => {
                self.session.signal(kind, chat_id, active).await;
                Ok(None)
            }
            // A second hello, or what a newer client knows and we do not.
            Ok(FromClient::Hello { .. }) | Err(_) => Ok(None),
        }
    }

    /// Each of these costs a look-up, and a signal may wake every stream of the workspace.
    fn is_too_loud(&self) -> bool {
        let limit = Limit::per(HEARD, Duration::from_secs(60));
        !self.limits.take("heard", self.session.principal.actor().id, limit).allowed
    }

    async fn tell(&mut self, out: Out) -> Result<Option<End>, Gone> {
        let state = |kind: &str, cursor: String| {
            vec![Message::Text(json!({ "type": kind, "cursor": cursor }).to_string().into())]
        };
        match out {
            Out::Frames(frames) => {
                let cursors = &self.session.seat.live.0.cursors;
                let texts = frames.iter().map(|frame| Message::Text(frame.text(cursors))).collect();
                self.send(texts).await
            }
            Out::CaughtUp(cursor) => self.send(state("caught_up", cursor)).await,
            Out::Progress(cursor) => self.send(state("progress", cursor)).await,
            Out::Reset(cursor) => self.send(state("reset", cursor)).await,
            Out::Signals(signals) => {
                self.send(signals.iter().map(|it| Message::Text(it.text().into())).collect()).await
            }
            Out::Beat => self.send(vec![Message::Ping(bytes::Bytes::new())]).await,
            Out::End(end) => Ok(Some(end)),
        }
    }

    /// Writes the messages with one flush. A reader that is slow is waited for, but not by a stream that has to end.
    async fn send(&mut self, messages: Vec<Message>) -> Result<Option<End>, Gone> {
        let (socket, seat) = (&mut *self.socket, &self.session.seat);
        let write = async {
            for message in messages {
                socket.feed(message).await?;
            }
            socket.flush().await
        };
        tokio::pin!(write);
        if let Some(written) = write.as_mut().now_or_never() {
            return written.map(|()| None).map_err(|_| Gone);
        }
        tokio::select! {
            written = write => written.map(|()| None).map_err(|_| Gone),
            // What is still unsent must not be seen any more; the check is made when there is room to say so.
            () = seat.ticket.staled() => Err(Gone),
            () = seat.live.0.closing.cancelled() => Err(Gone),
            () = seat.live.0.world.clock().sleep(STALLED) => Err(Gone),
        }
    }
}

/// Says why and closes, without waiting long for somebody who does not read.
async fn close(socket: &mut WebSocket, hub: &Hub, end: End) {
    let told = json!({ "type": "closing", "code": end.code(), "reason": end.reason() }).to_string();
    let frame = CloseFrame { code: end.code(), reason: Utf8Bytes::from_static(end.reason()) };
    let say = async {
        if socket.send(Message::Text(told.into())).await.is_ok()
            && socket.send(Message::Close(Some(frame))).await.is_ok()
        {
            // The closing handshake: the other side answers with its own close, and what it sent before is dropped.
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    // In this order: what can be said at once is said even when the server is stopping already.
    tokio::select! {
        biased;
        () = say => {}
        () = hub.world().clock().sleep(HELLO) => {}
        () = hub.shutdown().cancelled() => {}
    }
}
