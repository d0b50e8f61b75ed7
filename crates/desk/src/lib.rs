#![doc = include_str!("../README.md")]

mod counts;
mod followup;
mod keeper;
mod model;
mod routes;
mod store;

pub use keeper::Desk;
pub use model::{Case, Conversation, LastMessage, Status};

use axum::Extension;
use chats::Chats;
use kit::Feature;

/// The feature; `chats` is the trunk that [`Desk`] was plugged into.
#[must_use]
pub fn feature(chats: Chats) -> Feature {
    Feature::new("desk")
        .api(routes::all().layer(Extension(chats)))
        .subscriber(counts::Counts)
        .subscriber(followup::FollowUp)
}
