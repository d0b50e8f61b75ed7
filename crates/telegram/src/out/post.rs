//! A delivery's payload as a call of the Bot API.

use std::{borrow::Cow, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::verdict::{Verdict, judge};
use crate::api::BotApi;

/// What other features put into a delivery; they do not know the Bot API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Payload {
    /// A text to a chat.
    Text {
        /// Telegram's id of the chat.
        to: String,
        /// Plain text.
        text: String,
    },
}

impl Payload {
    /// Reads a payload; `None` when a newer version wrote a kind that this one does not know.
    pub(crate) fn read(json: &RawValue) -> Option<Self> {
        serde_json::from_str(json.get()).ok()
    }

    /// The chat it goes to.
    pub(crate) fn to(&self) -> &str {
        match self {
            Self::Text { to, .. } => to,
        }
    }

    /// What a person may read of it.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text { text, .. } => text,
        }
    }
}

#[derive(Serialize)]
struct SendMessage<'a> {
    chat_id: ChatId<'a>,
    text: &'a str,
}

/// Telegram wants its own ids as numbers; names of channels are text.
#[derive(Serialize)]
#[serde(untagged)]
enum ChatId<'a> {
    Number(i64),
    Name(Cow<'a, str>),
}

/// Sends it once.
pub(crate) async fn post(api: BotApi, payload: Payload, timeout: Duration) -> Verdict {
    match payload {
        Payload::Text { to, text } => {
            let chat_id = to.parse().map_or_else(|_| ChatId::Name(Cow::Borrowed(&to)), ChatId::Number);
            let parameters = SendMessage { chat_id, text: &text };
            judge(api.call_raw("sendMessage", &parameters, Some(timeout)).await)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).expect("JSON")
    }

    #[test]
    fn a_text_is_read_and_a_kind_of_the_future_is_told_from_it() {
        let payload = Payload::read(&raw(r#"{"kind":"text","to":"77","text":"hi"}"#)).expect("a text");
        assert_eq!((payload.to(), payload.text()), ("77", "hi"));
        assert_eq!(Payload::read(&raw(r#"{"kind":"hologram","to":"77"}"#)), None);
    }
}
