//! The record of every Bot API call that arrived. The crash harness judges by it, so a line is in the file
//! (handed to the system, one write per line) before the caller sees an answer.

use crate::lock;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::Mutex;
use tokio::sync::Notify;

/// One received call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// Its place in the journal, from 1, without gaps.
    pub n: u64,
    /// When it arrived, microseconds since the Unix epoch.
    pub at: i64,
    /// The bot's id; 0 when the token is of no bot.
    pub bot: i64,
    /// The method as the caller wrote it.
    pub method: String,
    /// What the caller sent, from query and body.
    pub params: serde_json::Value,
    /// `ok`, `error CODE`, `cut_before`, `cut_after`, `hang`, `down`, or `gone` when the caller left while it waited.
    pub outcome: String,
    /// The message that it made or changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<i64>,
    /// The updates that a getUpdates handed out, in the order given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub updates: Vec<i64>,
    /// It was refused because it broke a send limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub breach: bool,
}

/// A part of the journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Page {
    /// The calls, oldest first.
    pub calls: Vec<Call>,
    /// Number of the newest call there is, whether in `calls` or not.
    pub last: u64,
    /// Calls refused so far because they broke a send limit.
    pub breaches: u64,
}

/// What is known of a call before it gets its number.
#[derive(Serialize)]
pub(crate) struct Entry<'a> {
    pub(crate) at: i64,
    pub(crate) bot: i64,
    pub(crate) method: &'a str,
    pub(crate) params: &'a serde_json::Map<String, serde_json::Value>,
    pub(crate) outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message_id: Option<i64>,
    #[serde(skip_serializing_if = "<[i64]>::is_empty")]
    pub(crate) updates: &'a [i64],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) breach: bool,
}

struct Kept {
    n: u64,
    method: Box<str>,
    // The finished line is smaller than the parsed call, and most calls are never looked at.
    line: Box<str>,
}

struct Inner {
    last: u64,
    breaches: u64,
    kept: VecDeque<Kept>,
    file: Option<File>,
}

pub(crate) struct Journal {
    inner: Mutex<Inner>,
    cap: usize,
    changed: Notify,
}

impl Journal {
    /// Opens the journal; an existing file is continued with the next number.
    pub(crate) fn open(path: Option<&Path>, cap: usize) -> io::Result<Self> {
        let (mut last, mut file) = (0, None);
        if let Some(path) = path {
            let mut opened = OpenOptions::new().create(true).append(true).read(true).open(path)?;
            let mut torn = false;
            let mut reader = BufReader::new(&opened);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line)? > 0 {
                last += 1;
                torn = !line.ends_with(b"\n");
                line.clear();
            }
            if torn {
                // What a crash cut short must not swallow the next line.
                opened.write_all(b"\n")?;
            }
            file = Some(opened);
        }
        let inner = Inner { last, breaches: 0, kept: VecDeque::new(), file };
        Ok(Self { inner: Mutex::new(inner), cap: cap.max(1), changed: Notify::new() })
    }

    pub(crate) fn record(&self, entry: &Entry<'_>) {
        let body = serde_json::to_string(entry).expect("a journal entry is plain data");
        {
            let mut inner = lock(&self.inner);
            inner.last += 1;
            inner.breaches += u64::from(entry.breach);
            let n = inner.last;
            // `body` starts with `{`: the number goes in front of its fields.
            let mut line = format!("{{\"n\":{n},{}\n", body.trim_start_matches('{'));
            if let Some(Err(error)) = inner.file.as_mut().map(|f| f.write_all(line.as_bytes())) {
                tracing::error!(%error, "the sandbox journal cannot be written");
            }
            line.pop();
            inner.kept.push_back(Kept { n, method: entry.method.into(), line: line.into() });
            if inner.kept.len() > self.cap {
                inner.kept.pop_front();
            }
        }
        self.changed.notify_waiters();
    }

    /// Calls with a number above `after`, at most `limit`, of one method if given.
    pub(crate) fn page(&self, after: u64, method: Option<&str>, limit: usize) -> Page {
        let inner = lock(&self.inner);
        let start = inner.kept.partition_point(|k| k.n <= after);
        let calls = inner
            .kept
            .range(start..)
            .filter(|k| method.is_none_or(|m| k.method.eq_ignore_ascii_case(m)))
            .take(limit)
            .map(Kept::call)
            .collect();
        Page { calls, last: inner.last, breaches: inner.breaches }
    }

    /// Waits until a call, past or to come, satisfies `wanted`; gives the first that does.
    pub(crate) async fn first(&self, mut wanted: impl FnMut(&Call) -> bool) -> Call {
        let mut seen = 0;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let page = self.page(seen, None, usize::MAX);
            seen = page.last;
            if let Some(call) = page.calls.into_iter().find(|c| wanted(c)) {
                return call;
            }
            changed.await;
        }
    }
}

impl Kept {
    fn call(&self) -> Call {
        serde_json::from_str(&self.line).expect("the line was made from a call")
    }
}
