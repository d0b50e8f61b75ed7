//! The client of the Bot API: one call, one outcome. The token is part of the address, so no address is ever logged.

use std::time::Duration;

use bytes::Bytes;
use model::Secret;
use net::{Http, Outcome, Request};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Updates that we ask for; Telegram sends no others.
pub(crate) const ALLOWED_UPDATES: [&str; 3] = ["message", "edited_message", "my_chat_member"];
/// When a 429 comes without its time.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(5);

/// One bot at one Bot API server.
#[derive(Clone)]
pub(crate) struct BotApi {
    http: Http,
    base: String,
    token: Secret,
}

/// Why a call gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CallError {
    /// Nothing was written.
    NotSent(String),
    /// It may have been carried out.
    Unclear(String),
    /// The server said no.
    Refused(Refusal),
}

/// Telegram's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// As HTTP statuses.
    pub(crate) code: u16,
    /// A sentence in English.
    pub(crate) description: String,
    /// With a 429: how long to wait.
    pub(crate) retry_after: Option<Duration>,
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotSent(reason) | Self::Unclear(reason) => f.write_str(reason),
            Self::Refused(refusal) => f.write_str(&refusal.description),
        }
    }
}

impl CallError {
    /// Telegram does not know the token: it was revoked, or it is not one (a malformed one gets a 404).
    pub(crate) fn is_about_token(&self) -> bool {
        matches!(self, Self::Refused(Refusal { code: 401 | 404, .. }))
    }
}

/// What getMe tells.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Me {
    pub(crate) id: i64,
    pub(crate) first_name: String,
    #[serde(default)]
    pub(crate) username: String,
}

/// What getWebhookInfo tells.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct WebhookInfo {
    #[serde(default)]
    pub(crate) url: String,
}

/// An answer of the Bot API, whole or in error.
#[derive(Deserialize)]
struct Envelope<'a> {
    ok: bool,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error_code: Option<u16>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    #[serde(default)]
    retry_after: Option<u64>,
}

impl BotApi {
    pub(crate) fn new(http: Http, base: &str, token: Secret) -> Self {
        Self { http, base: base.trim_end_matches('/').to_owned(), token }
    }

    /// Calls a method and reads its result.
    pub(crate) async fn call<T: serde::de::DeserializeOwned>(
        &self,
        method: &str,
        parameters: &impl Serialize,
        timeout: Option<Duration>,
    ) -> Result<T, CallError> {
        let body = self.call_raw(method, parameters, timeout).await?;
        read(&body)
    }

    /// Calls a method and gives the body of a good answer, for results that are read by the caller.
    pub(crate) async fn call_raw(
        &self,
        method: &str,
        parameters: &impl Serialize,
        timeout: Option<Duration>,
    ) -> Result<Bytes, CallError> {
        let url = format!("{}/bot{}/{method}", self.base, self.token.expose());
        let body = serde_json::to_vec(parameters).map_err(|error| CallError::NotSent(error.to_string()))?;
        let request = Request::post_json(&url, body);
        let request = match timeout {
            Some(timeout) => request.timeout(timeout),
            None => request,
        };
        match self.http.send(request).await {
            Outcome::Answer(answer) => judge(answer.status, answer.body),
            Outcome::NotSent(reason) | Outcome::Refused(reason) => Err(CallError::NotSent(reason.to_string())),
            Outcome::Unclear(reason) => Err(CallError::Unclear(reason.to_string())),
        }
    }

    pub(crate) async fn get_me(&self) -> Result<Me, CallError> {
        self.call("getMe", &Empty {}, None).await
    }

    pub(crate) async fn webhook_info(&self) -> Result<WebhookInfo, CallError> {
        self.call("getWebhookInfo", &Empty {}, None).await
    }

    /// Removes the webhook; waiting updates stay.
    pub(crate) async fn delete_webhook(&self) -> Result<bool, CallError> {
        self.call("deleteWebhook", &Empty {}, None).await
    }
}

#[derive(Serialize)]
struct Empty {}

/// Sorts an HTTP answer into result and refusal. A proxy's error page is a refusal with the page's status.
fn judge(status: u16, body: Bytes) -> Result<Bytes, CallError> {
    match serde_json::from_slice::<Envelope<'_>>(&body) {
        Ok(envelope) if envelope.ok => Ok(body),
        Ok(envelope) => {
            let code = envelope.error_code.unwrap_or(status);
            let description = envelope.description.unwrap_or_else(|| format!("HTTP {status}"));
            let seconds = envelope.parameters.and_then(|it| it.retry_after).map(Duration::from_secs);
            let retry_after = (code == 429).then(|| seconds.unwrap_or(DEFAULT_RETRY_AFTER));
            Err(CallError::Refused(Refusal { code, description, retry_after }))
        }
        Err(_) if (200..300).contains(&status) => {
            Err(CallError::Unclear("the answer could not be understood".to_owned()))
        }
        Err(_) => {
            let retry_after = (status == 429).then_some(DEFAULT_RETRY_AFTER);
            Err(CallError::Refused(Refusal { code: status, description: format!("HTTP {status}"), retry_after }))
        }
    }
}

/// The `result` of a good answer.
pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, CallError> {
    let unclear = |_| CallError::Unclear("the answer could not be understood".to_owned());
    let envelope: Envelope<'a> = serde_json::from_slice(body).map_err(unclear)?;
    serde_json::from_str(envelope.result.map_or("null", RawValue::get)).map_err(unclear)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> Refusal {
        match judge(status, Bytes::copy_from_slice(body.as_bytes())) {
            Err(CallError::Refused(refusal)) => refusal,
            other => panic!("{body} should be a refusal: {other:?}"),
        }
    }

    #[test]
    fn telegrams_own_words_and_times_are_read() {
        let body = r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 7","parameters":{"retry_after":7}}"#;
        let said = refusal(429, body);
        assert_eq!((said.code, said.retry_after), (429, Some(Duration::from_secs(7))));
        let said =
            refusal(403, r#"{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}"#);
        assert_eq!(said.description, "Forbidden: bot was blocked by the user");
        assert_eq!(said.retry_after, None);
    }

    #[test]
    fn a_page_of_a_proxy_is_a_refusal_with_its_status() {
        assert_eq!(refusal(502, "<html>Bad Gateway</html>").code, 502);
        assert_eq!(refusal(429, "slow down").retry_after, Some(DEFAULT_RETRY_AFTER));
    }

    #[test]
    fn a_good_status_with_a_strange_body_is_unclear() {
        for body in ["", "[]", "<html>", r#"{"ok":"yes"}"#] {
            let judged = judge(200, Bytes::copy_from_slice(body.as_bytes()));
            assert!(matches!(judged, Err(CallError::Unclear(_))), "{body}");
        }
        assert!(matches!(read::<Me>(br#"{"ok":true,"result":{"id":"x"}}"#), Err(CallError::Unclear(_))));
    }
}
