use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use files::{ByteStream, Error};
use futures_util::{StreamExt as _, stream};
use testkit::eventually;
use tokio::io::AsyncWriteExt as _;

use crate::{
    place::{LIMIT, PNG, Place, upload},
    wire::{answer, begin_upload},
};

const MIB: usize = 1 << 20;

/// How many parts exist at a time, and how many did at most.
#[derive(Default)]
struct Held {
    now: AtomicUsize,
    most: AtomicUsize,
}

struct Part(Vec<u8>, Arc<Held>);

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.1.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// `size` bytes in parts of 64 KiB that are made when they are asked for and counted until they are dropped.
fn counted(size: usize, held: &Arc<Held>) -> ByteStream {
    let held = held.clone();
    let lengths = (0..size).step_by(64 * 1024).map(move |at| (size - at).min(64 * 1024));
    stream::iter(lengths)
        .map(move |length| {
            let now = held.now.fetch_add(1, Ordering::Relaxed) + 1;
            held.most.fetch_max(now, Ordering::Relaxed);
            Ok(Bytes::from_owner(Part(vec![7; length], held.clone())))
        })
        .boxed()
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_megabytes_are_taken_in_bounded_memory_and_one_byte_more_is_refused() {
    let place = Place::open().await;
    let held = Arc::<Held>::default();
    let content = place.files.store(counted(50 * MIB, &held)).await.expect("exactly the limit");
    assert_eq!(content.size, 50 << 20);
    let refused = place.files.store(counted(50 * MIB + 1, &held)).await;
    assert!(matches!(refused, Err(Error::TooLarge { limit: 0x320_0000 })), "{refused:?}");
    let most = held.most.load(Ordering::Relaxed);
    assert!((1..=2).contains(&most), "{most} parts of 64 KiB were held at a time");
    assert_eq!((place.all_blobs().await.len(), place.unfinished()), (1, 0));

    let mut served = place.files.open(content.hash, 0..content.size).await.expect("it is there");
    let (mut size, mut largest) = (0, 0);
    while let Some(part) = served.next().await {
        let length = part.expect("it is whole").len();
        (size, largest) = (size + length, largest.max(length));
    }
    assert!((size, largest) == (50 * MIB, 64 * 1024), "{size} bytes, {largest} at once");
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_above_the_limit_is_refused_in_clear_words() {
    let place = Place::small().await;
    let owner = place.hub.owner().await;
    let limit = usize::try_from(LIMIT).expect("small");
    upload(&owner, "a", &vec![1; limit]).await.expect(201);
    let refused = upload(&owner, "a", &vec![2; limit + 1]).await.expect_problem(413, "file_too_large");
    assert_eq!(refused.json["detail"], "The file is larger than 97 KB, the most that this server takes.");
    upload(&owner, "a", b"").await.expect_problem(422, "file_empty");

    // What says that it is far larger is not even read.
    let mut stream = begin_upload(&place, 1 << 40, b"").await;
    assert!(answer(&mut stream, "file_too_large").await.starts_with("HTTP/1.1 413 "));
    assert_eq!((place.all_blobs().await.len(), place.unfinished()), (1, 0));
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_uploads_and_nothing_of_them_stays() {
    let place = Place::open().await;
    let owner = place.hub.owner().await;
    let kept = upload(&owner, "a.png", PNG).await.expect(201);
    place.free.store(999, Ordering::Relaxed);
    let refused = upload(&owner, "b.txt", b"more").await.expect_problem(503, "storage_full");
    assert!(!refused.header("retry-after").is_empty());
    owner.get(kept.str("/url")).await.expect(200);

    // It fills up while the upload runs.
    place.free.store(u64::MAX, Ordering::Relaxed);
    let free = place.free.clone();
    let filling = counted(20 * MIB, &Arc::default()).enumerate().map(move |(number, part)| {
        if number == 80 {
            free.store(0, Ordering::Relaxed);
        }
        part
    });
    let refused = place.files.store(filling.boxed()).await;
    assert!(matches!(refused, Err(Error::Full)), "{refused:?}");
    assert_eq!((place.all_blobs().await.len(), place.unfinished()), (1, 0));
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_leaves_nothing_behind() {
    let place = Place::open().await;
    let stream = begin_upload(&place, 1000, b"the first half").await;
    eventually(async || (place.unfinished() == 1).then_some(())).await;
    drop(stream);
    eventually(async || (place.unfinished() == 0).then_some(())).await;
    let broken = stream::iter([Ok(Bytes::from_static(PNG)), Err(Error::Broken("cut".to_owned()))]).boxed();
    assert!(matches!(place.files.store(broken).await, Err(Error::Broken(_))));
    assert_eq!((place.all_blobs().await.len(), place.unfinished()), (0, 0));
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_stands_still_is_given_up() {
    let place = Place::open().await;
    let mut stream = begin_upload(&place, 1000, b"the first half").await;
    eventually(async || (place.unfinished() == 1).then_some(())).await;
    let answer = Box::pin(answer(&mut stream, "body_timeout"));
    let answer = place.hub.clock().run(Duration::from_secs(1), answer).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(place.unfinished(), 0);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_uploads_than_the_server_takes_are_told_to_wait() {
    let place = Place::small().await;
    let owner = place.hub.owner().await;
    let mut first = begin_upload(&place, 10, b"01234").await;
    eventually(async || (place.unfinished() == 1).then_some(())).await;
    let refused = upload(&owner, "a.png", PNG).await.expect_problem(503, "busy");
    assert_eq!(refused.header("retry-after"), "2");
    first.write_all(b"56789").await.expect("it reads");
    assert!(answer(&mut first, "\"id\"").await.starts_with("HTTP/1.1 201 "));
    upload(&owner, "a.png", PNG).await.expect(201);
    place.close().await;
}
