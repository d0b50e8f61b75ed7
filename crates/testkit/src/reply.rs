//! An answer of the server.

use hyper::{HeaderMap, StatusCode};
use serde_json::Value;

/// Status, headers and body of an answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// What was asked, for messages of failed tests.
    pub asked: String,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
    /// The body as JSON; null when it is none.
    pub json: Value,
}

impl Reply {
    /// The same reply, if it has this status.
    ///
    /// # Panics
    /// When it has another one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{} answered {}", self.asked, self.text);
        self
    }

    /// The same reply, if it is a well-formed problem with this status and code, whose detail is a sentence.
    ///
    /// # Panics
    /// When it is something else.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        let reply = self.expect(status);
        assert_eq!(reply.json["code"], code, "{} answered {}", reply.asked, reply.text);
        assert_eq!(reply.header("content-type"), "application/problem+json");
        assert_eq!(reply.json["status"], status);
        assert_eq!(reply.json["request_id"], reply.header("x-request-id"));
        assert!(reply.json["title"].is_string() && reply.json["type"].is_string());
        let detail = reply.json["detail"].as_str().unwrap_or_default();
        let is_sentence = detail.ends_with('.') && !detail.starts_with(char::is_lowercase);
        assert!(is_sentence, "{} answered with no sentence: {detail:?}", reply.asked);
        let waits = reply.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0);
        assert!(waits || ![429, 503].contains(&status), "{} does not say when to come again", reply.asked);
        reply
    }

    /// A header's value; empty when it is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// A text in the JSON body, by JSON pointer.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    #[must_use]
    pub fn str(&self, pointer: &str) -> &str {
        match self.json.pointer(pointer).and_then(Value::as_str) {
            Some(text) => text,
            None => panic!("{} has no text at {pointer}: {}", self.asked, self.text),
        }
    }

    /// `items` of a list.
    ///
    /// # Panics
    /// When there are none.
    #[track_caller]
    #[must_use]
    pub fn items(&self) -> &[Value] {
        match self.json["items"].as_array() {
            Some(items) => items,
            None => panic!("{} is no list: {}", self.asked, self.text),
        }
    }

    /// The value of a cookie that the answer sets.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        let set = self.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
        let pair = set.filter_map(|value| value.split(';').next()?.split_once('=')).find(|(found, _)| *found == name);
        pair.map(|(_, value)| value.to_owned())
    }
}
