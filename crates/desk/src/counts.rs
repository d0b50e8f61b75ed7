//! How many conversations there are in each status: a counting subscriber, which halts rather than skip.

use ::model::Event;
use serde::Deserialize;
use store::{OnError, Subscriber, Tx, subscribers::SubscriberError};

use crate::{model::Status, store as rows};

/// The name of the subscriber, whose cursor tells how far the counts are.
pub(crate) const NAME: &str = "desk.counts";

pub(crate) struct Counts;

#[derive(Deserialize)]
struct Body {
    conversation: HasStatus,
    previous_status: Option<Status>,
}

#[derive(Deserialize)]
struct HasStatus {
    status: Status,
}

impl Subscriber for Counts {
    fn name(&self) -> &'static str {
        NAME
    }

    fn wants(&self, kind: &str) -> bool {
        matches!(kind, "conversation.created" | "conversation.updated")
    }

    fn on_error(&self) -> OnError {
        OnError::Halt
    }

    fn apply(&self, tx: &mut Tx<'_>, event: &Event) -> Result<(), SubscriberError> {
        let body: Body = event.body()?;
        if event.kind == "conversation.created" {
            rows::count(tx, body.conversation.status, 1)?;
        } else if let Some(previous) = body.previous_status {
            rows::count(tx, previous, -1)?;
            rows::count(tx, body.conversation.status, 1)?;
        }
        Ok(())
    }

    fn rebuild(&self, tx: &mut Tx<'_>) -> Result<(), SubscriberError> {
        Ok(rows::recount(tx)?)
    }
}
