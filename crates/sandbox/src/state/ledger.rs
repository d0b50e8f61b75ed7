//! The file of records: appended while running, replayed and rewritten shorter at the start.

use super::Record;
use crate::lock;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::Mutex;

const NAME: &str = "sandbox.jsonl";

pub(crate) struct Ledger(Option<Mutex<File>>);

impl Ledger {
    /// Keeps nothing.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Feeds every kept record to `apply`. A last line that a crash cut short is ignored.
    pub(crate) fn replay(folder: &Path, apply: impl Fn(Record)) -> io::Result<()> {
        let file = match File::open(folder.join(NAME)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut lines = BufReader::new(file).lines().enumerate().peekable();
        while let Some((at, line)) = lines.next() {
            match serde_json::from_str(&line?) {
                Ok(record) => apply(record),
                Err(_) if lines.peek().is_none() => {}
                Err(error) => {
                    let text = format!("{NAME}, line {}: {error}", at + 1);
                    return Err(io::Error::new(io::ErrorKind::InvalidData, text));
                }
            }
        }
        Ok(())
    }

    /// Replaces the file by these records and opens it for more.
    pub(crate) fn compact(folder: &Path, records: &[Record]) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let (path, fresh) = (folder.join(NAME), folder.join(format!("{NAME}.new")));
        let mut out = BufWriter::new(private_file(&fresh)?);
        for record in records {
            out.write_all(&line(record))?;
        }
        out.into_inner()?.sync_all()?;
        fs::rename(&fresh, &path)?;
        let file = OpenOptions::new().append(true).open(&path)?;
        Ok(Self(Some(Mutex::new(file))))
    }

    /// Appends a record; without a data folder it is not even made.
    pub(crate) fn keep(&self, record: impl FnOnce() -> Record) {
        let Some(file) = &self.0 else { return };
        let line = line(&record());
        if let Err(error) = lock(file).write_all(&line) {
            tracing::error!(%error, "the sandbox cannot keep its conversation");
        }
    }
}

fn line(record: &Record) -> Vec<u8> {
    let mut line = serde_json::to_vec(record).expect("a record is plain data");
    line.push(b'\n');
    line
}

/// The file holds bot tokens: only its owner reads it.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
