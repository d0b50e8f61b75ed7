//! The SQLite driver: WAL, `synchronous=FULL`, statements cached by their text.

use std::{collections::HashMap, path::Path, sync::Arc};

use rusqlite::{
    Connection, ErrorCode, OpenFlags,
    config::DbConfig,
    types::{ToSqlOutput, ValueRef},
};

use crate::{Arg, Column, Constraint, ConstraintKind, Error, Row};

/// Pages of 4 KiB in the write-ahead log before a commit moves them into the database.
const CHECKPOINT_PAGES: u32 = 4000;
/// Statements kept prepared per connection; more than the program has.
const STATEMENTS: usize = 512;

pub(crate) struct Sqlite {
    connection: Connection,
    /// Statement text with `$n` → the same with `?n`.
    rewritten: HashMap<Box<str>, Arc<str>>,
}

/// Makes an empty file that only its owner can read, when there is none. SQLite takes it for a new database, and gives
/// the files that it puts beside it the same mode.
pub(crate) fn make_private(path: &Path) -> Result<(), Error> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists && !path.exists() => {
            Err(Error::Unavailable(format!("{}: {e}", path.display())))
        }
        _ => Ok(()),
    }
}

impl Sqlite {
    /// Opens the file for writing, creating it when absent.
    pub(crate) fn writer(path: &Path, max_pages: Option<u32>) -> Result<Self, Error> {
        make_private(path)?;
        let connection = Connection::open(path).map_err(|e| error(&e))?;
        let sqlite = Self::wrap(connection)?;
        sqlite.pragma(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}; \
             PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -65536;"
        ))?;
        if let Some(pages) = max_pages {
            sqlite.pragma(&format!("PRAGMA max_page_count = {pages}"))?;
        }
        Ok(sqlite)
    }

    /// Opens a file that lies still, such as a backup, and changes nothing about it.
    pub(crate) fn still(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self::wrap(Connection::open_with_flags(path, flags).map_err(|e| error(&e))?)
    }

    /// Opens a new file that one thread fills at once. Nothing is durable before its owner syncs the file.
    pub(crate) fn scratch(path: &Path) -> Result<Self, Error> {
        make_private(path)?;
        let sqlite = Self::wrap(Connection::open(path).map_err(|e| error(&e))?)?;
        sqlite.pragma("PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;")?;
        Ok(sqlite)
    }

    /// Opens the file for reading only.
    pub(crate) fn reader(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|e| error(&e))?;
        let sqlite = Self::wrap(connection)?;
        sqlite.pragma("PRAGMA query_only = ON; PRAGMA cache_size = -16384;")?;
        Ok(sqlite)
    }

    fn wrap(connection: Connection) -> Result<Self, Error> {
        connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(|e| error(&e))?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // Plans depend on the text alone. Otherwise each new value of a parameter that a partial index might care for
        // prepares its statement again, which cost more than running it.
        let stable = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true);
        stable.map_err(|e| error(&e))?;
        let sqlite = Self { connection, rewritten: HashMap::new() };
        sqlite.pragma("PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;")?;
        Ok(sqlite)
    }

    /// Runs statements without parameters, such as pragmas and migrations.
    pub(crate) fn pragma(&self, sql: &str) -> Result<(), Error> {
        self.connection.execute_batch(sql).map_err(|e| error(&e))
    }

    pub(crate) fn control(&mut self, sql: &'static str) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|e| error(&e))?;
        statement.execute([]).map(drop).map_err(|e| error(&e))
    }

    /// Whether a transaction is open; SQLite ends it by itself on a full disk.
    pub(crate) fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    pub(crate) fn exec(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<u64, Error> {
        let text = self.rewrite(sql);
        let mut statement = self.connection.prepare_cached(&text).map_err(|e| error(&e))?;
        let parameters = rusqlite::params_from_iter(args);
        if statement.column_count() > 0 {
            return Err(Error::Driver(format!("a statement with an answer was executed: {sql}")));
        }
        statement.execute(parameters).map(|rows| rows as u64).map_err(|e| error(&e))
    }

    pub(crate) fn query(
        &mut self,
        sql: &str,
        args: &[Arg<'_>],
        each: &mut dyn FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let text = self.rewrite(sql);
        let mut statement = self.connection.prepare_cached(&text).map_err(|e| error(&e))?;
        let mut rows = statement.query(rusqlite::params_from_iter(args)).map_err(|e| error(&e))?;
        while let Some(row) = rows.next().map_err(|e| error(&e))? {
            each(&Row::Sqlite(row))?;
        }
        Ok(())
    }

    /// Prepares a statement without running it; for the test that prepares them all.
    pub(crate) fn prepare(&mut self, sql: &str) -> Result<(), Error> {
        let text = self.rewrite(sql);
        self.connection.prepare(&text).map(drop).map_err(|e| error(&e))
    }

    fn rewrite(&mut self, sql: &str) -> Arc<str> {
        if let Some(text) = self.rewritten.get(sql) {
            return Arc::clone(text);
        }
        if self.rewritten.len() >= STATEMENTS {
            self.rewritten.clear();
        }
        let text: Arc<str> = numbered(sql).into();
        self.rewritten.insert(sql.into(), Arc::clone(&text));
        text
    }
}

/// Replaces `$n` by `?n` outside of literals: SQLite takes `$1` for a name and numbers names by first appearance.
fn numbered(sql: &str) -> String {
    let mut quoted = false;
    sql.chars()
        .map(|c| {
            quoted ^= c == '\'';
            if c == '$' && !quoted { '?' } else { c }
        })
        .collect()
}

pub(crate) fn column<'r>(row: &'r rusqlite::Row<'_>, index: usize) -> Result<Column<'r>, Error> {
    match row.get_ref(index).map_err(|e| error(&e))? {
        ValueRef::Null => Ok(Column::Null),
        ValueRef::Integer(it) => Ok(Column::Int(it)),
        ValueRef::Real(it) => Ok(Column::Real(it)),
        ValueRef::Text(it) => std::str::from_utf8(it).map(Column::Text).map_err(Error::corrupt),
        ValueRef::Blob(it) => Ok(Column::Blob(it)),
    }
}

impl rusqlite::ToSql for Arg<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Arg::Null => ValueRef::Null,
            Arg::Int(it) => ValueRef::Integer(it),
            Arg::Real(it) => ValueRef::Real(it),
            Arg::Bool(it) => ValueRef::Integer(i64::from(it)),
            Arg::Text(it) => ValueRef::Text(it.as_bytes()),
            Arg::Blob(it) => ValueRef::Blob(it),
        }))
    }
}

fn error(e: &rusqlite::Error) -> Error {
    let rusqlite::Error::SqliteFailure(failure, message) = e else {
        return Error::Driver(e.to_string());
    };
    let message = message.clone().unwrap_or_else(|| failure.to_string());
    match failure.code {
        ErrorCode::ConstraintViolation => Error::Constraint(constraint(failure.extended_code, &message)),
        ErrorCode::DiskFull => Error::StorageFull,
        ErrorCode::ReadOnly => Error::ReadOnly,
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::SystemIoFailure
        | ErrorCode::CannotOpen
        | ErrorCode::OutOfMemory => Error::Unavailable(message),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Error::Corrupt(message),
        _ => Error::Driver(message),
    }
}

fn constraint(extended: i32, message: &str) -> Constraint {
    let kind = match extended {
        rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY => ConstraintKind::Unique,
        rusqlite::ffi::SQLITE_CONSTRAINT_NOTNULL => ConstraintKind::NotNull,
        _ => ConstraintKind::Other,
    };
    let name = message.rsplit(": ").next().unwrap_or(message);
    Constraint { kind, name: name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_rewritten_outside_of_literals() {
        assert_eq!(numbered("SELECT $2, '$1 ''$3''', $10"), "SELECT ?2, '$1 ''$3''', ?10");
    }

    #[test]
    fn the_writer_is_durable_at_each_commit() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut sqlite = Sqlite::writer(&folder.path().join("it.db"), None).expect("opens");
        let mut read = |sql: &str| {
            let mut value = String::new();
            let each = &mut |row: &Row<'_>| {
                value = format!("{:?}", row.column(0)?);
                Ok(())
            };
            sqlite.query(sql, &[], each).expect("readable");
            value
        };
        assert_eq!(read("PRAGMA journal_mode"), "Text(\"wal\")");
        assert_eq!(read("PRAGMA synchronous"), "Int(2)");
    }
}
