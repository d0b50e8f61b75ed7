//! Errors as RFC 9457 problems: a closed set of stable codes, each with a sentence that a person can act on.
//!
//! A handler returns a [`Problem`]; the edge (see [`crate::serve`]) adds the request id, renders the body and writes the
//! one log line. Whatever a 5xx has inside goes to that log line only, never to the client.

use std::{borrow::Cow, time::Duration};

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::{TextError, Verdict};
use serde::Serialize;
use utoipa::ToSchema;

/// What a handler of a JSON operation returns.
pub type Answer<T> = Result<Json<T>, Problem>;

/// The media type of every error body.
pub const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// One field that was refused.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldProblem {
    /// Path of the field in the body, such as `items[2].email`.
    pub field: String,
    /// Stable code.
    pub code: Cow<'static, str>,
    /// A sentence for a person.
    pub detail: String,
}

/// An error answer; see the module.
#[derive(Debug, Clone)]
pub struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    title: Cow<'static, str>,
    detail: Option<String>,
    errors: Vec<FieldProblem>,
    retry_after: Option<u64>,
    resource: Option<String>,
    internal: Option<String>,
}

/// The body as it is sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// A URI that names the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What sort of problem, the same for every occurrence.
    pub title: &'a str,
    /// The HTTP status.
    pub status: u16,
    /// Stable code to test for.
    pub code: &'a str,
    /// What happened here and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<&'a str>,
    /// Names this request in the server's log.
    pub request_id: &'a str,
    /// The object that the refusal is about, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<&'a str>,
    /// The fields that were refused.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub errors: &'a [FieldProblem],
}

impl Problem {
    /// A problem with this status, stable code and title.
    pub fn new(status: StatusCode, code: &'static str, title: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            title: title.into(),
            detail: None,
            errors: Vec::new(),
            retry_after: None,
            resource: None,
            internal: None,
        }))
    }

    /// Adds the sentence that says what happened and what to do.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds a field that was refused.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        self.0.errors.push(FieldProblem { field: field.into(), code: code.into(), detail: detail.into() });
        self
    }

    /// Tells the client when to try again, rounded up to whole seconds and at least one.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(whole_seconds(wait).max(1));
        self
    }

    /// Names the object that the refusal is about.
    #[must_use]
    pub fn resource(mut self, id: impl Into<String>) -> Self {
        self.0.resource = Some(id.into());
        self
    }

    /// What only the log may know.
    #[must_use]
    pub fn internal(mut self, cause: impl Into<String>) -> Self {
        self.0.internal = Some(cause.into());
        self
    }

    /// 404: it does not exist, or not for this principal.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found")
            .detail("There is nothing here, or it is not yours to see. Check the address, or ask for access.")
    }

    /// 403: the principal lacks the right.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed")
            .detail("Your role does not allow this. Ask an administrator of the workspace.")
    }

    /// 401: no principal could be established.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Not signed in")
            .detail("Sign in, or send a valid access token or API key.")
    }

    /// 409: the state of things forbids it now.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, "Conflict").detail(detail)
    }

    /// 422: understood, but not acceptable.
    pub fn invalid(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, "Not acceptable").detail(detail)
    }

    /// 422 for one field: the code stands on the problem and on the field.
    pub fn invalid_field(field: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::invalid(code, detail.clone()).field(field, code, detail)
    }

    /// 503: something that is needed does not answer now.
    pub fn unavailable(code: &'static str, detail: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, "Not available now").detail(detail).retry_after(retry_after)
    }

    /// 429 as the rate cell decided.
    #[must_use]
    pub fn rate_limited(verdict: Verdict) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "Too many requests")
            .detail("Too many requests. Wait for the time that Retry-After says.")
            .retry_after(verdict.retry_after)
    }

    /// 500: a defect. `cause` goes to the log only.
    pub fn bug(cause: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error")
            .detail("Something went wrong on the server. Give the request id to whoever runs it.")
            .internal(cause)
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What only the log may know.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.0.internal.as_deref()
    }

    /// The complete answer.
    pub(crate) fn render(&self, request_id: &str) -> Response {
        let inner = &*self.0;
        let body = ProblemBody {
            kind: format!("urn:switchboard:problem:{}", inner.code),
            title: &inner.title,
            status: inner.status.as_u16(),
            code: inner.code,
            detail: inner.detail.as_deref(),
            request_id,
            resource: inner.resource.as_deref(),
            errors: &inner.errors,
        };
        let body = serde_json::to_vec(&body).expect("a problem has only strings and numbers");
        let mut response = (inner.status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if inner.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = inner.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Rounded up, as header values want it.
pub(crate) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// Hands the problem to the edge, which renders it; the status is set for whoever looks at it on the way.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        use store::Error as E;
        let second = Duration::from_secs(1);
        match error {
            E::Busy => {
                Self::unavailable("busy", "The server has more work than it can queue. Try again shortly.", second)
            }
            E::StorageFull => Self::unavailable(
                "storage_full",
                "The server's disk is full. Whoever runs it has to make room.",
                Duration::from_secs(30),
            ),
            E::ReadOnly => Self::unavailable(
                "storage_read_only",
                "The server's database cannot be written to at the moment. Try again later, or tell whoever runs it.",
                Duration::from_secs(30),
            ),
            E::NotFound => Self::not_found(),
            E::Unavailable(cause) => Self::database_away().internal(cause),
            E::Closed => Self::database_away().internal("the database is closed"),
            other => Self::bug(other.to_string()),
        }
    }
}

impl Problem {
    fn database_away() -> Self {
        Self::unavailable(
            "unavailable",
            "The server's database does not answer at the moment. Try again shortly.",
            Duration::from_secs(1),
        )
    }
}

impl From<TextError> for Problem {
    fn from(error: TextError) -> Self {
        Self::invalid(error.code(), error.to_string())
    }
}
