//! What operators can see.

use sandbox::{Fault, FaultKind};

use crate::world::World;

#[tokio::test]
async fn updates_sends_holds_breakers_and_queue_age_are_counted() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    let reply = world.reply(&ann, "hello").await;
    world.state(&reply, "sent").await;
    world.sandbox().fault(Fault::new(FaultKind::TooManyRequests).method("sendMessage").retry_after(60));
    let reply = world.reply(&ann, "more").await;
    world.state(&reply, "retrying").await;
    world.advance(30);
    let metrics = world.hub.stranger().get("/metrics").await.expect(200).text;
    for line in [
        "switchboard_telegram_updates_total{outcome=\"applied\"} 1",
        "switchboard_telegram_sends_total{outcome=\"sent\"} 1",
        "switchboard_telegram_sends_total{outcome=\"limited\"} 1",
        "switchboard_telegram_holds_total{scope=\"bot\"} 1",
        "switchboard_telegram_breaker_open{host=\"telegram\"} 0",
        "switchboard_deliveries_oldest_waiting_seconds{class=\"reply\"} 30",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    world.leave().await;
}
