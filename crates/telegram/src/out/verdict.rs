//! What an answer to a send means, and what becomes of the delivery: pure decisions.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;

use crate::api::{self, CallError, Refusal};

/// Refusals by a host that serves others, after which a delivery is dead.
pub(crate) const MOST_REFUSALS: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause after an answer that says "not now".
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Longest pause when there was no connection: when the host is back, nobody should wait long.
const LONGEST_PAUSE_UNSENT: Duration = Duration::from_secs(30);

/// How a send ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Telegram has it, under this id.
    Sent { external_id: Option<String> },
    /// Too fast; nothing to do with this delivery.
    Limited { retry_after: Duration, error: String },
    /// The server says that it is in trouble, and so did not do it.
    HostInTrouble(String),
    /// Nothing was written.
    NotSent(String),
    /// Nobody can know.
    Unclear(String),
    /// No, now and later. `unreachable`: because nobody can write to that chat any more.
    Refused { error: String, unreachable: bool },
    /// The bot itself is not let in; nothing to do with this delivery.
    TokenRefused(String),
}

impl Verdict {
    /// Whether the host did its work, which closes its breaker.
    pub(crate) fn host_is_well(&self) -> bool {
        matches!(self, Self::Sent { .. } | Self::Limited { .. } | Self::Refused { .. } | Self::TokenRefused(_))
    }
}

#[derive(Deserialize)]
struct SentMessage {
    message_id: i64,
}

/// Reads the outcome of a call that sends a message.
pub(crate) fn judge(outcome: Result<Bytes, CallError>) -> Verdict {
    match outcome {
        Ok(body) => {
            // The envelope said ok, so Telegram has it, whatever the rest looks like.
            let message = api::read::<SentMessage>(&body).ok();
            Verdict::Sent { external_id: message.map(|it| it.message_id.to_string()) }
        }
        Err(CallError::NotSent(reason)) => Verdict::NotSent(reason),
        Err(CallError::Unclear(reason)) => Verdict::Unclear(reason),
        Err(CallError::Refused(refusal)) => refused(refusal),
    }
}

fn refused(refusal: Refusal) -> Verdict {
    let Refusal { code, description: error, retry_after } = refusal;
    match code {
        429 => Verdict::Limited { retry_after: retry_after.unwrap_or_default().max(Duration::from_secs(1)), error },
        500.. => Verdict::HostInTrouble(error),
        401 | 404 => Verdict::TokenRefused(error),
        403 => Verdict::Refused { error, unreachable: true },
        _ => {
            let unreachable = error.contains("chat not found") || error.contains("user not found");
            Verdict::Refused { error, unreachable }
        }
    }
}

/// The pause before attempt `tries + 1`: 1, 2, 4… seconds up to the limit, shortened by up to a quarter by `unit` in
/// `0.0..1.0`, so that what failed together does not come back together.
pub(crate) fn pause(tries: u32, was_sent: bool, unit: f64) -> Duration {
    let longest = if was_sent { LONGEST_PAUSE } else { LONGEST_PAUSE_UNSENT };
    let doubled = FIRST_PAUSE.saturating_mul(1 << tries.min(16));
    doubled.min(longest).mul_f64(1.0 - unit / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: u16, description: &str) -> Verdict {
        let refusal = Refusal { code, description: description.to_owned(), retry_after: None };
        judge(Err(CallError::Refused(refusal)))
    }

    #[test]
    fn a_good_answer_gives_the_id_and_is_sent_even_when_the_id_cannot_be_read() {
        let body = Bytes::from_static(br#"{"ok":true,"result":{"message_id":42,"chat":{}}}"#);
        assert_eq!(judge(Ok(body)), Verdict::Sent { external_id: Some("42".to_owned()) });
        assert_eq!(judge(Ok(Bytes::from_static(br#"{"ok":true,"result":true}"#))), Verdict::Sent { external_id: None });
    }

    #[test]
    fn only_a_failed_connect_counts_as_not_sent() {
        assert_eq!(judge(Err(CallError::NotSent("no".to_owned()))), Verdict::NotSent("no".to_owned()));
        assert_eq!(judge(Err(CallError::Unclear("cut".to_owned()))), Verdict::Unclear("cut".to_owned()));
    }

    #[test]
    fn refusals_are_for_good_or_for_now_or_about_the_bot() {
        let unreachable = |verdict| matches!(verdict, Verdict::Refused { unreachable: true, .. });
        assert!(unreachable(refusal(403, "Forbidden: bot was blocked by the user")));
        assert!(unreachable(refusal(400, "Bad Request: chat not found")));
        let too_long = refusal(400, "Bad Request: message is too long");
        assert!(matches!(too_long, Verdict::Refused { unreachable: false, .. }));
        for code in [500, 502, 503] {
            assert!(matches!(refusal(code, "trouble"), Verdict::HostInTrouble(_)), "{code}");
        }
        for code in [401, 404] {
            assert!(matches!(refusal(code, "Unauthorized"), Verdict::TokenRefused(_)), "{code}");
        }
        let limited = refusal(429, "Too Many Requests");
        assert!(matches!(limited, Verdict::Limited { retry_after, .. } if retry_after >= Duration::from_secs(1)));
    }

    #[test]
    fn pauses_double_up_to_their_limit_and_vary() {
        let seconds: Vec<_> = (0..11).map(|tries| pause(tries, true, 0.0).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(pause(30, false, 0.0), Duration::from_secs(30));
        assert_eq!(pause(2, true, 1.0), Duration::from_secs(3));
    }
}
