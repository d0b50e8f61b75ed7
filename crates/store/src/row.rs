//! One row of an answer, read by position.

use model::{Id, Timestamp};
use uuid::Uuid;

use crate::Error;

/// A row of either database.
pub enum Row<'r> {
    #[doc(hidden)]
    Sqlite(&'r rusqlite::Row<'r>),
    #[doc(hidden)]
    Postgres(&'r tokio_postgres::Row),
}

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Column<'r> {
    /// NULL.
    Null,
    /// A whole number (SQLite's booleans too).
    Int(i64),
    /// A floating-point number.
    Real(f64),
    /// PostgreSQL's boolean.
    Bool(bool),
    /// Text.
    Text(&'r str),
    /// Bytes.
    Blob(&'r [u8]),
}

impl Row<'_> {
    /// The value at `index`, counted from 0.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when it is not a `T`.
    pub fn get<T: FromColumn>(&self, index: usize) -> Result<T, Error> {
        let column = self.column(index)?;
        T::from_column(column).ok_or_else(|| Error::corrupt(format!("column {index} is {column:?}")))
    }

    /// The bare value at `index`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when there is no such column or its type is none of ours.
    pub fn column(&self, index: usize) -> Result<Column<'_>, Error> {
        match self {
            Self::Sqlite(row) => crate::sqlite::column(row, index),
            Self::Postgres(row) => crate::postgres::column(row, index),
        }
    }

    /// How many columns there are.
    #[must_use]
    pub fn width(&self) -> usize {
        match self {
            Self::Sqlite(row) => row.as_ref().column_count(),
            Self::Postgres(row) => row.len(),
        }
    }
}

/// What can be read from a column.
pub trait FromColumn: Sized {
    /// Converts the value; `None` when it is of another type.
    fn from_column(column: Column<'_>) -> Option<Self>;
}

macro_rules! from_column {
    ($($type:ty: $pattern:pat => $value:expr;)*) => {
        $(impl FromColumn for $type {
            fn from_column(column: Column<'_>) -> Option<Self> {
                match column {
                    $pattern => $value,
                    _ => None,
                }
            }
        })*
    };
}

from_column! {
    i64: Column::Int(it) => Some(it);
    f64: Column::Real(it) => Some(it);
    String: Column::Text(it) => Some(it.to_owned());
    Vec<u8>: Column::Blob(it) => Some(it.to_vec());
    Uuid: Column::Blob(it) => Uuid::from_slice(it).ok();
    Timestamp: Column::Int(it) => Some(Self::from_micros(it));
}

impl FromColumn for bool {
    fn from_column(column: Column<'_>) -> Option<Self> {
        match column {
            Column::Bool(it) => Some(it),
            Column::Int(it) => Some(it != 0),
            _ => None,
        }
    }
}

impl<const N: usize> FromColumn for [u8; N] {
    fn from_column(column: Column<'_>) -> Option<Self> {
        match column {
            Column::Blob(it) => it.try_into().ok(),
            _ => None,
        }
    }
}

impl<K> FromColumn for Id<K> {
    fn from_column(column: Column<'_>) -> Option<Self> {
        Uuid::from_column(column).map(Self::from_uuid)
    }
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn from_column(column: Column<'_>) -> Option<Self> {
        match column {
            Column::Null => Some(None),
            other => T::from_column(other).map(Some),
        }
    }
}
