//! Where the bytes are: under the hash of their content, so that the same content is kept once.

use std::{fmt, ops::Range, pin::Pin, str::FromStr};

use bytes::Bytes;
use futures_util::Stream;
use kit::BoxFuture;
use model::Timestamp;
use store::{Arg, Column, FromColumn, ToArg};

use crate::Error;

/// Content on its way in or out. A part is at most some hundred kilobytes.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// The BLAKE3 hash of some content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The hash of `content`.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self(*blake3::hash(content).as_bytes())
    }
}

impl From<blake3::Hash> for Hash {
    fn from(hash: blake3::Hash) -> Self {
        Self(*hash.as_bytes())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no hash in 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a hash")]
pub struct NotAHash;

impl FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let lower = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        let hash = blake3::Hash::from_hex(text).ok().filter(|_| lower);
        hash.map(Self::from).ok_or(NotAHash)
    }
}

impl ToArg for Hash {
    fn to_arg(&self) -> Arg<'_> {
        Arg::Blob(&self.0)
    }
}

impl FromColumn for Hash {
    fn from_column(column: Column<'_>) -> Option<Self> {
        FromColumn::from_column(column).map(Self)
    }
}

/// What came of storing some content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Names it.
    pub hash: Hash,
    /// Its length in bytes.
    pub size: u64,
}

/// A blob as a listing shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobInfo {
    /// Names it.
    pub hash: Hash,
    /// Its length in bytes.
    pub size: u64,
    /// When its content was put last.
    pub put_at: Timestamp,
}

/// A store of blobs: a folder today, an S3-compatible service one day.
///
/// A blob is complete and durable when [`put`](Blobs::put) returns; whoever refers to it does so afterwards. Putting content
/// that is there already makes it young again, and [`remove`](Blobs::remove) spares the young: that is what lets a clean-up run
/// beside uploads of the same content.
pub trait Blobs: Send + Sync + 'static {
    /// Stores what the stream gives. On an error, or when the future is dropped, nothing stays.
    fn put(&self, content: ByteStream) -> BoxFuture<'_, Result<Stored, Error>>;

    /// The bytes of a part of a blob, which must lie within it; [`Error::Missing`] when there is no such blob.
    fn open(&self, hash: Hash, range: Range<u64>) -> BoxFuture<'_, Result<ByteStream, Error>>;

    /// Removes a blob, unless its content was put after `spared`. False when nothing was removed.
    fn remove(&self, hash: Hash, spared: Timestamp) -> BoxFuture<'_, Result<bool, Error>>;

    /// At most `limit` blobs, in order of their hashes, from behind `after`.
    fn list(&self, after: Option<Hash>, limit: usize) -> BoxFuture<'_, Result<Vec<BlobInfo>, Error>>;

    /// Removes what uploads left behind that began at `before` or earlier and were cut off by a crash; tells how many.
    fn tidy(&self, before: Timestamp) -> BoxFuture<'_, Result<u64, Error>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_survives_text_and_nothing_else_is_one() {
        let hash = Hash::of(b"content");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for text in ["", "ab", &hash.to_string().to_uppercase(), &format!("{hash}0"), &"é".repeat(32)] {
            assert_eq!(text.parse::<Hash>(), Err(NotAHash), "{text}");
        }
    }
}
