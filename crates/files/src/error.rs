//! What can go wrong with a file.

use std::io;

use axum::http::StatusCode;
use kit::Problem;

/// An error of the file store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The content is larger than `limit` bytes.
    #[error("the file is larger than {limit} bytes")]
    TooLarge {
        /// The most that is taken, in bytes.
        limit: u64,
    },
    /// The content has no bytes.
    #[error("the file is empty")]
    Empty,
    /// The content broke off on its way here.
    #[error("the content broke off: {0}")]
    Broken(String),
    /// The content came too slowly.
    #[error("the content came too slowly")]
    TooSlow,
    /// The disk is full, or its reserve is reached.
    #[error("the storage is full")]
    Full,
    /// Nothing is stored under this hash.
    #[error("nothing is stored under {0}")]
    Missing(crate::Hash),
    /// The blob store failed.
    #[error("file storage: {0}")]
    Io(String),
    /// The database failed or refused.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io(error.to_string()),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::TooLarge { limit } => {
                let most = in_words(limit);
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "file_too_large", "File too large")
                    .detail(format!("The file is larger than {most}, the most that this server takes."))
            }
            Error::Empty => Self::invalid("file_empty", "The file has no content. Choose another one."),
            Error::Broken(cause) => Self::new(StatusCode::BAD_REQUEST, "body_unreadable", "Body unreadable")
                .detail("The upload broke off. Try again.")
                .internal(cause),
            Error::TooSlow => Self::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "Body too slow")
                .detail("The upload did not arrive in time. Try again."),
            Error::Full => store::Error::StorageFull.into(),
            Error::Store(error) => error.into(),
            error @ (Error::Missing(_) | Error::Io(_)) => Self::bug(error.to_string()),
        }
    }
}

/// A number of bytes for people.
fn in_words(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..0x10_0000 => format!("{} KB", bytes >> 10),
        _ => format!("{} MB", bytes >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_broken_one() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            let problem = Problem::from(Error::from(io::Error::from(kind)));
            assert_eq!((problem.status().as_u16(), problem.code()), (503, "storage_full"));
        }
        let problem = Problem::from(Error::from(io::Error::from(io::ErrorKind::PermissionDenied)));
        assert_eq!((problem.status().as_u16(), problem.code()), (500, "internal"));
    }

    #[test]
    fn sizes_are_said_in_a_readable_unit() {
        assert_eq!(in_words(50 << 20), "50 MB");
        assert_eq!((in_words(100).as_str(), in_words(2048).as_str()), ("100 bytes", "2 KB"));
    }
}
