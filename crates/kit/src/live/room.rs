//! The streams of one workspace: its recent events, who is there, and whom a revocation concerns.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use model::{Event, Seq, WorkspaceId};
use store::log;
use tokio::sync::{Notify, OnceCell, watch};
use uuid::Uuid;

use super::{Live, frame::Frame, ring::Ring, signals::Signals};
use crate::{Principal, Who};

/// Events of one page of the log.
const PAGE: i64 = 200;
/// How far behind a stream may be for the ring to be filled for it.
const BACKFILL: Seq = 2048;

pub(super) struct Room {
    pub(super) workspace: WorkspaceId,
    /// The last event that is known to be committed.
    head: watch::Sender<Seq>,
    /// Filled when the head was first read.
    opened: OnceCell<()>,
    ring: RwLock<Ring>,
    /// Held by the one reader that fills the ring backwards from the log.
    backfill: tokio::sync::Mutex<()>,
    people: Mutex<HashMap<u64, Arc<Ticket>>>,
    pub(super) signals: Signals,
}

/// What the room knows of a stream.
pub(super) struct Ticket {
    who: Who,
    stale: AtomicBool,
    wake: Notify,
}

impl Ticket {
    fn concerns(&self, entity: Option<Uuid>) -> bool {
        let Some(entity) = entity else { return true };
        match self.who {
            Who::Member { user, session, .. } => user.uuid() == entity || session.uuid() == entity,
            Who::Key { key } => key.uuid() == entity,
        }
    }

    /// Whether two streams count against the same limit.
    fn is_same(&self, other: &Who) -> bool {
        match (self.who, other) {
            (Who::Member { user, .. }, Who::Member { user: other, .. }) => user == *other,
            (Who::Key { key }, Who::Key { key: other }) => key == *other,
            _ => false,
        }
    }

    /// Whether the stream has to authenticate again before it sends anything.
    pub(super) fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Acquire)
    }

    /// As [`Self::is_stale`], and takes the mark away.
    pub(super) fn take_stale(&self) -> bool {
        self.stale.swap(false, Ordering::AcqRel)
    }

    /// Resolves when it has to.
    pub(super) async fn staled(&self) {
        while !self.is_stale() {
            self.wake.notified().await;
        }
    }
}

/// A stream's place in a room; dropping it leaves.
pub(super) struct Seat {
    pub(super) live: Live,
    pub(super) room: Arc<Room>,
    pub(super) id: u64,
    pub(super) ticket: Arc<Ticket>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.room.signals.leave(self.id) {
            self.live.0.signalled.notify_one();
        }
        self.live.leave(&self.room, self.id);
    }
}

/// What follows a place in the log.
pub(super) enum Batch {
    /// The next frames, at least one, without a gap.
    Frames(Vec<Arc<Frame>>),
    /// The log does not reach back that far.
    Gone,
}

impl Room {
    pub(super) fn new(workspace: WorkspaceId) -> Self {
        Self {
            workspace,
            head: watch::Sender::new(0),
            opened: OnceCell::new(),
            ring: RwLock::default(),
            backfill: tokio::sync::Mutex::default(),
            people: Mutex::default(),
            signals: Signals::default(),
        }
    }

    fn people(&self) -> MutexGuard<'_, HashMap<u64, Arc<Ticket>>> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn admit(&self, id: u64, principal: &Principal, most: usize) -> Option<Arc<Ticket>> {
        let mut people = self.people();
        if people.values().filter(|it| it.is_same(&principal.who)).count() >= most {
            return None;
        }
        let ticket = Arc::new(Ticket { who: principal.who, stale: AtomicBool::new(false), wake: Notify::new() });
        people.insert(id, ticket.clone());
        Some(ticket)
    }

    /// Returns how many are left.
    pub(super) fn dismiss(&self, id: u64) -> usize {
        let mut people = self.people();
        people.remove(&id);
        people.len()
    }

    /// Has the streams that `entity` concerns authenticate again.
    pub(super) fn recheck(&self, entity: Option<Uuid>) {
        for ticket in self.people().values().filter(|it| it.concerns(entity)) {
            ticket.stale.store(true, Ordering::Release);
            ticket.wake.notify_one();
        }
    }

    /// Takes in committed events, in order; what is known already is left out.
    pub(super) fn push(&self, events: &[Arc<Event>]) {
        let Some(last) = events.last() else { return };
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        events.iter().for_each(|event| ring.push(event));
        drop(ring);
        self.advance(last.seq);
    }

    fn advance(&self, seq: Seq) {
        self.head.send_if_modified(|head| {
            let newer = seq > *head;
            *head = seq.max(*head);
            newer
        });
    }

    pub(super) fn head(&self) -> Seq {
        *self.head.borrow()
    }

    pub(super) fn watch(&self) -> watch::Receiver<Seq> {
        self.head.subscribe()
    }

    /// Reads the head of the log once per room; commits are told by the hook from before that.
    pub(super) async fn open(&self, live: &Live) -> Result<(), store::Error> {
        self.opened.get_or_try_init(|| self.look(live)).await.map(|_| ())
    }

    /// Reads the head of the log.
    pub(super) async fn look(&self, live: &Live) -> Result<(), store::Error> {
        let workspace = self.workspace;
        let head = live.0.db.read(move |tx| log::head(tx, workspace)).await?;
        self.advance(head);
        Ok(())
    }

    /// What follows `position`, which is below the head.
    pub(super) async fn after(&self, live: &Live, position: Seq) -> Result<Batch, store::Error> {
        if let Some(frames) = self.recent(position) {
            return Ok(Batch::Frames(frames));
        }
        if self.head() - position <= BACKFILL && self.ring().may_grow_to(position) {
            // Whoever is not far behind is hardly alone, after a restart for example: one reads for all.
            let _one_at_a_time = self.backfill.lock().await;
            if let Some(frames) = self.recent(position) {
                return Ok(Batch::Frames(frames));
            }
            self.fill(live, position).await?;
            if let Some(frames) = self.recent(position) {
                return Ok(Batch::Frames(frames));
            }
        }
        let frames = self.page(live, position).await?;
        let whole = frames.first().is_some_and(|first| first.seq() == position + 1);
        Ok(if whole { Batch::Frames(frames) } else { Batch::Gone })
    }

    /// Reads what lies between `position` and the ring, and puts as much of it there as fits.
    async fn fill(&self, live: &Live, position: Seq) -> Result<(), store::Error> {
        let (mut older, mut at) = (Vec::new(), position);
        loop {
            let frames = self.page(live, at).await?;
            let Some(last) = frames.last().map(|frame| frame.seq()) else { break };
            older.extend(frames);
            let first = self.ring().first().unwrap_or(self.head() + 1);
            if last + 1 >= first {
                break;
            }
            at = last;
        }
        self.ring.write().unwrap_or_else(PoisonError::into_inner).prepend(older, position);
        Ok(())
    }

    fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn recent(&self, position: Seq) -> Option<Vec<Arc<Frame>>> {
        self.ring().after(position)
    }

    async fn page(&self, live: &Live, position: Seq) -> Result<Vec<Arc<Frame>>, store::Error> {
        let workspace = self.workspace;
        let events = live.0.db.read(move |tx| log::after(tx, workspace, position, PAGE)).await?;
        Ok(events.into_iter().map(|event| Arc::new(Frame::new(Arc::new(event)))).collect())
    }
}
