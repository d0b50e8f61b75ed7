//! The Desk and the trunk on a real database, without HTTP; the operations are tested over HTTP in `routes`.

mod invariants;
mod office;
mod path;
