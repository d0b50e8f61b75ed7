//! Migrations: one ordered list of SQL for both databases.
//!
//! Files are written in SQLite's words with only BIGINT, TEXT, BLOB, DOUBLE and BOOLEAN; for PostgreSQL those are replaced by
//! its own. Each runs in its own transaction. A database with a newer schema is refused before anything is written.

use model::World;

use crate::{Error, args, conn::Conn};

/// Number, name and text of each migration, in order.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "platform", include_str!("../../../migrations/0001_platform.sql")),
    (2, "identity", include_str!("../../../migrations/0002_identity.sql")),
    (3, "chats", include_str!("../../../migrations/0003_chats.sql")),
    (4, "desk", include_str!("../../../migrations/0004_desk.sql")),
    (5, "telegram", include_str!("../../../migrations/0005_telegram.sql")),
    (6, "files", include_str!("../../../migrations/0006_files.sql")),
];

/// The newest schema that this program knows.
pub const LATEST_SCHEMA: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// An arbitrary number that all our nodes agree on, for the lock under which they migrate.
const ADVISORY_LOCK: i64 = 0x5357_4954_4348;

/// Brings the schema up to date.
pub(crate) fn run(conn: &mut Conn, world: &World) -> Result<(), Error> {
    run_to(conn, world, LATEST_SCHEMA)
}

/// Brings the schema up to version `last`.
pub(crate) fn run_to(conn: &mut Conn, world: &World, last: i64) -> Result<(), Error> {
    let postgres = matches!(conn, Conn::Postgres(_));
    if postgres {
        conn.query("SELECT CAST(pg_advisory_lock($1) AS TEXT)", args![ADVISORY_LOCK], &mut |_| Ok(()))?;
    }
    let done = apply_missing(conn, world, last);
    conn.rollback();
    if postgres && conn.is_alive() {
        conn.query("SELECT pg_advisory_unlock($1)", args![ADVISORY_LOCK], &mut |_| Ok(()))?;
    }
    done
}

fn apply_missing(conn: &mut Conn, world: &World, last: i64) -> Result<(), Error> {
    conn.script("CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)")?;
    let found = version(conn)?;
    if found > LATEST_SCHEMA {
        return Err(Error::NewerSchema { found, known: LATEST_SCHEMA });
    }
    for (number, name, text) in MIGRATIONS.iter().filter(|(number, ..)| (found + 1..=last).contains(number)) {
        conn.begin_write()?;
        conn.script(&dialect(conn, text))?;
        conn.exec(
            "INSERT INTO schema_migrations (version, name, applied_at) VALUES ($1, $2, $3)",
            args![*number, *name, world.now()],
        )?;
        conn.commit()?;
    }
    Ok(())
}

pub(crate) fn version(conn: &mut Conn) -> Result<i64, Error> {
    let mut found = 0;
    conn.query("SELECT COALESCE(MAX(version), 0) FROM schema_migrations", &[], &mut |row| {
        found = row.get(0)?;
        Ok(())
    })?;
    Ok(found)
}

/// The statements in the words of the connection's database.
fn dialect(conn: &Conn, text: &str) -> String {
    match conn {
        Conn::Sqlite(_) => text.to_owned(),
        Conn::Postgres(_) => text
            .replace(" BLOB", " BYTEA")
            .replace(" TEXT", " TEXT COLLATE \"C\"")
            .replace(" DOUBLE", " DOUBLE PRECISION")
            .replace(" WITHOUT ROWID", ""),
    }
}
