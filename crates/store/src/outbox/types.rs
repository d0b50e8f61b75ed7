//! What an outgoing item is, before, while and after it is sent.

use model::{ChatId, ConversationId, DeliveryClass, DeliveryId, DeliveryState, MessageId, Timestamp, WorkspaceId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Error;

/// By which way a delivery leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A Telegram bot.
    Telegram,
}

impl Channel {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Telegram => "telegram",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        if text == Self::Telegram.as_str() {
            Ok(Self::Telegram)
        } else {
            Err(Error::corrupt(format!("channel {text}")))
        }
    }
}

/// What to send, before it has an id.
#[derive(Debug)]
pub struct NewDelivery {
    /// The way.
    pub channel: Channel,
    /// Who sends: the bot. One sender at a time works for an owner.
    pub owner: Uuid,
    /// The chat whose order it has to keep.
    pub chat: Option<ChatId>,
    /// How urgent.
    pub class: DeliveryClass,
    /// What the channel needs to know, as JSON.
    pub payload: Box<RawValue>,
    /// The message that it carries.
    pub message: Option<MessageId>,
    /// The conversation that shows it.
    pub conversation: Option<ConversationId>,
    /// When it is too late; it is then `dead`.
    pub expires_at: Option<Timestamp>,
}

/// One outgoing item.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The tenant.
    pub workspace: WorkspaceId,
    /// Its place in the workspace's outbox.
    pub position: i64,
    /// See [`NewDelivery::channel`].
    pub channel: Channel,
    /// See [`NewDelivery::owner`].
    pub owner: Uuid,
    /// See [`NewDelivery::chat`].
    pub chat: Option<ChatId>,
    /// See [`NewDelivery::class`].
    pub class: DeliveryClass,
    /// Where it stands.
    pub state: DeliveryState,
    /// See [`NewDelivery::payload`].
    pub payload: Box<RawValue>,
    /// See [`NewDelivery::message`].
    pub message: Option<MessageId>,
    /// See [`NewDelivery::conversation`].
    pub conversation: Option<ConversationId>,
    /// How often it was claimed.
    pub attempts: i64,
    /// When it may be tried again.
    pub next_at: Option<Timestamp>,
    /// See [`NewDelivery::expires_at`].
    pub expires_at: Option<Timestamp>,
    /// What went wrong last, in the other side's words.
    pub error: Option<String>,
    /// The id that the other side gave it.
    pub external_id: Option<String>,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// When its state changed last.
    pub updated_at: Timestamp,
}

/// A delivery as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView {
    /// Its id.
    pub id: DeliveryId,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: i64,
    /// What went wrong last.
    pub error: Option<String>,
    /// When it will be tried again.
    pub next_at: Option<Timestamp>,
}

impl Delivery {
    /// What clients see of it.
    #[must_use]
    pub fn view(&self) -> DeliveryView {
        let (error, next_at) = (self.error.clone(), self.next_at);
        DeliveryView { id: self.id, state: self.state, attempts: self.attempts, error, next_at }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The other side has it.
    Sent {
        /// The id it gave.
        external_id: Option<String>,
    },
    /// Refused for now.
    Retry {
        /// When to try again.
        at: Timestamp,
        /// Why.
        error: String,
    },
    /// Refused for good.
    Failed {
        /// Why.
        error: String,
    },
    /// The request was written and the answer never came.
    Unknown {
        /// What happened.
        error: String,
    },
    /// Attempts or time are used up.
    Dead {
        /// What happened last.
        error: String,
    },
}

impl Outcome {
    pub(super) const fn state(&self) -> DeliveryState {
        match self {
            Self::Sent { .. } => DeliveryState::Sent,
            Self::Retry { .. } => DeliveryState::Retrying,
            Self::Failed { .. } => DeliveryState::Failed,
            Self::Unknown { .. } => DeliveryState::Unknown,
            Self::Dead { .. } => DeliveryState::Dead,
        }
    }

    pub(super) fn error(&self) -> Option<&str> {
        match self {
            Self::Sent { .. } => None,
            Self::Retry { error, .. } | Self::Failed { error } | Self::Unknown { error } | Self::Dead { error } => {
                Some(error)
            }
        }
    }
}
