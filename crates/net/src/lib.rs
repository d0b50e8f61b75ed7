#![doc = include_str!("../README.md")]

mod breaker;
mod guard;
mod http;
mod resolve;

pub use breaker::{Admission, Breaker, BreakerSettings, BreakerState};
pub use guard::{Cidr, CidrError, Guard};
pub use http::{Answer, BuildError, Http, Outcome, Reason, Request, Settings};
