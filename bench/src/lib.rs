#![doc = include_str!("../README.md")]

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

pub mod crash;
pub mod http;
pub mod live;
pub mod product;
pub mod rng;
pub mod scene;
pub mod stand;
pub mod stats;
pub mod store;
pub mod wire;

/// How often a condition is looked at again.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until `look` gives something.
///
/// # Panics
/// With `what`, when it does not within `patience`.
pub async fn until<T>(patience: Duration, what: impl Display, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < patience, "not within {patience:?}: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// [`until`] with a patience that is generous for anything that happens in a test.
///
/// # Panics
/// With `what`, when it does not happen.
pub async fn eventually<T>(what: impl Display, look: impl AsyncFnMut() -> Option<T>) -> T {
    until(Duration::from_secs(30), what, look).await
}
