//! What has to be done when a test is over.

use std::time::{Duration, Instant};

use store::{args, jobs};

use crate::{PATIENCE, TestHub};

/// Waits until nothing is left to do, and fails the test when that does not come.
#[expect(clippy::disallowed_methods, reason = "a test waits in real time, whatever the manual clock says")]
pub(crate) async fn assert_clean(hub: &TestHub) {
    let end = Instant::now() + PATIENCE;
    loop {
        let left = leftovers(hub).await;
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "the world is not clean: {left:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn leftovers(hub: &TestHub) -> Vec<String> {
    let mut left = hub.hub().subscriptions().behind(hub.db()).await.expect("the database answers");
    let allowed = hub.undelivered_allowed;
    let more: Result<Vec<String>, store::Error> = hub.db().read(move |tx| {
        let due = jobs::due(tx, 10)?;
        let mut left: Vec<_> = due.iter().map(|job| format!("job {} is due", job.kind)).collect();
        left.extend(jobs::dead(tx, 10)?.iter().map(|job| format!("job {} is dead: {:?}", job.kind, job.error)));
        if !allowed {
            left.extend(tx.query(
                "SELECT state, COUNT(*) FROM deliveries WHERE state IN ('queued', 'sending', 'retrying') GROUP BY state",
                args![],
                |row| Ok(format!("{} deliveries are {}", row.get::<i64>(1)?, row.get::<String>(0)?)),
            )?);
        }
        Ok(left)
    }).await;
    left.extend(more.expect("the database answers"));
    left
}
