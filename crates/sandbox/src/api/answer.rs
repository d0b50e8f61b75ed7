//! Answers and errors, worded as the Bot API words them.

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use serde_json::{Value, json};

/// The result of a method that went well.
pub(crate) struct Reply {
    pub(crate) result: Value,
    /// The message it made or changed, for the journal.
    pub(crate) message_id: Option<i64>,
    /// The updates it handed out, for the journal.
    pub(crate) updates: Vec<i64>,
    pub(crate) description: Option<&'static str>,
}

impl Reply {
    pub(crate) fn new(result: Value) -> Self {
        Self { result, message_id: None, updates: Vec::new(), description: None }
    }

    /// `true`.
    pub(crate) fn yes() -> Self {
        Self::new(Value::Bool(true))
    }

    pub(crate) fn about(mut self, message_id: i64) -> Self {
        self.message_id = Some(message_id);
        self
    }

    pub(crate) fn saying(mut self, description: &'static str) -> Self {
        self.description = Some(description);
        self
    }

    pub(crate) fn response(self) -> Response<Body> {
        let mut body = json!({ "ok": true, "result": self.result });
        if let Some(description) = self.description {
            body["description"] = json!(description);
        }
        respond(200, &body)
    }
}

/// What the journal is to say of a result.
#[derive(Default)]
pub(crate) struct Noted {
    pub(crate) outcome: String,
    pub(crate) message_id: Option<i64>,
    pub(crate) updates: Vec<i64>,
    pub(crate) breach: bool,
}

impl Noted {
    /// An outcome without effect.
    pub(crate) fn only(outcome: &str) -> Self {
        Self { outcome: outcome.to_owned(), ..Self::default() }
    }

    pub(crate) fn of(result: &Result<Reply, ApiError>) -> Self {
        match result {
            Ok(reply) => Self { message_id: reply.message_id, updates: reply.updates.clone(), ..Self::only("ok") },
            Err(error) => Self { breach: error.breach, ..Self::only(&format!("error {}", error.code)) },
        }
    }

    /// The same effect under another outcome.
    pub(crate) fn but(mut self, outcome: &str) -> Self {
        outcome.clone_into(&mut self.outcome);
        self
    }
}

/// A refusal.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) code: u16,
    description: String,
    retry_after: Option<u32>,
    /// A send limit was broken.
    pub(crate) breach: bool,
    /// Telegram went down while the call waited: the connection is cut.
    pub(crate) cut: bool,
}

impl ApiError {
    fn new(code: u16, description: impl Into<String>) -> Self {
        Self { code, description: description.into(), retry_after: None, breach: false, cut: false }
    }

    /// `Bad Request: …`
    pub(crate) fn bad_request(why: &str) -> Self {
        Self::new(400, format!("Bad Request: {why}"))
    }

    /// `Forbidden: …`
    pub(crate) fn forbidden(why: &str) -> Self {
        Self::new(403, format!("Forbidden: {why}"))
    }

    /// `Conflict: …`
    pub(crate) fn conflict(why: &str) -> Self {
        Self::new(409, format!("Conflict: {why}"))
    }

    pub(crate) fn blocked() -> Self {
        Self::forbidden("bot was blocked by the user")
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized")
    }

    pub(crate) fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    pub(crate) fn internal() -> Self {
        Self::new(500, "Internal Server Error")
    }

    pub(crate) fn too_large() -> Self {
        Self::new(413, "Request Entity Too Large")
    }

    pub(crate) fn too_many(retry_after: u32) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(429, format!("Too Many Requests: retry after {retry_after}"))
        }
    }

    /// A 429 that the caller earned.
    pub(crate) fn limit(retry_after: u32) -> Self {
        Self { breach: true, ..Self::too_many(retry_after) }
    }

    /// No answer at all.
    pub(crate) fn down() -> Self {
        Self { cut: true, ..Self::internal() }
    }

    pub(crate) fn response(self) -> Response<Body> {
        let mut body = json!({
            "ok": false,
            "error_code": self.code,
            "description": self.description,
        });
        if let Some(seconds) = self.retry_after {
            body["parameters"] = json!({ "retry_after": seconds });
        }
        let mut response = respond(self.code, &body);
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

fn respond(code: u16, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(code).expect("our codes are HTTP's");
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}
