//! Backups are consistent, travel between databases, and go only where nothing is.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use model::{SYSTEM_WORKSPACE, WorkspaceId};
use store::{Arg, Column, Db, DbConfig, Driver, Error, Row, Tx, args, backup, leases, log, meta, outbox};
use uuid::Uuid;

use crate::{
    outbox::item,
    support::{PgDatabase, Place, assert_gapless, fact, on_each, postgres_server, world},
};

const RIGHT_KEY: fn(Option<&str>) -> bool = |check| check == Some("key one");

async fn seal(place: &Place) {
    place.write(SYSTEM_WORKSPACE, |tx| meta::set(tx, meta::KEY_CHECK, "key one")).await;
}

/// An event with its delivery, as a reply makes them.
fn reply(tx: &mut Tx<'_>) -> Result<(), Error> {
    let delivery = outbox::enqueue(tx, item())?;
    tx.append(fact("message.created", Some(delivery.id.uuid())))?;
    Ok(())
}

/// Makes a backup while commands go on, and returns it with how many were answered before and in all.
async fn backup_under_load(place: &Place, workspace: WorkspaceId) -> (PathBuf, i64, i64) {
    for _ in 0..50 {
        place.write(workspace, reply).await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..8)
        .map(|_| {
            let (db, stop) = (place.db.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    db.write(workspace, reply).await.expect("writers go on");
                }
            })
        })
        .collect();
    let before = place.read(move |tx| log::head(tx, workspace)).await;
    let path = place.folder.path().join("backups").join(backup::file_name(place.world.now()));
    backup::create(&place.db, &path).await.expect("a backup is made");
    stop.store(true, Ordering::Relaxed);
    for task in load {
        task.await.expect("no writer failed");
    }
    let after = place.read(move |tx| log::head(tx, workspace)).await;
    (path, before, after)
}

/// Log and outbox of the restored database are one moment of the original.
async fn is_consistent(db: &Db, workspace: WorkspaceId, before: i64, after: i64) {
    let (head, seqs, deliveries) = db
        .read(move |tx| {
            let seqs: Vec<i64> = log::after(tx, workspace, 0, i64::MAX)?.iter().map(|it| it.seq).collect();
            let deliveries: Vec<i64> =
                outbox::pending(tx, Uuid::from_u128(77), 0, i64::MAX)?.iter().map(|it| it.position).collect();
            Ok::<_, Error>((log::head(tx, workspace)?, seqs, deliveries))
        })
        .await
        .expect("readable");
    assert!((before..=after).contains(&head), "{before} <= {head} <= {after}");
    assert_eq!(seqs.len() as i64, head);
    assert_gapless(&seqs);
    assert_eq!(deliveries, seqs, "each event has its delivery");
    assert_eq!(db.write(workspace, |tx| tx.append(fact("thing.done", None))).await, Ok(head + 1), "counting goes on");
}

/// Where a backup is restored to.
async fn targets() -> Vec<(DbConfig, tempfile::TempDir, Option<PgDatabase>)> {
    let folder = || tempfile::tempdir().expect("a temporary folder");
    let sqlite = folder();
    let mut all = vec![(DbConfig::sqlite(sqlite.path().join("data")), sqlite, None)];
    if let Some(server) = postgres_server() {
        let (postgres, folder) = (PgDatabase::create(&server).await, folder());
        all.push((DbConfig::postgres(folder.path().join("data"), postgres.url()), folder, Some(postgres)));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_one_moment_wherever_it_is_restored() {
    on_each(async |place| {
        seal(place).await;
        let workspace = place.workspace();
        let held = place
            .write(workspace, |tx| leases::acquire(tx, "bot", Uuid::from_u128(1), Duration::from_secs(3600)))
            .await
            .expect("free");
        let (path, before, after) = backup_under_load(place, workspace).await;
        for (config, _folder, _postgres) in targets().await {
            let (_, world) = world(77);
            let summary = backup::restore(&path, &config, &world, RIGHT_KEY).await.expect("it is restored");
            assert_eq!((summary.schema, summary.workspaces), (store::LATEST_SCHEMA, 1));
            assert_eq!(summary.created_at, Some(place.world.now()));
            let db = Db::open(config.clone(), world).await.expect("it opens");
            is_consistent(&db, workspace, before, after).await;
            let epoch = db.read(|tx| meta::get(tx, meta::EPOCH)).await.expect("readable").expect("a new epoch");
            assert_eq!(epoch.len(), 32);
            let lease = db.write(workspace, |tx| leases::acquire(tx, "bot", Uuid::from_u128(2), Duration::ZERO)).await;
            assert_eq!(
                lease.expect("no error").map(|it| it.fence),
                Some(held.fence + 1),
                "free, and the fence goes on"
            );
            db.close().await;
            let again = backup::restore(&path, &config, &self::world(78).1, RIGHT_KEY).await;
            assert!(matches!(again, Err(Error::NotEmpty(_))), "{again:?}");
        }
    })
    .await;
}

/// One value, owned, so that rows of two databases can be compared.
fn shown(row: &Row<'_>) -> Result<Vec<String>, Error> {
    (0..row.width())
        .map(|index| {
            Ok(match row.column(index)? {
                Column::Bool(it) => format!("Int({})", i64::from(it)),
                other => format!("{other:?}"),
            })
        })
        .collect()
}

/// A table with its columns: name, type, whether a value is required.
type Described = (String, Vec<(String, String, bool)>);
/// A table with its rows, as text.
type Content = (String, Vec<Vec<String>>);

/// The tables that a backup carries, with names and types of their columns.
async fn tables(sqlite: &Db) -> Vec<Described> {
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('schema_migrations', 'batches') ORDER BY name";
    let read = sqlite.read(move |tx| {
        let names = tx.query(names, &[], |row| row.get::<String>(0))?;
        let described = names.into_iter().map(|name| {
            let sql = "SELECT name, type, \"notnull\" FROM pragma_table_info($1) ORDER BY cid";
            let columns = tx.query(sql, args![name], |row| Ok((row.get(0)?, row.get(1)?, row.get::<i64>(2)? == 1)))?;
            Ok((name, columns))
        });
        described.collect::<Result<Vec<_>, Error>>()
    });
    read.await.expect("readable")
}

async fn contents(db: &Db, tables: &[Described]) -> Vec<Content> {
    let tables = tables.to_vec();
    let read = db.read(move |tx| {
        let all = tables.iter().map(|(name, columns)| {
            let columns: Vec<&str> = columns.iter().map(|it| it.0.as_str()).collect();
            let mut rows = tx.query(&format!("SELECT {} FROM {name}", columns.join(", ")), &[], shown)?;
            rows.retain(|row| !row.iter().any(|it| it.contains("epoch")));
            rows.sort();
            Ok((name.clone(), rows))
        });
        all.collect::<Result<Vec<_>, Error>>()
    });
    read.await.expect("readable")
}

/// Fills a table with rows of every type; each nullable column is NULL in every other row.
fn fill(tx: &mut Tx<'_>, name: &str, columns: &[(String, String, bool)], rows: i64) -> Result<(), Error> {
    let places: Vec<String> = (1..=columns.len()).map(|number| format!("${number}")).collect();
    let names: Vec<&str> = columns.iter().map(|it| it.0.as_str()).collect();
    let sql = format!("INSERT INTO {name} ({}) VALUES ({})", names.join(", "), places.join(", "));
    for row in 0..rows {
        let (id, text) = (tx.id::<model::kind::Chat>(), format!("ünï '{row}' 🙂"));
        let args: Vec<Arg<'_>> = columns
            .iter()
            .map(|(_, kind, required)| match kind.as_str() {
                _ if !required && row % 2 == 1 => Arg::Null,
                "BIGINT" => Arg::Int(row * 1_000_003),
                "BOOLEAN" => Arg::Bool(row % 3 == 0),
                "DOUBLE" => Arg::Real(row as f64),
                "TEXT" => Arg::Text(&text),
                _ => Arg::Blob(id.as_bytes()),
            })
            .collect();
        tx.exec(&sql, &args)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_survives_the_way_through_both_databases() {
    let place = Place::sqlite().await;
    seal(&place).await;
    let all = tables(&place.db).await;
    // The log's own tables have to agree with each other; the others are filled whatever they mean.
    let special = ["counters", "events", "log_floors", "meta", "leases"];
    let filled: Vec<_> = all.iter().filter(|(name, _)| !special.contains(&name.as_str())).cloned().collect();
    assert!(filled.len() >= 8);
    place
        .write(place.workspace(), move |tx| {
            filled.iter().try_for_each(|(name, columns)| fill(tx, name, columns, 600))?;
            (0..600).try_for_each(|_| tx.append(fact("thing.done", None)).map(drop))
        })
        .await;
    let before = contents(&place.db, &all).await;
    let mut config = place.config.clone();
    let mut from = place.db.clone();
    let (clock, world) = world(3);
    for (number, (target, _folder, _postgres)) in targets().await.iter().chain(&targets().await).enumerate() {
        clock.advance(Duration::from_secs(1));
        let path = place.folder.path().join(format!("{number}.db"));
        backup::create(&from, &path).await.expect("a backup is made");
        backup::restore(&path, target, &world, RIGHT_KEY).await.expect("it is restored");
        from.close().await;
        from = Db::open(target.clone(), world.clone()).await.expect("it opens");
        let found = contents(&from, &all).await;
        for (before, found) in before.iter().zip(&found) {
            assert!(before == found, "table {} differs after {:?}", before.0, from.driver());
        }
        config = target.clone();
    }
    assert_eq!(config.url.is_some(), from.driver() == Driver::Postgres);
    from.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_refused_before_anything_is_written() {
    on_each(async |place| {
        seal(place).await;
        let path = place.folder.path().join("it.db");
        let made = backup::create(&place.db, &path).await.expect("a backup is made");
        assert_eq!(made.key_check.as_deref(), Some("key one"));
        for (config, _folder, _postgres) in targets().await {
            let refused = backup::restore(&path, &config, &world(1).1, |check| check != Some("key one")).await;
            assert_eq!(refused, Err(Error::WrongKey));
            assert!(!config.folder.exists());
            if config.url.is_some() {
                let (client, connection) =
                    tokio_postgres::connect(config.url.as_deref().expect("a URL"), tokio_postgres::NoTls)
                        .await
                        .expect("it answers");
                let connection = tokio::spawn(connection);
                let sql = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema()";
                let tables: i64 = client.query_one(sql, &[]).await.expect("readable").get(0);
                assert_eq!(tables, 0);
                drop(client);
                drop(connection.await);
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_or_foreign_file_is_no_backup() {
    let place = Place::sqlite().await;
    let workspace = place.workspace();
    for _ in 0..200 {
        place.write(workspace, reply).await;
    }
    let path = place.folder.path().join("it.db");
    backup::create(&place.db, &path).await.expect("a backup is made");
    let summary = backup::verify(&path).expect("it is whole");
    assert_eq!((summary.events, summary.messages, summary.workspaces), (200, 0, 1));
    assert!(matches!(backup::create(&place.db, &path).await, Err(Error::NotEmpty(_))), "a backup is never overwritten");

    let damaged = place.folder.path().join("damaged.db");
    let mut bytes = std::fs::read(&path).expect("readable");
    let half = bytes.len() / 2;
    bytes[half..half + 4096].fill(0x5A);
    std::fs::write(&damaged, &bytes).expect("writable");
    let verdict = backup::verify(&damaged);
    assert!(matches!(verdict, Err(Error::Corrupt(_) | Error::Driver(_))), "{verdict:?}");
    std::fs::write(&damaged, "no database at all, but long enough to be looked at").expect("writable");
    assert!(matches!(backup::verify(&damaged), Err(Error::Corrupt(_))));

    // A gap in a log, which SQLite itself finds nothing wrong with.
    place.write(workspace, |tx| tx.exec("DELETE FROM events WHERE seq = 7", &[])).await;
    let gap = backup::create(&place.db, &place.folder.path().join("gap.db")).await;
    assert!(matches!(gap, Err(Error::Corrupt(_))), "{gap:?}");
    let left: Vec<_> =
        std::fs::read_dir(place.folder.path()).expect("readable").flatten().map(|it| it.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("partial")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_newer_schema_is_refused() {
    let place = Place::sqlite().await;
    let sql = "INSERT INTO schema_migrations (version, name, applied_at) VALUES (9999, 'from the future', 0)";
    place.write(place.workspace(), move |tx| tx.exec(sql, &[])).await;
    let made = backup::create(&place.db, &place.folder.path().join("it.db")).await;
    assert_eq!(made, Err(Error::NewerSchema { found: 9999, known: store::LATEST_SCHEMA }));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_newest_backups_are_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = Place::sqlite().await;
    let mut names = Vec::new();
    for _ in 0..4 {
        place.clock.advance(Duration::from_secs(86_400));
        names.push(folder.path().join(backup::file_name(place.world.now())));
        backup::create(&place.db, names.last().expect("one")).await.expect("a backup is made");
    }
    let other = folder.path().join("switchboard.db");
    std::fs::write(&other, "not a backup").expect("writable");
    let gone = backup::prune(folder.path(), 3).expect("readable");
    assert_eq!(gone, names[..1]);
    assert_eq!(names.iter().map(|it| it.exists()).collect::<Vec<_>>(), [false, true, true, true]);
    assert!(other.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_moves_to_another_database_in_one_call() {
    on_each(async |place| {
        let workspace = place.workspace();
        for _ in 0..20 {
            place.write(workspace, reply).await;
        }
        for (mut config, _folder, _postgres) in targets().await {
            if config.url.is_some() {
                // The server keeps its data folder when its records move to PostgreSQL.
                config.folder.clone_from(&place.config.folder);
            }
            let moved = backup::transfer(&place.db, &config).await.expect("it moves");
            assert_eq!(moved.events, 20);
            let db = Db::open(config, world(4).1).await.expect("it opens");
            is_consistent(&db, workspace, 20, 20).await;
            db.close().await;
        }
    })
    .await;
}

/// A backup as the first version of the schema made them, with one event.
fn oldest_backup(path: &std::path::Path, workspace: WorkspaceId) {
    let file = rusqlite::Connection::open(path).expect("a new file");
    let steps = [
        "CREATE TABLE schema_migrations (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL);
         INSERT INTO schema_migrations VALUES (1, 'platform', 0);",
        include_str!("../../../../migrations/0001_platform.sql"),
    ];
    steps.into_iter().try_for_each(|step| file.execute_batch(step)).expect("the first migration runs");
    let id = workspace.as_bytes().to_vec();
    file.execute("INSERT INTO counters VALUES (?1, 1, 0)", [&id]).expect("a counter");
    let event = "INSERT INTO events (workspace_id, seq, at, kind, version, actor_kind, audience, body)
        VALUES (?1, 1, 0, 'thing.done', 1, 'system', 'internal', '{}')";
    file.execute(event, [&id]).expect("an event");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_backup_is_brought_up_to_date() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("old.db");
    let workspace: WorkspaceId = world(6).1.id();
    oldest_backup(&path, workspace);
    let summary = backup::verify(&path).expect("it is whole");
    assert_eq!((summary.schema, summary.events, summary.messages, summary.created_at), (1, 1, 0, None));
    for (config, _folder, _postgres) in targets().await {
        backup::restore(&path, &config, &world(6).1, |check| check.is_none()).await.expect("it is restored");
        let db = Db::open(config, world(6).1).await.expect("it opens");
        let schema =
            db.read(|tx| tx.one("SELECT MAX(version) FROM schema_migrations", args![], |row| row.get::<i64>(0))).await;
        assert_eq!(schema, Ok(store::LATEST_SCHEMA));
        assert_eq!(db.write(workspace, |tx| tx.append(fact("thing.done", None))).await, Ok(2));
        db.close().await;
    }
}

/// Messages and password hashes are in them, so other people on the machine must not read them.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn only_their_owner_reads_the_data_and_its_backups() {
    use std::os::unix::fs::PermissionsExt as _;

    let place = Place::sqlite().await;
    seal(&place).await;
    place.write(place.workspace(), reply).await;
    let (backups, restored) = (place.folder.path().join("backups"), tempfile::tempdir().expect("a temporary folder"));
    let path = backups.join("one.db");
    backup::create(&place.db, &path).await.expect("a backup is made");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("ours");
    let target = DbConfig { folder: restored.path().to_owned(), ..place.config.clone() };
    backup::restore(&path, &target, &place.world, RIGHT_KEY).await.expect("it is restored");
    backup::create(&place.db, &backups.join("two.db")).await.expect("another one");
    let mut seen = 0;
    for folder in [place.config.folder.as_path(), &backups, restored.path()] {
        for entry in std::fs::read_dir(folder).expect("readable").flatten() {
            let found = entry.metadata().expect("a file");
            if found.is_file() && found.len() > 0 && entry.path() != path {
                assert_eq!(found.permissions().mode() & 0o077, 0, "{}", entry.path().display());
                seen += 1;
            }
        }
    }
    assert!(seen >= 4, "database, log, backup and restored database: {seen}");
}
