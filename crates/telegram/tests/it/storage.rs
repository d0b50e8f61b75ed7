//! When the database does not take what comes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::json;
use testkit::{eventually, expect_panic};

use crate::world::{World, until};

/// A world whose disk is full while the switch is on.
async fn with_disk() -> (World, Arc<AtomicBool>) {
    let full = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&full);
    let store = move |config: &mut store::DbConfig| {
        let full = Arc::clone(&switch);
        config.disk_reserve = 1000;
        config.free_space = Some(Arc::new(move || Some(if full.load(Ordering::SeqCst) { 0 } else { 1_000_000 })));
    };
    (World::with_store(|_| {}, store).await, full)
}

#[tokio::test]
async fn on_a_full_disk_polled_updates_wait_with_telegram_and_arrive_later() {
    let (world, full) = with_disk().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    full.store(true, Ordering::SeqCst);
    world.advance(2);
    let said = world.sandbox().say(bot.made.id, ann.person.id, "while it is full").expect("said");
    let handed_out = || {
        let polls = world.sandbox().journal_page(0, Some("getUpdates"), 10_000).calls;
        polls.iter().any(|call| call.updates.contains(&said.update_id.expect("the bot is told")))
    };
    until(handed_out).await;
    assert_eq!(world.messages(&ann).await.len(), 1);
    assert!(world.sandbox().pending_updates(bot.made.id).expect("known") > 0, "it is not confirmed");
    full.store(false, Ordering::SeqCst);
    eventually(|| async {
        world.advance(2);
        (world.messages(&ann).await.len() == 2).then_some(())
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn on_a_full_disk_a_webhook_is_told_to_come_again() {
    let (world, full) = with_disk().await;
    let bot = world.bot_in("webhook").await;
    let secret = world.secret(&bot).await;
    full.store(true, Ordering::SeqCst);
    world.advance(2);
    let update = json!({"update_id": 1, "message": {"message_id": 1, "text": "hi", "chat": {"id": 7, "type": "private", "first_name": "Ann"}}});
    let call = || {
        let request = world.hub.stranger().post(&format!("/telegram/{}/webhook", bot.id), update.clone());
        request.header("x-telegram-bot-api-secret-token", &secret)
    };
    let refused = call().await.expect_problem(503, "busy");
    assert_eq!(refused.header("retry-after"), "1");
    full.store(false, Ordering::SeqCst);
    world.advance(2);
    call().await.expect(200);
    world.conversation("Ann").await;
    world.finish().await;
}

#[tokio::test]
async fn on_a_full_disk_nothing_new_is_sent_and_what_waits_goes_out_later() {
    let (world, full) = with_disk().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    let mut replies = Vec::new();
    for n in 0..4 {
        replies.push(world.reply(&ann, &format!("part {n}")).await);
    }
    world.sends(3).await;
    world.state(&replies[2], "sent").await;
    full.store(true, Ordering::SeqCst);
    world.advance(5);
    assert_eq!(world.delivery(&replies[3]).await["state"], "queued");
    full.store(false, Ordering::SeqCst);
    eventually(|| async {
        world.advance(1);
        (world.delivery(&replies[3]).await["state"] == "sent").then_some(())
    })
    .await;
    assert_eq!(world.received(&bot, &ann), ["part 0", "part 1", "part 2", "part 3"]);
    world.finish().await;
}

#[tokio::test]
async fn an_update_that_cannot_be_applied_is_kept_and_holds_back_no_other() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    for text in ["before", "poison", "after"] {
        world.sandbox().say(bot.made.id, ann.person.id, text).expect("said");
    }
    world.texts(&ann, &["hello", "before", "after"]).await;
    let raw = world.raw().await;
    assert_eq!(raw.len(), 1);
    assert!(raw[0].contains("poison"), "{raw:?}");
    world.finish().await;
}

#[tokio::test]
async fn an_update_that_makes_a_command_panic_is_kept_and_holds_back_no_other() {
    expect_panic("dynamite");
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    for text in ["before", "dynamite", "after"] {
        world.sandbox().say(bot.made.id, ann.person.id, text).expect("said");
    }
    world.texts(&ann, &["hello", "before", "after"]).await;
    assert_eq!(world.raw().await.len(), 1);
    world.finish().await;
}
