//! The one door through which time, ids and randomness enter.

use std::sync::{Arc, Mutex};

use uuid::{Builder, Uuid};

use crate::{Clock, Id, Timestamp};

/// Where random bytes come from: the operating system, or a seeded generator in tests.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `bytes`; never fails (a system without randomness cannot run us).
    fn fill(&self, bytes: &mut [u8]);
}

/// Clock, randomness and ids, handed to everything that needs them.
#[derive(Clone)]
pub struct World {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    last_id: Arc<Mutex<u64>>,
}

impl World {
    /// A world on this clock and this source of randomness.
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { clock, entropy, last_id: Arc::default() }
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The wall clock's time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// `N` random bytes.
    #[must_use]
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }

    /// A number in `0.0..1.0`, for jitter.
    #[must_use]
    pub fn unit(&self) -> f64 {
        let bits = u32::from_le_bytes(self.random());
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }

    /// A new UUIDv7. Ids of one process strictly increase, also within a microsecond and when the clock goes back:
    /// RFC 9562 section 6.2, method 3 (the fraction of the millisecond in `rand_a`), carried forward on a tie.
    #[must_use]
    pub fn id<K>(&self) -> Id<K> {
        let micros = u64::try_from(self.now().micros()).unwrap_or(0);
        // The 60 leading bits: 48 of milliseconds, 12 of the fraction.
        let fresh = ((micros / 1000) << 12) | ((micros % 1000) * 4096 / 1000);
        let mut last = self.last_id.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let ticks = fresh.max(*last + 1);
        *last = ticks;
        drop(last);
        Id::from_uuid(self.v7(ticks))
    }

    fn v7(&self, ticks: u64) -> Uuid {
        let mut random: [u8; 10] = self.random();
        let fraction = (ticks & 0xfff) as u16;
        random[..2].copy_from_slice(&fraction.to_be_bytes());
        Builder::from_unix_timestamp_millis(ticks >> 12, &random).into_uuid()
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("now", &self.now()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicI64, Ordering},
        time::Duration,
    };

    use super::*;
    use crate::{ChatId, Sleep};

    struct Jumping(AtomicI64);

    impl Clock for Jumping {
        fn now(&self) -> Timestamp {
            // Forward, then back by an hour, then forward again.
            let n = self.0.fetch_add(1, Ordering::Relaxed);
            Timestamp::from_micros(1_700_000_000_000_000 - if n % 3 == 1 { 3_600_000_000 } else { 0 })
        }

        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }

        fn sleep(&self, _: Duration) -> Sleep {
            Box::pin(std::future::ready(()))
        }
    }

    struct Zeroes;

    impl Entropy for Zeroes {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    #[test]
    fn ids_increase_even_when_the_clock_goes_back() {
        let world = World::new(Arc::new(Jumping(AtomicI64::new(0))), Arc::new(Zeroes));
        let ids: Vec<ChatId> = (0..10_000).map(|_| world.id()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(ids[0].uuid().get_version_num(), 7);
    }
}
