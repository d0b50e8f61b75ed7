//! Typed ids: a UUID that knows what it names, so a chat id cannot be passed for a message id.

use std::{cmp::Ordering, fmt, hash, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// An id of a `K`: a UUIDv7, so ids sort by creation. JSON and URLs carry the hyphenated text, the database 16 bytes.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

impl<K> Id<K> {
    /// Wraps a UUID that is known to name a `K`.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The bare UUID, for places that hold ids of several kinds.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// The 16 bytes as the database stores them.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> hash::Hash for Id<K> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
impl<K> FromStr for Id<K> {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self::from_uuid)
    }
}
impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
impl<'de, K> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(Self::from_uuid)
    }
}
impl<K> utoipa::PartialSchema for Id<K> {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid))).into()
    }
}
impl<K> utoipa::ToSchema for Id<K> {
    fn name() -> std::borrow::Cow<'static, str> {
        "Id".into()
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident => $alias:ident;)*) => {
        /// What an [`Id`] can name. These types have no values; they only tell ids apart.
        pub mod kind {
            $($(#[$doc])* #[derive(Debug)] pub enum $kind {})*
        }
        $($(#[$doc])* pub type $alias = Id<kind::$kind>;)*
    };
}

kinds! {
    /// A tenant.
    Workspace => WorkspaceId;
    /// A person who logs in.
    User => UserId;
    /// One sign-in of a user on one device.
    Session => SessionId;
    /// An API key.
    Key => KeyId;
    /// An invitation to a workspace.
    Invitation => InvitationId;
    /// A connected Telegram bot.
    Bot => BotId;
    /// An outside person on a platform.
    Contact => ContactId;
    /// A lasting place where messages are exchanged.
    Chat => ChatId;
    /// A support case on a private chat.
    Conversation => ConversationId;
    /// One item in a chat.
    Message => MessageId;
    /// One outgoing item in the outbox.
    Delivery => DeliveryId;
    /// One unit of delayed or repeated work.
    Job => JobId;
    /// An event that a subscriber could not handle.
    DeadLetter => DeadLetterId;
    /// An entry of the audit log.
    Audit => AuditId;
    /// One commit of a writer.
    Batch => BatchId;
}

/// The workspace that holds facts about users and the installation itself; it has its own counter and log.
pub const SYSTEM_WORKSPACE: WorkspaceId = Id::from_uuid(Uuid::nil());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_text_and_json() {
        let id: ChatId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().expect("a valid uuid");
        assert_eq!(id.to_string().parse::<ChatId>().expect("its own text"), id);
        let json = serde_json::to_string(&id).expect("serialisable");
        assert_eq!(json, "\"01890a5d-ac96-774b-bcce-b302099a8057\"");
        assert_eq!(serde_json::from_str::<ChatId>(&json).expect("its own json"), id);
        assert!("not-an-id".parse::<ChatId>().is_err());
    }
}
