//! kit's tests: a real database, real HTTP, real streams, and a small feature that belongs to the tests.

mod audit;
mod edge;
mod fixture;
mod idempotency;
mod jobs;
mod keys;
mod limits;
mod live;
mod nodes;
mod openapi;
mod paging;
mod probes;
mod revoke;
mod services;
mod signals;
mod stop;
mod subscribers;
mod transports;
