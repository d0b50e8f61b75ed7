//! A chat of one bot and its messages.

use crate::limits::ChatPace;
use crate::text::Entity;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::VecDeque;

/// A chat keeps this many messages; older ones can no longer be edited or replied to.
const KEPT: usize = 2_000;

/// A message as kept; who reads it gets it through `wire`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) id: i64,
    /// The bot's id or a person's.
    pub(crate) from: i64,
    /// Unix seconds.
    pub(crate) date: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) edited: Option<i64>,
    pub(crate) text: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) entities: Vec<Entity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reply_to: Option<i64>,
    /// An inline keyboard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) markup: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Private,
    /// The first member is its creator.
    Group {
        title: String,
        members: Vec<i64>,
    },
}

pub(crate) struct Chat {
    pub(crate) id: i64,
    pub(crate) kind: Kind,
    pub(crate) next_message: i64,
    pub(crate) messages: VecDeque<Message>,
    pub(crate) pace: ChatPace,
}

impl Chat {
    pub(crate) fn new(id: i64, kind: Kind) -> Self {
        Self { id, kind, next_message: 1, messages: VecDeque::new(), pace: ChatPace::default() }
    }

    pub(crate) fn is_group(&self) -> bool {
        matches!(self.kind, Kind::Group { .. })
    }

    /// Whether this person takes part.
    pub(crate) fn has(&self, person: i64) -> bool {
        match &self.kind {
            Kind::Private => self.id == person,
            Kind::Group { members, .. } => members.contains(&person),
        }
    }

    pub(crate) fn push(&mut self, message: Message) {
        self.next_message = self.next_message.max(message.id + 1);
        self.messages.push_back(message);
        if self.messages.len() > KEPT {
            self.messages.pop_front();
        }
    }

    fn place(&self, id: i64) -> Option<usize> {
        self.messages.binary_search_by_key(&id, |m| m.id).ok()
    }

    pub(crate) fn message(&self, id: i64) -> Option<&Message> {
        self.place(id).and_then(|at| self.messages.get(at))
    }

    pub(crate) fn message_mut(&mut self, id: i64) -> Option<&mut Message> {
        self.place(id).and_then(|at| self.messages.get_mut(at))
    }

    /// True when there was such a message.
    pub(crate) fn delete(&mut self, id: i64) -> bool {
        let at = self.place(id);
        at.and_then(|at| self.messages.remove(at)).is_some()
    }
}
