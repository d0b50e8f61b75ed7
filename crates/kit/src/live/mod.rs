//! The live stream: every event that a principal may see, in order, over three transports.
//!
//! **One stream.** A [`session::Session`] is a principal and a place in his workspace's log. Its `next` gives whatever is to be
//! sent; a transport (`websocket`, `events` for SSE and long poll) only encodes it. Subscribe first, then replay: a session
//! watches the head of the log from before it reads, and goes by `seq`, so nothing is missed or doubled.
//!
//! **Shared frames.** A commit hook puts the events into a ring per workspace that has listeners; each is encoded once, by
//! the first who sends it. Who is further behind than the ring reads pages from the log. Nothing else is buffered per
//! connection, so a slow reader costs nothing and loses nothing: it simply reads later.
//!
//! **Authority** is judged when an event is sent. Events `session.*`, `member.*` and `key.*` make the streams that they concern
//! authenticate again before they send anything more: those of the user, session or key that is the event's `entity`; those of
//! the whole workspace when it names none (events of the system workspace: of all workspaces). The hook runs before the
//! command is answered, so what was revoked is deaf by the time that its revoker knows.
//!
//! **Cursors** name the last event seen. One that is foreign, garbled, older than the log or newer than its head gets a `reset`.
//!
//! **Other nodes.** On PostgreSQL the [`tail`] looks at the heads of all logs twice a second and absorbs what others committed.
//!
//! **Signals** (typing, viewing) are a lane of their own: lossy, coalesced, without cursors; see [`signals`].

mod events;
mod frame;
mod ring;
mod room;
mod session;
mod signals;
mod tail;
mod websocket;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::future::BoxFuture;
use model::{ChatId, Event, SYSTEM_WORKSPACE, Seq, WorkspaceId, World};
use store::{Db, Driver, log};
use tokio_util::sync::CancellationToken;

pub(crate) use events::{__path_events, events};
use room::{Room, Seat};
pub(crate) use tail::{expire, follow_other_nodes};
pub(crate) use websocket::{__path_live, LIVE, live};

use crate::{Authenticator, Principal, cursor::Cursors};

/// Says who may see what happens in a chat; registered by the feature that knows the chat. What no one grants is not seen.
pub trait ChatAccess: Send + Sync + 'static {
    /// Whether `principal` may see what happens in `chat` of his workspace. Asked for every event of the audience
    /// `Chat` and every signal, so it should answer from memory.
    fn may_see<'a>(&'a self, principal: &'a Principal, chat: ChatId) -> BoxFuture<'a, bool>;
}

/// All live streams of the process. Cloning is cheap.
#[derive(Clone)]
pub struct Live(Arc<Inner>);

struct Inner {
    db: Db,
    world: World,
    cursors: Cursors,
    auth: Arc<dyn Authenticator>,
    access: OnceLock<Vec<Arc<dyn ChatAccess>>>,
    streams_per_user: usize,
    rooms: RwLock<HashMap<WorkspaceId, Arc<Room>>>,
    /// With other nodes about: how far each log was absorbed without a gap. A log that is not here is younger than the hub.
    absorbed: Option<RwLock<HashMap<WorkspaceId, Seq>>>,
    next_id: AtomicU64,
    open: AtomicU64,
    closing: CancellationToken,
    signalled: tokio::sync::Notify,
}

impl Live {
    pub(crate) async fn new(
        db: &Db,
        world: &World,
        cursors: Cursors,
        auth: Arc<dyn Authenticator>,
        streams_per_user: usize,
    ) -> Result<Self, store::Error> {
        let absorbed = match db.driver() {
            Driver::Sqlite => None,
            Driver::Postgres => Some(RwLock::new(db.read(log::heads).await?.into_iter().collect())),
        };
        Ok(Self(Arc::new(Inner {
            db: db.clone(),
            world: world.clone(),
            cursors,
            auth,
            access: OnceLock::new(),
            streams_per_user,
            rooms: RwLock::default(),
            absorbed,
            next_id: AtomicU64::new(1),
            open: AtomicU64::new(0),
            closing: CancellationToken::new(),
            signalled: tokio::sync::Notify::new(),
        })))
    }

    /// Sets who is asked about chats; once, when the server starts.
    pub(crate) fn install(&self, access: Vec<Arc<dyn ChatAccess>>) {
        assert!(self.0.access.set(access).is_ok(), "a hub serves once");
    }

    /// Streams that are open now.
    #[must_use]
    pub fn open_streams(&self) -> u64 {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Ends every stream with "the server restarts".
    pub(crate) fn close(&self) {
        self.0.closing.cancel();
    }

    /// Takes in the events of a commit. Called on the writer's thread, before the commands are answered.
    pub(crate) fn absorb(&self, workspace: WorkspaceId, events: &[Arc<Event>]) {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return };
        self.note_absorbed(workspace, first.seq, last.seq);
        for event in events.iter().filter(|event| revokes(&event.kind)) {
            self.recheck(workspace, event);
        }
        if let Some(room) = self.room(workspace) {
            room.push(events);
        }
    }

    fn note_absorbed(&self, workspace: WorkspaceId, first: Seq, last: Seq) {
        let Some(absorbed) = &self.0.absorbed else { return };
        let mut absorbed = absorbed.write().unwrap_or_else(PoisonError::into_inner);
        let seq = absorbed.entry(workspace).or_insert(0);
        if first <= *seq + 1 {
            *seq = last.max(*seq);
        }
    }

    fn recheck(&self, workspace: WorkspaceId, event: &Event) {
        let rooms = self.0.rooms.read().unwrap_or_else(PoisonError::into_inner);
        if workspace == SYSTEM_WORKSPACE {
            rooms.values().for_each(|room| room.recheck(event.entity));
        } else if let Some(room) = rooms.get(&workspace) {
            room.recheck(event.entity);
        }
    }

    fn room(&self, workspace: WorkspaceId) -> Option<Arc<Room>> {
        self.0.rooms.read().unwrap_or_else(PoisonError::into_inner).get(&workspace).cloned()
    }

    /// Takes a seat in the principal's workspace; `None` when he has too many already.
    fn join(&self, principal: &Principal) -> Option<Seat> {
        let mut rooms = self.0.rooms.write().unwrap_or_else(PoisonError::into_inner);
        let room = rooms.entry(principal.workspace).or_insert_with(|| Arc::new(Room::new(principal.workspace))).clone();
        let id = self.0.next_id.fetch_add(1, Ordering::Relaxed);
        let ticket = room.admit(id, principal, self.0.streams_per_user)?;
        self.0.open.fetch_add(1, Ordering::Relaxed);
        Some(Seat { live: self.clone(), room, id, ticket })
    }

    /// Gives a seat back; a room with nobody in it is closed.
    fn leave(&self, room: &Arc<Room>, id: u64) {
        let mut rooms = self.0.rooms.write().unwrap_or_else(PoisonError::into_inner);
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        if room.dismiss(id) == 0 {
            rooms.remove(&room.workspace);
        }
    }

    /// Whether `principal` may see what happens in `chat`.
    async fn may_see_chat(&self, principal: &Principal, chat: ChatId) -> bool {
        for access in self.0.access.get().map_or(&[][..], Vec::as_slice) {
            if access.may_see(principal, chat).await {
                return true;
            }
        }
        false
    }
}

/// Whether an event of this kind can end somebody's authority.
fn revokes(kind: &str) -> bool {
    ["session.", "member.", "key."].iter().any(|area| kind.starts_with(area))
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("open", &self.open_streams()).finish_non_exhaustive()
    }
}
