//! The local blob store by itself.

use std::{
    collections::BTreeSet,
    fs::File,
    future::ready,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use files::{Blobs, ByteStream, Error, Hash, LocalBlobs};
use futures_util::{StreamExt as _, stream};
use model::World;
use testkit::{ManualClock, SeededEntropy, eventually};

use crate::place::read;

struct Shelf {
    blobs: LocalBlobs,
    clock: ManualClock,
    world: World,
    folder: tempfile::TempDir,
}

impl Shelf {
    fn file_of(&self, hash: Hash) -> PathBuf {
        let name = hash.to_string();
        self.folder.path().join("files").join(&name[..2]).join(&name[2..])
    }
}

fn shelf() -> Shelf {
    let (clock, folder) = (ManualClock::default(), tempfile::tempdir().expect("a folder"));
    let world = World::new(Arc::new(clock.clone()), Arc::new(SeededEntropy::new(1)));
    let blobs = LocalBlobs::open(folder.path().join("files"), world.clone(), 0, None).expect("a blob store");
    Shelf { blobs, clock, world, folder }
}

fn parts(content: &[u8], length: usize) -> ByteStream {
    let parts: Vec<_> = content.chunks(length).map(|part| Ok(Bytes::copy_from_slice(part))).collect();
    stream::iter(parts).boxed()
}

#[tokio::test]
async fn content_lies_under_its_hash_and_any_part_of_it_can_be_read() {
    let shelf = shelf();
    let content: Vec<u8> = (0..200_000_u32).map(|it| (it % 251) as u8).collect();
    let stored = shelf.blobs.put(parts(&content, 777)).await.expect("stored");
    assert_eq!((stored.hash, stored.size), (Hash::of(&content), 200_000));
    let file = shelf.file_of(stored.hash);
    assert_eq!(std::fs::read(&file).expect("it is there"), content);
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().expect("a shard"))), (0o600, 0o700), "nobody else may look");
    for range in [0..200_000, 0..1, 199_999..200_000, 65_535..131_073, 5..5] {
        let part = shelf.blobs.open(stored.hash, range.clone()).await.expect("it is there");
        let (from, to) = (usize::try_from(range.start).expect("small"), usize::try_from(range.end).expect("small"));
        assert_eq!(read(part).await.expect("whole"), content[from..to], "{range:?}");
    }
    let beyond = shelf.blobs.open(stored.hash, 199_999..200_002).await.expect("it is there");
    assert!(matches!(read(beyond).await, Err(Error::Io(_))), "a short blob is never passed off as whole");
    let missing = shelf.blobs.open(Hash::of(b"other"), 0..1).await;
    assert!(matches!(missing, Err(Error::Missing(hash)) if hash == Hash::of(b"other")));
}

#[tokio::test]
async fn a_listing_goes_through_all_blobs_page_by_page() {
    let shelf = shelf();
    let mut want = BTreeSet::new();
    for number in 0..600_u32 {
        want.insert(shelf.blobs.put(parts(&number.to_le_bytes(), 4)).await.expect("stored").hash);
    }
    // What does not look like a blob is left alone.
    std::fs::write(shelf.folder.path().join("files/ab.txt"), "x").expect("written");
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = shelf.blobs.list(after, 7).await.expect("a page");
        found.extend(page.iter().map(|blob| blob.hash));
        assert!(page.iter().all(|blob| blob.size == 4 && blob.put_at == shelf.world.now()));
        match page.last() {
            Some(last) => after = Some(last.hash),
            None => break,
        }
    }
    assert_eq!(found, want.into_iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn content_that_was_put_again_is_young_again_and_spared() {
    let shelf = shelf();
    let hash = shelf.blobs.put(parts(b"twice", 5)).await.expect("stored").hash;
    let old = shelf.world.now();
    shelf.clock.advance(Duration::from_secs(1));
    shelf.blobs.put(parts(b"twice", 5)).await.expect("stored");
    assert!(!shelf.blobs.remove(hash, old).await.expect("asked"));
    assert!(shelf.blobs.open(hash, 0..5).await.is_ok());
    assert!(shelf.blobs.remove(hash, shelf.world.now()).await.expect("asked"));
    assert!(matches!(shelf.blobs.open(hash, 0..5).await, Err(Error::Missing(_))));
    assert!(!shelf.blobs.remove(hash, shelf.world.now()).await.expect("asked"), "it is gone already");
}

/// Looks at something for a while, which has to stay as it is.
async fn stays(what: &str, holds: impl Fn() -> bool) {
    let mut looks = 0;
    eventually(|| {
        assert!(holds(), "{what}");
        looks += 1;
        ready((looks > 20).then_some(()))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_blob_is_put_in_place_while_another_process_checks_one_for_removal() {
    let shelf = shelf();
    let first = shelf.blobs.put(parts(b"content", 7)).await.expect("stored").hash;
    let (removing, spared) = (shelf.blobs.clone(), shelf.world.now());
    let lock = File::options().write(true).open(shelf.folder.path().join("files/lock")).expect("the lock's file");
    // As an upload of another process.
    lock.lock_shared().expect("nobody has it");
    let remove = tokio::spawn(async move { removing.remove(first, spared).await });
    stays("removed during an upload", || shelf.file_of(first).exists()).await;
    lock.unlock().expect("it was held");
    assert!(remove.await.expect("no panic").expect("asked"));
    // As a removal of another process.
    lock.lock().expect("nobody has it");
    let putting = shelf.blobs.clone();
    let put = tokio::spawn(async move { putting.put(parts(b"content", 7)).await });
    stays("put in place during a removal", || !shelf.file_of(first).exists()).await;
    lock.unlock().expect("it was held");
    put.await.expect("no panic").expect("stored");
    assert!(shelf.file_of(first).exists());
}
