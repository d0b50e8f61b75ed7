//! Reading the journal.

use crate::Sandbox;
use crate::journal::{Call, Page};
use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use std::time::Duration;

/// A page of the journal unless the caller wants another size, and the largest there is.
const PAGE: usize = 1_000;
const LARGEST_PAGE: usize = 10_000;

impl Sandbox {
    /// Every call that the journal keeps in memory, oldest first.
    pub fn journal(&self) -> Vec<Call> {
        self.0.journal.page(0, None, usize::MAX).calls
    }

    /// Calls numbered above `after`, at most `limit`, only of `method` if given.
    pub fn journal_page(&self, after: u64, method: Option<&str>, limit: usize) -> Page {
        self.0.journal.page(after, method, limit)
    }

    /// Calls refused so far because they broke a send limit.
    pub fn breaches(&self) -> u64 {
        self.0.journal.page(u64::MAX, None, 0).breaches
    }

    /// Waits for a call, past or to come, that satisfies `wanted`; `None` when there is none within `timeout`.
    pub async fn wait_for_call(&self, wanted: impl FnMut(&Call) -> bool, timeout: Duration) -> Option<Call> {
        let found = tokio::time::timeout(timeout, self.0.journal.first(wanted)).await;
        found.ok()
    }
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    after: u64,
    method: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn read(State(sandbox): State<Sandbox>, Query(wanted): Query<Wanted>) -> Json<Page> {
    let limit = wanted.limit.unwrap_or(PAGE).min(LARGEST_PAGE);
    Json(sandbox.journal_page(wanted.after, wanted.method.as_deref(), limit))
}
