//! All SQL of the feature; its tables are touched nowhere else.

pub(crate) mod bots;
pub(crate) mod holds;
pub(crate) mod updates;
