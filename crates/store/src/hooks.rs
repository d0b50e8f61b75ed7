//! What the process is told after each commit.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError, RwLock},
};

use model::{Event, WorkspaceId};

use crate::{Delivery, tx::Effects};

/// What one commit did in one workspace, told to the hooks before the commands are answered.
#[derive(Clone)]
pub struct Committed {
    /// Where it happened.
    pub workspace: WorkspaceId,
    /// Its events in order, without gaps.
    pub events: Vec<Arc<Event>>,
    /// Deliveries that were enqueued or queued again.
    pub deliveries: Vec<Arc<Delivery>>,
    /// Whether a job was scheduled.
    pub jobs: bool,
}

impl Committed {
    pub(crate) fn of(effects: Effects) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        let of = |all: &mut Vec<Self>, workspace| {
            let found = all.iter().position(|it| it.workspace == workspace);
            found.unwrap_or_else(|| {
                all.push(Self { workspace, events: Vec::new(), deliveries: Vec::new(), jobs: false });
                all.len() - 1
            })
        };
        for event in effects.events {
            let index = of(&mut all, event.workspace);
            all[index].events.push(Arc::new(event));
        }
        for delivery in effects.deliveries {
            let index = of(&mut all, delivery.workspace);
            all[index].deliveries.push(Arc::new(delivery));
        }
        for workspace in effects.jobs {
            let index = of(&mut all, workspace);
            all[index].jobs = true;
        }
        all
    }
}

/// Called on the writer's thread after a commit and before its commands are answered; it must not block.
pub type Hook = Arc<dyn Fn(&Committed) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Hooks(RwLock<Vec<Hook>>);

impl Hooks {
    pub(crate) fn add(&self, hook: Hook) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(hook);
    }

    /// A hook that panics takes neither the writer nor the other hooks with it.
    pub(crate) fn tell(&self, committed: &[Committed]) {
        let hooks = self.0.read().unwrap_or_else(PoisonError::into_inner);
        for (committed, hook) in committed.iter().flat_map(|it| hooks.iter().map(move |hook| (it, hook))) {
            if catch_unwind(AssertUnwindSafe(|| hook(committed))).is_err() {
                tracing::error!("a commit hook panicked");
            }
        }
    }
}
