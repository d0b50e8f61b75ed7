//! Blobs in a folder: `ab/cdef…` under the hash's digits.
//!
//! An upload is written to `tmp/`, synced, and renamed to its hash. The time of a blob file is the time of its last put by our
//! clock. `lock` is held shared while a blob is renamed into place and exclusively while an old one is checked and removed, so
//! a removal never takes what was put at that moment, by this process or by another on the same folder.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, SeekFrom},
    ops::Range,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::BytesMut;
use futures_util::{StreamExt as _, stream};
use kit::BoxFuture;
use model::{Timestamp, World};
use store::FreeSpace;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use crate::{
    Error, Hash,
    blobs::{BlobInfo, Blobs, ByteStream, Stored},
};

/// Bytes read from a file at a time.
const PART: usize = 64 * 1024;
/// Bytes after which an upload looks again whether the disk has room.
const LOOK_AGAIN: u64 = 4 << 20;

/// See the module. Cloning is cheap.
#[derive(Clone)]
pub struct LocalBlobs(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    world: World,
    reserve: u64,
    free_space: FreeSpace,
}

impl LocalBlobs {
    /// Blobs in `folder`, which is made if it is absent. Uploads are refused while the file system has less than `reserve`
    /// bytes free, or less than `free_space` says where it is given.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(
        folder: impl Into<PathBuf>,
        world: World,
        reserve: u64,
        free_space: Option<FreeSpace>,
    ) -> Result<Self, Error> {
        let folder = folder.into();
        make_folder(&folder.join(TMP))?;
        let place = folder.clone();
        let free_space = free_space.unwrap_or_else(|| Arc::new(move || store::free_bytes(&place)));
        Ok(Self(Arc::new(Inner { folder, world, reserve, free_space })))
    }

    async fn take(&self, mut content: ByteStream) -> Result<Stored, Error> {
        let temp = Temp::new(&self.0);
        let file = self.blocking(|inner| temp_file(inner, temp)).await?;
        let (temp, file) = file;
        let mut file = tokio::fs::File::from_std(file);
        let (mut hasher, mut size, mut look_at) = (blake3::Hasher::new(), 0, 0);
        while let Some(part) = content.next().await.transpose()? {
            if size >= look_at {
                self.0.check_room()?;
                look_at = size + LOOK_AGAIN;
            }
            hasher.update(&part);
            file.write_all(&part).await?;
            size += part.len() as u64;
        }
        file.flush().await?;
        let (file, hash) = (file.into_std().await, Hash::from(hasher.finalize()));
        self.blocking(move |inner| inner.keep(temp, &file, hash)).await?;
        Ok(Stored { hash, size })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || work(&inner)).await.map_err(|e| Error::Io(e.to_string()))?
    }
}

impl std::fmt::Debug for LocalBlobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalBlobs").field("folder", &self.0.folder).finish_non_exhaustive()
    }
}

impl Blobs for LocalBlobs {
    fn put(&self, content: ByteStream) -> BoxFuture<'_, Result<Stored, Error>> {
        Box::pin(self.take(content))
    }

    fn open(&self, hash: Hash, range: Range<u64>) -> BoxFuture<'_, Result<ByteStream, Error>> {
        Box::pin(async move {
            let mut file = match tokio::fs::File::open(self.0.path(hash)).await {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Error::Missing(hash)),
                Err(error) => return Err(error.into()),
            };
            file.seek(SeekFrom::Start(range.start)).await?;
            let left = range.end.saturating_sub(range.start);
            Ok(stream::try_unfold((file, left), next_part).boxed())
        })
    }

    fn remove(&self, hash: Hash, spared: Timestamp) -> BoxFuture<'_, Result<bool, Error>> {
        Box::pin(self.blocking(move |inner| {
            let lock = inner.lock_file()?;
            lock.lock()?;
            let path = inner.path(hash);
            match fs::metadata(&path) {
                Ok(found) if time_of(found.modified()?) <= spared => fs::remove_file(&path)?,
                Ok(_) => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error.into()),
            }
            Ok(true)
        }))
    }

    fn list(&self, after: Option<Hash>, limit: usize) -> BoxFuture<'_, Result<Vec<BlobInfo>, Error>> {
        Box::pin(self.blocking(move |inner| {
            let from = after.map(|it| it.to_string());
            let first = from.as_ref().and_then(|it| it.get(..2)).and_then(|it| u8::from_str_radix(it, 16).ok());
            let mut found = Vec::new();
            for shard in first.unwrap_or(0)..=u8::MAX {
                let mut blobs = inner.shard(shard)?;
                blobs.retain(|blob| after.is_none_or(|after| blob.hash > after));
                blobs.sort_unstable_by_key(|blob| blob.hash);
                found.extend(blobs);
                if found.len() >= limit {
                    break;
                }
            }
            found.truncate(limit);
            Ok(found)
        }))
    }

    fn tidy(&self, before: Timestamp) -> BoxFuture<'_, Result<u64, Error>> {
        Box::pin(self.blocking(move |inner| {
            let mut removed = 0;
            for entry in fs::read_dir(inner.folder.join(TMP))? {
                let entry = entry?;
                let begun = entry.file_name().to_str().and_then(Temp::begun);
                if begun.is_some_and(|begun| begun <= before) {
                    fs::remove_file(entry.path())?;
                    removed += 1;
                }
            }
            Ok(removed)
        }))
    }
}

async fn next_part(
    (mut file, left): (tokio::fs::File, u64),
) -> Result<Option<(bytes::Bytes, (tokio::fs::File, u64))>, Error> {
    if left == 0 {
        return Ok(None);
    }
    let mut part = BytesMut::with_capacity(PART);
    let most = usize::try_from(left).map_or(PART, |left| left.min(PART));
    let read = (&mut file).take(most as u64).read_buf(&mut part).await?;
    if read == 0 {
        return Err(Error::Io("a blob is shorter than it should be".to_owned()));
    }
    Ok(Some((part.freeze(), (file, left - read as u64))))
}

impl Inner {
    fn path(&self, hash: Hash) -> PathBuf {
        let text = hash.to_string();
        let (shard, rest) = text.split_at(2);
        self.folder.join(shard).join(rest)
    }

    fn check_room(&self) -> Result<(), Error> {
        let touched = self.reserve > 0 && (self.free_space)().is_some_and(|free| free < self.reserve);
        if touched { Err(Error::Full) } else { Ok(()) }
    }

    fn lock_file(&self) -> Result<File, Error> {
        Ok(OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(self.folder.join("lock"))?)
    }

    /// Makes a complete upload a blob. What was there under the hash is the same content, and is replaced to be young again.
    fn keep(&self, temp: Temp, file: &File, hash: Hash) -> Result<(), Error> {
        let micros = u64::try_from(self.world.now().micros()).unwrap_or(0);
        file.set_modified(UNIX_EPOCH + Duration::from_micros(micros))?;
        file.sync_all()?;
        let path = self.path(hash);
        let shard = path.parent().expect("a blob lies in a shard");
        if !shard.is_dir() {
            make_folder(shard)?;
            File::open(&self.folder)?.sync_all()?;
        }
        let lock = self.lock_file()?;
        lock.lock_shared()?;
        temp.rename(&path)?;
        drop(lock);
        File::open(shard)?.sync_all()?;
        Ok(())
    }

    /// The blobs whose hash begins with this byte.
    fn shard(&self, number: u8) -> Result<Vec<BlobInfo>, Error> {
        let shard = format!("{number:02x}");
        let entries = match fs::read_dir(self.folder.join(&shard)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let Some(hash) = name.to_str().and_then(|rest| format!("{shard}{rest}").parse().ok()) else { continue };
            match entry.metadata() {
                Ok(it) => found.push(BlobInfo { hash, size: it.len(), put_at: time_of(it.modified()?) }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(found)
    }
}

const TMP: &str = "tmp";

/// A file in `tmp/`, named after the time it was begun; it is removed when it is dropped before it was renamed.
struct Temp {
    path: PathBuf,
    kept: bool,
}

impl Temp {
    fn new(inner: &Inner) -> Self {
        let random = u64::from_le_bytes(inner.world.random());
        let name = format!("{}-{random:016x}", inner.world.now().micros());
        Self { path: inner.folder.join(TMP).join(name), kept: false }
    }

    fn begun(name: &str) -> Option<Timestamp> {
        name.split_once('-')?.0.parse().ok().map(Timestamp::from_micros)
    }

    fn rename(mut self, to: &Path) -> Result<(), Error> {
        fs::rename(&self.path, to)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "an unfinished upload stays until the next clean-up");
        }
    }
}

fn temp_file(inner: &Inner, temp: Temp) -> Result<(Temp, File), Error> {
    inner.check_room()?;
    let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&temp.path)?;
    Ok((temp, file))
}

fn make_folder(path: &Path) -> Result<(), Error> {
    Ok(DirBuilder::new().recursive(true).mode(0o700).create(path)?)
}

fn time_of(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
