//! What moves live streams besides commits of this process: the end of signals, and on PostgreSQL other nodes' commits.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use model::{SYSTEM_WORKSPACE, Seq, WorkspaceId};
use store::{Driver, log};

use super::Live;
use crate::{Hub, work::sleep};

const TICK: Duration = Duration::from_millis(500);
const PAGE: i64 = 200;

/// The service that ends signals when their time is over.
pub(crate) async fn expire(hub: Hub) {
    let live = hub.live().0.clone();
    loop {
        let now = live.world.now();
        let rooms: Vec<_> = live.rooms.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        let next = rooms.iter().filter_map(|room| room.signals.expire(now)).min();
        let pause = next.map_or(Duration::MAX, |next| next.since(now));
        tokio::select! {
            () = hub.shutdown().cancelled() => return,
            () = live.signalled.notified() => {}
            () = sleep(&live.world, pause) => {}
        }
    }
}

/// The service that sees what other nodes commit; on SQLite there are none.
pub(crate) async fn follow_other_nodes(hub: Hub) -> Result<(), store::Error> {
    if hub.db().driver() == Driver::Sqlite {
        return Ok(());
    }
    loop {
        for (workspace, head) in hub.db().read(log::heads).await? {
            catch_up(&hub, workspace, head).await?;
        }
        tokio::select! {
            () = hub.shutdown().cancelled() => return Ok(()),
            () = hub.world().clock().sleep(TICK) => {}
        }
    }
}

async fn catch_up(hub: &Hub, workspace: WorkspaceId, head: Seq) -> Result<(), store::Error> {
    let live = hub.live();
    let mut seen = live.absorbed_of(workspace);
    if seen < head {
        hub.subscriptions().mark(workspace);
    }
    // The events themselves matter where somebody listens, and those that may end somebody's session everywhere.
    if workspace != SYSTEM_WORKSPACE && live.room(workspace).is_none() {
        live.note_absorbed(workspace, seen + 1, head);
        return Ok(());
    }
    while seen < head {
        let events = hub.db().read(move |tx| log::after(tx, workspace, seen, PAGE)).await?;
        let Some(last) = events.last() else { break };
        seen = last.seq;
        let events: Vec<_> = events.into_iter().map(Arc::new).collect();
        live.absorb(workspace, &events);
        // Where the log was pruned meanwhile, the gap is for good.
        live.note_absorbed(workspace, 0, seen);
    }
    Ok(())
}

impl Live {
    /// How far a workspace's log was absorbed.
    fn absorbed_of(&self, workspace: WorkspaceId) -> Seq {
        let absorbed = self.0.absorbed.as_ref().map(|it| it.read().unwrap_or_else(PoisonError::into_inner));
        absorbed.and_then(|it| it.get(&workspace).copied()).unwrap_or(0)
    }
}
