//! Extractors whose refusals are problems: path, query, JSON body, and who is at the other end.

use std::{
    net::IpAddr,
    pin::pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    RequestExt,
    extract::{FromRequest, FromRequestParts, MatchedPath, Request},
    http::{StatusCode, header, request::Parts},
};
use bytes::Bytes;
use futures_util::FutureExt as _;
use serde::de::DeserializeOwned;

use crate::{Hub, Problem, limits::Rate};

/// A client has so long to send a request's body.
const BODY: Duration = Duration::from_secs(30);

/// What the edge knows of a request; one per request, shared with the extractors.
#[derive(Debug)]
pub struct Card {
    request_id: String,
    address: IpAddr,
    rate: OnceLock<Rate>,
    route: OnceLock<MatchedPath>,
}

impl Card {
    pub(crate) fn new(request_id: String, address: IpAddr) -> Self {
        Self { request_id, address, rate: OnceLock::new(), route: OnceLock::new() }
    }

    /// The id that the answer carries as `X-Request-Id`.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The client's address, as far as trusted proxies tell.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Remembers what a rate cell said, for the headers of the answer; a refusal becomes the 429.
    pub(crate) fn charge(&self, rate: Rate) -> Result<(), Problem> {
        let _first_wins = self.rate.set(rate);
        if rate.verdict.allowed { Ok(()) } else { Err(Problem::rate_limited(rate.verdict)) }
    }

    /// Counts this request against its address, as one of somebody who has not shown who he is. The edge does that for
    /// requests to the API without a token; others have to ask for it.
    ///
    /// # Errors
    /// 429 `rate_limited`.
    pub fn count_stranger(&self, hub: &Hub) -> Result<(), Problem> {
        self.charge(hub.limits().address(self.address))
    }

    pub(crate) fn rate(&self) -> Option<&Rate> {
        self.rate.get()
    }

    pub(crate) fn note_route(&self, route: &MatchedPath) {
        let _first_wins = self.route.set(route.clone());
    }

    pub(crate) fn route(&self) -> Option<&str> {
        self.route.get().map(MatchedPath::as_str)
    }
}

/// The card that the edge put into the request.
pub(crate) fn card(parts: &Parts) -> &Arc<Card> {
    parts.extensions.get().expect("the edge gives every request a card")
}

/// Who is at the other end of the connection: address, request id, user agent.
#[derive(Debug, Clone)]
pub struct Caller {
    card: Arc<Card>,
    user_agent: Option<String>,
}

impl Caller {
    /// What the client calls itself, at most 200 characters.
    #[must_use]
    pub fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }
}

impl std::ops::Deref for Caller {
    type Target = Card;

    fn deref(&self) -> &Card {
        &self.card
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let agent = parts.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        Ok(Self { card: card(parts).clone(), user_agent: agent.map(|agent| model::preview(agent, 200)) })
    }
}

/// Path parameters. One that cannot be parsed names nothing that exists: 404.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) => Err(Problem::not_found()),
        }
    }
}

/// Query parameters. One that is wrong is a 400 `invalid_query` that says which.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(unreadable_query(&rejection.body_text())),
        }
    }
}

/// The parser's words as a sentence; they name the parameter.
pub(crate) fn unreadable_query(words: &str) -> Problem {
    let reason = words.strip_prefix("Failed to deserialize query string: ").unwrap_or(words);
    bad_query(format!("The query cannot be read: {reason}. Correct the parameter or leave it out."))
}

pub(crate) fn bad_query(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_query", "Invalid query").detail(detail)
}

/// A JSON body: 415 without its content type, 413 above the limit, 400 `malformed_json`, 422 `wrong_type` with the path
/// of the field, 422 `invalid_text` when a text holds U+0000, which PostgreSQL cannot store.
#[derive(Debug, Clone, Copy)]
pub struct Input<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Hub> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, hub: &Hub) -> Result<Self, Problem> {
        if !is_json(&request) {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "json_expected", "JSON expected")
                .detail("Send the body as JSON with Content-Type: application/json."));
        }
        parse(&body(request, hub).await?).map(Self)
    }
}

/// The body of a request as it came, for handlers that look at its head first.
///
/// # Errors
/// 413 above the limit, 408 when it takes longer than 30 s, 400 `body_unreadable` when it breaks off.
pub async fn body(request: Request, hub: &Hub) -> Result<Bytes, Problem> {
    let mut body = pin!(request.extract::<Bytes, _>());
    let body = match body.as_mut().now_or_never() {
        Some(body) => body,
        None => tokio::select! {
            body = body => body,
            () = hub.world().clock().sleep(BODY) => return Err(too_slow()),
        },
    };
    body.map_err(body_problem)
}

fn too_slow() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "Body too slow")
        .detail("The request body did not arrive in time. Try again.")
}

fn is_json(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

fn body_problem(rejection: axum::extract::rejection::BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "Body too large")
            .detail("The request body is larger than this address accepts. Send less at a time.");
    }
    Problem::new(StatusCode::BAD_REQUEST, "body_unreadable", "Body unreadable")
        .detail("The request body broke off. Send it again.")
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if mentions_nul(body) {
        return Err(Problem::invalid(
            "invalid_text",
            "A text contains the character U+0000, which cannot be stored. Remove it.",
        ));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| json_problem(&error, body))?;
    deserializer.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

/// Whether the JSON text holds an escaped NUL (a bare one is no valid JSON): `\u0000` after an even number of backslashes.
fn mentions_nul(body: &[u8]) -> bool {
    let mut rest = body;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        if rest[at..].starts_with(b"\\u0000") {
            return true;
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    false
}

fn json_problem(error: &serde_path_to_error::Error<serde_json::Error>, body: &[u8]) -> Problem {
    let inner = error.inner();
    // A number where a name of a list belongs is reported as bad syntax, although the JSON is good.
    let is_json = inner.is_data() || serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    if !is_json {
        return malformed(inner);
    }
    let reason = if inner.is_data() { inner.to_string() } else { "another kind of value is expected".to_owned() };
    let field = error.path().to_string();
    if field == "." {
        return Problem::invalid("wrong_type", format!("The body is not what is expected here: {reason}."));
    }
    Problem::invalid_field(field.clone(), "wrong_type", format!("The field {field} cannot be read: {reason}."))
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed_json", "Malformed JSON")
        .detail(format!("The body is no valid JSON: {error}."))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Item {
        #[expect(dead_code, reason = "only its type matters")]
        size: u8,
    }

    #[derive(Debug, Deserialize)]
    struct Order {
        #[expect(dead_code, reason = "only its type matters")]
        items: Vec<Item>,
    }

    fn code(body: &str) -> &'static str {
        parse::<Order>(body.as_bytes()).expect_err("refused").code()
    }

    #[test]
    fn a_wrong_body_is_refused_with_its_reason() {
        assert!(parse::<Order>(br#"{"items":[{"size":1}]}"#).is_ok());
        assert_eq!(code("{"), "malformed_json");
        assert_eq!(code(r#"{"items":[]} x"#), "malformed_json");
        assert_eq!(code(r#"{"items":[{"size":"big"}]}"#), "wrong_type");
        assert_eq!(code(r#"{"items":[{"size":1}],"x":"a\u0000"}"#), "invalid_text");
        let problem = parse::<Order>(br#"{"items":[{"size":1},{"size":"big"}]}"#).expect_err("refused").render("r");
        assert_eq!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }

    #[test]
    fn an_escaped_backslash_before_u0000_is_plain_text() {
        assert!(mentions_nul(br#""\u0000""#) && mentions_nul(br#""\\\u0000""#));
        assert!(!mentions_nul(br#""\\u0000""#) && !mentions_nul(br#""\"#) && !mentions_nul(b""));
    }
}
