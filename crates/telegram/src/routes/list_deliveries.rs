use axum::{Json, extract::State};
use kit::{Allowed, Answer, Hub, Page, Paging, Query, rights};
use model::{BotId, ChatId, ConversationId, DeliveryClass, DeliveryState, MessageId, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Channel, Delivery, DeliveryView, Error, log, outbox};
use utoipa::{IntoParams, ToSchema};

use crate::out::post::Payload;

/// Which deliveries to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveryQuery {
    /// Only those in this state.
    state: Option<DeliveryState>,
}

/// A delivery in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeliveryRow {
    /// Where it stands.
    #[serde(flatten)]
    delivery: DeliveryView,
    /// By which way it leaves.
    channel: Channel,
    /// How urgent it is.
    class: DeliveryClass,
    /// The bot that sends it.
    bot_id: BotId,
    /// The chat it goes to.
    chat_id: Option<ChatId>,
    /// The conversation that shows it.
    conversation_id: Option<ConversationId>,
    /// The message that it carries.
    message_id: Option<MessageId>,
    /// What it says.
    text: String,
    /// When it was enqueued.
    created_at: Timestamp,
    /// When its state changed last.
    updated_at: Timestamp,
}

impl From<Delivery> for DeliveryRow {
    fn from(it: Delivery) -> Self {
        let text = Payload::read(&it.payload).map_or_else(String::new, |payload| payload.text().to_owned());
        Self {
            delivery: it.view(),
            channel: it.channel,
            class: it.class,
            bot_id: BotId::from_uuid(it.owner),
            chat_id: it.chat,
            conversation_id: it.conversation,
            message_id: it.message,
            text,
            created_at: it.created_at,
            updated_at: it.updated_at,
        }
    }
}

/// List deliveries
///
/// Everything that left, leaves or failed to leave, newest first.
#[utoipa::path(get, path = "/deliveries", tag = "deliveries", params(DeliveryQuery, Paging),
    responses((status = 200, body = Page<DeliveryRow>)))]
pub(crate) async fn list_deliveries(
    principal: Allowed<rights::DeliveriesRead>,
    State(hub): State<Hub>,
    Query(query): Query<DeliveryQuery>,
    paging: Paging,
) -> Answer<Page<DeliveryRow>> {
    let workspace = principal.workspace;
    let list = hub.list(workspace, "deliveries");
    let (before, fetch) = (paging.after(&list)?.unwrap_or(i64::MAX), paging.fetch());
    let read = hub.db().read(move |tx| {
        let found = outbox::list(tx, workspace, query.state, before, fetch)?;
        Ok::<_, Error>((found, log::head(tx, workspace)?))
    });
    let (found, head) = read.await?;
    Ok(Json(paging.page(&list, found, |it| it.position, head).map(DeliveryRow::from)))
}
