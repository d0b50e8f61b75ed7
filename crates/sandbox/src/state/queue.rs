//! The updates that a bot has not taken yet, in delivery order.
//!
//! Delivery order is update id order, but for updates that a fault repeats or delays ("stragglers"): those
//! outlive a getUpdates offset beyond them until they have been handed out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use tokio::time::Instant;

/// How far a webhook looks past updates of busy chats for one that may go.
const SCAN: usize = 10_000;

/// An update that waits.
pub(crate) struct Waiting {
    pub(crate) id: i64,
    pub(crate) chat: i64,
    /// The whole update as JSON.
    pub(crate) body: Arc<str>,
    straggler: bool,
    handed_out: bool,
}

/// A chat whose last push failed: nothing of it is pushed before `until`.
struct Backoff {
    until: Instant,
    tries: u32,
}

#[derive(Default)]
pub(crate) struct Queue {
    waiting: BTreeMap<u64, Waiting>,
    next_place: u64,
    /// Late updates: they enter the queue behind the next one.
    held: Vec<Waiting>,
    stragglers: usize,
    /// Chats with a push under way: a webhook gets one update of a chat at a time.
    busy: HashSet<i64>,
    backoff: HashMap<i64, Backoff>,
}

impl Queue {
    pub(crate) fn push(&mut self, id: i64, chat: i64, body: Arc<str>) {
        self.insert(Waiting::new(id, chat, body, false));
        for late in std::mem::take(&mut self.held) {
            self.insert(late);
        }
    }

    /// Adds a second copy of an update.
    pub(crate) fn push_again(&mut self, id: i64, chat: i64, body: Arc<str>) {
        self.insert(Waiting::new(id, chat, body, true));
    }

    /// Keeps an update back until a later one has come.
    pub(crate) fn hold(&mut self, id: i64, chat: i64, body: Arc<str>) {
        self.held.push(Waiting::new(id, chat, body, true));
    }

    /// Lets updates go that were held for a later one.
    pub(crate) fn release_held(&mut self) {
        for late in std::mem::take(&mut self.held) {
            self.insert(late);
        }
    }

    fn insert(&mut self, waiting: Waiting) {
        self.stragglers += usize::from(waiting.straggler);
        self.waiting.insert(self.next_place, waiting);
        self.next_place += 1;
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.held.len()
    }

    /// Everything that waits, in delivery order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.values().chain(&self.held)
    }

    /// Forgets all; gives the ids.
    pub(crate) fn clear(&mut self) -> Vec<i64> {
        let ids = self.all().map(|w| w.id).collect();
        *self = Self { next_place: self.next_place, ..Self::default() };
        ids
    }

    /// Confirms what lies below a getUpdates offset; a negative offset keeps only that many of the newest.
    /// Gives the ids that are gone.
    pub(crate) fn confirm(&mut self, offset: i64) -> Vec<i64> {
        let gone: Vec<u64> = if offset < 0 {
            let keep = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
            let drop = self.waiting.len().saturating_sub(keep);
            self.waiting.keys().take(drop).copied().collect()
        } else {
            let below = |w: &Waiting| w.id < offset && (!w.straggler || w.handed_out);
            // Without stragglers the ids ascend, so the first that stays ends the search.
            let all = self.stragglers > 0;
            self.waiting
                .iter()
                .take_while(|(_, w)| all || w.id < offset)
                .filter(|(_, w)| below(w))
                .map(|(place, _)| *place)
                .collect()
        };
        gone.iter().filter_map(|place| self.take(*place)).collect()
    }

    /// The oldest `limit` updates for a poller.
    pub(crate) fn hand_out(&mut self, limit: usize) -> Vec<(i64, Arc<str>)> {
        let batch = self.waiting.values_mut().take(limit);
        batch
            .map(|w| {
                w.handed_out = true;
                (w.id, Arc::clone(&w.body))
            })
            .collect()
    }

    /// Removes the update at this place; gives its id.
    pub(crate) fn take(&mut self, place: u64) -> Option<i64> {
        let taken = self.waiting.remove(&place)?;
        self.stragglers -= usize::from(taken.straggler);
        Some(taken.id)
    }

    /// Removes the first entry with this id, on replay.
    pub(crate) fn take_id(&mut self, id: i64) {
        let place = self.waiting.iter().find(|(_, w)| w.id == id).map(|(p, _)| *p);
        if let Some(place) = place {
            self.take(place);
        }
    }

    /// The next update that a webhook may get now, its chat being marked busy, or the time at which to ask again.
    pub(crate) fn next_push(&mut self, now: Instant) -> Result<(u64, i64, Arc<str>), Option<Instant>> {
        let mut again: Option<Instant> = None;
        for (place, waiting) in self.waiting.iter().take(SCAN) {
            if self.busy.contains(&waiting.chat) {
                continue;
            }
            match self.backoff.get(&waiting.chat).map(|b| b.until) {
                Some(until) if until > now => {
                    again = Some(again.map_or(until, |a| a.min(until)));
                }
                _ => {
                    self.busy.insert(waiting.chat);
                    return Ok((*place, waiting.chat, Arc::clone(&waiting.body)));
                }
            }
        }
        Err(again)
    }

    /// A push arrived: the update leaves the queue. Gives its id.
    pub(crate) fn pushed(&mut self, place: u64, chat: i64) -> Option<i64> {
        self.busy.remove(&chat);
        self.backoff.remove(&chat);
        self.take(place)
    }

    /// A push failed: its chat waits; `delay` gets the number of tries so far.
    pub(crate) fn push_failed(&mut self, chat: i64, now: Instant, delay: impl FnOnce(u32) -> std::time::Duration) {
        self.busy.remove(&chat);
        let tries = self.backoff.get(&chat).map_or(0, |b| b.tries) + 1;
        let until = now + delay(tries);
        self.backoff.insert(chat, Backoff { until, tries });
    }

    /// Forgets pushes under way and waits, because the webhook changed.
    pub(crate) fn release_busy(&mut self) {
        self.busy.clear();
        self.backoff.clear();
    }
}

impl Waiting {
    fn new(id: i64, chat: i64, body: Arc<str>, straggler: bool) -> Self {
        Self { id, chat, body, straggler, handed_out: false }
    }
}
