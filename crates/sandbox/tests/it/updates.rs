use crate::client::{World, ids};
use sandbox::{BotInfo, Fault, FaultKind};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

async fn poll(world: &World, bot: &BotInfo, params: Value) -> Vec<i64> {
    ids(&world.ok(bot, "getUpdates", params).await)
}

/// Says this many things; gives the update ids.
fn say(world: &World, bot: i64, person: i64, count: usize) -> Vec<i64> {
    (0..count)
        .map(|i| {
            let said = world.sandbox.say(bot, person, &format!("text {i}"));
            said.expect("said").update_id.expect("wanted")
        })
        .collect()
}

#[tokio::test]
async fn an_update_stays_until_an_offset_beyond_it_confirms_it() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    let said = say(&world, bot.id, ann.id, 5);
    assert!(said.windows(2).all(|w| w[1] == w[0] + 1), "ids ascend by one");
    assert_eq!(poll(&world, &bot, json!({})).await, said);
    let journalled = world.sandbox.journal().pop().expect("journalled");
    assert_eq!(journalled.updates, said, "the journal tells what was handed out");
    assert_eq!(poll(&world, &bot, json!({ "limit": 2 })).await, said[..2]);
    let offset = json!({ "offset": said[2], "limit": 100 });
    assert_eq!(poll(&world, &bot, offset).await, said[2..]);
    assert_eq!(poll(&world, &bot, json!({})).await, said[2..], "two are confirmed");
}

#[tokio::test]
async fn a_negative_offset_keeps_only_the_newest() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    let said = say(&world, bot.id, ann.id, 5);
    assert_eq!(poll(&world, &bot, json!({ "offset": -2 })).await, said[3..]);
    assert_eq!(poll(&world, &bot, json!({})).await, said[3..], "the others are forgotten");
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a real second of a real long poll is measured")]
async fn a_long_poll_waits_for_an_update_and_for_no_longer_than_its_timeout() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    let poll_and_say = async {
        let polled = poll(&world, &bot, json!({ "timeout": 50 }));
        let said = async {
            // The poll is under way once it has taken its turn on the connection; either order must work.
            tokio::task::yield_now().await;
            say(&world, bot.id, ann.id, 1)
        };
        tokio::join!(polled, said)
    };
    let (polled, said) = poll_and_say.await;
    assert_eq!(polled, said);

    let offset = said[0] + 1;
    let begun = Instant::now();
    let none = poll(&world, &bot, json!({ "offset": offset, "timeout": 1 })).await;
    assert!(none.is_empty());
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_second_poller_ends_the_first_with_a_conflict() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    let first = world.refused(&bot, "getUpdates", json!({ "timeout": 50 }));
    let second = async {
        // Polls again and again until the first, whenever it begins, has been answered.
        loop {
            world.ok(&bot, "getUpdates", json!({})).await;
        }
    };
    let refusal = tokio::select! {
        refusal = first => refusal,
        () = second => unreachable!("polls for ever"),
    };
    assert_eq!(
        refusal,
        "409 Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
    );
    let said = say(&world, bot.id, ann.id, 1);
    assert_eq!(poll(&world, &bot, json!({})).await, said);
}

#[tokio::test]
async fn polling_while_a_webhook_is_set_is_a_conflict() {
    let world = World::start().await;
    let (bot, _) = world.met().await;
    let nowhere = json!({ "url": "http://127.0.0.1:9/hook" });
    world.ok(&bot, "setWebhook", nowhere).await;
    assert_eq!(
        world.refused(&bot, "getUpdates", json!({})).await,
        "409 Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
    );
    world.ok(&bot, "deleteWebhook", json!({})).await;
    assert!(poll(&world, &bot, json!({})).await.is_empty());
}

#[tokio::test]
async fn setting_a_webhook_ends_a_long_poll() {
    let world = World::start().await;
    let (bot, _) = world.met().await;
    let polls = async {
        loop {
            let params = json!({ "timeout": 50 });
            let refusal = world.refused(&bot, "getUpdates", params).await;
            // The other conflict means that the webhook was there before the poll began.
            if !refusal.contains("can't use getUpdates") {
                return refusal;
            }
        }
    };
    let webhooks = async {
        let hook = json!({ "url": "http://127.0.0.1:9/" });
        loop {
            world.ok(&bot, "deleteWebhook", json!({})).await;
            world.ok(&bot, "getMe", json!({})).await;
            world.ok(&bot, "setWebhook", hook.clone()).await;
        }
    };
    let refusal = tokio::select! {
        refusal = polls => refusal,
        () = webhooks => unreachable!("goes on for ever"),
    };
    assert_eq!(refusal, "409 Conflict: terminated by setWebhook request");
}

#[tokio::test]
async fn a_bot_gets_only_the_kinds_that_it_asked_for() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    poll(&world, &bot, json!({ "allowed_updates": ["edited_message"] })).await;
    let said = world.sandbox.say(bot.id, ann.id, "unheard").expect("said");
    assert_eq!(said.update_id, None);
    let edit = json!({ "bot": bot.username, "from": ann.id, "message_id": said.message_id, "text": "heard" });
    let (status, edited) = world.control("POST", "edits", edit).await;
    assert_eq!(status, 200);
    let updates = world.ok(&bot, "getUpdates", json!({})).await;
    assert_eq!(updates[0]["update_id"], edited["update_id"]);
    assert_eq!(updates[0]["edited_message"]["text"], "heard");
    assert!(updates[0]["edited_message"]["edit_date"].is_i64());
    poll(&world, &bot, json!({ "offset": -1, "allowed_updates": [] })).await;
    let said = world.sandbox.say(bot.id, ann.id, "again").expect("said");
    assert!(said.update_id.is_some(), "an empty list means the default");
}

#[tokio::test]
async fn a_repeated_update_comes_twice_even_after_it_was_confirmed() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    world.sandbox.fault(Fault::new(FaultKind::DuplicateUpdate).bot(bot.id));
    let said = say(&world, bot.id, ann.id, 2);
    let first = poll(&world, &bot, json!({ "limit": 1 })).await;
    assert_eq!(first, said[..1]);
    let rest = poll(&world, &bot, json!({ "offset": said[0] + 1 })).await;
    assert_eq!(rest, [said[0], said[1]], "once more, then the next");
    let done = poll(&world, &bot, json!({ "offset": said[1] + 1 })).await;
    assert!(done.is_empty());
}

#[tokio::test]
async fn a_late_update_comes_after_the_one_that_followed_it() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    world.sandbox.fault(Fault::new(FaultKind::LateUpdate).chat(ann.id));
    let late = say(&world, bot.id, ann.id, 1)[0];
    assert!(poll(&world, &bot, json!({})).await.is_empty(), "held back");
    let next = say(&world, bot.id, ann.id, 1)[0];
    assert_eq!(poll(&world, &bot, json!({ "limit": 1 })).await, [next]);
    let after = json!({ "offset": next + 1 });
    assert_eq!(poll(&world, &bot, after.clone()).await, [late]);
    assert!(poll(&world, &bot, after).await.is_empty());
}
