#![doc = include_str!("../README.md")]

mod blobs;
mod cookie;
mod error;
mod intake;
mod jobs;
mod local;
mod model;
mod name;
mod picture;
mod range;
mod reader;
mod routes;
mod rows;
mod sniff;

use std::{fmt, ops::Range, sync::Arc};

use ::model::{ActorRef, MessageId, WorkspaceId, World};
use kit::{Feature, Principal};
use store::{Db, Tx};
use tokio::sync::Semaphore;

pub use crate::{
    blobs::{BlobInfo, Blobs, ByteStream, Hash, NotAHash, Stored},
    error::Error,
    local::LocalBlobs,
    model::{Content, Creator, File, FileId, FileKind, FileView, Shape},
    name::clean as clean_name,
    rows::{add, get, of_messages, release, use_in},
    sniff::{is_inline, sniff},
};

/// Messages that are asked about when somebody wants to read a file; more of them than this use only what is sent again and again.
const MOST_USERS: i64 = 100;

/// Decides who may see the message that a file is in; implemented by whoever keeps the conversations.
pub trait FileAccess: Send + Sync + 'static {
    /// Whether `principal` may see `message`, which is in his workspace.
    ///
    /// # Errors
    /// See [`store::Error`].
    fn may_see(&self, tx: &mut Tx<'_>, principal: &Principal, message: MessageId) -> Result<bool, store::Error>;
}

/// What the operator decides about files.
#[derive(Debug, Clone, Copy)]
pub struct FilesConfig {
    /// The largest file, in bytes.
    pub max_size: u64,
    /// Uploads over HTTP that a node takes at the same time; more get a 503 `busy`.
    pub uploads_at_once: usize,
}

impl Default for FilesConfig {
    fn default() -> Self {
        Self { max_size: 50 << 20, uploads_at_once: 32 }
    }
}

/// Files with their content, names and access. Cloning is cheap.
#[derive(Clone)]
pub struct Files(Arc<Inner>);

struct Inner {
    db: Db,
    world: World,
    blobs: Arc<dyn Blobs>,
    access: Arc<dyn FileAccess>,
    config: FilesConfig,
    uploads: Semaphore,
}

impl Files {
    /// Files on this database, with their content in `blobs`.
    pub fn new(db: Db, world: World, blobs: Arc<dyn Blobs>, access: Arc<dyn FileAccess>, config: FilesConfig) -> Self {
        let uploads = Semaphore::new(config.uploads_at_once);
        Self(Arc::new(Inner { db, world, blobs, access, config, uploads }))
    }

    /// Routes and jobs.
    #[must_use]
    pub fn feature(&self) -> Feature {
        Feature::new("files")
            .api(routes::api().layer(axum::Extension(self.clone())))
            .plain(routes::plain().layer(axum::Extension(self.clone())))
            .job(jobs::Expire(self.clone()))
            .job(jobs::Sweep(self.clone()))
    }

    /// Stores content and looks at what it is. It is gone after a day unless a row refers to it: [`add`].
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Empty`], [`Error::TooSlow`], [`Error::Full`], and what the stream gives.
    pub async fn store(&self, content: ByteStream) -> Result<Content, Error> {
        let (content, head) = intake::guard(content, self.0.config.max_size, &self.0.world);
        let Stored { hash, size } = self.0.blobs.put(content).await?;
        let head = head.bytes();
        let media_type = sniff::sniff(&head);
        let (width, height) = picture::dimensions(media_type, &head).unzip();
        Ok(Content { hash, size, media_type, shape: Shape { width, height, duration_ms: None } })
    }

    /// Stores content as a file of `workspace`, brought by `by`: [`Self::store`] and [`add`].
    ///
    /// # Errors
    /// As [`Self::store`], and what the database says.
    pub async fn put(
        &self,
        workspace: WorkspaceId,
        by: ActorRef,
        name: &str,
        content: ByteStream,
    ) -> Result<File, Error> {
        let content = self.store(content).await?;
        let name = name.to_owned();
        Ok(self.0.db.write(workspace, move |tx| add(tx, by, &name, &content)).await?)
    }

    /// A part of the bytes under a hash; `0..file.size` is the whole. Access was checked by the caller.
    ///
    /// # Errors
    /// [`Error::Missing`] when the blob store has lost them.
    pub async fn open(&self, hash: Hash, range: Range<u64>) -> Result<ByteStream, Error> {
        self.0.blobs.open(hash, range).await
    }

    /// Whether somebody may read a file: who may see a message that uses it, or, while none does, who brought it.
    ///
    /// # Errors
    /// See [`store::Error`].
    pub fn may_read(&self, tx: &mut Tx<'_>, principal: &Principal, file: &File) -> Result<bool, store::Error> {
        if file.workspace != principal.workspace {
            return Ok(false);
        }
        let users = rows::users_of(tx, file.id, MOST_USERS)?;
        if users.is_empty() {
            return Ok(file.created_by == principal.actor());
        }
        for message in users {
            if self.0.access.may_see(tx, principal, message)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn db(&self) -> &Db {
        &self.0.db
    }

    fn world(&self) -> &World {
        &self.0.world
    }

    fn blobs(&self) -> &dyn Blobs {
        &*self.0.blobs
    }

    fn config(&self) -> &FilesConfig {
        &self.0.config
    }

    fn uploads(&self) -> &Semaphore {
        &self.0.uploads
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("config", &self.0.config).finish_non_exhaustive()
    }
}
