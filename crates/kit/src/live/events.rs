//! Server-sent events and long poll: one address, told apart by `Accept`.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use utoipa::IntoParams;

use super::{
    frame::sse,
    session::{End, Out, Session},
};
use crate::{Allowed, Hub, Problem, Query, auth::bearer, rights::LiveRead};

/// Longest wait of a long poll in seconds.
const MOST_WAIT: u64 = 50;
/// Items after which a long poll answers.
const ENOUGH: usize = 200;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Params {
    /// Where to go on; for server-sent events the header `Last-Event-ID` goes first.
    cursor: Option<String>,
    /// Long poll only: seconds to wait for an event, at most 50.
    #[serde(default)]
    wait: u64,
}

/// Live stream over server-sent events or long poll.
///
/// With `Accept: text/event-stream` a stream whose data are the same frames as those of the WebSocket; otherwise
/// `{items: [{cursor, event}], cursor, caught_up, reset}`, at once or after up to `wait` seconds.
#[utoipa::path(
    get,
    path = "/events",
    tag = "live",
    params(Params),
    responses((status = 200, description = "Events", content((Object = "application/json"), (String = "text/event-stream")))),
)]
pub(crate) async fn events(
    _: Allowed<LiveRead>,
    State(hub): State<Hub>,
    headers: HeaderMap,
    Query(params): Query<Params>,
) -> Result<Response, Problem> {
    let token = bearer(&headers).expect("the principal came from it").to_owned();
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let streams = text(header::ACCEPT).is_some_and(|accept| accept.contains("text/event-stream"));
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let cursor = last.filter(|_| streams).or(params.cursor.as_deref());
    let session = Session::open(hub.live(), token, cursor, String::new()).await.map_err(problem)?;
    if streams { Ok(stream(session)) } else { poll(&hub, session, params.wait.min(MOST_WAIT)).await }
}

fn problem(end: End) -> Problem {
    match end {
        End::Unauthenticated | End::HelloTimeout => Problem::unauthenticated(),
        End::Forbidden => Problem::forbidden(),
        End::TooMany => Problem::new(axum::http::StatusCode::TOO_MANY_REQUESTS, "too_many_streams", "Too many streams")
            .detail("You have as many live streams open as the server allows. Close one.")
            .retry_after(Duration::from_secs(30)),
        End::Restart => {
            Problem::unavailable("restart", "The server restarts. Come back with your cursor.", Duration::from_secs(1))
        }
    }
}

fn stream(session: Session) -> Response {
    let body = stream::unfold(Some(session), |session| async move {
        let mut session = session?;
        let out = session.next().await;
        let ended = matches!(out, Out::End(_));
        let text = encode(&session, out);
        Some((Ok::<_, Infallible>(text), if ended { None } else { Some(session) }))
    });
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies of the nginx family hold answers back otherwise.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

fn encode(session: &Session, out: Out) -> Bytes {
    let state = |kind: &str, cursor: String| {
        let data = json!({ "type": kind, "cursor": cursor }).to_string();
        sse(kind, Some(&cursor), &data)
    };
    match out {
        Out::Frames(frames) => {
            let mut all = BytesMut::new();
            frames.iter().for_each(|frame| all.extend_from_slice(&frame.sse(&session.seat.live.0.cursors)));
            all.freeze()
        }
        Out::CaughtUp(cursor) => state("caught_up", cursor),
        Out::Progress(cursor) => state("progress", cursor),
        Out::Reset(cursor) => state("reset", cursor),
        Out::Signals(signals) => signals.iter().flat_map(|it| sse("signal", None, &it.text())).collect(),
        Out::Beat => Bytes::from_static(b": still here\n\n"),
        Out::End(end) => {
            let data = json!({ "type": "closing", "code": end.code(), "reason": end.reason() }).to_string();
            sse("closing", None, &data)
        }
    }
}

async fn poll(hub: &Hub, mut session: Session, wait: u64) -> Result<Response, Problem> {
    let mut polled = Polled::default();
    let until = hub.world().clock().sleep(Duration::from_secs(wait));
    tokio::pin!(until);
    loop {
        // Only news are waited for; what was there before is always read to its end, or to the size of an answer.
        let out = tokio::select! {
            biased;
            out = session.next() => out,
            () = &mut until, if polled.caught_up => break,
        };
        if polled.take(&session, out, wait > 0)? {
            break;
        }
    }
    let cursor = session.cursor();
    let Polled { items, caught_up, reset } = polled;
    let answer = json!({ "items": items, "cursor": cursor, "caught_up": caught_up, "reset": reset });
    let mut response = axum::Json(answer).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

#[derive(Default)]
struct Polled {
    items: Vec<Box<RawValue>>,
    caught_up: bool,
    reset: bool,
}

impl Polled {
    /// Takes what came; true when it is time to answer.
    fn take(&mut self, session: &Session, out: Out, may_wait: bool) -> Result<bool, Problem> {
        match out {
            Out::Frames(frames) => {
                let cursors = &session.seat.live.0.cursors;
                let item = |text| RawValue::from_string(text).expect("a frame is JSON");
                self.items.extend(frames.iter().map(|frame| item(frame.item(cursors))));
                Ok(self.caught_up || self.items.len() >= ENOUGH)
            }
            Out::CaughtUp(_) => {
                self.caught_up = true;
                Ok(!self.items.is_empty() || self.reset || !may_wait)
            }
            Out::Reset(_) => {
                self.reset = true;
                Ok(false)
            }
            Out::Progress(_) | Out::Signals(_) | Out::Beat => Ok(false),
            Out::End(End::Restart) if !self.items.is_empty() => Ok(true),
            Out::End(end) => Err(problem(end)),
        }
    }
}
