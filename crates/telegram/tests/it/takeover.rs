//! One sender at a time, and what a sender that died leaves behind.

use model::WorkspaceId;
use sandbox::{Fault, FaultKind};
use store::{Tx, args};
use testkit::eventually;
use uuid::Uuid;

use crate::world::{Bot, World};

/// Runs one statement in the workspace of the tests.
async fn change<F>(world: &World, mut change: F)
where
    F: FnMut(&mut Tx<'_>) -> Result<u64, store::Error> + Send + 'static,
{
    let workspace = WorkspaceId::from_uuid(Uuid::from_u128(1));
    let changed: Result<u64, store::Error> = world.hub.db().write(workspace, move |tx| change(tx)).await;
    assert!(changed.expect("it can be changed") > 0, "nothing was changed");
}

fn lease(bot: &Bot) -> String {
    format!("telegram:send:{}", bot.id)
}

#[tokio::test]
async fn what_was_being_sent_when_the_server_died_is_unknown_afterwards() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    let fault = Fault::new(FaultKind::TooManyRequests).method("sendMessage").retry_after(3600);
    world.sandbox().fault(fault);
    let reply = world.reply(&ann, "perhaps").await;
    world.state(&reply, "retrying").await;
    // As a crash would leave it: claimed, and nobody who knows how it ended.
    let id: model::DeliveryId = reply.delivery.parse().expect("an id");
    change(&world, move |tx| {
        tx.exec("UPDATE deliveries SET state = 'sending', next_at = NULL WHERE id = $1", args![id])
    })
    .await;
    let world = world.restart().await;
    let shown = world.state(&reply, "unknown").await;
    assert!(shown["error"].as_str().expect("a reason").contains("server stopped"), "{shown}");
    assert!(world.received(&bot, &ann).is_empty());
    world.finish().await;
}

#[tokio::test]
async fn a_sender_whose_lease_was_taken_sends_nothing_until_it_is_free_again() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    let first = world.reply(&ann, "before").await;
    world.state(&first, "sent").await;
    let name = lease(&bot);
    let other = Uuid::from_u128(77);
    change(&world, move |tx| {
        tx.exec(
            "UPDATE leases SET owner = $2, fence = fence + 1, expires_at = $3 WHERE name = $1",
            args![name, other, i64::MAX],
        )
    })
    .await;
    let second = world.reply(&ann, "while another has it").await;
    for _ in 0..10 {
        world.advance(5);
        let state = world.delivery(&second).await["state"].clone();
        assert_eq!(state, "queued");
    }
    let name = lease(&bot);
    change(&world, move |tx| tx.exec("UPDATE leases SET expires_at = 0 WHERE name = $1", args![name])).await;
    eventually(|| async {
        world.advance(5);
        (world.delivery(&second).await["state"] == "sent").then_some(())
    })
    .await;
    assert_eq!(world.received(&bot, &ann), ["before", "while another has it"]);
    world.finish().await;
}

#[tokio::test]
async fn the_fence_rises_with_each_owner() {
    let world = World::start().await;
    let bot = world.bot().await;
    let before = eventually(|| async { world.fence(&bot).await }).await;
    let world = world.restart().await;
    eventually(|| async { world.fence(&bot).await.filter(|after| *after > before) }).await;
    world.finish().await;
}
