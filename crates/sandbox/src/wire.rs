//! State as the Bot API writes it.

use crate::state::{Bot, BotInfo, Chat, Kind, Message, Person, Shared};
use crate::text::Entity;
use serde::Serialize;
use serde_json::{Value, json};

#[derive(Serialize)]
struct User<'a> {
    id: i64,
    is_bot: bool,
    first_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language_code: Option<&'a str>,
}

#[derive(Serialize)]
struct ChatView<'a> {
    id: i64,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
}

#[derive(Serialize)]
struct MessageView<'a> {
    message_id: i64,
    from: Value,
    chat: Value,
    date: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    edit_date: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to_message: Option<Value>,
    text: &'a str,
    #[serde(skip_serializing_if = "<[Entity]>::is_empty")]
    entities: &'a [Entity],
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_markup: Option<&'a Value>,
}

impl Person {
    /// First and last name: the first word, and the rest if there is one.
    fn names(&self) -> (&str, Option<&str>) {
        match self.name.split_once(' ') {
            Some((first, last)) => (first, Some(last.trim())),
            None => (&self.name, None),
        }
    }
}

fn plain(view: impl Serialize) -> Value {
    serde_json::to_value(view).expect("a view is plain data")
}

/// The bot as other answers mention it.
pub(crate) fn bot_user(info: &BotInfo) -> Value {
    plain(User {
        id: info.id,
        is_bot: true,
        first_name: &info.name,
        last_name: None,
        username: Some(&info.username),
        language_code: None,
    })
}

/// The bot as getMe tells it.
pub(crate) fn me(info: &BotInfo) -> Value {
    let mut me = bot_user(info);
    for (field, value) in [
        ("can_join_groups", true),
        ("can_read_all_group_messages", true),
        ("supports_inline_queries", false),
        ("can_connect_to_business", false),
        ("has_main_web_app", false),
    ] {
        me[field] = json!(value);
    }
    me
}

/// A person as `from`.
pub(crate) fn user(person: &Person) -> Value {
    let (first_name, last_name) = person.names();
    plain(User {
        id: person.id,
        is_bot: false,
        first_name,
        last_name,
        username: person.username.as_deref(),
        language_code: person.language.as_deref(),
    })
}

/// A chat as messages mention it.
pub(crate) fn chat(shared: &Shared, chat: &Chat) -> Value {
    let mut view =
        ChatView { id: chat.id, kind: "supergroup", title: None, first_name: None, last_name: None, username: None };
    match &chat.kind {
        Kind::Group { title, .. } => {
            view.title = Some(title);
            plain(view)
        }
        Kind::Private => {
            let person = shared.person(chat.id);
            view.kind = "private";
            if let Some(person) = &person {
                let (first, last) = person.names();
                view.first_name = Some(first);
                view.last_name = last;
                view.username = person.username.as_deref();
            }
            plain(view)
        }
    }
}

/// A message with the one it replies to, one level deep, as Telegram does.
pub(crate) fn message(shared: &Shared, bot: &Bot, chat: &Chat, message: &Message) -> Value {
    let replied = message.reply_to.and_then(|id| chat.message(id));
    let replied = replied.map(|m| {
        let without = Message { reply_to: None, ..m.clone() };
        self::message(shared, bot, chat, &without)
    });
    let from = if message.from == bot.info.id {
        bot_user(&bot.info)
    } else {
        shared.person(message.from).map_or(Value::Null, |person| user(&person))
    };
    plain(MessageView {
        message_id: message.id,
        from,
        chat: self::chat(shared, chat),
        date: message.date,
        edit_date: message.edited,
        reply_to_message: replied,
        text: &message.text,
        entities: &message.entities,
        reply_markup: message.markup.as_ref(),
    })
}

/// A bot's membership as `my_chat_member` and getChatMember tell it.
pub(crate) fn member(user: Value, status: &str) -> Value {
    let mut member = json!({ "user": user, "status": status });
    match status {
        "kicked" => member["until_date"] = json!(0),
        "creator" => member["is_anonymous"] = json!(false),
        "administrator" => {
            for right in ADMIN_RIGHTS {
                member[*right] = json!(true);
            }
            for right in ["can_be_edited", "is_anonymous"] {
                member[right] = json!(false);
            }
        }
        _ => {}
    }
    member
}

const ADMIN_RIGHTS: &[&str] = &[
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
    "can_pin_messages",
    "can_manage_topics",
];
