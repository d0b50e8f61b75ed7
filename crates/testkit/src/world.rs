//! Time that a test moves, and randomness that it can repeat.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use model::{Clock, Entropy, Sleep, Timestamp};

/// 2026-01-05T09:00:00Z, a Monday.
const START: i64 = 1_767_603_600_000_000;

/// A clock that stands still until [`ManualClock::advance`]. Cloning shares it.
#[derive(Clone, Default)]
pub struct ManualClock(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    elapsed: Duration,
    /// What the wall clock was set ahead or back by.
    jump_micros: i64,
    sleepers: BTreeMap<(Duration, u64), Waker>,
    next_id: u64,
}

impl ManualClock {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves time forward and wakes who has slept long enough.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state();
        state.elapsed += by;
        let first_later = (state.elapsed + Duration::from_nanos(1), 0);
        let later = state.sleepers.split_off(&first_later);
        let due = std::mem::replace(&mut state.sleepers, later);
        drop(state);
        due.into_values().for_each(Waker::wake);
    }

    /// Lets time pass in small `step`s until `future` is done: for what has to notice the time before it can act.
    ///
    /// # Panics
    /// When that takes longer than [`crate::PATIENCE`].
    #[expect(clippy::disallowed_methods, reason = "a test waits in real time, whatever the manual clock says")]
    pub async fn run<T>(&self, step: Duration, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        let end = std::time::Instant::now() + crate::PATIENCE;
        loop {
            tokio::select! {
                answer = &mut future => return answer,
                () = tokio::time::sleep(Duration::from_millis(5)) => self.advance(step),
            }
            assert!(std::time::Instant::now() < end, "nothing came of letting time pass");
        }
    }

    /// Sets the wall clock ahead or back, as an operator or a time server does; the monotonic clock does not notice.
    pub fn jump(&self, seconds: i64) {
        self.state().jump_micros += seconds * 1_000_000;
    }

    /// Sleeps that wait for time to move.
    #[must_use]
    pub fn sleepers(&self) -> usize {
        self.state().sleepers.len()
    }
}

impl std::fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ManualClock").field("now", &self.now()).finish_non_exhaustive()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let state = self.state();
        Timestamp::from_micros(START + state.jump_micros) + state.elapsed
    }

    fn monotonic(&self) -> Duration {
        self.state().elapsed
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let mut state = self.state();
        let id = state.next_id;
        state.next_id += 1;
        let key = (state.elapsed.saturating_add(duration), id);
        drop(state);
        Box::pin(Sleeping { clock: self.clone(), key })
    }
}

struct Sleeping {
    clock: ManualClock,
    key: (Duration, u64),
}

impl Future for Sleeping {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.state();
        if state.elapsed >= self.key.0 {
            return Poll::Ready(());
        }
        state.sleepers.insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleeping {
    fn drop(&mut self) {
        self.clock.state().sleepers.remove(&self.key);
    }
}

/// Random bytes that are the same for the same seed.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u64,
    counter: AtomicU64,
}

impl SeededEntropy {
    /// Bytes of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, counter: AtomicU64::new(0) }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.seed.to_le_bytes()).update(&count.to_le_bytes());
        hasher.finalize_xof().fill(bytes);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_sleeper_wakes_when_its_time_has_come_and_not_before() {
        let clock = ManualClock::default();
        let mut sleep = clock.sleep(Duration::from_secs(10));
        assert!((&mut sleep).now_or_never().is_none());
        assert_eq!(clock.sleepers(), 1);
        clock.advance(Duration::from_secs(9));
        assert!((&mut sleep).now_or_never().is_none());
        clock.advance(Duration::from_secs(1));
        assert!((&mut sleep).now_or_never().is_some());
        drop(clock.sleep(Duration::from_secs(1)));
        assert_eq!(clock.sleepers(), 0);
    }

    #[test]
    fn a_jump_moves_only_the_wall_clock() {
        let clock = ManualClock::default();
        let before = clock.now();
        clock.jump(-3600);
        assert_eq!(before.since(clock.now()), Duration::from_secs(3600));
        assert_eq!(clock.monotonic(), Duration::ZERO);
    }
}
