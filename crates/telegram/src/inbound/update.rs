//! Reading updates: own lenient types over only the fields that are used. An update of a kind, or of a shape, that is not
//! known becomes [`Kind::Other`] with the reason, never an error of the whole batch, and never a panic.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use model::Timestamp;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

/// One update, and its JSON as it came.
#[derive(Debug, Clone)]
pub(crate) struct Update {
    /// Telegram's number of it.
    pub(crate) id: i64,
    /// What it says.
    pub(crate) kind: Kind,
    /// As it came.
    pub(crate) json: Arc<str>,
}

/// What an update says, as far as it is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A person wrote to the bot in private.
    Message(Incoming),
    /// A person changed what he wrote.
    Edited(Incoming),
    /// A person blocked the bot or let it in again.
    Reachable {
        /// Telegram's id of the person.
        contact: String,
        /// Whether the bot may write to him.
        reachable: bool,
    },
    /// Anything else. It is kept as it came; a `shown` message tells the operator that something came.
    Other {
        /// Why it is not understood.
        reason: Cow<'static, str>,
        /// What to show in the chat for it.
        shown: Option<Incoming>,
    },
}

/// A message of a private chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Incoming {
    pub(crate) chat: String,
    pub(crate) message: String,
    pub(crate) text: String,
    pub(crate) from: Sender,
    /// When it was changed last, if it was.
    pub(crate) edited_at: Option<Timestamp>,
}

/// Who wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sender {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) username: Option<String>,
    pub(crate) language: Option<String>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    update_id: i64,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    edited_message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    my_chat_member: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message {
    message_id: i64,
    #[serde(default)]
    edit_date: Option<i64>,
    chat: Chat,
    #[serde(default)]
    from: Option<Person>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    caption: Option<String>,
}

#[derive(Deserialize)]
struct Chat {
    id: i64,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    first_name: Option<String>,
    #[serde(default)]
    last_name: Option<String>,
    #[serde(default)]
    username: Option<String>,
}

#[derive(Deserialize)]
struct Person {
    id: i64,
    #[serde(default)]
    first_name: Option<String>,
    #[serde(default)]
    last_name: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    language_code: Option<String>,
}

#[derive(Deserialize)]
struct Membership {
    chat: Chat,
    new_chat_member: Member,
}

#[derive(Deserialize)]
struct Member {
    status: String,
}

/// What a message without text may carry, in the order in which it is named: an animation also carries its document.
const CONTENTS: [&str; 19] = [
    "photo",
    "video",
    "voice",
    "video_note",
    "audio",
    "animation",
    "sticker",
    "document",
    "location",
    "venue",
    "contact",
    "poll",
    "dice",
    "game",
    "story",
    "invoice",
    "paid_media",
    "giveaway",
    "checklist",
];

/// Reads one update. `None` when it has no readable `update_id`: then nothing can be said about it.
pub(crate) fn parse(json: &str) -> Option<Update> {
    let envelope: Envelope<'_> = object(json).ok()?;
    let kind = match (envelope.message, envelope.edited_message, envelope.my_chat_member) {
        (Some(message), _, _) => message_of(message.get(), false),
        (_, Some(message), _) => message_of(message.get(), true),
        (_, _, Some(membership)) => membership_of(membership.get()),
        _ => Kind::Other { reason: "a kind of update that is not known".into(), shown: None },
    };
    Some(Update { id: envelope.update_id, kind, json: json.into() })
}

/// Reads an object. Derived readers would take a list as well, field by field.
fn object<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, serde_json::Error> {
    if json.trim_start().starts_with('{') {
        serde_json::from_str(json)
    } else {
        Err(serde::de::Error::custom("not an object"))
    }
}

fn unreadable(error: &serde_json::Error) -> Kind {
    Kind::Other { reason: format!("unreadable: {error}").into(), shown: None }
}

fn message_of(json: &str, edited: bool) -> Kind {
    let message: Message = match object(json) {
        Ok(message) => message,
        Err(error) => return unreadable(&error),
    };
    if message.chat.kind != "private" {
        return Kind::Other { reason: format!("a message in a {} chat", message.chat.kind).into(), shown: None };
    }
    let edited_at = message.edit_date.map(|seconds| Timestamp::from_micros(seconds.saturating_mul(1_000_000)));
    let understood = message.text.is_some();
    let text = match &message.text {
        Some(text) => text.clone(),
        None => stand_in(json, message.caption.as_deref()),
    };
    let incoming = Incoming {
        chat: message.chat.id.to_string(),
        message: message.message_id.to_string(),
        text,
        from: sender(message.from, &message.chat),
        edited_at,
    };
    match (understood, edited) {
        (true, false) => Kind::Message(incoming),
        (true, true) => Kind::Edited(incoming),
        (false, _) => Kind::Other { reason: "a message that is not text".into(), shown: Some(incoming) },
    }
}

/// `[photo]` and the caption: tells the operator that something came, in no language of its own.
fn stand_in(json: &str, caption: Option<&str>) -> String {
    let keys: HashMap<Cow<'_, str>, IgnoredAny> = serde_json::from_str(json).unwrap_or_default();
    let content = CONTENTS.iter().find(|it| keys.contains_key(**it)).unwrap_or(&"message");
    match caption {
        Some(caption) => format!("[{content}] {caption}"),
        None => format!("[{content}]"),
    }
}

/// In a private chat the chat is the person, should the sender be missing.
fn sender(from: Option<Person>, chat: &Chat) -> Sender {
    let from = from.unwrap_or_else(|| Person {
        id: chat.id,
        first_name: chat.first_name.clone(),
        last_name: chat.last_name.clone(),
        username: chat.username.clone(),
        language_code: None,
    });
    let names = [from.first_name.unwrap_or_default(), from.last_name.unwrap_or_default()];
    let name = names.join(" ").trim().to_owned();
    Sender { id: from.id.to_string(), name, username: from.username, language: from.language_code }
}

fn membership_of(json: &str) -> Kind {
    let membership: Membership = match object(json) {
        Ok(membership) => membership,
        Err(error) => return unreadable(&error),
    };
    let reachable = match membership.new_chat_member.status.as_str() {
        _ if membership.chat.kind != "private" => None,
        "kicked" => Some(false),
        "member" => Some(true),
        _ => None,
    };
    match reachable {
        Some(reachable) => Kind::Reachable { contact: membership.chat.id.to_string(), reachable },
        None => Kind::Other { reason: "a change of membership outside a private chat".into(), shown: None },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn kind(update: &Value) -> Kind {
        parse(&update.to_string()).expect("it has an id").kind
    }

    fn message(extra: Value) -> Value {
        let mut message = json!({
            "message_id": 5, "date": 1_700_000_000,
            "chat": {"id": 77, "type": "private", "first_name": "Ada"},
            "from": {"id": 77, "is_bot": false, "first_name": "Ada", "last_name": "Lovelace", "username": "ada", "language_code": "en"},
        });
        let (Value::Object(all), Value::Object(extra)) = (&mut message, extra) else { panic!("objects") };
        all.extend(extra);
        message
    }

    fn ada(text: &str) -> Incoming {
        let from = Sender {
            id: "77".to_owned(),
            name: "Ada Lovelace".to_owned(),
            username: Some("ada".to_owned()),
            language: Some("en".to_owned()),
        };
        Incoming { chat: "77".to_owned(), message: "5".to_owned(), text: text.to_owned(), from, edited_at: None }
    }

    #[test]
    fn a_private_text_is_a_message_and_its_edit_carries_its_time() {
        let text = json!({"update_id": 1, "message": message(json!({"text": "hi \u{1f600}"}))});
        assert_eq!(kind(&text), Kind::Message(ada("hi \u{1f600}")));
        let edit =
            json!({"update_id": 2, "edited_message": message(json!({"text": "hi", "edit_date": 1_700_000_001}))});
        let edited_at = Some(Timestamp::from_micros(1_700_000_001_000_000));
        assert_eq!(kind(&edit), Kind::Edited(Incoming { edited_at, ..ada("hi") }));
    }

    #[test]
    fn what_is_not_text_is_shown_as_what_it_is_with_its_caption() {
        let cases = [
            (json!({"photo": [], "caption": "look"}), "[photo] look"),
            (json!({"animation": {}, "document": {}}), "[animation]"),
            (json!({"voice": {"duration": 3}}), "[voice]"),
            (json!({"something_new": true}), "[message]"),
        ];
        for (extra, expected) in cases {
            let Kind::Other { shown: Some(shown), .. } = kind(&json!({"update_id": 1, "message": message(extra)}))
            else {
                panic!("{expected} should be shown");
            };
            assert_eq!(shown, ada(expected));
        }
    }

    #[test]
    fn blocking_and_unblocking_change_who_can_be_reached() {
        for (status, reachable) in [("kicked", false), ("member", true)] {
            let update = json!({"update_id": 1, "my_chat_member": {
                "chat": {"id": 77, "type": "private"}, "new_chat_member": {"status": status}}});
            assert_eq!(kind(&update), Kind::Reachable { contact: "77".to_owned(), reachable });
        }
    }

    #[test]
    fn what_is_not_known_or_broken_is_kept_with_a_reason_and_shown_nowhere() {
        let cases = [
            json!({"update_id": 1}),
            json!({"update_id": 1, "poll": {"id": "9"}}),
            json!({"update_id": 1, "message": null}),
            json!({"update_id": 1, "message": 7}),
            json!({"update_id": 1, "message": {"message_id": 1.5}}),
            json!({"update_id": 1, "message": {"message_id": 1, "chat": {"id": -5, "type": "supergroup"}, "text": "hi"}}),
            json!({"update_id": 1, "my_chat_member": {"chat": {"id": -5, "type": "group"}, "new_chat_member": {"status": "kicked"}}}),
        ];
        for update in cases {
            assert!(matches!(kind(&update), Kind::Other { shown: None, .. }), "{update}");
        }
    }

    #[test]
    fn a_message_without_sender_comes_from_its_chat() {
        let update = json!({"update_id": 1, "message": {
            "message_id": 5, "chat": {"id": 77, "type": "private", "first_name": "Ada"}, "text": "hi"}});
        let Kind::Message(incoming) = kind(&update) else { panic!("a text") };
        assert_eq!((incoming.from.id.as_str(), incoming.from.name.as_str()), ("77", "Ada"));
    }

    #[test]
    fn without_a_number_it_is_no_update() {
        for text in ["", "{}", "[]", "[1, 2]", "null", "{\"update_id\":\"1\"}", "{\"update_id\":1", "\u{0}"] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let names = prop::sample::select(vec![
            "update_id",
            "message",
            "edited_message",
            "my_chat_member",
            "message_id",
            "chat",
            "id",
            "type",
            "from",
            "text",
            "caption",
            "edit_date",
            "new_chat_member",
            "status",
            "photo",
            "first_name",
            "private",
        ]);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            names.clone().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 8, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((names.clone(), inner), 0..8)
                    .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_json_panics_and_an_update_with_a_number_is_never_dropped(value in any_json(), id in any::<i64>()) {
            parse(&value.to_string());
            let Value::Object(mut fields) = value else { return Ok(()) };
            fields.insert("update_id".to_owned(), id.into());
            let update = parse(&Value::Object(fields).to_string());
            prop_assert_eq!(update.map(|update| update.id), Some(id));
        }

        #[test]
        fn no_text_panics(text in ".{0,200}") {
            parse(&text);
        }
    }
}
