//! Full disks, folders in use, newer schemas.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use model::{Seq, WorkspaceId};
use store::{Db, DbConfig, Error, args, log};

use crate::support::{Place, assert_gapless, fact, on_each, world};

/// Appends events and fills pages until the disk is full; returns the places that were promised.
async fn fill(place: &Place, workspace: WorkspaceId) -> (Vec<Seq>, usize) {
    let (mut promised, mut refused) = (Vec::new(), 0);
    while refused == 0 {
        let calls = (0..64).map(|number| {
            place.db.write(workspace, move |tx| {
                // Every eighth is small, so that some of a full batch still fit when they run alone.
                let size = if number % 8 == 0 { 10 } else { 8000 };
                let seq = tx.append(fact("thing.done", None))?;
                tx.exec("INSERT INTO filler (seq, stuff) VALUES ($1, $2)", args![seq, vec![7_u8; size]])?;
                Ok::<Seq, Error>(seq)
            })
        });
        for answer in join_all(calls).await {
            match answer {
                Ok(seq) => promised.push(seq),
                Err(error) => {
                    assert_eq!(error, Error::StorageFull);
                    refused += 1;
                }
            }
        }
    }
    promised.sort_unstable();
    (promised, refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_answers_nobody_wrongly_and_recovers_without_a_restart() {
    let place = Place::sqlite_with(|config| config.max_pages = Some(600)).await;
    place.table("CREATE TABLE filler (seq BIGINT NOT NULL PRIMARY KEY, stuff BLOB NOT NULL)").await;
    let workspace = place.workspace();
    for _ in 0..3 {
        let before = place.log(workspace).await.len();
        let (promised, refused) = fill(&place, workspace).await;
        assert!(!promised.is_empty() && refused > 0);
        let stored: Vec<Seq> = place.log(workspace).await.iter().map(|event| event.seq).collect();
        assert_gapless(&stored);
        assert_eq!(stored.get(before..), Some(promised.as_slice()), "what was promised is there, and nothing else");
        let filled =
            place.read(|tx| tx.query("SELECT seq FROM filler ORDER BY seq", &[], |row| row.get::<Seq>(0))).await;
        assert_eq!(filled, promised);
        place.db.write_essential(workspace, |tx| tx.exec("DELETE FROM filler", &[])).await.expect("making room works");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn below_the_reserve_only_essential_commands_write() {
    let free = Arc::new(AtomicU64::new(1000));
    let seen = Arc::clone(&free);
    let place = Place::sqlite_with(|config| {
        config.disk_reserve = 500;
        config.free_space = Some(Arc::new(move || Some(seen.load(Ordering::Relaxed))));
    })
    .await;
    let workspace = place.workspace();
    let append = |tx: &mut store::Tx<'_>| tx.append(fact("thing.done", None));
    assert_eq!(place.db.write(workspace, append).await, Ok(1));
    free.store(499, Ordering::Relaxed);
    place.clock.advance(Duration::from_secs(2));
    assert_eq!(place.db.write(workspace, append).await, Err(Error::StorageFull));
    assert_eq!(place.db.write_essential(workspace, append).await, Ok(2));
    free.store(500, Ordering::Relaxed);
    place.clock.advance(Duration::from_secs(2));
    assert_eq!(place.db.write(workspace, append).await, Ok(3));
}

/// The environment variable by which this test talks to itself in another process.
const FOLDER: &str = "STORE_TEST_FOLDER";

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_folder_is_refused() {
    if let Ok(folder) = std::env::var(FOLDER) {
        let opened = Db::open(DbConfig::sqlite(folder), world(7).1).await;
        println!("SECOND PROCESS: {}", opened.map_or_else(|error| error.to_string(), |_| "opened".to_owned()));
        return;
    }
    let second = |folder: std::path::PathBuf| {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "faults::a_second_process_on_the_folder_is_refused", "--nocapture"]);
        let output = command.env(FOLDER, folder).output().expect("it runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let place = Place::sqlite().await;
    let said = second(place.config.folder.clone());
    assert!(said.contains("SECOND PROCESS: the folder is in use"), "{said}");
    assert!(matches!(Db::open(place.config.clone(), world(8).1).await, Err(Error::Locked)));
    place.db.close().await;
    let said = second(place.config.folder.clone());
    assert!(said.contains("SECOND PROCESS: opened"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_refused_and_left_alone() {
    on_each(async |place| {
        let sql = "INSERT INTO schema_migrations (version, name, applied_at) VALUES (9999, 'from the future', 0)";
        place.write(place.workspace(), move |tx| tx.exec(sql, &[])).await;
        place.db.close().await;
        let again = Db::open(place.config.clone(), world(9).1).await;
        let refused = again.err().expect("it is newer");
        assert_eq!(refused, Error::NewerSchema { found: 9999, known: store::LATEST_SCHEMA });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_survives_closing_and_opening() {
    on_each(async |place| {
        let workspace = place.workspace();
        place.write(workspace, |tx| tx.append(fact("thing.done", None))).await;
        place.db.close().await;
        let db = Db::open(place.config.clone(), world(10).1).await.expect("it opens again");
        assert_eq!(db.write(workspace, |tx| tx.append(fact("thing.done", None))).await, Ok(2));
        assert_eq!(db.read(move |tx| log::head(tx, workspace)).await, Ok(2));
        db.close().await;
    })
    .await;
}
