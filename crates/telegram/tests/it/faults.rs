//! Deliveries when something goes wrong.

use std::{cell::Cell, time::Duration};

use sandbox::{Fault, FaultKind};
use serde_json::{Value, json};
use testkit::eventually;

use crate::world::{FakeTelegram, World};

fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind).method("sendMessage")
}

#[tokio::test]
async fn a_429_holds_its_chat_for_the_time_it_names_and_others_go_on() {
    let world = World::start().await;
    let bot = world.bot().await;
    let (ann, bob) = (world.customer(&bot, "Ann").await, world.customer(&bot, "Bob").await);
    world.sandbox().fault(fault(FaultKind::TooManyRequests).chat(ann.person.id).retry_after(20));
    let held = world.reply(&ann, "for Ann").await;
    let shown = world.state(&held, "retrying").await;
    assert!(shown["error"].as_str().expect("a reason").contains("retry after 20"), "{shown}");
    let other = world.reply(&bob, "for Bob").await;
    world.state(&other, "sent").await;
    let second = world.reply(&ann, "more for Ann").await;
    world.advance(19);
    let third = world.reply(&bob, "more for Bob").await;
    world.state(&third, "sent").await;
    assert!(world.received(&bot, &ann).is_empty(), "19 seconds are not 20");
    world.advance(2);
    world.state(&second, "sent").await;
    assert_eq!(world.received(&bot, &ann), ["for Ann", "more for Ann"]);
    world.finish().await;
}

#[tokio::test]
async fn a_second_chat_that_is_hit_holds_the_bot_also_over_a_restart() {
    let world = World::start().await;
    let bot = world.bot().await;
    let (ann, bob, cid) =
        (world.customer(&bot, "Ann").await, world.customer(&bot, "Bob").await, world.customer(&bot, "Cid").await);
    for customer in [&ann, &bob] {
        world.sandbox().fault(fault(FaultKind::TooManyRequests).chat(customer.person.id).retry_after(25));
        let reply = world.reply(customer, "hello").await;
        world.state(&reply, "retrying").await;
    }
    let reply = world.reply(&cid, "hello").await;
    let before = world.fence(&bot).await;
    let world = world.restart().await;
    eventually(|| async { (world.fence(&bot).await > before).then_some(()) }).await;
    // Another bot, connected after this one's sender began, sends meanwhile.
    let other = world.bot().await;
    let dan = world.customer(&other, "Dan").await;
    let sent = world.reply(&dan, "hello").await;
    world.state(&sent, "sent").await;
    assert_eq!(world.delivery(&reply).await["state"], "queued", "Cid was not hit, but the bot is held");
    assert_eq!(world.sends(3).await.len(), 3);
    world.advance(26);
    world.state(&reply, "sent").await;
    for customer in [&ann, &bob] {
        eventually(|| async { (world.received(&bot, customer) == ["hello"]).then_some(()) }).await;
    }
    world.finish().await;
}

#[tokio::test]
async fn a_person_who_blocked_the_bot_makes_it_fail_and_is_shown_as_unreachable() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    world.sandbox().fault(fault(FaultKind::Forbidden));
    let reply = world.reply(&ann, "hello?").await;
    let failed = world.state(&reply, "failed").await;
    assert_eq!(failed["error"], "Forbidden: bot was blocked by the user");
    assert_eq!(world.contact(&ann).await["unreachable"], true);
    world.sandbox().say(bot.made.id, ann.person.id, "back again").expect("said");
    world.texts(&ann, &["hello", "hello?", "back again"]).await;
    assert_eq!(world.contact(&ann).await["unreachable"], false, "whoever writes can be reached");
    world.finish().await;
}

#[tokio::test]
async fn a_server_error_is_tried_again_after_a_growing_pause() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    world.sandbox().fault(fault(FaultKind::ServerError).times(3));
    let reply = world.reply(&ann, "hello").await;
    for attempts in 1..=3 {
        eventually(|| async {
            let shown = world.delivery(&reply).await;
            (shown["state"] == "retrying" && shown["attempts"] == attempts).then_some(())
        })
        .await;
        world.advance(1 << (attempts - 1));
    }
    let sent = world.state(&reply, "sent").await;
    assert_eq!(sent["attempts"], 4);
    assert_eq!(world.received(&bot, &ann), ["hello"]);
    world.finish().await;
}

#[tokio::test]
async fn a_connection_that_never_came_about_is_tried_again_and_arrives_once() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    let World { hub, telegram } = world;
    let address = telegram.address.to_string();
    telegram.stop().await;
    let path = format!("/api/v1/conversations/{}/messages", ann.conversation);
    let reply = hub.with_token("operator").post(&path, json!({ "text": "hello" })).await.expect(201);
    let id = reply.str("/delivery/id").to_owned();
    let shown = eventually(|| async {
        let list = hub.with_token("owner").get("/api/v1/deliveries").await.expect(200);
        list.items().iter().find(|it| it["id"] == id.as_str() && it["state"] == "retrying").cloned()
    })
    .await;
    assert!(shown["error"].as_str().expect("a reason").to_lowercase().contains("refused"), "{shown}");
    // The new Telegram knows neither bot nor person, so its answer shows that the call arrived.
    let world = World { hub, telegram: FakeTelegram::start(&address).await };
    eventually(|| async {
        world.advance(1);
        let calls = world.sandbox().journal_page(0, Some("sendMessage"), 10).calls;
        (calls.len() == 1).then_some(())
    })
    .await;
    world.leave().await;
}

#[tokio::test]
async fn a_connection_that_broke_after_the_request_is_unknown_and_not_sent_again_by_itself() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    for kind in [FaultKind::CutAfter, FaultKind::CutBefore] {
        world.sandbox().fault(fault(kind));
        let reply = world.reply(&ann, "perhaps").await;
        let shown = world.state(&reply, "unknown").await;
        assert!(!shown["error"].as_str().expect("a reason").is_empty());
        world.advance(1);
    }
    let next = world.reply(&ann, "next").await;
    world.state(&next, "sent").await;
    world.advance(3600);
    assert_eq!(world.received(&bot, &ann), ["perhaps", "next"], "it blocks nothing, and nothing is repeated");
    world.finish().await;
}

#[tokio::test]
async fn a_request_that_hangs_is_unknown() {
    let world = World::with(|config| config.http.request_timeout = Duration::from_millis(300)).await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    world.sandbox().fault(fault(FaultKind::Hang));
    let reply = world.reply(&ann, "perhaps").await;
    let shown = world.state(&reply, "unknown").await;
    assert!(shown["error"].as_str().expect("a reason").contains("timed out"), "{shown}");
    world.finish().await;
}

#[tokio::test]
async fn a_person_sends_again_what_is_unknown_and_accepts_that_it_may_arrive_twice() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    world.sandbox().fault(fault(FaultKind::CutAfter));
    let reply = world.reply(&ann, "perhaps").await;
    world.state(&reply, "unknown").await;
    let path = format!("/api/v1/deliveries/{}/retry", reply.delivery);
    world.hub.with_token("moderator").post(&path, json!({})).await.expect_problem(403, "forbidden");
    world.hub.with_token("foreign").post(&path, json!({})).await.expect_problem(404, "not_found");
    let queued = world.hub.with_token("operator").post(&path, json!({})).key("again").await.expect(200);
    assert_eq!((queued.str("/state"), queued.json["attempts"].as_i64()), ("queued", Some(0)));
    world.state(&reply, "sent").await;
    let repeated = world.hub.with_token("operator").post(&path, json!({})).key("again").await.expect(200);
    assert_eq!(repeated.json, queued.json, "the same key does not send a third time");
    world.hub.with_token("operator").post(&path, json!({})).await.expect_problem(409, "delivery_not_retryable");
    assert_eq!(world.received(&bot, &ann), ["perhaps", "perhaps"]);
    world.finish().await;
}

#[tokio::test]
async fn telegram_down_for_an_hour_delays_and_loses_nothing() {
    let world = World::start().await;
    let bot = world.bot().await;
    let (ann, bob) = (world.customer(&bot, "Ann").await, world.customer(&bot, "Bob").await);
    world.sandbox().fault(fault(FaultKind::ServerError).times(u32::MAX));
    let replies = [world.reply(&ann, "one").await, world.reply(&ann, "two").await, world.reply(&bob, "three").await];
    let calls = || world.sandbox().journal_page(0, Some("sendMessage"), 10_000).calls.len();
    let seconds = Cell::new(0);
    while seconds.get() < 3600 {
        // However long a pause has become, the host is looked at again before long.
        let before = calls();
        eventually(|| async {
            world.advance(30);
            seconds.set(seconds.get() + 30);
            (calls() > before).then_some(())
        })
        .await;
    }
    assert!(calls() <= 60, "the breaker leaves the host alone but for a probe: {}", calls());
    for reply in &replies {
        let state = world.delivery(reply).await["state"].clone();
        assert!(["queued", "sending", "retrying"].iter().any(|it| state == *it), "{state}");
    }
    world.sandbox().clear_faults();
    eventually(|| async {
        world.advance(10);
        let mut sent = true;
        for reply in &replies {
            sent &= world.delivery(reply).await["state"] == "sent";
        }
        sent.then_some(())
    })
    .await;
    assert_eq!(world.received(&bot, &ann), ["one", "two"]);
    assert_eq!(world.received(&bot, &bob), ["three"]);
    world.finish().await;
}

#[tokio::test]
async fn what_telegram_refuses_while_it_serves_others_is_dead_after_ten_attempts() {
    let world = World::start().await;
    let bot = world.bot().await;
    let (ann, bob) = (world.customer(&bot, "Ann").await, world.customer(&bot, "Bob").await);
    world.sandbox().fault(fault(FaultKind::ServerError).chat(ann.person.id).times(u32::MAX));
    let stuck = world.reply(&ann, "stuck").await;
    let dead = eventually(|| async {
        let other = world.reply(&bob, "fine").await;
        eventually(|| async {
            world.advance(1);
            (world.delivery(&other).await["state"] == "sent").then_some(())
        })
        .await;
        world.advance(300);
        let shown = world.delivery(&stuck).await;
        (shown["state"] == "dead").then_some(shown)
    })
    .await;
    assert_eq!(dead["attempts"], 10);
    world.finish().await;
}

#[tokio::test]
async fn a_token_that_is_refused_fails_no_delivery_and_a_new_one_sends_it() {
    let world = World::start().await;
    let bot = world.bot_in("webhook").await;
    let ann = world.customer(&bot, "Ann").await;
    let World { hub, telegram } = world;
    let address = telegram.address.to_string();
    telegram.stop().await;
    let world = World { hub, telegram: FakeTelegram::start(&address).await };
    let reply = world.reply(&ann, "hello").await;
    let shown = eventually(|| async {
        world.advance(1);
        let shown = world.delivery(&reply).await;
        (shown["error"] == "Unauthorized").then_some(shown)
    })
    .await;
    assert_eq!(shown["state"], "retrying");
    let bot = world.status(&bot, "error").await;
    assert!(bot["status_detail"].as_str().expect("a sentence").contains("refuses"), "{bot}");
    world.leave().await;
}

#[tokio::test]
async fn every_change_of_a_delivery_is_heard_live() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    let mut live = world.owner().live(None).await;
    world.sandbox().fault(fault(FaultKind::ServerError));
    let reply = world.reply(&ann, "hello").await;
    let mut states: Vec<Value> = Vec::new();
    for _ in 0..2 {
        states.push(live.next_event("delivery.updated").await["body"]["delivery"]["state"].clone());
    }
    world.state(&reply, "retrying").await;
    world.advance(1);
    for _ in 0..2 {
        states.push(live.next_event("delivery.updated").await["body"]["delivery"]["state"].clone());
    }
    assert_eq!(states, ["sending", "retrying", "sending", "sent"]);
    live.leave().await;
    world.finish().await;
}
