use axum::{extract::State, http::StatusCode, response::Response};
use kit::{Allowed, Caller, Hub, Path, Problem, Write, audit::Act, rights};
use model::{BotId, DeliveryId};
use store::{DeliveryView, Tx, outbox};

use crate::store::bots as rows;

/// Send a delivery again
///
/// For `failed`, `dead` and `unknown` ones; for an `unknown` one the person accepts that it may arrive twice. Problem: 409
/// `delivery_not_retryable`.
#[utoipa::path(post, path = "/deliveries/{id}/retry", tag = "deliveries", params(("id" = DeliveryId, Path)),
    responses((status = 200, body = DeliveryView)))]
pub(crate) async fn retry_delivery(
    principal: Allowed<rights::DeliveriesManage>,
    State(hub): State<Hub>,
    Path(id): Path<DeliveryId>,
    caller: Caller,
    write: Write,
) -> Result<Response, Problem> {
    let (actor, address) = (principal.0.clone(), caller.address());
    let command = move |tx: &mut Tx<'_>| {
        let queued = retry(tx, id)?;
        Act::by(&actor, "delivery.retried").on("delivery", id, "").from(address).record(tx)?;
        Ok::<_, Problem>(queued)
    };
    write.run(&hub, &principal, StatusCode::OK, &(), command).await
}

fn retry(tx: &mut Tx<'_>, id: DeliveryId) -> Result<DeliveryView, Problem> {
    let workspace = tx.workspace();
    let known = outbox::get(tx, workspace, id)?.ok_or_else(Problem::not_found)?;
    if rows::get(tx, workspace, BotId::from_uuid(known.owner))?.is_none() {
        return Err(not_retryable("The bot was removed. Connect it again first."));
    }
    let queued = outbox::retry(tx, id)?;
    let refusal = || not_retryable("Only what failed, is unknown or dead can be sent again.");
    queued.map(|it| it.view()).ok_or_else(refusal)
}

fn not_retryable(detail: &str) -> Problem {
    Problem::conflict("delivery_not_retryable", detail)
}
