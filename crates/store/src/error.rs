//! What can go wrong in a database, in the words of its callers.

/// An error of the store. Which of them a client may see, and as what, is decided in `kit`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The writer's queue is full: try again in a second.
    #[error("the write queue is full")]
    Busy,
    /// The database cannot be reached or refuses work for now.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The disk is full, or its reserve is reached.
    #[error("the storage is full")]
    StorageFull,
    /// The database or its file system is read-only.
    #[error("the database is read-only")]
    ReadOnly,
    /// A constraint of the schema refused the row.
    #[error("{0}")]
    Constraint(Constraint),
    /// A row that had to exist does not.
    #[error("no such row")]
    NotFound,
    /// A stored value is not what the code expects.
    #[error("stored data cannot be read: {0}")]
    Corrupt(String),
    /// A command panicked; its changes are rolled back.
    #[error("a command panicked: {0}")]
    Panicked(String),
    /// The schema is newer than this program.
    #[error("the database has schema version {found}, this program knows only up to {known}: use a newer program")]
    NewerSchema {
        /// Version in the database.
        found: i64,
        /// Version of the program.
        known: i64,
    },
    /// Another process uses the data folder.
    #[error("the folder is in use by another process")]
    Locked,
    /// A backup was made under another sealing key than the one at hand.
    #[error("the backup belongs to another key: its secrets could not be read")]
    WrongKey,
    /// A backup can only be restored to where nothing is yet.
    #[error("there is data already at the target: {0}")]
    NotEmpty(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Anything else that the driver said: a bug in a statement, most likely.
    #[error("database error: {0}")]
    Driver(String),
}

/// Which constraint refused a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("constraint {kind:?} on {name}")]
pub struct Constraint {
    /// What sort of constraint.
    pub kind: ConstraintKind,
    /// SQLite: `table.column, table.column` or the index's name; PostgreSQL: the constraint's name.
    pub name: String,
}

/// Sorts of constraints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConstraintKind {
    /// A key exists already.
    Unique,
    /// A value is missing.
    NotNull,
    /// Any other rule of the schema.
    Other,
}

impl Error {
    /// Whether a unique key refused the row, which callers turn into a 409.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Self::Constraint(Constraint { kind: ConstraintKind::Unique, .. }))
    }

    /// Whether the same command may succeed later without anyone changing it.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Busy | Self::Unavailable(_) | Self::StorageFull | Self::ReadOnly | Self::Closed)
    }

    pub(crate) fn corrupt(what: impl std::fmt::Display) -> Self {
        Self::Corrupt(what.to_string())
    }
}
