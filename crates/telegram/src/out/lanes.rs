//! Which delivery of one bot leaves next: a pure state machine without IO and without a clock.
//!
//! **Lanes.** Items wait in lanes, one per (chat, class). Within a lane order holds: one item is in flight at a time, and an
//! item that was refused for now blocks its lane until it is tried again. Between lanes the more urgent class goes first, then
//! the longer waiting item whose chat may receive.
//!
//! **Budgets.** An item leaves when the bot's and its chat's budget allow it; see [`super::budgets`].
//!
//! **Holds.** Telegram's 429 holds the chat for the time it names. A second chat that is hit within five seconds, or a time
//! over thirty seconds, means the whole bot. After a hold of the bot one item goes alone, and the others follow its success.
//!
//! **Time.** Every moment is a reading of one clock that never goes back; the caller maps the wall clock's moments to it.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use model::{DeliveryClass, DeliveryId, Timestamp};

use super::budgets::{BotPace, Budgets, ChatPace, is_low};

const CLASSES: usize = DeliveryClass::ALL.len();
/// Within this time a second chat's 429 counts as the bot's.
const SECOND_CHAT: Duration = Duration::from_secs(5);
/// A longer `retry_after` counts as the bot's.
const LONG_HOLD: Duration = Duration::from_secs(30);
/// How often a chat that has nothing to send is looked at, to forget it.
const TIDY: Duration = Duration::from_secs(60);

/// One waiting delivery, as far as order and pace are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// The delivery.
    pub(crate) id: DeliveryId,
    /// Its place in the outbox.
    pub(crate) position: i64,
    /// How urgent.
    pub(crate) class: DeliveryClass,
    /// Telegram's id of the chat.
    pub(crate) to: Arc<str>,
    /// Not before this moment, when it was refused before.
    pub(crate) not_before: Timestamp,
    /// When it is too late, on the wall clock.
    pub(crate) expires_at: Option<Timestamp>,
    /// How often it was tried in vain by this process; pauses grow with it.
    pub(crate) tries: u32,
    /// How often the other side refused it while it served others.
    pub(crate) refusals: u32,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Send this; its budget is spent and its lane waits for [`Lanes::settle`].
    Ready(Item),
    /// Nothing before this moment, unless something changes.
    Wait(Timestamp),
    /// Nothing until something changes.
    Idle,
}

/// How an item that was handed out ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It is out of the queue, whatever became of it.
    Done,
    /// It goes again, not before this moment.
    Again(Timestamp),
}

/// A time in which nothing goes to a chat, or to anybody; to be kept over a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    /// The chat; `None` for the whole bot.
    pub(crate) chat: Option<Arc<str>>,
    /// How long from now.
    pub(crate) lasts: Duration,
}

#[derive(Debug, Default)]
struct Lane {
    queue: VecDeque<Item>,
    in_flight: bool,
    /// Position under which it stands in the ready list of its class.
    listed: Option<i64>,
}

#[derive(Debug, Default)]
struct Chat {
    lanes: [Lane; CLASSES],
    pace: ChatPace,
    held_until: Timestamp,
    timer: Option<Timestamp>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Lanes {
    budgets: Budgets,
    pace: BotPace,
    chats: HashMap<Arc<str>, Chat>,
    /// Per class: lanes whose head may leave as far as its chat is concerned.
    ready: [BTreeSet<(i64, Arc<str>)>; CLASSES],
    /// When to look at a chat again.
    timers: BTreeSet<(Timestamp, Arc<str>)>,
    held_until: Timestamp,
    /// The last chat that was hit by a 429.
    last_hit: Option<(Arc<str>, Timestamp)>,
    /// After a hold of the bot: one at a time, until one succeeds.
    cautious: bool,
    in_flight: usize,
    waiting: usize,
}

fn is_group(to: &str) -> bool {
    to.starts_with('-')
}

impl Lanes {
    pub(crate) fn new(budgets: Budgets) -> Self {
        Self {
            budgets,
            pace: BotPace::default(),
            chats: HashMap::new(),
            ready: Default::default(),
            timers: BTreeSet::new(),
            held_until: Timestamp::default(),
            last_hit: None,
            cautious: false,
            in_flight: 0,
            waiting: 0,
        }
    }

    /// Items that wait, those in flight not counted.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Adds an item. Items of one lane come in the order of their positions.
    pub(crate) fn push(&mut self, item: Item, now: Timestamp) {
        let to = Arc::clone(&item.to);
        let chat = self.chats.entry(Arc::clone(&to)).or_default();
        chat.lanes[item.class as usize].queue.push_back(item);
        self.waiting += 1;
        self.refresh(&to, now);
    }

    /// The next item to send, or when to ask again.
    pub(crate) fn next(&mut self, now: Timestamp) -> Next {
        if self.cautious && self.in_flight > 0 {
            return Next::Idle;
        }
        if self.held_until > now {
            return Next::Wait(self.held_until);
        }
        while self.timers.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, to)) = self.timers.pop_first() else { break };
            self.refresh(&to, now);
        }
        let mut wait = self.timers.first().map(|(at, _)| *at);
        for class in DeliveryClass::ALL {
            let Some((_, to)) = self.ready[*class as usize].first() else { continue };
            let at = self.pace.ready_at(&self.budgets, is_low(*class), now);
            if at <= now {
                let to = Arc::clone(to);
                return Next::Ready(self.take(&to, *class, now));
            }
            wait = Some(wait.map_or(at, |wait| wait.min(at)));
        }
        wait.map_or(Next::Idle, Next::Wait)
    }

    fn take(&mut self, to: &Arc<str>, class: DeliveryClass, now: Timestamp) -> Item {
        let chat = self.chats.get_mut(to).expect("a listed chat exists");
        let lane = &mut chat.lanes[class as usize];
        let item = lane.queue.pop_front().expect("a listed lane has a head");
        lane.in_flight = true;
        chat.pace.take(&self.budgets, is_group(to), is_low(class), now);
        self.pace.take(&self.budgets, is_low(class), now);
        self.in_flight += 1;
        self.waiting -= 1;
        self.refresh(to, now);
        item
    }

    /// Tells how an item that [`Self::next`] gave out ended.
    pub(crate) fn settle(&mut self, mut item: Item, how: Settled, now: Timestamp) {
        let to = Arc::clone(&item.to);
        let chat = self.chats.get_mut(&to).expect("a chat with an item in flight is kept");
        let lane = &mut chat.lanes[item.class as usize];
        lane.in_flight = false;
        self.in_flight -= 1;
        match how {
            Settled::Done => self.cautious = false,
            Settled::Again(at) => {
                item.not_before = at;
                lane.queue.push_front(item);
                self.waiting += 1;
            }
        }
        self.refresh(&to, now);
    }

    /// A 429 for this chat: holds it or the bot and says what to keep.
    pub(crate) fn hit(&mut self, to: &Arc<str>, retry_after: Duration, now: Timestamp) -> Hold {
        let another = self.last_hit.as_ref().is_some_and(|(chat, at)| chat != to && now.since(*at) <= SECOND_CHAT);
        self.last_hit = Some((Arc::clone(to), now));
        let chat = if another || retry_after > LONG_HOLD { None } else { Some(Arc::clone(to)) };
        let hold = Hold { chat, lasts: retry_after };
        self.hold(&hold, now);
        hold
    }

    /// Holds a chat or the bot; a longer hold that exists already stays.
    pub(crate) fn hold(&mut self, hold: &Hold, now: Timestamp) {
        let until = now + hold.lasts;
        let Some(to) = &hold.chat else {
            self.held_until = self.held_until.max(until);
            self.cautious = true;
            return;
        };
        let chat = self.chats.entry(Arc::clone(to)).or_default();
        chat.held_until = chat.held_until.max(until);
        self.refresh(to, now);
    }

    /// Brings the ready lists and the timer of a chat up to date, and forgets a chat that is empty and idle.
    fn refresh(&mut self, to: &Arc<str>, now: Timestamp) {
        let Some(chat) = self.chats.get_mut(to) else { return };
        if let Some(at) = chat.timer.take() {
            self.timers.remove(&(at, Arc::clone(to)));
        }
        let mut wake: Option<Timestamp> = None;
        for (class, lane) in DeliveryClass::ALL.iter().zip(&mut chat.lanes) {
            let ready = &mut self.ready[*class as usize];
            if let Some(position) = lane.listed.take() {
                ready.remove(&(position, Arc::clone(to)));
            }
            let Some(head) = lane.queue.front().filter(|_| !lane.in_flight) else { continue };
            let paced = chat.pace.ready_at(&self.budgets, is_group(to), is_low(*class), now);
            let at = paced.max(head.not_before).max(chat.held_until);
            if at <= now {
                ready.insert((head.position, Arc::clone(to)));
                lane.listed = Some(head.position);
            } else {
                wake = Some(wake.map_or(at, |wake| wake.min(at)));
            }
        }
        if wake.is_none() && chat.is_empty() {
            if chat.pace.is_idle(&self.budgets, now) && chat.held_until <= now {
                self.chats.remove(to);
                return;
            }
            wake = Some(now + TIDY);
        }
        if let Some(at) = wake {
            chat.timer = Some(at);
            self.timers.insert((at, Arc::clone(to)));
        }
    }
}

impl Chat {
    fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| lane.queue.is_empty() && !lane.in_flight)
    }
}

#[cfg(test)]
#[path = "lanes_tests.rs"]
mod tests;
