//! Who follows the log: runs every subscriber over every workspace (see `store::subscribers` for the contract).
//!
//! A commit with an event that a subscriber wants wakes it for that workspace; events that nobody wants move its cursor only
//! now and then, so that a commit does not cause another one. One task per subscriber, a batch of events per command.
//! On PostgreSQL the tail (see [`crate::live`]) reports what other nodes committed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use model::{Event, Seq, WorkspaceId};
use store::{Db, Subscriber, Tx, log, subscribers};
use tokio::sync::Notify;

use crate::{Hub, Service};

/// Events of one command.
const BATCH: i64 = 200;
/// Unwanted events after which a cursor moves all the same.
const LAG: i64 = 1_000;
/// How often all cursors are brought up to date, so that none falls behind the end of the log unseen.
const SWEEP: Duration = Duration::from_secs(3600);

/// All subscribers of the process and what they have to look at.
#[derive(Default)]
pub struct Subscriptions(OnceLock<Vec<Arc<Follower>>>);

struct Follower {
    subscriber: Arc<dyn Subscriber>,
    todo: Mutex<HashMap<WorkspaceId, Todo>>,
    wake: Notify,
}

#[derive(Default)]
struct Todo {
    /// Events that were passed over since the cursor moved.
    skipped: i64,
    due: bool,
}

impl Follower {
    fn todo(&self) -> std::sync::MutexGuard<'_, HashMap<WorkspaceId, Todo>> {
        self.todo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, workspace: WorkspaceId, events: &[Arc<Event>]) {
        let wanted = events.iter().any(|event| self.subscriber.wants(&event.kind));
        let mut todo = self.todo();
        let entry = todo.entry(workspace).or_default();
        entry.skipped += i64::try_from(events.len()).unwrap_or(LAG);
        if wanted || entry.skipped > LAG {
            entry.due = true;
            drop(todo);
            self.wake.notify_one();
        }
    }

    fn mark(&self, workspace: WorkspaceId) {
        self.todo().entry(workspace).or_default().due = true;
        self.wake.notify_one();
    }

    fn next(&self) -> Option<WorkspaceId> {
        let mut todo = self.todo();
        let workspace = todo.iter().find(|(_, it)| it.due).map(|(workspace, _)| *workspace)?;
        todo.remove(&workspace);
        Some(workspace)
    }
}

impl Subscriptions {
    /// Sets who follows; once, when the server starts.
    pub(crate) fn install(&self, subscribers: Vec<Arc<dyn Subscriber>>) {
        let followers = subscribers
            .into_iter()
            .map(|subscriber| Arc::new(Follower { subscriber, todo: Mutex::default(), wake: Notify::new() }));
        assert!(self.0.set(followers.collect()).is_ok(), "a hub serves once");
    }

    fn all(&self) -> &[Arc<Follower>] {
        self.0.get().map_or(&[], Vec::as_slice)
    }

    /// One service per subscriber.
    pub(crate) fn services(&self) -> Vec<Service> {
        let service = |follower: &Arc<Follower>| {
            let (name, follower) = (format!("subscriber {}", follower.subscriber.name()), follower.clone());
            Service::new(name, move |hub| follow(hub, follower.clone()))
        };
        self.all().iter().map(service).collect()
    }

    /// Takes note of committed events. Called on the writer's thread.
    pub(crate) fn absorb(&self, workspace: WorkspaceId, events: &[Arc<Event>]) {
        if !events.is_empty() {
            self.all().iter().for_each(|follower| follower.note(workspace, events));
        }
    }

    /// Has every subscriber look at this workspace, whatever is new there.
    pub(crate) fn mark(&self, workspace: WorkspaceId) {
        self.all().iter().for_each(|follower| follower.mark(workspace));
    }

    /// The subscriber with this name.
    pub(crate) fn find(&self, name: &str) -> Option<&dyn Subscriber> {
        self.all().iter().map(|it| &*it.subscriber).find(|it| it.name() == name)
    }

    /// Who has not yet seen an event that it wants, as `subscriber at seq of head`; halted ones included.
    ///
    /// # Errors
    /// What the database says.
    pub async fn behind(&self, db: &Db) -> Result<Vec<String>, store::Error> {
        let subscribers: Vec<_> = self.all().iter().map(|it| it.subscriber.clone()).collect();
        db.read(move |tx| {
            let heads = log::heads(tx)?;
            let mut behind = Vec::new();
            for subscriber in &subscribers {
                for (workspace, head) in &heads {
                    behind.extend(lag(tx, &**subscriber, *workspace, *head)?);
                }
            }
            Ok(behind)
        })
        .await
    }
}

fn lag(
    tx: &mut Tx<'_>,
    it: &dyn Subscriber,
    workspace: WorkspaceId,
    head: Seq,
) -> Result<Option<String>, store::Error> {
    let (mut seq, halted) = subscribers::position(tx, it.name(), workspace)?;
    let told = format!("{} at {seq} of {head}{}", it.name(), if halted.is_some() { ", halted" } else { "" });
    loop {
        let events = log::after(tx, workspace, seq, BATCH)?;
        let Some(last) = events.last() else { return Ok(None) };
        if events.iter().any(|event| it.wants(&event.kind)) {
            return Ok(Some(told));
        }
        seq = last.seq;
    }
}

async fn follow(hub: Hub, follower: Arc<Follower>) -> Result<(), store::Error> {
    loop {
        for (workspace, _) in hub.db().read(log::heads).await? {
            follower.mark(workspace);
        }
        let sweep = hub.world().clock().sleep(SWEEP);
        tokio::pin!(sweep);
        loop {
            work_off(&hub, &follower).await?;
            tokio::select! {
                () = hub.shutdown().cancelled() => return Ok(()),
                () = follower.wake.notified() => {}
                () = &mut sweep => break,
            }
        }
    }
}

/// Brings the subscriber up to date wherever it has to look. A failed run is taken up again by the supervisor.
async fn work_off(hub: &Hub, follower: &Arc<Follower>) -> Result<(), store::Error> {
    while let Some(workspace) = follower.next() {
        if hub.shutdown().is_cancelled() {
            return Ok(());
        }
        let subscriber = follower.subscriber.clone();
        let progress = hub.db().write(workspace, move |tx| subscribers::advance(tx, &*subscriber, BATCH)).await?;
        if progress.more {
            follower.mark(workspace);
        }
    }
    Ok(())
}
