//! The handle that everyone holds, and the threads behind it.

use std::{
    collections::VecDeque,
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use model::{Event, WorkspaceId, World};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use crate::{
    Delivery, Error, Tx,
    conn::Conn,
    migrate,
    postgres::Postgres,
    reader::{Read, Reader},
    sqlite::Sqlite,
    tx::Effects,
    writer::{Call, Command, Shape, Writer},
};

/// Commands that may wait for a writer before new ones are refused.
const WRITE_QUEUE: usize = 8192;
/// Reads that may wait.
const READ_QUEUE: usize = 8192;

/// Tells free bytes of the file system that holds the data; `None` when it cannot be known.
pub type FreeSpace = Arc<dyn Fn() -> Option<u64> + Send + Sync>;

/// Where the data is and how many threads work on it.
#[derive(Clone)]
pub struct DbConfig {
    /// The folder of the SQLite database, its lock and its key check.
    pub folder: PathBuf,
    /// `postgres://…` to use PostgreSQL instead of SQLite.
    pub url: Option<String>,
    /// Reading threads.
    pub readers: usize,
    /// Writing threads on PostgreSQL; SQLite has one.
    pub writers: usize,
    /// Free bytes below which ordinary writes are refused; 0 switches it off.
    pub disk_reserve: u64,
    /// Where free space is read; `None` asks the file system of `folder`.
    pub free_space: Option<FreeSpace>,
}

impl DbConfig {
    /// SQLite in `folder` with the default number of threads.
    #[must_use]
    pub fn sqlite(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), url: None, readers: 2, writers: 4, disk_reserve: 0, free_space: None }
    }

    /// PostgreSQL at `url`; `folder` still holds what belongs to this node.
    #[must_use]
    pub fn postgres(folder: impl Into<PathBuf>, url: impl Into<String>) -> Self {
        Self { url: Some(url.into()), readers: 4, ..Self::sqlite(folder) }
    }

    /// The SQLite file.
    #[must_use]
    pub fn sqlite_file(&self) -> PathBuf {
        self.folder.join("switchboard.db")
    }

    fn opener(&self, writer: bool, runtime: &Handle) -> Result<Box<dyn FnMut() -> Result<Conn, Error> + Send>, Error> {
        if let Some(url) = &self.url {
            let config: tokio_postgres::Config = url.parse().map_err(|_| Error::Unavailable("the database URL is malformed".to_owned()))?;
            let runtime = runtime.clone();
            return Ok(Box::new(move || Postgres::connect(&config, &runtime).map(Conn::Postgres)));
        }
        let file = self.sqlite_file();
        Ok(Box::new(move || if writer { Sqlite::writer(&file) } else { Sqlite::reader(&file) }.map(Conn::Sqlite)))
    }
}

/// Which database is behind a [`Db`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// The embedded one.
    Sqlite,
    /// The server.
    Postgres,
}

/// What one commit did in one workspace, told to the hooks before the commands are answered.
#[derive(Clone)]
pub struct Committed {
    /// Where it happened.
    pub workspace: WorkspaceId,
    /// Its events in order; never empty gaps.
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
    pub(crate) fn tell(&self, committed: Vec<Committed>) {
        let hooks = self.0.read().unwrap_or_else(PoisonError::into_inner);
        for committed in &committed {
            hooks.iter().for_each(|hook| hook(committed));
        }
    }
}

/// Counters of the storage threads, for metrics and benches.
#[derive(Debug, Default)]
pub struct Stats {
    /// Transactions that writers ran.
    pub batches: AtomicU64,
    /// Commands in them.
    pub commands: AtomicU64,
    /// Commands that wait now.
    pub waiting: AtomicU64,
}

/// The disk reserve, asked at most once a second.
pub(crate) struct Reserve {
    bytes: u64,
    free_space: FreeSpace,
    asked: Option<Duration>,
    touched: bool,
}

impl Reserve {
    fn new(config: &DbConfig) -> Self {
        let folder = config.folder.clone();
        let free_space = config.free_space.clone().unwrap_or_else(|| Arc::new(move || free_bytes(&folder)));
        Self { bytes: config.disk_reserve, free_space, asked: None, touched: false }
    }

    pub(crate) fn is_touched(&mut self, world: &World) -> bool {
        if self.bytes == 0 {
            return false;
        }
        let now = world.clock().monotonic();
        if self.asked.is_none_or(|asked| now.saturating_sub(asked) >= Duration::from_secs(1)) {
            self.asked = Some(now);
            self.touched = (self.free_space)().is_some_and(|free| free < self.bytes);
        }
        self.touched
    }
}

fn free_bytes(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}

/// A database, open. Cloning is cheap.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    driver: Driver,
    config: DbConfig,
    world: World,
    writers: RwLock<Vec<mpsc::Sender<Box<dyn Command>>>>,
    reader: RwLock<Option<mpsc::Sender<Read>>>,
    hooks: Arc<Hooks>,
    stats: Arc<Stats>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Held as long as the store is open, so that no second process works on the folder.
    lock: Mutex<Option<File>>,
}

impl Db {
    /// Opens the database, brings its schema up to date and starts the storage threads. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process has the folder, [`Error::NewerSchema`], or what the database says.
    pub async fn open(config: DbConfig, world: World) -> Result<Self, Error> {
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || Self::open_blocking(config, world, &runtime))
            .await
            .map_err(|e| Error::Unavailable(e.to_string()))?
    }

    fn open_blocking(config: DbConfig, world: World, runtime: &Handle) -> Result<Self, Error> {
        std::fs::create_dir_all(&config.folder).map_err(|e| Error::Unavailable(format!("data folder: {e}")))?;
        let driver = if config.url.is_some() { Driver::Postgres } else { Driver::Sqlite };
        let lock = if driver == Driver::Sqlite { Some(lock_folder(&config.folder)?) } else { None };
        migrate::run(&mut config.opener(true, runtime)?()?, &world)?;
        let (hooks, stats) = (Arc::<Hooks>::default(), Arc::<Stats>::default());
        let inner = Inner {
            driver,
            world,
            writers: RwLock::default(),
            reader: RwLock::default(),
            hooks,
            stats,
            threads: Mutex::default(),
            lock: Mutex::new(lock),
            config,
        };
        inner.start(runtime)?;
        Ok(Self(Arc::new(inner)))
    }

    /// Which database this is.
    #[must_use]
    pub fn driver(&self) -> Driver {
        self.0.driver
    }

    /// How it was opened.
    #[must_use]
    pub fn config(&self) -> &DbConfig {
        &self.0.config
    }

    /// Counters of the storage threads.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.0.stats
    }

    /// Registers a hook; hooks run in the order of registration.
    pub fn on_commit(&self, hook: Hook) {
        self.0.hooks.0.write().unwrap_or_else(PoisonError::into_inner).push(hook);
    }

    /// Runs a command of `workspace` and returns when it is durable. The command may run more than once, so it must have no
    /// effect but on its [`Tx`]; an `Err` undoes its changes.
    ///
    /// # Errors
    /// What the command returns, or a store error when it could not be run or committed.
    pub async fn write<T, E, F>(&self, workspace: WorkspaceId, body: F) -> Result<T, E>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.submit(workspace, false, body).await
    }

    /// As [`Db::write`], also while the disk reserve is touched: for what frees space or lets people in.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn write_essential<T, E, F>(&self, workspace: WorkspaceId, body: F) -> Result<T, E>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.submit(workspace, true, body).await
    }

    async fn submit<T, E, F>(&self, workspace: WorkspaceId, essential: bool, body: F) -> Result<T, E>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (answer, outcome) = oneshot::channel();
        let command = Call { workspace, essential, body, outcome: None, answer };
        let queue = self.0.writer_of(workspace)?;
        self.0.stats.waiting.fetch_add(1, Ordering::Relaxed);
        let sent = queue.try_send(Box::new(command));
        drop(queue);
        let outcome = match sent {
            Ok(()) => outcome.await.unwrap_or_else(|_| Err(Error::Closed.into())),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Error::Busy.into()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Error::Closed.into()),
        };
        self.0.stats.waiting.fetch_sub(1, Ordering::Relaxed);
        outcome
    }

    /// Reads from one snapshot, which holds everything that was answered before.
    ///
    /// # Errors
    /// What the closure returns, or a store error when there is no connection.
    pub async fn read<T, E, F>(&self, body: F) -> Result<T, E>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (answer, outcome) = oneshot::channel();
        let read: Read = Box::new(move |tx| drop(answer.send(tx.map_err(E::from).and_then(body))));
        let queue = self.0.reader.read().unwrap_or_else(PoisonError::into_inner).clone();
        match queue.ok_or(Error::Closed)?.try_send(read) {
            Ok(()) => outcome.await.unwrap_or_else(|_| Err(Error::Panicked("in a reader".to_owned()).into())),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Error::Busy.into()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Error::Closed.into()),
        }
    }

    /// Runs what is queued, stops the threads and lets go of the folder. Later calls get [`Error::Closed`].
    pub async fn close(&self) {
        let inner = Arc::clone(&self.0);
        // Joining blocks, so it may not happen on a runtime thread.
        drop(tokio::task::spawn_blocking(move || inner.stop()).await);
    }
}

impl Inner {
    fn start(&self, runtime: &Handle) -> Result<(), Error> {
        let (count, shape) = match self.driver {
            Driver::Sqlite => (1, Shape::SQLITE),
            Driver::Postgres => (self.config.writers.max(1), Shape::POSTGRES),
        };
        for number in 0..count {
            let (sender, queue) = mpsc::channel(WRITE_QUEUE);
            let writer = Writer {
                conn: None,
                connect: self.config.opener(true, runtime)?,
                queue,
                held: VecDeque::new(),
                shape,
                world: self.world.clone(),
                hooks: Arc::clone(&self.hooks),
                reserve: Reserve::new(&self.config),
                stats: Arc::clone(&self.stats),
            };
            self.spawn(format!("writer-{number}"), move || writer.run())?;
            self.writers.write().unwrap_or_else(PoisonError::into_inner).push(sender);
        }
        self.start_readers(runtime)
    }

    fn start_readers(&self, runtime: &Handle) -> Result<(), Error> {
        let (sender, queue) = mpsc::channel(READ_QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..self.config.readers.max(1) {
            let connect = self.config.opener(false, runtime)?;
            let reader = Reader { conn: None, connect, queue: Arc::clone(&queue), world: self.world.clone() };
            self.spawn(format!("reader-{number}"), move || reader.run())?;
        }
        *self.reader.write().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        Ok(())
    }

    fn spawn(&self, name: String, body: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        let thread = std::thread::Builder::new().name(name).spawn(body).map_err(|e| Error::Unavailable(e.to_string()))?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    fn writer_of(&self, workspace: WorkspaceId) -> Result<mpsc::Sender<Box<dyn Command>>, Error> {
        let writers = self.writers.read().unwrap_or_else(PoisonError::into_inner);
        if let [only] = writers.as_slice() {
            return Ok(only.clone());
        }
        let mut hasher = DefaultHasher::new();
        workspace.hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % writers.len().max(1) as u64).unwrap_or(0);
        writers.get(index).cloned().ok_or(Error::Closed)
    }

    fn stop(&self) {
        self.writers.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.reader.write().unwrap_or_else(PoisonError::into_inner).take();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a storage thread had panicked");
            }
        }
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

fn lock_folder(folder: &Path) -> Result<File, Error> {
    let file = File::create(folder.join("switchboard.lock")).map_err(|e| Error::Unavailable(format!("data folder: {e}")))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Locked),
        Err(std::fs::TryLockError::Error(e)) => Err(Error::Unavailable(format!("data folder lock: {e}"))),
    }
}
