//! Log lines on standard error, as text or as JSON.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::{EnvFilter, fmt, prelude::*};

use crate::config::{Log, LogFormat};

/// Starts logging for the process.
///
/// # Errors
/// When the filter is malformed or logging was started before.
pub(crate) fn start(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&log.level).context("setting `log.level`")?;
    let registry = tracing_subscriber::registry().with(filter);
    match log.format {
        LogFormat::Text => registry
            .with(
                fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr).with_target(false),
            )
            .try_init(),
        LogFormat::Json => registry.with(fmt::layer().json().with_writer(std::io::stderr)).try_init(),
    }
    .context("logging was started before")
}
