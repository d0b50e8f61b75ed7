//! The streams of one workspace: its recent events, who is there, and whom a revocation concerns.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use model::{Event, Seq, WorkspaceId};
use store::log;
use tokio::sync::{Notify, OnceCell, watch};
use uuid::Uuid;

use super::{Live, frame::Frame, signals::Signals};
use crate::{Principal, Who};

/// Events that a ring holds at most, and their weight in bytes.
const RING: usize = 4096;
const RING_BYTES: usize = 8 << 20;
/// Events of one page of the log.
const PAGE: i64 = 200;
/// Frames of one batch.
const BATCH: usize = 128;

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

/// Recent events without gaps.
#[derive(Default)]
struct Ring {
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
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
        // Somebody who is only a ring's length behind is hardly alone: fill the ring for all of them, once.
        if usize::try_from(self.head() - position).is_ok_and(|behind| behind < RING) {
            let _one_at_a_time = self.backfill.lock().await;
            if let Some(frames) = self.recent(position) {
                return Ok(Batch::Frames(frames));
            }
            let frames = self.page(live, position).await?;
            self.ring.write().unwrap_or_else(PoisonError::into_inner).prepend(&frames);
            return Ok(contiguous(frames, position));
        }
        Ok(contiguous(self.page(live, position).await?, position))
    }

    fn recent(&self, position: Seq) -> Option<Vec<Arc<Frame>>> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).after(position)
    }

    async fn page(&self, live: &Live, position: Seq) -> Result<Vec<Arc<Frame>>, store::Error> {
        let workspace = self.workspace;
        let events = live.0.db.read(move |tx| log::after(tx, workspace, position, PAGE)).await?;
        Ok(events.into_iter().map(|event| Arc::new(Frame::new(Arc::new(event)))).collect())
    }
}

fn contiguous(frames: Vec<Arc<Frame>>, position: Seq) -> Batch {
    match frames.first() {
        Some(first) if first.seq() == position + 1 => Batch::Frames(frames),
        _ => Batch::Gone,
    }
}

impl Ring {
    fn push(&mut self, event: &Arc<Event>) {
        match self.frames.back().map(|frame| frame.seq()) {
            Some(last) if event.seq <= last => return,
            Some(last) if event.seq > last + 1 => self.clear(),
            _ => {}
        }
        // Bodies that were blanked in the log must not live on here.
        if event.kind.ends_with(".erased") {
            self.clear();
        }
        let frame = Arc::new(Frame::new(event.clone()));
        self.bytes += frame.weight();
        self.frames.push_back(frame);
        while self.frames.len() > RING || (self.bytes > RING_BYTES && self.frames.len() > 1) {
            let oldest = self.frames.pop_front().expect("there is one");
            self.bytes -= oldest.weight();
        }
    }

    fn clear(&mut self) {
        self.frames.clear();
        self.bytes = 0;
    }

    /// Puts older events in front, if they fit there without a gap or if there are none yet.
    fn prepend(&mut self, older: &[Arc<Frame>]) {
        let first = self.frames.front().map(|frame| frame.seq());
        let older = older.iter().filter(|frame| first.is_none_or(|first| frame.seq() < first));
        let older: Vec<_> = older.cloned().collect();
        let Some(end) = older.last().map(|frame| frame.seq()) else { return };
        let weight: usize = older.iter().map(|frame| frame.weight()).sum();
        let fits = self.frames.len() + older.len() <= RING && self.bytes + weight <= RING_BYTES;
        if fits && first.is_none_or(|first| end + 1 == first) {
            self.bytes += weight;
            older.into_iter().rev().for_each(|frame| self.frames.push_front(frame));
        }
    }

    fn after(&self, position: Seq) -> Option<Vec<Arc<Frame>>> {
        let first = self.frames.front()?.seq();
        let skip = usize::try_from(position + 1 - first).ok().filter(|skip| *skip < self.frames.len())?;
        Some(self.frames.range(skip..).take(BATCH).cloned().collect())
    }
}
