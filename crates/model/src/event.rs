//! The event envelope: one fact in a workspace's append-only log.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{ChatId, Right, Timestamp, UserId, WorkspaceId};

/// Place of an event in its workspace, or of a message in its chat: 1, 2, 3… without gaps, in commit order.
pub type Seq = i64;

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A member of the workspace.
    Member,
    /// An outside person.
    Contact,
    /// An API key.
    Key,
    /// A bot.
    Bot,
    /// The server itself.
    System,
}

impl ActorKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::Member, Self::Contact, Self::Key, Self::Bot, Self::System];

    /// The name used in the API and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Contact => "contact",
            Self::Key => "key",
            Self::Bot => "bot",
            Self::System => "system",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.as_str() == text)
    }
}

/// The actor of an event or the author of a message: a kind and, but for the system, an id of that kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct ActorRef {
    /// What sort of actor.
    pub kind: ActorKind,
    /// Its id; absent for the system.
    pub id: Option<Uuid>,
}

impl ActorRef {
    /// The server itself.
    pub const SYSTEM: Self = Self { kind: ActorKind::System, id: None };

    /// An actor of this kind with this id.
    #[must_use]
    pub const fn new(kind: ActorKind, id: Uuid) -> Self {
        Self { kind, id: Some(id) }
    }

    /// A member.
    #[must_use]
    pub const fn member(id: UserId) -> Self {
        Self::new(ActorKind::Member, id.uuid())
    }
}

/// Who may see an event; judged when it is read, never when it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Every principal of the workspace that may open the live stream.
    Everyone,
    /// Principals that hold this right.
    Right(Right),
    /// One person, on all his devices.
    User(UserId),
    /// The members of one chat (rooms and directs).
    Chat(ChatId),
    /// Nobody; subscribers inside the server only.
    Internal,
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => f.write_str("everyone"),
            Self::Right(right) => write!(f, "right:{right}"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Chat(id) => write!(f, "chat:{id}"),
            Self::Internal => f.write_str("internal"),
        }
    }
}

impl Audience {
    /// Reads what [`fmt::Display`] wrote. Anything else, such as a right that a newer version knew, is for nobody.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let parsed = match text.split_once(':') {
            Some(("right", name)) => name.parse().ok().map(Self::Right),
            Some(("user", id)) => id.parse().ok().map(Self::User),
            Some(("chat", id)) => id.parse().ok().map(Self::Chat),
            _ => (text == "everyone").then_some(Self::Everyone),
        };
        parsed.unwrap_or(Self::Internal)
    }
}

/// An event as a command hands it to the log, which adds place and time.
#[derive(Debug)]
pub struct NewEvent {
    /// `area.noun.verb` or `noun.verb`, such as `message.created`.
    pub kind: &'static str,
    /// Version of the body's shape, from 1.
    pub version: i64,
    /// Who did it.
    pub actor: ActorRef,
    /// Who may see it.
    pub audience: Audience,
    /// The chat it happened in, if any.
    pub chat: Option<ChatId>,
    /// What it is about: later events of an entity wait behind one that a subscriber parked.
    pub entity: Option<Uuid>,
    /// The facts, as JSON.
    pub body: Box<RawValue>,
}

/// One fact in the log.
#[derive(Debug, Clone)]
pub struct Event {
    /// The tenant whose log it is in.
    pub workspace: WorkspaceId,
    /// Its place there.
    pub seq: Seq,
    /// When its command ran.
    pub at: Timestamp,
    /// See [`NewEvent::kind`].
    pub kind: Cow<'static, str>,
    /// See [`NewEvent::version`].
    pub version: i64,
    /// See [`NewEvent::actor`].
    pub actor: ActorRef,
    /// See [`NewEvent::audience`].
    pub audience: Audience,
    /// See [`NewEvent::chat`].
    pub chat: Option<ChatId>,
    /// See [`NewEvent::entity`].
    pub entity: Option<Uuid>,
    /// The facts; `None` once erased or retired, when readers refetch or drop what it was about.
    pub body: Option<Box<RawValue>>,
}

impl Event {
    /// Reads the body as `T`.
    ///
    /// # Errors
    /// When the event is redacted or its body has another shape.
    pub fn body<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        match &self.body {
            Some(body) => serde_json::from_str(body.get()),
            None => Err(serde::de::Error::custom("the event is redacted")),
        }
    }
}

/// The envelope as the API shows it; workspace, audience and entity stay inside.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("seq", &self.seq)?;
        map.serialize_entry("at", &self.at)?;
        map.serialize_entry("kind", &self.kind)?;
        map.serialize_entry("v", &self.version)?;
        map.serialize_entry("actor", &self.actor)?;
        map.serialize_entry("chat_id", &self.chat)?;
        if self.body.is_none() {
            map.serialize_entry("redacted", &true)?;
        }
        map.serialize_entry("body", &self.body)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_survives_its_text_and_an_unknown_one_is_for_nobody() {
        let user: UserId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().expect("valid");
        let all = [
            Audience::Everyone,
            Audience::Right(Right::ConversationsRead),
            Audience::User(user),
            Audience::Chat(ChatId::from_uuid(user.uuid())),
            Audience::Internal,
        ];
        for audience in all {
            assert_eq!(Audience::parse(&audience.to_string()), audience);
        }
        for text in ["right:from.the.future", "user:nobody", "", "all"] {
            assert_eq!(Audience::parse(text), Audience::Internal, "{text}");
        }
    }
}
