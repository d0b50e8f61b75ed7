//! Rate limits: one cell per key (GCRA, `model::Cell`), in memory, bounded.
//!
//! Idle cells are swept whenever a shard has doubled since its last sweep; a shard that is full of busy cells forgets
//! some of them rather than growing. Per node; the limits are protection, not accounting.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::{BuildHasher, Hash},
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use model::{Cell, Limit, Verdict, World};

use crate::{Principal, Problem, Rates, Who};

const SHARDS: usize = 16;
const SWEEP_FROM: usize = 1024;
const MOST_PER_SHARD: usize = 1 << 16;

/// All rate cells of the process.
pub struct Limits {
    world: World,
    rates: Rates,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    cells: HashMap<u64, Cell>,
    sweep_at: usize,
}

impl Limits {
    pub(crate) fn new(world: World, rates: Rates) -> Self {
        Self { world, rates, hasher: RandomState::new(), shards: std::array::from_fn(|_| Mutex::default()) }
    }

    /// Takes one unit from the cell that `scope` and `key` name, if it has one left.
    pub fn take(&self, scope: &'static str, key: impl Hash, limit: Limit) -> Verdict {
        let hash = self.hasher.hash_one((scope, key));
        // Not the wall clock: when that goes back, everybody would be refused for a whole window.
        let now = model::Timestamp::default() + self.world.clock().monotonic();
        let shard = &self.shards[hash as usize % SHARDS];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.make_room(now);
        shard.cells.entry(hash).or_default().take(limit, now)
    }

    /// Empties a cell, as if nothing had been taken from it.
    pub fn forget(&self, scope: &'static str, key: impl Hash) {
        let hash = self.hasher.hash_one((scope, key));
        let shard = &self.shards[hash as usize % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner).cells.remove(&hash);
    }

    /// As [`Self::take`], with the refusal as a problem.
    ///
    /// # Errors
    /// 429 `rate_limited`.
    pub fn check(&self, scope: &'static str, key: impl Hash, limit: Limit) -> Result<Verdict, Problem> {
        let verdict = self.take(scope, key, limit);
        if verdict.allowed { Ok(verdict) } else { Err(Problem::rate_limited(verdict)) }
    }

    /// Counts an unauthenticated request of this address (IPv6: of its /64).
    pub(crate) fn address(&self, address: IpAddr) -> Rate {
        self.per_minute("address", network(address), self.rates.per_address)
    }

    /// Counts a request of this user or key.
    pub(crate) fn principal(&self, principal: &Principal) -> Rate {
        match principal.who {
            Who::Member { user, .. } => self.per_minute("user", user, self.rates.per_user),
            Who::Key { key } => self.per_minute("key", key, principal.rate.unwrap_or(self.rates.per_key)),
        }
    }

    fn per_minute(&self, scope: &'static str, key: impl Hash, limit: u32) -> Rate {
        Rate { limit, verdict: self.take(scope, key, Limit::per(limit, Duration::from_secs(60))) }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|it| it.lock().expect("no panic inside").cells.len()).sum()
    }
}

/// What a cell said about a request, with the numbers for the headers of its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// Requests per minute.
    pub(crate) limit: u32,
    /// Whether this one may pass, and what is left.
    pub(crate) verdict: Verdict,
}

impl Shard {
    fn make_room(&mut self, now: model::Timestamp) {
        if self.cells.len() < self.sweep_at.max(SWEEP_FROM) {
            return;
        }
        self.cells.retain(|_, cell| !cell.is_idle(now));
        if self.cells.len() >= MOST_PER_SHARD {
            let some: Vec<u64> = self.cells.keys().copied().take(MOST_PER_SHARD / 8).collect();
            for key in &some {
                self.cells.remove(key);
            }
        }
        self.sweep_at = (self.cells.len() * 2).min(MOST_PER_SHARD);
    }
}

/// The part of an address that one customer of a provider cannot change at will.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    };

    use model::{Clock, Entropy, Sleep, Timestamp};

    use super::*;

    struct Still(Arc<AtomicI64>);

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(self.0.load(Ordering::Relaxed))
        }

        fn monotonic(&self) -> Duration {
            self.now().since(Timestamp::default())
        }

        fn sleep(&self, _: Duration) -> Sleep {
            Box::pin(std::future::pending())
        }
    }

    struct Zeroes;

    impl Entropy for Zeroes {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    fn limits() -> (Limits, Arc<AtomicI64>) {
        let micros = Arc::new(AtomicI64::new(1_700_000_000_000_000));
        (Limits::new(World::new(Arc::new(Still(micros.clone())), Arc::new(Zeroes)), Rates::default()), micros)
    }

    #[test]
    fn an_ipv6_customer_is_his_64_and_an_ipv4_address_is_itself() {
        let (limits, _) = limits();
        let left = |text: &str| limits.address(text.parse().expect("an address")).verdict.remaining;
        assert_eq!(left("2001:db8::1"), 99);
        assert_eq!(left("2001:db8::ffff:2"), 98);
        assert_eq!(left("2001:db8:0:1::1"), 99);
        assert_eq!(left("10.0.0.1"), 99);
        assert_eq!(left("::ffff:10.0.0.1"), 98);
    }

    #[test]
    fn idle_cells_are_forgotten_and_busy_ones_kept() {
        let (limits, micros) = limits();
        let hour = Limit::per(2, Duration::from_secs(3600));
        for address in 0..100_000_u32 {
            limits.take("short", address, Limit::per(100, Duration::from_secs(60)));
            micros.fetch_add(1_000, Ordering::Relaxed);
            if address == 50_000 {
                assert!(limits.take("long", "kept", hour).allowed && limits.take("long", "kept", hour).allowed);
            }
        }
        assert!(limits.len() < 2 * SHARDS * SWEEP_FROM, "{} cells", limits.len());
        assert!(!limits.take("long", "kept", hour).allowed);
    }
}
