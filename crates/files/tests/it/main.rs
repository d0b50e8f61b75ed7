//! Files on a running server, and the blob store by itself.

mod access;
mod blobs;
mod clean;
mod limits;
mod place;
mod round_trip;
mod serving;
mod wire;
