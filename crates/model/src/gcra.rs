//! The rate cell: the generic cell rate algorithm (ITU-T I.371), as one number that can be stored.

use std::time::Duration;

use crate::Timestamp;

/// How much is allowed: `burst` at once, then one every `period`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Time that one unit costs, once the burst is used up.
    pub period: Duration,
    /// Units that may pass at once.
    pub burst: u32,
}

impl Limit {
    /// `count` per `window`, all of which may come at once.
    #[must_use]
    pub fn per(count: u32, window: Duration) -> Self {
        Self { period: window / count.max(1), burst: count.max(1) }
    }

    /// The same rate with another burst.
    #[must_use]
    pub fn with_burst(self, burst: u32) -> Self {
        Self { burst: burst.max(1), ..self }
    }
}

/// State of one key under a limit: the moment at which it would be empty again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cell(Timestamp);

/// What a cell said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the unit may pass; only then was it counted.
    pub allowed: bool,
    /// Units that may still pass now.
    pub remaining: u32,
    /// Until one unit may pass; zero when allowed.
    pub retry_after: Duration,
    /// Until the cell is empty again.
    pub reset_after: Duration,
}

impl Cell {
    /// Asks for one unit at `now` and counts it when it is allowed. A clock that goes back can delay a caller by at
    /// most one full window, because a stored moment further ahead than that is cut.
    pub fn take(&mut self, limit: Limit, now: Timestamp) -> Verdict {
        let window = limit.period * limit.burst;
        let start = self.0.clamp(now, now + window);
        let next = start + limit.period;
        let allowed = next <= now + window;
        self.0 = if allowed { next } else { start };
        self.verdict(limit, now, allowed)
    }

    /// When a unit could pass, without asking for it.
    #[must_use]
    pub fn ready_at(self, limit: Limit, now: Timestamp) -> Timestamp {
        let window = limit.period * limit.burst;
        let start = self.0.clamp(now, now + window);
        (start + limit.period - window).max(now)
    }

    /// Whether the cell carries no information any more and can be forgotten.
    #[must_use]
    pub fn is_idle(self, now: Timestamp) -> bool {
        self.0 <= now
    }

    fn verdict(self, limit: Limit, now: Timestamp, allowed: bool) -> Verdict {
        let window = limit.period * limit.burst;
        let used = self.0.since(now);
        let free = window.saturating_sub(used);
        let remaining = free.as_nanos() / limit.period.as_nanos().max(1);
        Verdict {
            allowed,
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            retry_after: if allowed { Duration::ZERO } else { limit.period.saturating_sub(free) },
            reset_after: used,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_each_period() {
        let limit = Limit::per(1, Duration::from_secs(1)).with_burst(3);
        let (mut cell, start) = (Cell::default(), Timestamp::from_micros(1_000_000_000));
        for left in [2, 1, 0] {
            let verdict = cell.take(limit, start);
            assert!(verdict.allowed);
            assert_eq!(verdict.remaining, left);
        }
        let refused = cell.take(limit, start);
        assert!(!refused.allowed);
        assert_eq!(refused.retry_after, Duration::from_secs(1));
        assert_eq!(cell.ready_at(limit, start), start + Duration::from_secs(1));
        assert!(cell.take(limit, start + Duration::from_secs(1)).allowed);
    }

    #[test]
    fn a_clock_that_jumps_back_delays_by_one_window_at_most() {
        let limit = Limit::per(2, Duration::from_secs(2));
        let mut cell = Cell::default();
        let late = Timestamp::from_micros(9_000_000_000_000);
        assert!(cell.take(limit, late).allowed);
        let early = Timestamp::from_micros(1_000_000_000);
        assert!(!cell.take(limit, early).allowed);
        assert_eq!(cell.ready_at(limit, early), early + Duration::from_secs(1));
        assert!(cell.take(limit, early + Duration::from_secs(1)).allowed);
    }

    proptest! {
        #[test]
        fn never_more_than_burst_plus_rate_in_any_window(
            count in 1u32..50, gaps in prop::collection::vec(0u64..400_000, 1..400),
        ) {
            let window = Duration::from_secs(1);
            let limit = Limit::per(count, window);
            let (mut cell, mut now) = (Cell::default(), Timestamp::from_micros(1_000_000_000));
            let mut passed = Vec::new();
            for gap in gaps {
                now = now + Duration::from_micros(gap);
                if cell.take(limit, now).allowed {
                    passed.push(now);
                }
            }
            for (i, start) in passed.iter().enumerate() {
                let within = passed[i..].iter().take_while(|at| at.since(*start) < window).count();
                prop_assert!(within <= 2 * count as usize, "{within} in one window at {count}");
            }
        }
    }
}
