use std::{future::ready, time::Duration};

use files::{Blobs as _, Error, Hash};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use model::ActorRef;
use testkit::eventually;

use crate::place::{PNG, Place, bytes};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

impl Place {
    /// Waits until both clean-ups have ended their last run.
    async fn rested(&self) {
        eventually(async || {
            let waiting: Result<i64, store::Error> = self
                .hub
                .db()
                .read(|tx| {
                    let now = tx.now();
                    let sql = "SELECT COUNT(*) FROM jobs WHERE state = 'waiting' AND run_at > $1
                           AND kind IN ('files.expire', 'files.sweep')";
                    tx.one(sql, store::args![now], |row| row.get(0))
                })
                .await;
            (waiting == Ok(2)).then_some(())
        })
        .await;
    }

    /// Lets time pass. A clean-up that ran over it would run next only a whole interval after.
    async fn pass(&self, time: Duration) {
        self.rested().await;
        self.hub.clock().advance(time);
    }

    async fn has_blob(&self, hash: Hash) -> bool {
        self.all_blobs().await.iter().any(|blob| blob.hash == hash)
    }

    async fn blob_goes(&self, hash: Hash) {
        eventually(async || (!self.has_blob(hash).await).then_some(())).await;
    }

    async fn row_goes(&self, id: files::FileId) {
        eventually(async || (!self.has_row(id).await).then_some(())).await;
    }

    async fn has_row(&self, id: files::FileId) -> bool {
        let workspace = self.workspace().await;
        let found = self.hub.db().read(move |tx| files::get(tx, workspace, id)).await;
        found.map_err(|e: store::Error| e).expect("readable").is_some()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_blob_and_row_leaves_no_row_and_the_blob_goes_after_a_day() {
    let place = Place::open().await;
    // What a killed upload leaves: a blob without a row, and one that was not even complete.
    let old = place.files.store(bytes(b"old")).await.expect("stored").hash;
    let mut cut_off = place.blobs.put(bytes(b"half").chain(stream::pending()).boxed());
    eventually(|| {
        assert!((&mut cut_off).now_or_never().is_none());
        ready((place.unfinished() == 1).then_some(()))
    })
    .await;
    std::mem::forget(cut_off);
    place.pass(HOUR).await;
    let young = place.files.store(bytes(b"young")).await.expect("stored").hash;

    place.pass(DAY - HOUR).await;
    place.blob_goes(old).await;
    eventually(async || (place.unfinished() == 0).then_some(())).await;
    assert!(place.has_blob(young).await, "it is only 23 hours old, and the clean-up that took the other spared it");
    place.pass(DAY).await;
    place.blob_goes(young).await;
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unused_file_goes_after_a_day_and_its_content_a_day_later() {
    let place = Place::open().await;
    let (unused, used) = (place.put("a.txt", b"unused").await, place.put("b.txt", b"used").await);
    let message = place.message_with(&[used.id]).await;
    place.pass(DAY - HOUR).await;
    let late = place.put("c.txt", b"an hour before").await;
    place.pass(HOUR).await;
    place.row_goes(unused.id).await;
    assert!(place.has_row(late.id).await && place.has_row(used.id).await);
    assert!(place.has_blob(unused.hash).await, "a backup of this moment may refer to it");
    let stolen = place.run(move |tx| files::use_in(tx, message, &[unused.id])).await;
    assert_eq!(stolen, Err(store::Error::NotFound));

    place.pass(DAY).await;
    place.blob_goes(unused.hash).await;
    place.row_goes(late.id).await;
    assert!(place.has_row(used.id).await && place.has_blob(used.hash).await);
    place.run(move |tx| files::release(tx, message)).await.expect("released");
    place.pass(DAY - HOUR).await;
    place.rested().await;
    assert!(place.has_row(used.id).await, "it was released only 23 hours ago");
    place.pass(HOUR).await;
    place.row_goes(used.id).await;
    place.pass(DAY).await;
    place.blob_goes(used.hash).await;
    assert_eq!(place.all_blobs().await, []);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn content_stays_as_long_as_one_file_has_it() {
    let place = Place::open().await;
    let (unused, used) = (place.put("a.txt", b"same").await, place.put("b.txt", b"same").await);
    let first = place.message_with(&[used.id]).await;
    let second = place.message_with(&[used.id]).await;
    place.pass(DAY).await;
    place.row_goes(unused.id).await;
    place.run(move |tx| files::release(tx, first)).await.expect("released");
    let marker = place.files.store(bytes(b"marker")).await.expect("stored").hash;
    place.pass(2 * DAY).await;
    place.blob_goes(marker).await;
    assert!(place.has_row(used.id).await, "the second message still shows it");
    assert_eq!(place.content(&used).await, b"same");
    place.run(move |tx| files::release(tx, second)).await.expect("released");
    place.pass(DAY).await;
    place.row_goes(used.id).await;
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_row_is_refused_is_no_file_and_its_content_is_collected() {
    let place = Place::open().await;
    let workspace = place.workspace().await;
    let content = place.files.store(bytes(PNG)).await.expect("stored");
    let failed = place.hub.db().write(workspace, move |tx| {
        let file = files::add(tx, ActorRef::SYSTEM, "a.png", &content)?;
        assert_eq!(file.name, "a.png");
        Err::<(), _>(store::Error::NotFound)
    });
    assert_eq!(failed.await, Err(store::Error::NotFound));
    let count = place.hub.db().read(|tx| tx.one("SELECT COUNT(*) FROM files", &[], |row| row.get::<i64>(0))).await;
    assert_eq!(count, Ok::<_, store::Error>(0));
    place.pass(DAY).await;
    place.blob_goes(content.hash).await;
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_its_client_gave_up_is_dropped_at_once() {
    let place = Place::open().await;
    let mut upload = Box::pin(place.files.store(bytes(b"half").chain(stream::pending()).boxed()));
    eventually(|| {
        assert!((&mut upload).now_or_never().is_none());
        ready((place.unfinished() == 1).then_some(()))
    })
    .await;
    drop(upload);
    eventually(async || (place.unfinished() == 0).then_some(())).await;
    let missing = place.files.open(Hash::of(b"half"), 0..4).await;
    assert!(matches!(missing, Err(Error::Missing(_))));
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_files_of_several_workspaces_go_at_once() {
    let place = Place::open().await;
    let content = place.files.store(bytes(PNG)).await.expect("stored");
    let world = place.hub.hub().world();
    for workspace in [place.workspace().await, world.id(), world.id()] {
        let added = place.hub.db().write(workspace, move |tx| {
            (0..150).try_for_each(|number| files::add(tx, ActorRef::SYSTEM, &number.to_string(), &content).map(drop))
        });
        assert_eq!(added.await, Ok::<_, store::Error>(()));
    }
    place.pass(DAY).await;
    place.rested().await;
    let left = async |sql: &'static str| {
        let count = place.hub.db().read(move |tx| tx.one(sql, &[], |row| row.get::<i64>(0))).await;
        count.map_err(|e: store::Error| e).expect("countable")
    };
    assert_eq!(left("SELECT COUNT(*) FROM files WHERE deleted_at IS NULL OR name <> ''").await, 0);
    assert_eq!(left("SELECT COUNT(*) FROM files").await, 450);
    place.pass(DAY).await;
    place.blob_goes(content.hash).await;
    assert_eq!(left("SELECT COUNT(*) FROM files").await, 0);
    place.close().await;
}
