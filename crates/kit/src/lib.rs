#![doc = include_str!("../README.md")]

pub mod audit;
pub mod auth;
pub mod clock;
pub mod config;
pub mod cursor;
pub mod extract;
pub mod feature;
pub mod hub;
pub mod idempotency;
pub mod keys;
pub mod limits;
pub mod live;
pub mod metrics;
pub mod page;
mod platform;
pub mod problem;
pub mod route;
pub mod serve;
pub mod subscribe;
pub mod work;

pub use auth::{Allowed, AuthError, Authenticator, Principal, RightTag, SignedIn, Who, rights};
pub use config::{Cidr, HttpConfig, Rates};
pub use extract::{Caller, Input, Path, Query};
pub use feature::Feature;
pub use futures_util::future::BoxFuture;
pub use hub::{Hub, HubBuilder};
pub use idempotency::Write;
pub use keys::KeyRing;
pub use page::{Page, Paging};
pub use problem::{Answer, Problem};
pub use serve::{assemble, serve};
pub use work::{JobHandler, Service};

/// What the `route!` macro needs from other crates; not for use by hand.
#[doc(hidden)]
pub mod macros {
    pub use utoipa_axum::routes;
}
