#![doc = include_str!("../README.md")]

mod actor;
mod clean;
mod database;
mod hub;
mod live;
mod log;
mod reply;
mod sse;
mod wire;
mod world;

use std::{
    future::Future,
    time::{Duration, Instant},
};

pub use actor::{Actor, Request};
pub use hub::{Builder, Founder, NewWorkspace, Parts, Plan, SETUP_CODE, TestHub};
pub use live::LiveClient;
pub use log::{expect_panic, logged};
pub use reply::Reply;
pub use sse::{SseClient, SseEvent};
pub use world::{ManualClock, SeededEntropy};

/// How long a condition may take before a test fails; generous, because machines are slow when they are busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks again and again until there is an answer, and fails the test when there is none in [`PATIENCE`].
///
/// # Panics
/// When the condition does not come true.
#[expect(clippy::disallowed_methods, reason = "a test waits in real time, whatever the manual clock says")]
#[track_caller]
pub fn eventually<T, F, Fut>(mut condition: F) -> impl Future<Output = T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let caller = std::panic::Location::caller();
    async move {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = condition().await {
                return answer;
            }
            assert!(Instant::now() < end, "the condition at {caller} did not come true in {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Waits for a future, and fails the test when it takes longer than [`PATIENCE`].
///
/// # Panics
/// When it does.
#[track_caller]
pub fn soon<T>(what: &'static str, future: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(answer) => answer,
            Err(_) => panic!("{what} at {caller} did not happen in {PATIENCE:?}"),
        }
    }
}
