//! Jobs run at least once, and one at a time.

use std::time::Duration;

use model::WorkspaceId;
use store::{
    Error,
    jobs::{self, Job, NewJob},
};

use crate::support::{Place, json, on_each};

const TTL: Duration = Duration::from_secs(30);

async fn schedule(place: &Place, workspace: WorkspaceId, key: Option<&'static str>, max_attempts: i64) -> bool {
    place
        .write(workspace, move |tx| {
            let run_at = tx.now();
            jobs::schedule(
                tx,
                NewJob { kind: "tidy", key: key.map(str::to_owned), payload: json("{}"), run_at, max_attempts },
            )
        })
        .await
}

async fn due(place: &Place) -> Vec<Job> {
    place.read(|tx| jobs::due(tx, 100)).await
}

async fn lease(place: &Place, seen: &Job) -> Option<Job> {
    let seen = seen.clone();
    place.write(seen.workspace, move |tx| jobs::lease(tx, &seen, TTL)).await
}

async fn finish(place: &Place, job: &Job) -> bool {
    let job = job.clone();
    place.write(job.workspace, move |tx| jobs::finish(tx, &job)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_worker_vanished_runs_again_and_the_old_worker_cannot_end_it() {
    on_each(async |place| {
        schedule(place, place.workspace(), None, 5).await;
        let [seen] = due(place).await.try_into().expect("one job");
        let first = lease(place, &seen).await.expect("it is due");
        assert!(lease(place, &seen).await.is_none(), "it is taken");
        assert!(due(place).await.is_empty());
        place.clock.advance(TTL);
        let [seen] = due(place).await.try_into().expect("it is due again");
        let second = lease(place, &seen).await.expect("its time is over");
        assert!(second.fence > first.fence && second.attempts == 2);
        assert!(!finish(place, &first).await);
        let late = first.clone();
        assert!(!place.write(first.workspace, move |tx| jobs::renew(tx, &late, TTL)).await);
        let (late, again_at) = (first.clone(), place.world.now());
        place.write(first.workspace, move |tx| jobs::fail(tx, &late, "too late", again_at)).await;
        assert!(due(place).await.is_empty(), "an old worker's failure changes nothing");
        assert!(finish(place, &second).await);
        assert_eq!(place.number("SELECT COUNT(*) FROM jobs").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_key_one_job_is_alive_per_workspace() {
    on_each(async |place| {
        let (here, there) = (place.workspace(), place.workspace());
        assert!(schedule(place, here, Some("it"), 5).await);
        assert!(!schedule(place, here, Some("it"), 5).await);
        assert!(schedule(place, here, Some("other"), 5).await);
        assert!(schedule(place, there, Some("it"), 5).await);
        assert!(schedule(place, here, None, 5).await && schedule(place, here, None, 5).await);
        let seen = due(place).await.into_iter().find(|job| job.workspace == here && job.key.as_deref() == Some("it"));
        let job = lease(place, &seen.expect("it is there")).await.expect("it is due");
        assert!(!schedule(place, here, Some("it"), 5).await, "a running job is alive");
        assert!(finish(place, &job).await);
        assert!(schedule(place, here, Some("it"), 5).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_keeps_failing_waits_and_then_is_dead() {
    on_each(async |place| {
        schedule(place, place.workspace(), Some("it"), 2).await;
        for attempt in 1..=2 {
            let [seen] = due(place).await.try_into().expect("one job");
            let job = lease(place, &seen).await.expect("it is due");
            assert_eq!(job.attempts, attempt);
            let again_at = place.world.now() + TTL;
            place.write(job.workspace, move |tx| jobs::fail(tx, &job, "no luck", again_at)).await;
            assert!(due(place).await.is_empty());
            place.clock.advance(TTL);
        }
        assert!(due(place).await.is_empty());
        let [dead] = place.read(|tx| jobs::dead(tx, 10)).await.try_into().expect("one dead job");
        assert_eq!(dead.error.as_deref(), Some("no luck"));
        assert_eq!(place.read(jobs::next_due).await, None);
        assert!(schedule(place, dead.workspace, Some("it"), 2).await, "a dead one does not stand in the way");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_kills_its_workers_does_not_do_so_for_ever() {
    on_each(async |place| {
        schedule(place, place.workspace(), None, 1).await;
        let [seen] = due(place).await.try_into().expect("one job");
        assert!(lease(place, &seen).await.is_some());
        place.clock.advance(TTL);
        let [seen] = due(place).await.try_into().expect("its worker is silent");
        assert!(lease(place, &seen).await.is_none());
        assert!(due(place).await.is_empty());
        assert_eq!(place.read(|tx| jobs::dead(tx, 10)).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_exists_only_if_its_command_is_committed() {
    on_each(async |place| {
        let failed = place.db.write(place.workspace(), |tx| {
            let run_at = tx.now();
            jobs::schedule(tx, NewJob { kind: "tidy", key: None, payload: json("{}"), run_at, max_attempts: 1 })?;
            Err::<(), Error>(Error::NotFound)
        });
        assert_eq!(failed.await, Err(Error::NotFound));
        assert!(due(place).await.is_empty());
    })
    .await;
}
