//! The ephemeral lane: who is typing or viewing where.
//!
//! State is keyed (user, session, tab) and kind, each with one chat; typing expires after 10 s, viewing after 45 s, both end
//! with the stream that said so. A change publishes the room's present state as one shared snapshot; a stream sends the
//! difference to the snapshot it showed last. So a slow stream gets fewer, newer differences, and one that joins gets what is.
//! Nothing may depend on it: it has no cursor, is bounded, and what exceeds the bound is dropped.

use std::{
    cmp::Ordering,
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use model::{ChatId, SessionId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{Principal, Who};

/// Signals of a workspace at a time.
const MOST: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Typing,
    Viewing,
}

impl Kind {
    const fn lasts(self) -> Duration {
        match self {
            Self::Typing => Duration::from_secs(10),
            Self::Viewing => Duration::from_secs(45),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    user: UserId,
    session: SessionId,
    tab: Arc<str>,
    kind: Kind,
}

#[derive(Debug, Clone)]
struct Value {
    chat: ChatId,
    name: Arc<str>,
    until: Timestamp,
    stream: u64,
}

/// What is told to a stream.
#[derive(Debug, Clone)]
pub(super) struct Signal {
    pub(super) chat: ChatId,
    key: Key,
    name: Arc<str>,
    active: bool,
}

impl Signal {
    /// The WebSocket frame, which is also the data of a server-sent event.
    pub(super) fn text(&self) -> String {
        serde_json::json!({
            "type": "signal",
            "signal": {
                "kind": self.key.kind,
                "chat_id": self.chat,
                "user": { "id": self.key.user, "name": &*self.name },
                "tab": &*self.key.tab,
                "active": self.active,
            },
        })
        .to_string()
    }
}

/// The state of a room at a moment, in the order of the keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Present(Option<Arc<[(Key, Value)]>>);

impl Present {
    /// Whether it is the nothing that a stream starts with.
    pub(super) fn is_unread(&self) -> bool {
        self.0.is_none()
    }

    fn entries(&self) -> &[(Key, Value)] {
        self.0.as_deref().unwrap_or_default()
    }

    /// What changed from `before` to here, without what this stream's own tab said.
    pub(super) fn since(&self, before: &Self, own: &Principal, tab: &str) -> Vec<Signal> {
        let (mut old, mut new) = (before.entries().iter().peekable(), self.entries().iter().peekable());
        let mut changes = Vec::new();
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some(new)) => old.0.cmp(&new.0),
            };
            let was = if order.is_le() { old.next() } else { None };
            let is = if order.is_ge() { new.next() } else { None };
            if was.map(|it| it.1.chat) != is.map(|it| it.1.chat) {
                changes.extend(was.map(|it| signal(it, false)));
                changes.extend(is.map(|it| signal(it, true)));
            }
        }
        changes.retain(|signal| own.session() != Some(signal.key.session) || *signal.key.tab != *tab);
        changes
    }
}

fn signal((key, value): &(Key, Value), active: bool) -> Signal {
    Signal { chat: value.chat, key: key.clone(), name: value.name.clone(), active }
}

/// The signals of one room.
pub(super) struct Signals {
    state: Mutex<BTreeMap<Key, Value>>,
    present: watch::Sender<Present>,
}

impl Default for Signals {
    fn default() -> Self {
        Self { state: Mutex::default(), present: watch::Sender::new(Present(Some(Arc::new([])))) }
    }
}

impl Signals {
    fn state(&self) -> MutexGuard<'_, BTreeMap<Key, Value>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn watch(&self) -> watch::Receiver<Present> {
        self.present.subscribe()
    }

    fn publish(&self, state: &BTreeMap<Key, Value>) {
        let entries = state.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        self.present.send_replace(Present(Some(entries)));
    }

    /// Sets or ends one signal; true when an expiry has to be watched.
    #[expect(clippy::too_many_arguments, reason = "one signal has that many parts")]
    pub(super) fn set(
        &self,
        stream: u64,
        principal: &Principal,
        tab: &str,
        kind: Kind,
        chat: ChatId,
        active: bool,
        now: Timestamp,
    ) -> bool {
        let Who::Member { user, session, .. } = principal.who else { return false };
        let key = Key { user, session, tab: tab.into(), kind };
        let mut state = self.state();
        let before = state.get(&key).map(|value| value.chat);
        if !active {
            if before == Some(chat) {
                state.remove(&key);
                self.publish(&state);
            }
            return false;
        }
        if before.is_none() && state.len() >= MOST {
            return false;
        }
        state.insert(key, Value { chat, name: principal.name.as_str().into(), until: now + kind.lasts(), stream });
        if before != Some(chat) {
            self.publish(&state);
        }
        true
    }

    /// Ends what a stream said.
    pub(super) fn leave(&self, stream: u64) -> bool {
        self.keep(|value| value.stream != stream)
    }

    /// Ends what is over and returns when the next one is.
    pub(super) fn expire(&self, now: Timestamp) -> Option<Timestamp> {
        self.keep(|value| value.until > now);
        self.state().values().map(|value| value.until).min()
    }

    fn keep(&self, keep: impl Fn(&Value) -> bool) -> bool {
        let mut state = self.state();
        let before = state.len();
        state.retain(|_, value| keep(value));
        let changed = state.len() != before;
        if changed {
            self.publish(&state);
        }
        changed
    }
}
