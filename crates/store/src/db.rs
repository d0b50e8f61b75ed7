//! The handle that everyone holds, and the threads behind it.

use std::{
    collections::VecDeque,
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use model::{WorkspaceId, World};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use crate::{
    DbConfig, Error, Tx, args,
    command::{Call, Command},
    config::Reserve,
    conn::Conn,
    hooks::{Hook, Hooks},
    migrate,
    reader::{Read, Reader},
    writer::{Shape, Writer},
};

/// Commands that may wait for a writer before new ones are refused.
const WRITE_QUEUE: usize = 8192;
/// Reads that may wait.
const READ_QUEUE: usize = 8192;

/// Which database is behind a [`Db`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// The embedded one.
    Sqlite,
    /// The server.
    Postgres,
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

/// One caller that waits for a writer, also when it gives up early.
struct Waiting(Arc<Stats>);

impl Waiting {
    fn new(stats: Arc<Stats>) -> Self {
        stats.waiting.fetch_add(1, Ordering::Relaxed);
        Self(stats)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
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
    /// Held as long as the store is open or its writer works, so that no second process works on the folder.
    lock: Mutex<Option<Arc<File>>>,
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
        let lock =
            if driver == Driver::Sqlite { Some(Arc::new(lock_file(&config.folder.join(FOLDER_LOCK))?)) } else { None };
        let mut conn = config.opener(true, runtime)?()?;
        migrate::run(&mut conn, &world)?;
        // On a full disk or a read-only one the server has to start all the same.
        if driver == Driver::Sqlite
            && let Err(reason) = free_what_the_dead_held(&mut conn, &world)
        {
            tracing::warn!(%reason, "leases of the last process run out by themselves");
        }
        drop(conn);
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

    pub(crate) fn world(&self) -> &World {
        &self.0.world
    }

    /// Counters of the storage threads.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.0.stats
    }

    /// Registers a hook; hooks run in the order of registration.
    pub fn on_commit(&self, hook: Hook) {
        self.0.hooks.add(hook);
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
        let _waiting = Waiting::new(Arc::clone(&self.0.stats));
        let sent = queue.try_send(Box::new(command));
        drop(queue);
        match sent {
            Ok(()) => outcome.await.unwrap_or_else(|_| Err(Error::Closed.into())),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Error::Busy.into()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Error::Closed.into()),
        }
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
                lock: self.lock.lock().unwrap_or_else(PoisonError::into_inner).clone(),
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
        let thread =
            std::thread::Builder::new().name(name).spawn(body).map_err(|e| Error::Unavailable(e.to_string()))?;
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

/// Whoever holds the folder's lock knows that every lease on a piece of work and every running job belongs to a process
/// that is gone. Waiting for their time to run out would make a restart slow, and endless when the clock went back.
fn free_what_the_dead_held(conn: &mut Conn, world: &World) -> Result<(), Error> {
    let now = world.now();
    conn.exec("UPDATE leases SET expires_at = 0 WHERE expires_at > 0", &[])?;
    conn.exec("UPDATE jobs SET run_at = $1 WHERE state = 'running' AND run_at > $1", args![now])?;
    Ok(())
}

/// Keeps a second process from a folder, for as long as the locked file lives.
pub(crate) const FOLDER_LOCK: &str = "switchboard.lock";

pub(crate) fn lock_file(path: &Path) -> Result<File, Error> {
    let file = File::create(path).map_err(|e| Error::Unavailable(format!("{}: {e}", path.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Locked),
        Err(std::fs::TryLockError::Error(e)) => Err(Error::Unavailable(format!("{}: {e}", path.display()))),
    }
}
