//! Statement parameters that both databases know alike.

use model::{Id, Timestamp};
use uuid::Uuid;

/// One parameter of a statement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Arg<'a> {
    /// NULL of any type.
    Null,
    /// BIGINT.
    Int(i64),
    /// DOUBLE.
    Real(f64),
    /// BOOLEAN.
    Bool(bool),
    /// TEXT.
    Text(&'a str),
    /// BLOB or BYTEA.
    Blob(&'a [u8]),
}

/// What can be a parameter.
pub trait ToArg {
    /// Borrows the value as a parameter.
    fn to_arg(&self) -> Arg<'_>;
}

macro_rules! to_arg {
    ($($type:ty: |$it:ident| $arg:expr;)*) => {
        $(impl ToArg for $type {
            fn to_arg(&self) -> Arg<'_> {
                let $it = self;
                $arg
            }
        })*
    };
}

to_arg! {
    i64: |it| Arg::Int(*it);
    f64: |it| Arg::Real(*it);
    bool: |it| Arg::Bool(*it);
    str: |it| Arg::Text(it);
    String: |it| Arg::Text(it);
    [u8]: |it| Arg::Blob(it);
    Vec<u8>: |it| Arg::Blob(it);
    Uuid: |it| Arg::Blob(it.as_bytes());
    Timestamp: |it| Arg::Int(it.micros());
}

impl ToArg for Arg<'_> {
    fn to_arg(&self) -> Arg<'_> {
        *self
    }
}

impl<const N: usize> ToArg for [u8; N] {
    fn to_arg(&self) -> Arg<'_> {
        Arg::Blob(self)
    }
}

impl<K> ToArg for Id<K> {
    fn to_arg(&self) -> Arg<'_> {
        Arg::Blob(self.as_bytes())
    }
}

impl<T: ToArg> ToArg for Option<T> {
    fn to_arg(&self) -> Arg<'_> {
        self.as_ref().map_or(Arg::Null, ToArg::to_arg)
    }
}

impl<T: ToArg + ?Sized> ToArg for &T {
    fn to_arg(&self) -> Arg<'_> {
        (**self).to_arg()
    }
}

/// The parameters of a statement, in the order of `$1`, `$2`…
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => {
        &[$($crate::ToArg::to_arg(&$value)),*]
    };
}
