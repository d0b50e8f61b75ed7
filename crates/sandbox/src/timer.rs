//! The only place that touches real time. The sandbox plays a server of the outside world: its long polls, pauses and
//! timeouts run on the clock that its callers live by, also when a test fixes the dates it writes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

#[expect(clippy::disallowed_methods, reason = "the outside world's monotonic time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "the outside world's monotonic time")]
pub(crate) async fn until(at: Instant) {
    tokio::time::sleep_until(at).await;
}

pub(crate) async fn pause(length: Duration) {
    until(now() + length).await;
}

/// Microseconds since the Unix epoch, by the machine's own clock.
#[expect(clippy::disallowed_methods, reason = "the default of a clock that the caller may replace")]
pub(crate) fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
