use crate::client::World;
use sandbox::SandboxConfig;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const SECOND: i64 = 1_000_000;

#[tokio::test]
async fn enforced_limits_answer_429_and_count_the_breach() {
    let now = Arc::new(AtomicI64::new(1_700_000_000 * SECOND));
    let clock = {
        let now = Arc::clone(&now);
        Arc::new(move || now.load(Ordering::SeqCst))
    };
    let config = SandboxConfig { enforce_limits: true, clock, ..SandboxConfig::default() };
    let world = World::with(config).await;
    let (bot, ann) = world.met().await;
    for _ in 0..3 {
        let sent = world.send(&bot, ann.id, "x").await;
        assert_eq!(sent["date"], 1_700_000_000, "the given clock tells the date");
    }
    let more = json!({ "chat_id": ann.id, "text": "x" });
    assert_eq!(world.refused(&bot, "sendMessage", more.clone()).await, "429 Too Many Requests: retry after 1");
    assert_eq!(world.sandbox.breaches(), 1);
    assert!(world.sandbox.journal().last().is_some_and(|c| c.breach));
    now.fetch_add(SECOND, Ordering::SeqCst);
    world.ok(&bot, "sendMessage", more.clone()).await;

    let group = world.sandbox.group(bot.id, "Group", &[ann.id]).expect("group");
    for _ in 0..20 {
        world.send(&bot, group.id, "x").await;
        now.fetch_add(SECOND, Ordering::SeqCst);
    }
    assert_eq!(
        world.refused(&bot, "sendMessage", json!({ "chat_id": group.id, "text": "x" })).await,
        "429 Too Many Requests: retry after 40"
    );
    world.ok(&bot, "sendMessage", more).await;
    let (_, page) = world.control("GET", "journal?limit=1", serde_json::Value::Null).await;
    assert_eq!(page["breaches"], 2);
}

#[tokio::test]
async fn without_enforcement_nothing_is_refused() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    for _ in 0..40 {
        world.send(&bot, ann.id, "x").await;
    }
    assert_eq!(world.sandbox.breaches(), 0);
}
