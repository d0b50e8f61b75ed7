//! Updates in: read, applied, polled for.

pub(crate) mod apply;
pub(crate) mod poll;
pub(crate) mod update;
pub(crate) mod webhook;
