//! A reply that did not arrive brings its conversation back.

use ::model::{ActorRef, ConversationId, DeliveryState, Event};
use serde::Deserialize;
use store::{Subscriber, Tx, subscribers::SubscriberError};

use crate::{model::Status, store as rows};

pub(crate) struct FollowUp;

#[derive(Deserialize)]
struct Body {
    conversation_id: Option<ConversationId>,
    delivery: HasState,
}

#[derive(Deserialize)]
struct HasState {
    state: DeliveryState,
}

impl Subscriber for FollowUp {
    fn name(&self) -> &'static str {
        "desk.followup"
    }

    fn wants(&self, kind: &str) -> bool {
        kind == "delivery.updated"
    }

    fn apply(&self, tx: &mut Tx<'_>, event: &Event) -> Result<(), SubscriberError> {
        let body: Body = event.body()?;
        let in_trouble =
            matches!(body.delivery.state, DeliveryState::Failed | DeliveryState::Unknown | DeliveryState::Dead);
        let (Some(id), true) = (body.conversation_id, in_trouble) else { return Ok(()) };
        let workspace = tx.workspace();
        let Some(conversation) = rows::get(tx, workspace, None, id)? else { return Ok(()) };
        if conversation.case.status == Status::Resolved {
            rows::set_status(tx, ActorRef::SYSTEM, id, Status::Resolved, Status::Open)?;
        }
        Ok(())
    }

    /// Nothing is kept that could be computed anew: a trouble that is older than the log was seen long ago.
    fn rebuild(&self, _: &mut Tx<'_>) -> Result<(), SubscriberError> {
        Ok(())
    }
}
