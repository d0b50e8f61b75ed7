//! The log of all tests of this process: shown when a test fails, and searched for panics and secrets.

use std::{
    fmt::Write as _,
    io,
    sync::{Mutex, Once, PoisonError},
};

use tracing_subscriber::{
    EnvFilter, Layer as _, fmt::MakeWriter, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
static EXPECTED: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
static INSTALL: Once = Once::new();

/// Everything from `info` up is kept; `RUST_LOG` decides what is shown with a failed test.
pub(crate) fn install() {
    INSTALL.call_once(|| {
        let shown = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
        let kept = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Keep);
        let _already_set = tracing_subscriber::registry()
            .with(tracing_subscriber::fmt::layer().with_test_writer().with_filter(shown))
            .with(kept.with_filter(EnvFilter::new("info")))
            .try_init();
    });
}

struct Keep;

impl<'a> MakeWriter<'a> for Keep {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(String::new())
    }
}

/// One line while it is written.
struct Line(String);

impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write!(self.0, "{}", String::from_utf8_lossy(bytes)).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        LINES.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut self.0));
    }
}

/// Lines of the log, of all hubs of this process, that contain `text`.
#[must_use]
pub fn logged(text: &str) -> Vec<String> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.iter().filter(|line| line.contains(text)).cloned().collect()
}

/// Says that a panic whose message contains `text` belongs to a test.
pub fn expect_panic(text: &'static str) {
    EXPECTED.lock().unwrap_or_else(PoisonError::into_inner).push(text);
}

/// Panics that no test expects.
pub(crate) fn panics() -> Vec<String> {
    let expected = EXPECTED.lock().unwrap_or_else(PoisonError::into_inner);
    logged("panicked").into_iter().filter(|line| !expected.iter().any(|text| line.contains(text))).collect()
}
