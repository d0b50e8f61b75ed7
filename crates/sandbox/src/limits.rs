//! Telegram's published send limits, as this sandbox enforces them: 1/s per chat with a burst of 3,
//! 30/s per bot, 20/min per group.

use std::collections::VecDeque;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const GROUP_PER_MINUTE: usize = 20;

/// A GCRA cell: the time at which it would be empty again, in microseconds.
#[derive(Default)]
struct Cell(i64);

impl Cell {
    /// Microseconds until one more is allowed; 0 or less when it is allowed now.
    fn wait(&self, now: i64, interval: i64, burst: i64) -> i64 {
        self.0 - now - interval * (burst - 1)
    }

    fn take(&mut self, now: i64, interval: i64) {
        self.0 = self.0.max(now) + interval;
    }
}

/// The budget of one bot over all its chats.
#[derive(Default)]
pub(crate) struct BotPace(Cell);

/// The budget of one chat.
#[derive(Default)]
pub(crate) struct ChatPace {
    cell: Cell,
    last_minute: VecDeque<i64>,
}

/// Takes one send from both budgets, or tells after how many whole seconds to try again; a refused
/// send takes nothing.
pub(crate) fn take(bot: &mut BotPace, chat: &mut ChatPace, group: bool, now: i64) -> Result<(), u32> {
    let mut wait = bot.0.wait(now, SECOND / 30, 30).max(chat.cell.wait(now, SECOND, 3));
    if group {
        wait = wait.max(chat.group_wait(now));
    }
    if wait > 0 {
        let seconds = (wait + SECOND - 1) / SECOND;
        return Err(u32::try_from(seconds).unwrap_or(u32::MAX));
    }
    bot.0.take(now, SECOND / 30);
    chat.cell.take(now, SECOND);
    if group {
        chat.last_minute.push_back(now);
    }
    Ok(())
}

impl ChatPace {
    fn group_wait(&mut self, now: i64) -> i64 {
        while self.last_minute.front().is_some_and(|t| *t <= now - MINUTE) {
            self.last_minute.pop_front();
        }
        match self.last_minute.front() {
            Some(oldest) if self.last_minute.len() >= GROUP_PER_MINUTE => oldest + MINUTE - now,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_takes_three_at_once_and_then_one_per_second() {
        let (mut bot, mut chat) = (BotPace::default(), ChatPace::default());
        for _ in 0..3 {
            assert_eq!(take(&mut bot, &mut chat, false, 0), Ok(()));
        }
        assert_eq!(take(&mut bot, &mut chat, false, 0), Err(1));
        assert_eq!(take(&mut bot, &mut chat, false, SECOND - 1), Err(1));
        assert_eq!(take(&mut bot, &mut chat, false, SECOND), Ok(()));
        assert_eq!(take(&mut bot, &mut chat, false, SECOND), Err(1));
    }

    #[test]
    fn a_bot_takes_thirty_over_all_its_chats() {
        let mut bot = BotPace::default();
        for _ in 0..30 {
            assert_eq!(take(&mut bot, &mut ChatPace::default(), false, 0), Ok(()));
        }
        assert_eq!(take(&mut bot, &mut ChatPace::default(), false, 0), Err(1), "the thirty-first in the same instant");
        assert_eq!(take(&mut bot, &mut ChatPace::default(), false, SECOND / 30), Ok(()));
    }

    #[test]
    fn a_group_takes_twenty_in_a_minute() {
        let (mut bot, mut chat) = (BotPace::default(), ChatPace::default());
        for i in 0..20 {
            assert_eq!(take(&mut bot, &mut chat, true, i * SECOND), Ok(()), "{i}");
        }
        assert_eq!(take(&mut bot, &mut chat, true, 20 * SECOND), Err(40));
        assert_eq!(take(&mut bot, &mut chat, true, MINUTE), Ok(()));
    }
}
