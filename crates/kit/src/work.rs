//! Background work: supervised services, and the runner of jobs.
//!
//! **Services** run as long as the server. One that fails or panics is started again after a pause that grows from 1 s to 60 s
//! and shrinks back once it ran for a minute. One that returns normally is done.
//!
//! **Jobs** are rows (see `store::jobs`). The runner leases what is due, runs up to [`AT_ONCE`] at a time, keeps the lease while
//! the handler works, and ends the job under the fence it got. A job that lost its lease is dropped where it stands. A failed
//! attempt waits 2, 4, 8… seconds (at most an hour, with jitter); after `max_attempts` the job is dead and shown.

use std::{collections::HashMap, fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use model::{SYSTEM_WORKSPACE, WorkspaceId, World};
use serde_json::value::RawValue;
use store::{
    Db, Driver,
    jobs::{self, Job, NewJob},
};
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinHandle,
};

use crate::{BoxFuture, Hub};

/// Jobs that run at the same time on a node.
pub const AT_ONCE: usize = 4;
/// How long a lease lasts without being renewed.
pub const LEASE: Duration = Duration::from_secs(60);
const RENEW: Duration = Duration::from_secs(20);
/// On PostgreSQL another node may have scheduled something.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long the runner rests at most: a clock that jumped forward has made jobs due meanwhile.
const MOST_PAUSE: Duration = Duration::from_secs(60);

/// Runs the jobs of one kind. Work is done at least once, so it has to be idempotent.
pub trait JobHandler: Send + Sync + 'static {
    /// The kind of job; never change it.
    fn kind(&self) -> &'static str;

    /// Does the work. An error counts as a failed attempt.
    fn run(&self, hub: Hub, job: Job) -> BoxFuture<'static, Result<(), String>>;

    /// For work that repeats: the pause between the end of one run and the start of the next. The runner schedules it, once
    /// for the installation.
    fn every(&self) -> Option<Duration> {
        None
    }
}

/// How a service may end.
pub trait Ending {
    /// The error, if it failed.
    fn error(self) -> Option<String>;
}

impl Ending for () {
    fn error(self) -> Option<String> {
        None
    }
}

impl<E: fmt::Display> Ending for Result<(), E> {
    fn error(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

type Start = dyn Fn(Hub) -> Pin<Box<dyn Future<Output = Option<String>> + Send>> + Send + Sync;

/// A supervised task; see the module. It has to end when [`Hub::shutdown`] is cancelled, or is aborted after the drain time.
#[derive(Clone)]
pub struct Service {
    name: Arc<str>,
    start: Arc<Start>,
}

impl Service {
    /// A service that `start` makes, each time anew.
    pub fn new<F, Fut>(name: impl Into<Arc<str>>, start: F) -> Self
    where
        F: Fn(Hub) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: Ending,
    {
        Self { name: name.into(), start: Arc::new(move |hub| Box::pin(start(hub).map(Ending::error))) }
    }

    /// Starts it under supervision; a stop of the hub waits for it. Features register services instead; this is for
    /// those that come and go while the server runs, one per bot for example.
    pub fn spawn(self, hub: &Hub) -> JoinHandle<()> {
        let hub = hub.clone();
        hub.tasks().clone().spawn(supervise(hub, self))
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Aborts the task when it is dropped: whoever gives up waiting for a task ends it.
pub(crate) struct Owned<T>(pub(crate) JoinHandle<T>);

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn supervise(hub: Hub, service: Service) {
    let clock = hub.world().clock().clone();
    let mut pause = Duration::from_secs(1);
    while !hub.shutdown().is_cancelled() {
        let started = clock.monotonic();
        let Some(error) = run_once(&hub, &service).await else { return };
        if clock.monotonic().saturating_sub(started) > Duration::from_secs(60) {
            pause = Duration::from_secs(1);
        }
        tracing::error!(service = %service.name, %error, pause = ?pause, "a service failed and will be started again");
        tokio::select! {
            () = hub.shutdown().cancelled() => return,
            () = clock.sleep(pause) => pause = (pause * 2).min(Duration::from_secs(60)),
        }
    }
}

/// One life of a service: why it failed, or `None` when it is done or the server stops.
async fn run_once(hub: &Hub, service: &Service) -> Option<String> {
    let mut task = Owned(tokio::spawn((service.start)(hub.clone())));
    let ended = tokio::select! {
        ended = &mut task.0 => ended,
        () = async {
            hub.shutdown().cancelled().await;
            hub.world().clock().sleep(hub.config().drain).await;
        } => {
            tracing::warn!(service = %service.name, "a service did not stop in time and is aborted");
            return None;
        }
    };
    match ended {
        Ok(error) => error,
        Err(join) => Some(panic_text(join)),
    }
}

pub(crate) fn panic_text(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => format!("panicked: {}", text_of(&*panic)),
        Err(error) => error.to_string(),
    }
}

/// The message of a panic.
pub(crate) fn text_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Wakes the runner of jobs.
#[derive(Debug, Default)]
pub(crate) struct Workers(Notify);

impl Workers {
    pub(crate) fn wake(&self) {
        self.0.notify_one();
    }
}

type Handlers = HashMap<&'static str, Arc<dyn JobHandler>>;

/// The service that runs jobs.
pub(crate) fn runner(handlers: &[Arc<dyn JobHandler>]) -> Service {
    let handlers: Arc<Handlers> = Arc::new(handlers.iter().map(|it| (it.kind(), it.clone())).collect());
    Service::new("jobs", move |hub| run_jobs(hub, handlers.clone()))
}

async fn run_jobs(hub: Hub, handlers: Arc<Handlers>) -> Result<(), store::Error> {
    for handler in handlers.values().filter(|it| it.every().is_some()) {
        let kind = handler.kind();
        hub.db().write(SYSTEM_WORKSPACE, move |tx| jobs::schedule(tx, repeated(kind, tx.now()))).await?;
    }
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let slot = tokio::select! {
            () = hub.shutdown().cancelled() => return drained(&slots).await,
            slot = slots.clone().acquire_owned() => slot.expect("the semaphore is never closed"),
        };
        match take_one(hub.db(), &handlers).await? {
            Taken::Job(job, handler) => {
                let hub = hub.clone();
                hub.tasks().clone().spawn(async move {
                    run_job(&hub, job, handler).await;
                    drop(slot);
                    hub.workers().wake();
                });
            }
            Taken::Nothing { due } => {
                drop(slot);
                rest(&hub, due).await?;
            }
        }
    }
}

async fn drained(slots: &Semaphore) -> Result<(), store::Error> {
    let all = u32::try_from(AT_ONCE).expect("a small number");
    drop(slots.acquire_many(all).await);
    Ok(())
}

/// Waits until a job is scheduled or comes due; when what is `due` is for other nodes, at least a second.
async fn rest(hub: &Hub, due: bool) -> Result<(), store::Error> {
    let next = hub.db().read(jobs::next_due).await?;
    let mut pause = next.map_or(Duration::MAX, |next| next.since(hub.world().now()));
    if due {
        pause = pause.max(Duration::from_secs(1));
    }
    // Other nodes schedule without waking this one, and a wall clock that jumps makes a pause wrong.
    pause = pause.min(if hub.db().driver() == Driver::Postgres { LOOK_AGAIN } else { MOST_PAUSE });
    tokio::select! {
        () = hub.shutdown().cancelled() => {}
        () = hub.workers().0.notified() => {}
        () = sleep(hub.world(), pause) => {}
    }
    Ok(())
}

/// Sleeps on the world's clock; [`Duration::MAX`] is for ever.
pub(crate) async fn sleep(world: &World, pause: Duration) {
    if pause == Duration::MAX { std::future::pending().await } else { world.clock().sleep(pause).await }
}

fn repeated(kind: &'static str, run_at: model::Timestamp) -> NewJob {
    NewJob { kind, key: Some("repeated".to_owned()), payload: null(), run_at, max_attempts: i64::MAX }
}

fn null() -> Box<RawValue> {
    RawValue::from_string("null".to_owned()).expect("null is JSON")
}

enum Taken {
    Job(Job, Arc<dyn JobHandler>),
    /// Nothing is due, or nothing that this node could take.
    Nothing {
        due: bool,
    },
}

/// Leases the first due job that this node has a handler for.
async fn take_one(db: &Db, handlers: &Handlers) -> Result<Taken, store::Error> {
    let due = db.read(|tx| jobs::due(tx, 50)).await?;
    let any = !due.is_empty();
    for seen in due {
        let Some(handler) = handlers.get(seen.kind.as_str()) else { continue };
        let workspace = seen.workspace;
        if let Some(job) = db.write(workspace, move |tx| jobs::lease(tx, &seen, LEASE)).await? {
            return Ok(Taken::Job(job, handler.clone()));
        }
    }
    Ok(Taken::Nothing { due: any })
}

async fn run_job(hub: &Hub, job: Job, handler: Arc<dyn JobHandler>) {
    let mut task = Owned(tokio::spawn(handler.run(hub.clone(), job.clone())));
    let ended = tokio::select! {
        ended = &mut task.0 => ended.unwrap_or_else(|join| Err(panic_text(join))),
        () = keep_lease(hub, &job) => {
            tracing::warn!(kind = job.kind, id = %job.id, "a job lost its lease and is dropped");
            return;
        }
    };
    drop(task);
    let (kind, id, workspace, every) = (job.kind.clone(), job.id, job.workspace, handler.every());
    let ended = match ended {
        Ok(()) => finish(hub.db(), workspace, job, handler.kind(), every).await,
        Err(error) => fail(hub, workspace, job, error).await,
    };
    if let Err(error) = ended {
        tracing::error!(kind, %id, %error, "a job's end could not be recorded; it will run again");
    }
}

/// Renews the lease until it is lost.
async fn keep_lease(hub: &Hub, job: &Job) {
    loop {
        hub.world().clock().sleep(RENEW).await;
        let (workspace, held) = (job.workspace, job.clone());
        let renewed: Result<bool, store::Error> =
            hub.db().write(workspace, move |tx| jobs::renew(tx, &held, LEASE)).await;
        match renewed {
            Ok(true) => {}
            Ok(false) => return,
            // The lease may still be ours; the next round tells, and the fence guards the end.
            Err(error) => tracing::warn!(kind = job.kind, %error, "a job's lease could not be renewed"),
        }
    }
}

async fn finish(
    db: &Db,
    workspace: WorkspaceId,
    job: Job,
    kind: &'static str,
    every: Option<Duration>,
) -> Result<(), store::Error> {
    let finished = db.write(workspace, move |tx| {
        let finished = jobs::finish(tx, &job)?;
        if let (true, Some(pause)) = (finished, every) {
            let again = repeated(kind, tx.now() + pause);
            jobs::schedule(tx, again)?;
        }
        Ok::<_, store::Error>(finished)
    });
    if !finished.await? {
        tracing::warn!(kind, "a job was finished that had lost its lease");
    }
    Ok(())
}

async fn fail(hub: &Hub, workspace: WorkspaceId, job: Job, error: String) -> Result<(), store::Error> {
    let dead = job.attempts >= job.max_attempts;
    tracing::warn!(kind = job.kind, id = %job.id, attempt = job.attempts, dead, %error, "a job failed");
    let pause = backoff(job.attempts, hub.world().unit());
    hub.db().write(workspace, move |tx| jobs::fail(tx, &job, &error, tx.now() + pause)).await
}

/// 2, 4, 8… seconds up to an hour, shortened by up to a quarter by `unit` in `0.0..1.0`.
fn backoff(attempts: i64, unit: f64) -> Duration {
    let exponent = u32::try_from(attempts.clamp(1, 12)).expect("a small number");
    Duration::from_secs((1 << exponent).min(3600)).mul_f64(1.0 - unit / 4.0)
}
