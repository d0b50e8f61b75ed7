//! The real clock and the real randomness; only the binary and its benches use them.

#![expect(clippy::disallowed_methods, reason = "this is the door to the real clock")]

use std::{
    cell::RefCell,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use model::{Clock, Entropy, Sleep, Timestamp};

/// The system's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// The operating system's randomness, fetched in blocks: ids are made thousands of times a second.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

const BLOCK: usize = 512;

thread_local! {
    /// Unused random bytes of this thread, and how many of them are left at the end.
    static POOL: RefCell<([u8; BLOCK], usize)> = const { RefCell::new(([0; BLOCK], 0)) };
}

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        if bytes.len() > BLOCK {
            return system(bytes);
        }
        POOL.with_borrow_mut(|(pool, left)| {
            if *left < bytes.len() {
                system(pool);
                *left = BLOCK;
            }
            let taken = &mut pool[*left - bytes.len()..*left];
            bytes.copy_from_slice(taken);
            // What was given out must not stay in memory, some of it becomes keys.
            taken.fill(0);
            *left -= bytes.len();
        });
    }
}

fn system(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives randomness");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_blocks_are_alike() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..10_000 {
            let mut bytes = [0; 16];
            SystemEntropy.fill(&mut bytes);
            assert!(seen.insert(bytes));
        }
        let mut long = vec![0; 4 * BLOCK];
        SystemEntropy.fill(&mut long);
        assert!(long.chunks(16).all(|chunk| chunk != [0; 16]));
    }
}
