//! The scripted world: what people do, and what goes wrong. Each operation is a method of [`Sandbox`] and a route
//! under `/control` that calls it.

mod block;
mod bots;
mod edits;
mod faults;
mod groups;
mod journal;
mod messages;
mod people;
mod press;
mod stream;

pub use groups::GroupInfo;
pub use messages::Said;

use crate::state::{Bot, Person};
use crate::{Sandbox, play};
use axum::Json;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// Why the scripted world cannot do what was asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// No bot has this id or username.
    #[error("there is no such bot")]
    UnknownBot,
    /// No person has this id.
    #[error("there is no such person")]
    UnknownPerson,
    /// The bot has no such chat.
    #[error("there is no such chat")]
    UnknownChat,
    /// The chat has no such message, or it is not this person's.
    #[error("there is no such message of this person")]
    UnknownMessage,
    /// The person is not in the group.
    #[error("this person is not a member of the chat")]
    NotAMember,
    /// The person has blocked the bot and must unblock it first.
    #[error("this person has blocked the bot; unblock it first")]
    Blocked,
    /// A name or text is empty.
    #[error("a name, title or text must not be empty")]
    Empty,
    /// A text has more than 4096 characters.
    #[error("a text has at most 4096 characters")]
    TooLong,
    /// Another bot has the username.
    #[error("another bot has this username")]
    UsernameTaken,
    /// A username is 5 to 32 letters, digits or `_`; a bot's ends in `bot`.
    #[error("a username is 5 to 32 letters, digits or underscores, and a bot's ends in \"bot\"")]
    BadUsername,
    /// A webhook address was refused.
    #[error("the webhook must be an http:// address")]
    BadWebhook,
    /// The system gave no randomness for a secret.
    #[error("the system gives no randomness")]
    NoRandomness,
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::UnknownBot | Self::UnknownPerson | Self::UnknownChat | Self::UnknownMessage => StatusCode::NOT_FOUND,
            Self::Blocked | Self::UsernameTaken | Self::NotAMember => StatusCode::CONFLICT,
            Self::Empty | Self::TooLong | Self::BadUsername | Self::BadWebhook => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NoRandomness => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

/// A bot as the control API names it: by id or by username.
#[derive(Deserialize)]
#[serde(untagged)]
enum BotRef {
    Id(i64),
    Name(String),
}

impl BotRef {
    /// Reads it from an address, where everything is text.
    fn from_text(text: &str) -> Self {
        match text.parse() {
            Ok(id) => Self::Id(id),
            Err(_) => Self::Name(text.to_owned()),
        }
    }
}

impl Sandbox {
    fn find_bot(&self, id: i64) -> Result<Arc<Bot>, ControlError> {
        self.0.bot(id).ok_or(ControlError::UnknownBot)
    }

    fn find_person(&self, id: i64) -> Result<Arc<Person>, ControlError> {
        self.0.person(id).ok_or(ControlError::UnknownPerson)
    }

    fn resolve(&self, bot: &BotRef) -> Result<Arc<Bot>, ControlError> {
        match bot {
            BotRef::Id(id) => self.find_bot(*id),
            BotRef::Name(name) => {
                let name = name.trim_start_matches('@');
                let id = name.parse().ok();
                let mut bots = self.0.bots().into_iter();
                bots.find(|b| b.info.username.eq_ignore_ascii_case(name) || Some(b.info.id) == id)
                    .ok_or(ControlError::UnknownBot)
            }
        }
    }
}

/// A text of a person: not blank, at most Telegram's 4096 characters.
fn sound_text(text: &str) -> Result<&str, ControlError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(ControlError::Empty);
    }
    if text.chars().count() > crate::text::MAX_CHARS {
        return Err(ControlError::TooLong);
    }
    Ok(text)
}

fn sound_username(name: &str) -> Result<String, ControlError> {
    let name = name.trim_start_matches('@');
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !letters || !(5..=32).contains(&name.len()) {
        return Err(ControlError::BadUsername);
    }
    Ok(name.to_owned())
}

pub(crate) fn routes(sandbox: &Sandbox) -> Router {
    Router::new()
        .route("/control/bots", get(bots::list).post(bots::create))
        .route("/control/people", get(people::list).post(people::create))
        .route("/control/messages", post(messages::say))
        .route("/control/edits", post(edits::edit))
        .route("/control/press", post(press::press))
        .route("/control/groups", post(groups::create))
        .route("/control/block", post(block::block))
        .route("/control/faults", get(faults::list).post(faults::arm).delete(faults::clear))
        .route("/control/chaos", post(faults::chaos))
        .route("/control/journal", get(journal::read))
        .route("/control/chats/{bot}/{chat}/messages", get(messages::history))
        .route("/control/stream", get(stream::stream))
        .layer(DefaultBodyLimit::max(1 << 20))
        .layer(middleware::from_fn_with_state(sandbox.clone(), play::gate))
        .with_state(sandbox.clone())
}
