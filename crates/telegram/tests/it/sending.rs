//! Deliveries on their ordinary way.

use std::time::Duration;

use serde_json::json;
use testkit::eventually;

use crate::world::World;

#[tokio::test]
async fn a_reply_reaches_the_person_once_and_is_marked_as_sent() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    let reply = world.reply(&ann, "Yes, till 6 \u{1f600}").await;
    let sent = world.state(&reply, "sent").await;
    assert_eq!((sent["attempts"].as_i64(), sent["text"].as_str()), (Some(1), Some("Yes, till 6 \u{1f600}")));
    assert_eq!(world.received(&bot, &ann), ["Yes, till 6 \u{1f600}"]);
    let shown = &world.messages(&ann).await[1];
    assert_eq!((shown["id"].as_str(), shown["delivery"]["state"].as_str()), (Some(&*reply.message), Some("sent")));
    world.finish().await;
}

#[tokio::test]
async fn a_note_stays_inside() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    let path = format!("/api/v1/conversations/{}/messages", ann.conversation);
    world.owner().post(&path, json!({ "text": "careful", "note": true })).await.expect(201);
    let reply = world.reply(&ann, "Hello!").await;
    world.state(&reply, "sent").await;
    assert_eq!(world.received(&bot, &ann), ["Hello!"]);
    world.finish().await;
}

#[tokio::test]
async fn replies_to_one_person_keep_their_order_and_their_pace() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    let texts: Vec<String> = (0..8).map(|n| format!("part {n}")).collect();
    for text in &texts {
        world.reply(&ann, text).await;
    }
    // A burst of three, and then one each second.
    world.sends(3).await;
    assert_eq!(world.received(&bot, &ann), texts[..3]);
    eventually(|| async {
        world.advance(1);
        (world.received(&bot, &ann).len() == 8).then_some(())
    })
    .await;
    assert_eq!(world.received(&bot, &ann), texts);
    world.finish().await;
}

#[tokio::test]
async fn several_people_are_answered_at_the_same_time() {
    let world = World::start().await;
    let bot = world.bot().await;
    let mut replies = Vec::new();
    for n in 0..12 {
        let customer = world.customer(&bot, &format!("Person {n}")).await;
        let reply = world.reply(&customer, "Hello!").await;
        replies.push((customer, reply));
    }
    for (customer, reply) in &replies {
        world.state(reply, "sent").await;
        assert_eq!(world.received(&bot, customer), ["Hello!"]);
    }
    world.finish().await;
}

#[tokio::test]
async fn what_waited_while_the_server_was_down_is_sent_after_it_starts() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    for n in 0..5 {
        world.reply(&ann, &format!("part {n}")).await;
    }
    world.sends(3).await;
    let world = world.restart().await;
    eventually(|| async {
        world.advance(1);
        (world.received(&bot, &ann).len() == 5).then_some(())
    })
    .await;
    assert_eq!(world.received(&bot, &ann), ["part 0", "part 1", "part 2", "part 3", "part 4"]);
    world.finish().await;
}

#[tokio::test]
async fn a_person_discards_what_waits() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    let mut replies = Vec::new();
    for n in 0..5 {
        replies.push(world.reply(&ann, &format!("part {n}")).await);
    }
    world.sends(3).await;
    let path = format!("/api/v1/deliveries/{}/discard", replies[3].delivery);
    world.hub.with_token("moderator").post(&path, json!({})).await.expect_problem(403, "forbidden");
    world.hub.with_token("foreign").post(&path, json!({})).await.expect_problem(404, "not_found");
    let discarded = world.hub.with_token("operator").post(&path, json!({})).await.expect(200);
    assert_eq!(discarded.str("/state"), "dead");
    world.owner().post(&path, json!({})).await.expect_problem(409, "delivery_not_waiting");
    eventually(|| async {
        world.advance(1);
        (world.delivery(&replies[4]).await["state"] == "sent").then_some(())
    })
    .await;
    assert_eq!(world.received(&bot, &ann), ["part 0", "part 1", "part 2", "part 4"]);
    world.finish().await;
}

#[tokio::test]
async fn what_is_too_late_is_dead() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    let fault = sandbox::Fault::new(sandbox::FaultKind::TooManyRequests).method("sendMessage").retry_after(200_000);
    world.sandbox().fault(fault);
    let reply = world.reply(&ann, "in a minute").await;
    world.state(&reply, "retrying").await;
    world.advance(200_000);
    let dead = world.state(&reply, "dead").await;
    assert!(dead["error"].as_str().expect("a reason").contains("time was over"), "{dead}");
    assert!(world.received(&bot, &ann).is_empty());
    world.finish().await;
}

#[tokio::test]
async fn deliveries_are_listed_by_state_and_page() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    let mut sent = Vec::new();
    for n in 0..3 {
        let reply = world.reply(&ann, &format!("part {n}")).await;
        world.state(&reply, "sent").await;
        sent.push(reply.delivery);
    }
    let first = world.owner().get("/api/v1/deliveries?state=sent&limit=2").await.expect(200);
    let cursor = first.str("/next_cursor");
    let second = world.owner().get(&format!("/api/v1/deliveries?state=sent&limit=2&cursor={cursor}")).await.expect(200);
    let listed: Vec<_> = first.items().iter().chain(second.items()).map(|it| it["id"].as_str().expect("id")).collect();
    sent.reverse();
    assert_eq!(listed, sent);
    assert_eq!(first.items()[0]["class"], "reply");
    assert_eq!(first.items()[0]["bot_id"], bot.id.as_str());
    assert!(world.owner().get("/api/v1/deliveries?state=failed").await.expect(200).items().is_empty());
    world.owner().get("/api/v1/deliveries?state=lost").await.expect_problem(400, "invalid_query");
    assert!(world.hub.with_token("foreign").get("/api/v1/deliveries").await.expect(200).items().is_empty());
    world.finish().await;
}

#[tokio::test]
async fn a_wall_clock_that_jumps_stops_nothing() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    for (n, jump) in [-7200, 3600, 86_400].into_iter().enumerate() {
        world.hub.clock().jump(jump);
        world.sandbox().say(bot.made.id, ann.person.id, &format!("question {n}")).expect("said");
        let reply = world.reply(&ann, &format!("answer {n}")).await;
        world.state(&reply, "sent").await;
        world.advance(20);
    }
    assert_eq!(world.received(&bot, &ann), ["answer 0", "answer 1", "answer 2"]);
    eventually(|| async { (world.messages(&ann).await.len() == 7).then_some(()) }).await;
    // Jobs that the last jump made due are looked at when their runner wakes.
    world.advance(4 * 3600);
    world.finish().await;
}

#[tokio::test]
async fn telegrams_limits_are_never_broken() {
    let world = World::strict().await;
    let bot = world.bot().await;
    let mut customers = Vec::new();
    for n in 0..12 {
        customers.push(world.customer(&bot, &format!("Person {n}")).await);
    }
    for round in 0..6 {
        for customer in &customers {
            world.reply(customer, &format!("part {round}")).await;
        }
    }
    eventually(|| async {
        world.hub.clock().advance(Duration::from_millis(50));
        let sent = world.sandbox().journal_page(0, Some("sendMessage"), 10_000).calls.len();
        (sent >= 72).then_some(())
    })
    .await;
    assert_eq!(world.sandbox().breaches(), 0);
    for customer in &customers {
        let texts: Vec<String> = (0..6).map(|round| format!("part {round}")).collect();
        eventually(|| async { (world.received(&bot, customer) == texts).then_some(()) }).await;
    }
    world.finish().await;
}
