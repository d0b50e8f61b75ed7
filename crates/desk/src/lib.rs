#![doc = include_str!("../README.md")]

mod access;
mod counts;
mod followup;
mod keeper;
mod model;
mod routes;
mod status;
mod store;

pub use keeper::Desk;
pub use model::{Case, Conversation, LastMessage, Status};
pub use status::set_status;

use std::sync::Arc;

use ::store::{Db, Subscriber};
use axum::Extension;
use chats::Chats;
use kit::Feature;

/// The feature; `chats` is the trunk that [`Desk`] was plugged into.
#[must_use]
pub fn feature(chats: Chats, db: Db) -> Feature {
    let routes = routes::all().layer(Extension(chats));
    let mut feature = Feature::new("desk").api(routes).chat_access(access::Access::new(db));
    feature.subscribers.extend(subscribers());
    feature
}

/// What the Desk does when events happen: keeps counts, and brings back conversations whose reply did not arrive.
#[must_use]
pub fn subscribers() -> Vec<Arc<dyn Subscriber>> {
    vec![Arc::new(counts::Counts), Arc::new(followup::FollowUp)]
}
