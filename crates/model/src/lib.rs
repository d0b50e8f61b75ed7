#![doc = include_str!("../README.md")]

mod authority;
mod delivery;
mod event;
mod gcra;
mod id;
mod secret;
mod text;
mod time;
mod world;

pub use authority::{Right, Rights, Role, UnknownRight, UnknownRole};
pub use delivery::{DeliveryClass, DeliveryState};
pub use event::{ActorKind, ActorRef, Audience, Event, NewEvent, Seq};
pub use gcra::{Cell, Limit, Verdict};
pub use id::*;
pub use secret::Secret;
pub use text::{TextError, check_line, check_text, preview};
pub use time::{Clock, Sleep, Timestamp};
pub use world::{Entropy, World};
