//! Updates that are asked for.

use std::time::Duration;

use sandbox::{Fault, FaultKind};
use serde_json::json;
use testkit::eventually;

use crate::world::{FakeTelegram, World, until};

#[tokio::test]
async fn a_message_becomes_contact_conversation_and_message() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.sandbox().person("Ann Lee", Some("ann_lee"), Some("de")).expect("a person");
    world.sandbox().say(bot.made.id, ann.id, "Größe 42? \u{1f600}").expect("said");
    let id = world.conversation("Ann Lee").await;
    let found = world.owner().get(&format!("/api/v1/conversations/{id}")).await.expect(200);
    assert_eq!((found.str("/contact/username"), found.str("/contact/language")), ("ann_lee", "de"));
    assert_eq!((found.str("/status"), found.str("/bot_id")), ("open", bot.id.as_str()));
    assert_eq!(found.str("/last_message/text"), "Größe 42? \u{1f600}");
    world.finish().await;
}

#[tokio::test]
async fn messages_of_one_answer_keep_their_order() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    world.sandbox().fault(Fault::new(FaultKind::Down));
    let texts: Vec<String> = (0..60).map(|n| format!("message {n}")).collect();
    for text in &texts {
        world.sandbox().say(bot.made.id, ann.person.id, text).expect("said");
    }
    world.sandbox().clear_faults();
    let expected: Vec<&str> = std::iter::once("hello").chain(texts.iter().map(String::as_str)).collect();
    eventually(|| async {
        // The poller waits between its attempts, on the clock of the test.
        world.advance(1);
        let messages = world.messages(&ann).await;
        let found: Vec<_> = messages.iter().map(|it| it["text"].as_str().unwrap_or_default()).collect();
        (found == expected).then_some(())
    })
    .await;
    world.finish().await;
}

#[tokio::test]
async fn an_edit_changes_the_text() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    let said = world.sandbox().say(bot.made.id, ann.person.id, "two plaese").expect("said");
    world.texts(&ann, &["hello", "two plaese"]).await;
    world.sandbox().edit(bot.made.id, ann.person.id, ann.person.id, said.message_id, "two please").expect("edited");
    world.texts(&ann, &["hello", "two please"]).await;
    assert!(world.messages(&ann).await[1]["edited_at"].is_string());
    world.finish().await;
}

#[tokio::test]
async fn an_update_that_comes_twice_is_stored_once() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    world.sandbox().fault(Fault::new(FaultKind::DuplicateUpdate));
    world.sandbox().say(bot.made.id, ann.person.id, "once").expect("said");
    world.sandbox().say(bot.made.id, ann.person.id, "last").expect("said");
    world.texts(&ann, &["hello", "once", "last"]).await;
    world.finish().await;
}

#[tokio::test]
async fn an_update_that_comes_after_later_ones_is_not_lost() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    world.sandbox().fault(Fault::new(FaultKind::LateUpdate));
    world.sandbox().say(bot.made.id, ann.person.id, "late").expect("said");
    world.sandbox().say(bot.made.id, ann.person.id, "early").expect("said");
    world.texts(&ann, &["hello", "early", "late"]).await;
    world.finish().await;
}

#[tokio::test]
async fn what_was_said_while_the_server_was_down_arrives_after_it_starts() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    world.sandbox().fault(Fault::new(FaultKind::Down).method("getUpdates"));
    world.sandbox().say(bot.made.id, ann.person.id, "are you open?").expect("said");
    let world = world.restart().await;
    world.sandbox().clear_faults();
    eventually(|| async {
        world.advance(1);
        (world.messages(&ann).await.len() == 2).then_some(())
    })
    .await;
    // Its predecessor was committed and perhaps not confirmed: it is not stored again.
    world.texts(&ann, &["hello", "are you open?"]).await;
    world.finish().await;
}

#[tokio::test]
async fn a_person_who_blocks_the_bot_is_unreachable_until_he_lets_it_in_again() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    for blocked in [true, false] {
        world.sandbox().block(bot.made.id, ann.person.id, blocked).expect("known");
        eventually(|| async { (world.contact(&ann).await["unreachable"] == blocked).then_some(()) }).await;
    }
    world.finish().await;
}

#[tokio::test]
async fn a_message_in_a_group_is_kept_as_it_came_and_holds_back_no_other() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.sandbox().person("Ann", None, None).expect("a person");
    let group = world.sandbox().group(bot.made.id, "Neighbours", &[ann.id]).expect("a group");
    world.sandbox().say_in(bot.made.id, group.id, ann.id, "hi all").expect("said");
    world.sandbox().say(bot.made.id, ann.id, "hello").expect("said");
    world.conversation("Ann").await;
    let raw = world.raw().await;
    assert!(raw.iter().any(|reason| reason.contains("a message in a")), "{raw:?}");
    world.finish().await;
}

#[tokio::test]
async fn a_webhook_that_is_set_elsewhere_is_removed_without_dropping_what_waits() {
    let world = World::start().await;
    let made = world.sandbox().create_bot("Corner Shop", None).expect("a bot");
    let ann = world.sandbox().person("Ann", None, None).expect("a person");
    world.sandbox().set_webhook(made.id, Some("http://127.0.0.1:9/nowhere"), None).expect("set");
    world.sandbox().say(made.id, ann.id, "hello").expect("said");
    world.owner().post("/api/v1/bots", json!({ "token": made.token })).await.expect(201);
    world.conversation("Ann").await;
    world.finish().await;
}

#[tokio::test]
async fn another_program_that_polls_is_shown_and_outlived() {
    let world = World::start().await;
    let bot = world.bot().await;
    let other = net::Http::new(&net::Settings::default()).expect("a client");
    let url = format!("{}/bot{}/getUpdates?timeout=20", world.telegram.url(), bot.made.token);
    let polling = tokio::spawn(async move {
        loop {
            other.send(net::Request::get(&url).timeout(Duration::from_secs(30))).await;
        }
    });
    let shown = eventually(|| async {
        world.advance(1);
        let reply = world.owner().get(&format!("/api/v1/bots/{}", bot.id)).await.expect(200);
        (reply.json["status"] == "error").then_some(reply)
    })
    .await;
    assert!(shown.str("/status_detail").contains("Another program"), "{}", shown.text);
    polling.abort();
    eventually(|| async {
        world.advance(1);
        let reply = world.owner().get(&format!("/api/v1/bots/{}", bot.id)).await.expect(200);
        (reply.json["status"] == "connected").then_some(())
    })
    .await;
    world.customer(&bot, "Ann").await;
    world.finish().await;
}

#[tokio::test]
async fn a_revoked_token_is_shown_with_what_to_do() {
    let world = World::start().await;
    let bot = world.bot().await;
    let World { hub, telegram } = world;
    // Another Telegram at the same address, which does not know the bot.
    let address = telegram.address.to_string();
    telegram.stop().await;
    let world = World { hub, telegram: FakeTelegram::start(&address).await };
    let shown = eventually(|| async {
        world.advance(1);
        let reply = world.owner().get(&format!("/api/v1/bots/{}", bot.id)).await.expect(200);
        (reply.json["status"] == "error" && reply.str("/status_detail").contains("refuses")).then_some(reply)
    })
    .await;
    assert!(shown.str("/status_detail").contains("BotFather"), "{}", shown.text);
    world.finish().await;
}

#[tokio::test]
async fn after_six_days_of_silence_the_offset_is_dropped() {
    let world = World::with(|config| config.poll_timeout = Duration::from_secs(1)).await;
    let bot = world.bot().await;
    world.customer(&bot, "Ann").await;
    let last_offset = || {
        let polls = world.sandbox().journal_page(0, Some("getUpdates"), 10_000).calls;
        polls.last().and_then(|call| call.params.get("offset").cloned())
    };
    until(|| last_offset().is_some()).await;
    world.advance(6 * 24 * 3600 + 1);
    until(|| last_offset().is_none()).await;
    world.finish().await;
}
