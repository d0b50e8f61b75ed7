//! Conversations as clients see them.

use ::model::{BotId, ChatId, ConversationId, Seq, Timestamp};
use chats::{Author, Contact};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Where a conversation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ConversationStatus)]
pub enum Status {
    /// Somebody should look at it.
    Open,
    /// It waits for somebody outside the desk.
    Pending,
    /// It comes back at a time or with the next message.
    Snoozed,
    /// Done.
    Resolved,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Open, Self::Pending, Self::Snoozed, Self::Resolved];

    /// The name in the API and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Pending => "pending",
            Self::Snoozed => "snoozed",
            Self::Resolved => "resolved",
        }
    }

    /// The status with this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// A member who takes care.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Assignee {
    /// The member's user id.
    pub id: Uuid,
    /// The member's name.
    pub name: String,
}

/// The last message of a conversation, short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LastMessage {
    /// Its place in the chat.
    pub seq: Seq,
    /// Who wrote it.
    pub author: Author,
    /// Its first 200 characters.
    pub text: String,
    /// Whether it is a note.
    pub note: bool,
    /// When it was stored.
    pub created_at: Timestamp,
}

/// A conversation, the same for everyone who may see it: what events carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Case {
    /// Its id.
    pub id: ConversationId,
    /// The chat it is about.
    pub chat_id: ChatId,
    /// The bot that the contact writes to.
    pub bot_id: BotId,
    /// Where it stands.
    pub status: Status,
    /// The person outside.
    pub contact: Contact,
    /// The member who takes care.
    pub assignee: Option<Assignee>,
    /// The last message.
    pub last_message: Option<LastMessage>,
    /// Messages of contacts in the chat so far.
    pub inbound_total: i64,
    /// The `seq` of the chat's last message.
    pub last_seq: Seq,
    /// When something happened last.
    pub last_activity_at: Timestamp,
    /// When it was opened first.
    pub created_at: Timestamp,
}

/// A conversation as one person sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Conversation {
    /// What is the same for everyone.
    #[serde(flatten)]
    pub case: Case,
    /// Messages of the contact that this person has not read.
    pub unread: i64,
}
