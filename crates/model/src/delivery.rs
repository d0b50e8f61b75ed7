//! The states and classes of outgoing items; the rules of how they change are in the outbox's contract.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waiting for its turn.
    Queued,
    /// Claimed by a sender; committed before the request leaves.
    Sending,
    /// The other side said that it has it.
    Sent,
    /// Refused for now; waits for its next attempt.
    Retrying,
    /// Refused for good (blocked, chat gone, malformed).
    Failed,
    /// It cannot be known whether the other side has it; a person decides.
    Unknown,
    /// Attempts or time to live are used up, or a person discarded it.
    Dead,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: &'static [Self] =
        &[Self::Queued, Self::Sending, Self::Sent, Self::Retrying, Self::Failed, Self::Unknown, Self::Dead];

    /// The name used in the API and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Retrying => "retrying",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Dead => "dead",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.as_str() == text)
    }
}

/// The class of a delivery: a lower number goes first. Order holds within one chat and class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryClass {
    /// A critical alert.
    Critical,
    /// An operator's reply.
    Reply,
    /// A moderator's action.
    Moderation,
    /// An ordinary alert.
    Alert,
    /// A broadcast.
    Bulk,
}

impl DeliveryClass {
    /// Every class, the most urgent first.
    pub const ALL: &'static [Self] = &[Self::Critical, Self::Reply, Self::Moderation, Self::Alert, Self::Bulk];

    /// The number in the database, 0 being the most urgent.
    #[must_use]
    pub const fn rank(self) -> i64 {
        self as i64
    }

    /// The class with this number.
    #[must_use]
    pub fn from_rank(rank: i64) -> Option<Self> {
        usize::try_from(rank).ok().and_then(|rank| Self::ALL.get(rank).copied())
    }
}
