//! The parameters of a Bot API call: query, JSON, form and multipart all become one map.

use axum::body::Body;
use axum::http::{Request, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// More than any text call needs; files are not taken.
const BODY_LIMIT: usize = 1 << 20;

/// What a caller sent, by name.
#[derive(Default)]
pub(crate) struct Params(pub(crate) Map<String, Value>);

/// Why the parameters could not be read.
pub(crate) enum Unreadable {
    TooLarge,
    Malformed(&'static str),
}

impl Params {
    /// Reads them from the address and the body.
    pub(crate) async fn read(request: Request<Body>) -> Result<Self, Unreadable> {
        let (head, body) = request.into_parts();
        let mut params = Self::default();
        params.add_form(head.uri.query().unwrap_or_default().as_bytes());
        let body = Limited::new(body, BODY_LIMIT).collect().await;
        let body = body.map_err(|_| Unreadable::TooLarge)?.to_bytes();
        if body.is_empty() {
            return Ok(params);
        }
        let kind = head.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        params.add_body(kind, &body)?;
        Ok(params)
    }

    fn add_body(&mut self, kind: &str, body: &Bytes) -> Result<(), Unreadable> {
        let lower = kind.to_ascii_lowercase();
        if lower.starts_with("application/json") {
            let parsed: Map<String, Value> =
                serde_json::from_slice(body).map_err(|_| Unreadable::Malformed("can't parse JSON object"))?;
            self.0.extend(parsed);
        } else if lower.starts_with("multipart/form-data") {
            let boundary = boundary(kind).ok_or(Unreadable::Malformed("boundary not found"))?;
            self.add_multipart(boundary.as_bytes(), body)?;
        } else {
            self.add_form(body);
        }
        Ok(())
    }

    fn add_form(&mut self, form: &[u8]) {
        for (name, value) in form_urlencoded::parse(form) {
            self.0.insert(name.into_owned(), Value::String(value.into_owned()));
        }
    }

    /// Takes the text fields of a multipart body; a part with a file name is passed over.
    fn add_multipart(&mut self, boundary: &[u8], body: &[u8]) -> Result<(), Unreadable> {
        let fence = [b"--", boundary].concat();
        let mut parts = split(body, &fence).into_iter().skip(1).peekable();
        if parts.peek().is_none() {
            return Err(Unreadable::Malformed("can't parse multipart body"));
        }
        for part in parts.take_while(|part| !part.starts_with(b"--")) {
            let Some((head, content)) = split_once(part, b"\r\n\r\n") else {
                return Err(Unreadable::Malformed("can't parse multipart body"));
            };
            let head = String::from_utf8_lossy(head);
            let content = content.strip_suffix(b"\r\n").unwrap_or(content);
            let name = disposition(&head, "name");
            if let (Some(name), None) = (name, disposition(&head, "filename")) {
                let text = String::from_utf8_lossy(content).into_owned();
                self.0.insert(name, Value::String(text));
            }
        }
        Ok(())
    }

    /// A text; numbers are taken as written.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A whole number, also when written as text.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        match self.0.get(name)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A yes or no; a form writes it as text.
    pub(crate) fn flag(&self, name: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => matches!(text.to_ascii_lowercase().as_str(), "true" | "1"),
            Some(Value::Number(number)) => number.as_i64() == Some(1),
            _ => false,
        }
    }

    /// A structure: as JSON, or in a form as text that holds JSON. `None` when absent, null or empty.
    pub(crate) fn json<T: DeserializeOwned>(&self, name: &str) -> Option<Result<T, ()>> {
        let value = match self.0.get(name)? {
            Value::Null => return None,
            Value::String(text) if text.trim().is_empty() => return None,
            Value::String(text) => serde_json::from_str(text),
            value => T::deserialize(value),
        };
        Some(value.map_err(|_| ()))
    }
}

fn boundary(kind: &str) -> Option<String> {
    let at = kind.to_ascii_lowercase().find("boundary=")?;
    let value = kind.get(at + "boundary=".len()..)?;
    let value = match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => value.split(';').next()?.trim(),
    };
    Some(value.to_owned()).filter(|v| !v.is_empty())
}

/// `name="value"` or `name=value` from a Content-Disposition header among a part's headers.
fn disposition(head: &str, wanted: &str) -> Option<String> {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
    line.split(';').skip(1).find_map(|attribute| {
        let (name, value) = attribute.split_once('=')?;
        (name.trim() == wanted).then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn split_once<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let place = find(bytes, at)?;
    Some((&bytes[..place], &bytes[place + at.len()..]))
}

fn split<'a>(mut bytes: &'a [u8], at: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some((part, rest)) = split_once(bytes, at) {
        parts.push(part);
        bytes = rest;
    }
    parts.push(bytes);
    parts
}
