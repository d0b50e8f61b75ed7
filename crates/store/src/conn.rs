//! Either database behind one set of calls.

use crate::{Arg, Error, Row, postgres::Postgres, sqlite::Sqlite};

pub(crate) enum Conn {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// Runs a body on whichever driver there is.
macro_rules! either {
    ($self:expr, $it:ident => $body:expr) => {
        match $self {
            Conn::Sqlite($it) => $body,
            Conn::Postgres($it) => $body,
        }
    };
}

impl Conn {
    pub(crate) fn exec(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<u64, Error> {
        either!(self, it => it.exec(sql, args))
    }

    pub(crate) fn query(
        &mut self,
        sql: &str,
        args: &[Arg<'_>],
        each: &mut dyn FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        either!(self, it => it.query(sql, args, each))
    }

    pub(crate) fn prepare(&mut self, sql: &str) -> Result<(), Error> {
        either!(self, it => it.prepare(sql))
    }

    pub(crate) fn begin_write(&mut self) -> Result<(), Error> {
        match self {
            Self::Sqlite(it) => it.control("BEGIN IMMEDIATE"),
            Self::Postgres(it) => it.control("BEGIN"),
        }
    }

    pub(crate) fn begin_read(&mut self) -> Result<(), Error> {
        match self {
            Self::Sqlite(it) => it.control("BEGIN"),
            Self::Postgres(it) => it.control("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"),
        }
    }

    pub(crate) fn commit(&mut self) -> Result<(), Error> {
        either!(self, it => it.control("COMMIT"))
    }

    /// Ends the transaction, if there still is one.
    pub(crate) fn rollback(&mut self) {
        if self.in_transaction() {
            let ended = either!(self, it => it.control("ROLLBACK"));
            if let Err(reason) = ended {
                tracing::warn!(%reason, "a rollback failed");
            }
        }
    }

    pub(crate) fn savepoint(&mut self) -> Result<(), Error> {
        either!(self, it => it.control("SAVEPOINT command"))
    }

    pub(crate) fn release(&mut self) -> Result<(), Error> {
        either!(self, it => it.control("RELEASE SAVEPOINT command"))
    }

    pub(crate) fn rollback_to(&mut self) -> Result<(), Error> {
        either!(self, it => it.control("ROLLBACK TO SAVEPOINT command"))?;
        self.release()
    }

    /// Begins a part of a command that can be undone alone. Such parts nest: the name means the innermost.
    pub(crate) fn begin_attempt(&mut self) -> Result<(), Error> {
        either!(self, it => it.control("SAVEPOINT attempt"))
    }

    pub(crate) fn keep_attempt(&mut self) -> Result<(), Error> {
        either!(self, it => it.control("RELEASE SAVEPOINT attempt"))
    }

    pub(crate) fn undo_attempt(&mut self) -> Result<(), Error> {
        either!(self, it => it.control("ROLLBACK TO SAVEPOINT attempt"))?;
        self.keep_attempt()
    }

    pub(crate) fn in_transaction(&self) -> bool {
        either!(self, it => it.in_transaction())
    }

    /// What to say about a transaction that is gone though no statement of the command failed.
    pub(crate) fn loss(&self) -> Error {
        match self {
            Self::Sqlite(_) => Error::StorageFull,
            Self::Postgres(_) => Error::Unavailable("the connection ended".to_owned()),
        }
    }

    /// Whether the connection can be used at all.
    pub(crate) fn is_alive(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(it) => it.is_alive(),
        }
    }

    pub(crate) fn take_rerun(&mut self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(it) => it.take_rerun(),
        }
    }

    /// Runs statements without parameters (migrations).
    pub(crate) fn script(&mut self, sql: &str) -> Result<(), Error> {
        match self {
            Self::Sqlite(it) => it.pragma(sql),
            Self::Postgres(it) => it.batch(sql),
        }
    }
}
