use std::time::Duration;

use kit::{BoxFuture, Hub, JobHandler};
use model::{SYSTEM_WORKSPACE, Timestamp};
use serde_json::value::RawValue;
use store::{
    args,
    jobs::{self, Job, NewJob},
};
use testkit::{Builder, TestHub, eventually, expect_panic};
use tokio::sync::watch;

use crate::fixture::{Counter, acme, later, tokens, with};

type Work = fn(u64, Job, watch::Receiver<bool>) -> BoxFuture<'static, Result<(), String>>;

/// Runs a function of how often it was called before, the job and a gate that the test opens.
#[derive(Clone)]
struct Handler {
    calls: Counter,
    gate: watch::Sender<bool>,
    work: Work,
    every: Option<Duration>,
}

impl Handler {
    fn new(work: Work) -> Self {
        Self { calls: Counter::default(), gate: watch::Sender::new(false), work, every: None }
    }
}

impl JobHandler for Handler {
    fn kind(&self) -> &'static str {
        "test.work"
    }

    fn run(&self, _: Hub, job: Job) -> BoxFuture<'static, Result<(), String>> {
        (self.work)(self.calls.up(), job, self.gate.subscribe())
    }

    fn every(&self) -> Option<Duration> {
        self.every
    }
}

fn working(handler: &Handler) -> Builder {
    let handler = handler.clone();
    with(&tokens(), move |feature| feature.job(handler.clone()))
}

async fn schedule(hub: &TestHub, run_at: Timestamp, max_attempts: i64) {
    let scheduled = hub.db().write(acme(), move |tx| {
        let payload = RawValue::from_string("{}".to_owned()).expect("JSON");
        jobs::schedule(tx, NewJob { kind: "test.work", key: None, payload, run_at, max_attempts })
    });
    assert!(scheduled.await.expect("committed"));
}

async fn left(hub: &TestHub, state: &'static str) -> i64 {
    let count = hub.db().read(move |tx| {
        tx.one("SELECT COUNT(*) FROM jobs WHERE kind = 'test.work' AND state = $1", args![state], |row| row.get(0))
    });
    count.await.map_err(|error: store::Error| error).expect("read")
}

async fn open(mut gate: watch::Receiver<bool>) {
    gate.wait_for(|open| *open).await.expect("the test holds the other end");
}

#[tokio::test]
async fn a_job_runs_when_it_is_due_and_not_before() {
    let handler = Handler::new(|_, _, _| Box::pin(async { Ok(()) }));
    let hub = working(&handler).start().await;
    schedule(&hub, later(&hub, 60), 3).await;
    schedule(&hub, later(&hub, 0), 3).await;
    handler.calls.reaches(1).await;
    eventually(|| async { (left(&hub, "running").await == 0).then_some(()) }).await;
    assert_eq!((handler.calls.get(), left(&hub, "waiting").await), (1, 1));
    hub.clock().run(Duration::from_secs(1), handler.calls.reaches(2)).await;
    eventually(|| async { (left(&hub, "running").await == 0).then_some(()) }).await;
    hub.finish().await;
}

#[tokio::test]
async fn a_failed_job_is_tried_again_after_a_growing_pause_until_it_is_dead() {
    expect_panic("the second try");
    let handler = Handler::new(|call, _, _| {
        Box::pin(async move {
            assert_ne!(call, 2, "the second try");
            Err(format!("failure {call}"))
        })
    });
    let hub = working(&handler).start().await;
    let started = hub.hub().world().now();
    schedule(&hub, started, 3).await;
    hub.clock().run(Duration::from_millis(100), handler.calls.reaches(3)).await;
    assert!(
        hub.hub().world().now().since(started) >= Duration::from_millis(4_500),
        "two pauses of 1.5 and 3 s at least"
    );
    eventually(|| async { (left(&hub, "dead").await == 1).then_some(()) }).await;
    let dead = hub.db().read(|tx| jobs::dead(tx, 10)).await.expect("read");
    assert_eq!(dead[0].error.as_deref(), Some("failure 3"));
    let cleaned = hub.db().write(acme(), |tx| tx.exec("DELETE FROM jobs WHERE state = 'dead'", &[]));
    cleaned.await.map_err(|error: store::Error| error).expect("cleaned");
    hub.finish().await;
}

#[tokio::test]
async fn a_long_job_keeps_its_lease() {
    let handler = Handler::new(|_, _, gate| {
        Box::pin(async move {
            open(gate).await;
            Ok(())
        })
    });
    let hub = working(&handler).start().await;
    schedule(&hub, later(&hub, 0), 3).await;
    handler.calls.reaches(1).await;
    for _ in 0..10 {
        let before = lease_end(&hub).await;
        hub.clock()
            .run(Duration::from_secs(1), eventually(|| async { (lease_end(&hub).await > before).then_some(()) }))
            .await;
    }
    assert_eq!(handler.calls.get(), 1);
    handler.gate.send_replace(true);
    eventually(|| async { (left(&hub, "running").await == 0).then_some(()) }).await;
    hub.finish().await;
}

async fn lease_end(hub: &TestHub) -> Timestamp {
    let end = hub.db().read(|tx| tx.one("SELECT run_at FROM jobs WHERE kind = 'test.work'", &[], |row| row.get(0)));
    end.await.map_err(|error: store::Error| error).expect("read")
}

#[tokio::test]
async fn a_job_whose_lease_was_taken_over_is_dropped_and_cannot_end_it() {
    let handler = Handler::new(|call, _, gate| {
        Box::pin(async move {
            if call == 1 {
                open(gate).await;
            }
            Ok(())
        })
    });
    let hub = working(&handler).start().await;
    schedule(&hub, later(&hub, 0), 3).await;
    handler.calls.reaches(1).await;
    // Another node takes it over: a new fence, held for a while.
    let taken = hub.db().write(acme(), |tx| {
        let until = tx.now() + Duration::from_secs(300);
        tx.exec("UPDATE jobs SET fence = fence + 1, run_at = $1 WHERE kind = 'test.work'", args![until])
    });
    taken.await.map_err(|error: store::Error| error).expect("taken");
    hub.clock()
        .run(Duration::from_secs(1), eventually(|| async { (handler.gate.receiver_count() == 0).then_some(()) }))
        .await;
    assert_eq!(
        (handler.calls.get(), left(&hub, "running").await),
        (1, 1),
        "it was dropped, and the row is the other's"
    );
    // The other node dies; its lease runs out and the job runs here again.
    hub.clock().run(Duration::from_secs(10), handler.calls.reaches(2)).await;
    eventually(|| async { (left(&hub, "running").await == 0).then_some(()) }).await;
    hub.finish().await;
}

#[tokio::test]
async fn a_repeated_job_runs_again_and_again_and_once_only_after_a_restart() {
    let mut handler = Handler::new(|_, _, _| Box::pin(async { Ok(()) }));
    handler.every = Some(Duration::from_secs(100));
    let hub = working(&handler).start().await;
    handler.calls.reaches(1).await;
    for count in 2..5 {
        hub.clock().run(Duration::from_secs(10), handler.calls.reaches(count)).await;
    }
    eventually(|| async { (left(&hub, "running").await == 0).then_some(()) }).await;
    let hub = hub.restart().await;
    assert_eq!(left(&hub, "waiting").await, 1);
    let mine = hub.db().read(|tx| {
        tx.one("SELECT workspace_id FROM jobs WHERE kind = 'test.work'", &[], |row| row.get::<model::WorkspaceId>(0))
    });
    assert_eq!(mine.await.map_err(|error: store::Error| error).expect("read"), SYSTEM_WORKSPACE);
    hub.finish().await;
}
