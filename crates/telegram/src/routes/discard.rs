use axum::{extract::State, http::StatusCode, response::Response};
use kit::{Allowed, Caller, Hub, Path, Problem, Write, audit::Act, rights};
use model::DeliveryId;
use store::{DeliveryView, Tx, outbox};

/// Discard a delivery
///
/// For one that still waits; it becomes `dead`. Problem: 409 `delivery_not_waiting`.
#[utoipa::path(post, path = "/deliveries/{id}/discard", tag = "deliveries", params(("id" = DeliveryId, Path)),
    responses((status = 200, body = DeliveryView)))]
pub(crate) async fn discard_delivery(
    principal: Allowed<rights::DeliveriesManage>,
    State(hub): State<Hub>,
    Path(id): Path<DeliveryId>,
    caller: Caller,
    write: Write,
) -> Result<Response, Problem> {
    let (actor, address) = (principal.0.clone(), caller.address());
    let command = move |tx: &mut Tx<'_>| {
        let discarded = discard(tx, id, &actor.name)?;
        Act::by(&actor, "delivery.discarded").on("delivery", id, "").from(address).record(tx)?;
        Ok::<_, Problem>(discarded)
    };
    write.run(&hub, &principal, StatusCode::OK, &(), command).await
}

fn discard(tx: &mut Tx<'_>, id: DeliveryId, who: &str) -> Result<DeliveryView, Problem> {
    let workspace = tx.workspace();
    outbox::get(tx, workspace, id)?.ok_or_else(Problem::not_found)?;
    let buried = outbox::bury(tx, id, &format!("discarded by {who}"))?;
    let detail = "It does not wait any more: it was sent, is being sent, or has ended. There is nothing to do.";
    buried.map(|it| it.view()).ok_or_else(|| Problem::conflict("delivery_not_waiting", detail))
}
