//! How fast a bot may send: its numbers and the cells of one chat and of the bot.
//!
//! Telegram's published limits are about 30 messages a second over all chats, 1 a second in a chat with short bursts, and
//! 20 a minute in a group. They are judged where the requests arrive, so ours stay a little below: a request that leaves on
//! time may arrive late and make the next one look early. The lower classes (ordinary alerts, bulk) have smaller cells of
//! their own besides, which leaves room for the upper ones at any moment.

use std::{collections::VecDeque, time::Duration};

use model::{Cell, DeliveryClass, Limit, Timestamp};

/// The numbers.
#[derive(Debug, Clone, Copy)]
pub struct Budgets {
    /// All chats of the bot.
    pub bot: Limit,
    /// The lower classes' share of it.
    pub bot_low: Limit,
    /// One chat.
    pub chat: Limit,
    /// The lower classes' share of it.
    pub chat_low: Limit,
    /// Messages to one group within [`Self::group_span`].
    pub group: usize,
    /// The lower classes' share of them.
    pub group_low: usize,
    /// The span that [`Self::group`] counts.
    pub group_span: Duration,
}

impl Default for Budgets {
    fn default() -> Self {
        let second = Duration::from_millis(1050);
        Self {
            bot: Limit::per(30, second).with_burst(28),
            bot_low: Limit::per(25, second).with_burst(23),
            chat: Limit::per(1, second).with_burst(3),
            chat_low: Limit::per(1, second).with_burst(2),
            group: 20,
            group_low: 15,
            group_span: Duration::from_secs(61),
        }
    }
}

impl Budgets {
    /// No limits to speak of, for benches against a server without limits.
    #[must_use]
    pub fn unlimited() -> Self {
        let all = Limit { period: Duration::from_nanos(1), burst: u32::MAX };
        Self {
            bot: all,
            bot_low: all,
            chat: all,
            chat_low: all,
            group: usize::MAX,
            group_low: usize::MAX,
            ..Self::default()
        }
    }
}

/// Whether a class belongs to the lower ones, which have caps of their own.
pub(crate) fn is_low(class: DeliveryClass) -> bool {
    class >= DeliveryClass::Alert
}

/// What the bot has spent.
#[derive(Debug, Default)]
pub(crate) struct BotPace {
    all: Cell,
    low: Cell,
}

impl BotPace {
    /// When an item of such a class may leave.
    pub(crate) fn ready_at(&self, budgets: &Budgets, low: bool, now: Timestamp) -> Timestamp {
        let all = self.all.ready_at(budgets.bot, now);
        if low { all.max(self.low.ready_at(budgets.bot_low, now)) } else { all }
    }

    pub(crate) fn take(&mut self, budgets: &Budgets, low: bool, now: Timestamp) {
        self.all.take(budgets.bot, now);
        if low {
            self.low.take(budgets.bot_low, now);
        }
    }
}

/// What one chat has spent.
#[derive(Debug, Default)]
pub(crate) struct ChatPace {
    all: Cell,
    low: Cell,
    /// The last minute of a group, exactly: a cell with a burst of 20 would let nearly 40 through in its first minute.
    minute: VecDeque<(Timestamp, bool)>,
}

impl ChatPace {
    /// When an item of such a class may leave.
    pub(crate) fn ready_at(&self, budgets: &Budgets, group: bool, low: bool, now: Timestamp) -> Timestamp {
        let mut at = self.all.ready_at(budgets.chat, now);
        if low {
            at = at.max(self.low.ready_at(budgets.chat_low, now));
        }
        if group {
            at = at.max(self.minute_ready(budgets, low));
        }
        at
    }

    fn minute_ready(&self, budgets: &Budgets, low: bool) -> Timestamp {
        let nth_last = |most: usize, mut times: Box<dyn Iterator<Item = Timestamp> + '_>| {
            most.checked_sub(1)
                .and_then(|skip| times.nth(skip))
                .map_or(Timestamp::default(), |at| at + budgets.group_span)
        };
        let all = nth_last(budgets.group, Box::new(self.minute.iter().rev().map(|(at, _)| *at)));
        if !low {
            return all;
        }
        let low = self.minute.iter().rev().filter(|(_, low)| *low).map(|(at, _)| *at);
        all.max(nth_last(budgets.group_low, Box::new(low)))
    }

    pub(crate) fn take(&mut self, budgets: &Budgets, group: bool, low: bool, now: Timestamp) {
        self.all.take(budgets.chat, now);
        if low {
            self.low.take(budgets.chat_low, now);
        }
        if group {
            while self.minute.front().is_some_and(|(at, _)| *at + budgets.group_span <= now) {
                self.minute.pop_front();
            }
            self.minute.push_back((now, low));
        }
    }

    /// Whether it remembers nothing that matters any more.
    pub(crate) fn is_idle(&self, budgets: &Budgets, now: Timestamp) -> bool {
        let minute_over = self.minute.back().is_none_or(|(at, _)| *at + budgets.group_span <= now);
        self.all.is_idle(now) && self.low.is_idle(now) && minute_over
    }
}
