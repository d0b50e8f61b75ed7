//! Where the data is, how many threads work on it, and how much of the disk they may use.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use model::World;
use tokio::runtime::Handle;

use crate::{Error, conn::Conn, postgres::Postgres, sqlite::Sqlite};

/// Makes connections for one storage thread.
pub(crate) type Opener = Box<dyn FnMut() -> Result<Conn, Error> + Send>;

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
    /// Pages of 4 KiB that the SQLite file may have at most; for tests of a full disk.
    pub max_pages: Option<u32>,
}

impl DbConfig {
    /// SQLite in `folder` with the default number of threads.
    #[must_use]
    pub fn sqlite(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            url: None,
            readers: 2,
            writers: 4,
            disk_reserve: 0,
            free_space: None,
            max_pages: None,
        }
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

    /// How a storage thread gets its connection, and another one when that is lost.
    pub(crate) fn opener(&self, writer: bool, runtime: &Handle) -> Result<Opener, Error> {
        if let Some(url) = &self.url {
            let config = postgres_config(url)?;
            let runtime = runtime.clone();
            return Ok(Box::new(move || Postgres::connect(&config, &runtime).map(Conn::Postgres)));
        }
        let file = self.sqlite_file();
        let max_pages = self.max_pages;
        Ok(Box::new(move || {
            if writer { Sqlite::writer(&file, max_pages) } else { Sqlite::reader(&file) }.map(Conn::Sqlite)
        }))
    }
}

/// The URL's settings, with an end to waiting where the URL names none.
pub(crate) fn postgres_config(url: &str) -> Result<tokio_postgres::Config, Error> {
    let malformed = |_| Error::Unavailable("the database URL is malformed".to_owned());
    let mut config: tokio_postgres::Config = url.parse().map_err(malformed)?;
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(5));
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(30));
    }
    Ok(config)
}

/// The disk reserve, asked at most once a second.
pub(crate) struct Reserve {
    bytes: u64,
    free_space: FreeSpace,
    asked: Option<Duration>,
    touched: bool,
}

impl Reserve {
    pub(crate) fn new(config: &DbConfig) -> Self {
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

/// Free bytes of the file system that `folder` is on; `None` when it cannot be known.
#[must_use]
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}
