//! The clients' own records, which outlive every crash of the server.

use std::{
    collections::HashMap,
    fs::File,
    io::Write as _,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

/// Microseconds since the Unix epoch, by the clock that the server uses too.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// A reply that was answered with 2xx.
#[derive(Debug, Clone)]
pub(super) struct Accepted {
    pub(super) text: String,
    pub(super) message: String,
    pub(super) talk: usize,
}

/// Everything that was accepted, in a file before it is in memory.
pub(super) struct Journal {
    inner: Mutex<(File, HashMap<String, Accepted>)>,
}

impl Journal {
    pub(super) fn new(folder: &Path) -> Self {
        let file = File::create(folder.join("accepted.journal")).expect("a folder to write in");
        Self { inner: Mutex::new((file, HashMap::new())) }
    }

    /// Notes a 2xx. The same key must always have got the same message.
    pub(super) fn accepted(&self, key: &str, accepted: Accepted) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let line = format!("{key}\t{}\t{}\n", accepted.message, accepted.text);
        inner.0.write_all(line.as_bytes()).expect("the journal can be written");
        inner.1.insert(key.to_owned(), accepted);
    }

    pub(super) fn count(&self) -> usize {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).1.len()
    }

    pub(super) fn all(&self) -> Vec<Accepted> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.1.values().cloned().collect()
    }
}
