//! Backup and restore.
//!
//! **Format.** One SQLite file with our schema, whatever database it comes from and goes to, so that a backup can be looked into
//! with any SQLite and an installation can move from one database to the other.
//!
//! **Consistency.** A backup is one snapshot: `VACUUM INTO` from a connection of its own, or a repeatable read on PostgreSQL that
//! is copied table by table. Writers go on meanwhile.
//!
//! **Trust.** [`create`] writes under another name, syncs, reads everything back and renames: a file with a backup's name is
//! whole. [`restore`] checks the file and its key before it writes anything, and either puts all of it in place or nothing.
//!
//! **After a restore** the installation has a new epoch, so live cursors from before are answered with a reset, and every lease
//! is free while its fence goes on rising. What waited in the outbox when the backup was made waits again.
//!
//! The sealing key is never in a backup: only `meta.key_check` is.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use model::{SYSTEM_WORKSPACE, Timestamp, World};
use serde::Serialize;
use tokio::runtime::Handle;

use crate::{
    Db, DbConfig, Error, LATEST_SCHEMA, args,
    conn::Conn,
    copy,
    db::{FOLDER_LOCK, lock_file},
    meta, migrate,
    sqlite::{Sqlite, make_private},
};

/// The name of a backup while it is written, and of the lock that keeps two from being written in one folder.
const PARTIAL: &str = ".switchboard-backup.partial";
const LOCK: &str = ".switchboard-backup.lock";
/// The data while it is being put in place.
const STAGE: &str = "switchboard.db.restoring";
/// Held while a backup goes into PostgreSQL.
const RESTORE_LOCK: &str = "switchboard.restoring.lock";
/// When a backup was made, in microseconds; only in backups.
const MADE_AT: &str = "backup.at";

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Version of its schema.
    pub schema: i64,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Workspaces, without the system's own.
    pub workspaces: i64,
    /// Events in all logs.
    pub events: i64,
    /// Messages in all chats.
    pub messages: i64,
    /// Which sealing key its secrets need; see [`restore`].
    pub key_check: Option<String>,
}

/// A name for a backup made at this moment; such names sort by time and are what [`prune`] looks for.
#[must_use]
pub fn file_name(at: Timestamp) -> String {
    let moment: String = at.to_string().chars().filter(|c| !matches!(c, '-' | ':' | '.')).collect();
    format!("switchboard-{moment}.db")
}

/// Writes a backup to `path`, which must not exist, and verifies it. The server may go on working.
///
/// # Errors
/// [`Error::Locked`] while another backup is written into the folder, [`Error::NotEmpty`] when there is a file, and what the
/// databases and the file system say.
pub async fn create(db: &Db, path: &Path) -> Result<Summary, Error> {
    create_beside(db.config(), db.world(), path).await
}

/// As [`create`], for a database that another process may have open.
///
/// # Errors
/// As [`create`].
pub async fn create_beside(config: &DbConfig, world: &World, path: &Path) -> Result<Summary, Error> {
    let (config, world, path, runtime) = (config.clone(), world.clone(), path.to_owned(), Handle::current());
    blocking(move || {
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        std::fs::create_dir_all(&folder).map_err(file_error)?;
        let _lock = lock_file(&folder.join(LOCK))?;
        refuse_existing(&path)?;
        let partial = folder.join(PARTIAL);
        remove(&partial)?;
        let written = write_backup(&config, &world, &partial, &runtime).and_then(|()| {
            sync(&partial)?;
            let summary = verify(&partial)?;
            std::fs::rename(&partial, &path).map_err(file_error)?;
            sync(&folder)?;
            Ok(summary)
        });
        if written.is_err() {
            remove(&partial)?;
        }
        written
    })
    .await
}

fn write_backup(config: &DbConfig, world: &World, partial: &Path, runtime: &Handle) -> Result<(), Error> {
    if config.url.is_none() {
        let mut source = Sqlite::reader(&config.sqlite_file())?;
        source.pragma("PRAGMA query_only = OFF")?;
        make_private(partial)?;
        source.exec("VACUUM INTO $1", args![path_text(partial)?])?;
    }
    let mut target = Conn::Sqlite(Sqlite::scratch(partial)?);
    if config.url.is_some() {
        copy_snapshot(&mut config.opener(false, runtime)?()?, &mut target, world)?;
    }
    set(&mut target, MADE_AT, &world.now().micros().to_string())
}

fn copy_snapshot(source: &mut Conn, target: &mut Conn, world: &World) -> Result<(), Error> {
    source.begin_read()?;
    let found = migrate::version(source)?;
    if found > LATEST_SCHEMA {
        return Err(Error::NewerSchema { found, known: LATEST_SCHEMA });
    }
    migrate::run_to(target, world, found)?;
    target.begin_write()?;
    for table in copy::tables(target)? {
        copy::copy(source, target, &table)?;
    }
    target.commit()?;
    source.rollback();
    Ok(())
}

/// Reads a whole backup and tells what is in it.
///
/// # Errors
/// [`Error::Corrupt`] when it is none or damaged, [`Error::NewerSchema`] when this program is too old for it.
pub fn verify(path: &Path) -> Result<Summary, Error> {
    std::fs::metadata(path).map_err(file_error)?;
    let mut file = Conn::Sqlite(Sqlite::still(path)?);
    let check: String = one(&mut file, "PRAGMA integrity_check(1)")?;
    if check != "ok" {
        return Err(Error::Corrupt(check));
    }
    let schema =
        migrate::version(&mut file).map_err(|_| Error::Corrupt("this is no backup of Switchboard".to_owned()))?;
    if schema > LATEST_SCHEMA {
        return Err(Error::NewerSchema { found: schema, known: LATEST_SCHEMA });
    }
    check_logs(&mut file)?;
    let made_at = value(&mut file, MADE_AT)?.and_then(|text| text.parse().ok());
    Ok(Summary {
        schema,
        created_at: made_at.map(Timestamp::from_micros),
        workspaces: count(&mut file, "counters")? - system_counters(&mut file)?,
        events: count(&mut file, "events")?,
        messages: if has_table(&mut file, "messages")? { count(&mut file, "messages")? } else { 0 },
        key_check: value(&mut file, meta::KEY_CHECK)?,
    })
}

/// Every log has to be without gaps from its floor to its counter.
fn check_logs(file: &mut Conn) -> Result<(), Error> {
    let gaps: i64 = one(
        file,
        "SELECT COUNT(*) FROM counters c LEFT JOIN log_floors f ON f.workspace_id = c.workspace_id
         WHERE c.event_seq - COALESCE(f.floor, 0)
            <> (SELECT COUNT(*) FROM events e WHERE e.workspace_id = c.workspace_id AND e.seq <= c.event_seq)",
    )?;
    let strays: i64 = one(
        file,
        "SELECT COUNT(*) FROM (SELECT workspace_id, MAX(seq) AS last FROM events GROUP BY workspace_id) e
         LEFT JOIN counters c ON c.workspace_id = e.workspace_id WHERE c.event_seq IS NULL OR c.event_seq < e.last",
    )?;
    if gaps + strays > 0 {
        return Err(Error::Corrupt(format!("{} logs have gaps", gaps + strays)));
    }
    Ok(())
}

/// Puts a backup in place of nothing: `target` must have no data. `check_key` is given the backup's key check and says whether the
/// key at hand is the right one. An older schema is brought up to date.
///
/// # Errors
/// [`Error::WrongKey`], [`Error::NotEmpty`], [`Error::NewerSchema`] and [`Error::Corrupt`] before anything is written;
/// what the databases and the file system say.
pub async fn restore<K>(path: &Path, target: &DbConfig, world: &World, check_key: K) -> Result<Summary, Error>
where
    K: Fn(Option<&str>) -> bool + Send + 'static,
{
    let (path, target, world, runtime) = (path.to_owned(), target.clone(), world.clone(), Handle::current());
    blocking(move || {
        let summary = verify(&path)?;
        if !check_key(summary.key_check.as_deref()) {
            return Err(Error::WrongKey);
        }
        let mut server = target.url.as_ref().map(|_| target.opener(true, &runtime)?()).transpose()?;
        match &mut server {
            Some(server) => refuse_used(server)?,
            None => refuse_existing_database(&target)?,
        }
        std::fs::create_dir_all(&target.folder).map_err(file_error)?;
        // A server on PostgreSQL does not lock its folder, and the folder may be that of the database that moves out.
        let lock = if server.is_some() { RESTORE_LOCK } else { FOLDER_LOCK };
        let _lock = lock_file(&target.folder.join(lock))?;
        let stage = target.folder.join(STAGE);
        remove(&stage)?;
        let done = prepare(&path, &stage, &world).and_then(|()| match &mut server {
            Some(server) => fill(server, &stage, &world),
            None => move_in(&stage, &target),
        });
        remove(&stage)?;
        done.map(|()| summary)
    })
    .await
}

/// Moves everything in `from` to `target`, as a backup that is restored at once. Stop the server's writers before.
///
/// # Errors
/// As [`create`] and [`restore`].
pub async fn transfer(from: &Db, target: &DbConfig) -> Result<Summary, Error> {
    let path = from.config().folder.join("switchboard.transfer.db");
    remove(&path)?;
    create(from, &path).await?;
    let moved = restore(&path, target, from.world(), |_| true).await;
    remove(&path)?;
    moved
}

/// Makes the copy that becomes the installation: schema up to date, new epoch, no lease held.
fn prepare(path: &Path, stage: &Path, world: &World) -> Result<(), Error> {
    make_private(stage)?;
    // Not `fs::copy`, which would give the data the mode of the backup.
    let mut from = File::open(path).map_err(file_error)?;
    let mut to = File::options().write(true).open(stage).map_err(file_error)?;
    io::copy(&mut from, &mut to).map_err(file_error)?;
    drop((from, to));
    let mut copy = Conn::Sqlite(Sqlite::scratch(stage)?);
    migrate::run(&mut copy, world)?;
    let epoch: String = world.random::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
    copy.begin_write()?;
    copy.exec("UPDATE leases SET expires_at = 0", &[])?;
    copy.exec("DELETE FROM meta WHERE key = $1", args![MADE_AT])?;
    set(&mut copy, meta::EPOCH, &epoch)?;
    copy.commit()
}

fn move_in(stage: &Path, target: &DbConfig) -> Result<(), Error> {
    sync(stage)?;
    refuse_existing_database(target)?;
    std::fs::rename(stage, target.sqlite_file()).map_err(file_error)?;
    sync(&target.folder)
}

fn fill(server: &mut Conn, stage: &Path, world: &World) -> Result<(), Error> {
    migrate::run(server, world)?;
    let mut source = Conn::Sqlite(Sqlite::still(stage)?);
    server.begin_write()?;
    // No node starts to write before all is there.
    server.exec("LOCK TABLE counters IN ACCESS EXCLUSIVE MODE", &[])?;
    refuse_used(server)?;
    for table in copy::tables(&mut source)? {
        copy::copy(&mut source, server, &table)?;
    }
    server.commit()
}

fn refuse_existing(path: &Path) -> Result<(), Error> {
    if path.try_exists().map_err(file_error)? { Err(Error::NotEmpty(path.display().to_string())) } else { Ok(()) }
}

/// A left-over log of a database that is gone would be taken for the new one's.
fn refuse_existing_database(target: &DbConfig) -> Result<(), Error> {
    let file = target.sqlite_file();
    ["", "-wal", "-journal"].into_iter().try_for_each(|end| refuse_existing(&beside(&file, end)))
}

/// Every writer leaves a counter, so a database without one was never written to.
fn refuse_used(server: &mut Conn) -> Result<(), Error> {
    let tables: i64 = one(
        server,
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'counters'",
    )?;
    if tables > 0 && count(server, "counters")? > 0 {
        return Err(Error::NotEmpty("the PostgreSQL database has workspaces".to_owned()));
    }
    Ok(())
}

/// Removes all but the `keep` newest backups of a folder and tells which went.
///
/// # Errors
/// What the file system says.
pub fn prune(folder: &Path, keep: usize) -> Result<Vec<PathBuf>, Error> {
    let mut backups = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(file_error)? {
        let entry = entry.map_err(file_error)?;
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|it| it.starts_with("switchboard-2") && it.ends_with("Z.db"));
        if ours {
            backups.push(entry.path());
        }
    }
    backups.sort();
    backups.truncate(backups.len().saturating_sub(keep));
    backups.iter().try_for_each(|path| remove(path))?;
    Ok(backups)
}

fn set(conn: &mut Conn, key: &str, value: &str) -> Result<(), Error> {
    let sql = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2";
    conn.exec(sql, args![key, value]).map(drop)
}

fn value(conn: &mut Conn, key: &str) -> Result<Option<String>, Error> {
    let mut found = None;
    conn.query("SELECT value FROM meta WHERE key = $1", args![key], &mut |row| {
        found = Some(row.get(0)?);
        Ok(())
    })?;
    Ok(found)
}

fn one<T: crate::FromColumn>(conn: &mut Conn, sql: &str) -> Result<T, Error> {
    let mut found = None;
    conn.query(sql, &[], &mut |row| {
        found = Some(row.get(0)?);
        Ok(())
    })?;
    found.ok_or(Error::NotFound)
}

fn count(conn: &mut Conn, table: &str) -> Result<i64, Error> {
    one(conn, &format!("SELECT COUNT(*) FROM {table}"))
}

fn has_table(file: &mut Conn, name: &str) -> Result<bool, Error> {
    Ok(copy::tables(file)?.iter().any(|table| table.name == name))
}

fn system_counters(file: &mut Conn) -> Result<i64, Error> {
    let mut found = 0;
    file.query("SELECT COUNT(*) FROM counters WHERE workspace_id = $1", args![SYSTEM_WORKSPACE], &mut |row| {
        found = row.get(0)?;
        Ok(())
    })?;
    Ok(found)
}

async fn blocking<T: Send + 'static>(body: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(body).await.map_err(|e| Error::Unavailable(e.to_string()))?
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn path_text(path: &Path) -> Result<&str, Error> {
    path.to_str().ok_or_else(|| Error::Unavailable("the path of a backup has to be UTF-8".to_owned()))
}

/// Removes a file and what SQLite may have left beside it.
fn remove(path: &Path) -> Result<(), Error> {
    for end in ["", "-wal", "-shm", "-journal"] {
        match std::fs::remove_file(beside(path, end)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file_error(error)),
            _ => {}
        }
    }
    Ok(())
}

/// Makes a file, or the names in a folder, durable.
fn sync(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|it| it.sync_all()).map_err(file_error)
}

fn file_error(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::StorageFull,
        io::ErrorKind::ReadOnlyFilesystem => Error::ReadOnly,
        _ => Error::Unavailable(error.to_string()),
    }
}
