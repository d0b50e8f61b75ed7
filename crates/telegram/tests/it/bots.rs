//! Connecting, changing and removing bots.

use serde_json::json;
use testkit::eventually;

use crate::world::{FakeTelegram, World};

#[tokio::test]
async fn a_bot_is_connected_by_its_token_which_is_never_shown() {
    let world = World::start().await;
    let made = world.sandbox().create_bot("Corner Shop", Some("corner_shop_bot")).expect("a bot");
    let body = json!({ "token": made.token, "purpose": " Orders " });
    let reply = world.owner().post("/api/v1/bots", body).await.expect(201);
    assert_eq!(reply.json["name"], "Corner Shop");
    assert_eq!(reply.json["username"], "corner_shop_bot");
    assert_eq!(reply.json["telegram_id"], made.id.to_string());
    assert_eq!((reply.str("/api"), reply.str("/mode"), reply.str("/purpose")), ("telegram", "polling", "Orders"));
    assert!(reply.json["play_url"].is_null());
    let list = eventually(|| async {
        let list = world.owner().get("/api/v1/bots").await.expect(200);
        (list.items()[0]["status"] == "connected").then_some(list)
    });
    assert!(!list.await.text.contains(&made.token));
    let stored = world.hub.db().read(|tx| tx.one("SELECT token FROM bots", &[], |row| row.get::<Vec<u8>>(0))).await;
    let key = made.token.split_once(':').expect("a token").1.as_bytes().to_vec();
    assert!(!stored.expect("a row").windows(key.len()).any(|part| part == key), "the token is sealed");
    world.finish().await;
}

#[tokio::test]
async fn a_token_that_telegram_does_not_know_is_refused_in_its_own_words() {
    let world = World::start().await;
    for token in ["1234567890:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", "not a token", "12:/../../x"] {
        let reply = world.owner().post("/api/v1/bots", json!({ "token": token })).await;
        let reply = reply.expect_problem(422, "bot_token_refused");
        assert!(!reply.text.contains("AAHdq"), "the token is not repeated: {}", reply.text);
        assert_eq!(reply.json["errors"][0]["field"], "token");
    }
    let reply = world.owner().post("/api/v1/bots", json!({ "token": "1234567890:AAHdqTcvCH1vGWJxfSeofSAs0K5P" })).await;
    assert!(reply.str("/detail").contains("Unauthorized"), "{}", reply.text);
    world.finish().await;
}

#[tokio::test]
async fn an_unreachable_telegram_is_told_from_a_wrong_token() {
    let gone = FakeTelegram::start("127.0.0.1:0").await;
    let url = gone.url();
    gone.stop().await;
    let world = World::with(move |config| config.api_url = url.clone()).await;
    let body = json!({ "token": "1234567890:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw" });
    let reply = world.owner().post("/api/v1/bots", body).await.expect_problem(503, "telegram_unreachable");
    assert!(!reply.header("retry-after").is_empty());
    world.finish().await;
}

#[tokio::test]
async fn a_bot_is_connected_once_in_the_whole_installation() {
    let world = World::start().await;
    let bot = world.bot().await;
    let body = json!({ "token": bot.made.token });
    world.owner().post("/api/v1/bots", body.clone()).await.expect_problem(409, "bot_already_connected");
    world.hub.with_token("foreign").post("/api/v1/bots", body).await.expect_problem(409, "bot_already_connected");
    world.finish().await;
}

#[tokio::test]
async fn the_same_idempotency_key_connects_once_and_gives_the_same_answer() {
    let world = World::start().await;
    let made = world.sandbox().create_bot("Corner Shop", None).expect("a bot");
    let body = json!({ "token": made.token });
    let first = world.owner().post("/api/v1/bots", body.clone()).key("k1").await.expect(201);
    let again = world.owner().post("/api/v1/bots", body).key("k1").await.expect(201);
    assert_eq!(first.json, again.json);
    let other = world.owner().post("/api/v1/bots", json!({ "token": "1:AAAAAAAAAAAA" })).key("k1").await;
    other.expect_problem(409, "idempotency_conflict");
    world.finish().await;
}

#[tokio::test]
async fn only_who_may_manage_bots_does_and_another_workspace_sees_nothing() {
    let world = World::start().await;
    let bot = world.bot().await;
    let path = format!("/api/v1/bots/{}", bot.id);
    let operator = world.hub.with_token("operator");
    operator.get(&path).await.expect(200);
    operator.post("/api/v1/bots", json!({ "token": "1:AAAAAAAAAAAA" })).await.expect_problem(403, "forbidden");
    operator.delete(&path).await.expect_problem(403, "forbidden");
    world.hub.with_token("member").get(&path).await.expect_problem(403, "forbidden");
    world.hub.stranger().get(&path).await.expect_problem(401, "unauthenticated");
    let foreign = world.hub.with_token("foreign");
    assert!(foreign.get("/api/v1/bots").await.expect(200).items().is_empty());
    foreign.get(&path).await.expect_problem(404, "not_found");
    foreign.patch(&path, json!({ "purpose": "mine" })).await.expect_problem(404, "not_found");
    foreign.post(&format!("{path}/check"), json!({})).await.expect_problem(404, "not_found");
    foreign.delete(&path).await.expect_problem(404, "not_found");
    world.owner().get("/api/v1/bots/nonsense").await.expect_problem(404, "not_found");
    world.finish().await;
}

#[tokio::test]
async fn a_sandbox_bot_is_made_and_has_a_page_to_play_on() {
    let world = World::start().await;
    let reply = world.owner().post("/api/v1/bots/sandbox", json!({ "name": "Play Shop" })).await.expect(201);
    assert_eq!((reply.str("/api"), reply.str("/name")), ("sandbox", "Play Shop"));
    let page = format!("{}/play/{}", world.telegram.url(), reply.str("/username"));
    assert_eq!(reply.str("/play_url"), page);
    let unnamed = world.owner().post("/api/v1/bots/sandbox", json!({})).await.expect(201);
    assert_eq!(unnamed.str("/name"), "Sandbox Bot");
    world.finish().await;
}

#[tokio::test]
async fn without_a_sandbox_its_bots_stop_and_say_so() {
    let world = World::with(|config| config.sandbox_url = None).await;
    world.owner().post("/api/v1/bots/sandbox", json!({})).await.expect_problem(409, "sandbox_off");
    let body = json!({ "token": "1234567890:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", "api": "sandbox" });
    world.owner().post("/api/v1/bots", body).await.expect_problem(409, "sandbox_off");
    world.finish().await;
}

#[tokio::test]
async fn a_purpose_is_changed_and_removed_and_too_long_a_one_refused() {
    let world = World::start().await;
    let bot = world.bot().await;
    let path = format!("/api/v1/bots/{}", bot.id);
    let reply = world.owner().patch(&path, json!({ "purpose": "Orders" })).await.expect(200);
    assert_eq!((reply.str("/purpose"), reply.str("/status")), ("Orders", "connected"));
    let reply = world.owner().patch(&path, json!({ "purpose": "" })).await.expect(200);
    assert!(reply.json["purpose"].is_null());
    world.owner().patch(&path, json!({ "purpose": "x".repeat(201) })).await.expect_problem(422, "text_too_long");
    world.finish().await;
}

#[tokio::test]
async fn the_token_of_another_bot_does_not_replace_this_ones() {
    let world = World::start().await;
    let bot = world.bot().await;
    let other = world.sandbox().create_bot("Other Shop", None).expect("a bot");
    let path = format!("/api/v1/bots/{}", bot.id);
    let reply = world.owner().patch(&path, json!({ "token": other.token })).await;
    reply.expect_problem(422, "bot_token_of_another_bot");
    world.owner().patch(&path, json!({ "token": bot.made.token })).await.expect(200);
    world.status(&bot, "connected").await;
    world.finish().await;
}

#[tokio::test]
async fn a_webhook_needs_an_address_of_ours() {
    let world = World::with(|config| config.webhook_base = None).await;
    let body = json!({ "token": "1234567890:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", "mode": "webhook" });
    world.owner().post("/api/v1/bots", body).await.expect_problem(422, "webhook_needs_address");
    world.finish().await;
}

#[tokio::test]
async fn a_check_asks_telegram_now() {
    let world = World::start().await;
    let bot = world.bot().await;
    let path = format!("/api/v1/bots/{}/check", bot.id);
    let reply = world.owner().post(&path, json!({})).await.expect(200);
    assert_eq!(reply.str("/status"), "connected");
    world.sandbox().fault(sandbox::Fault::new(sandbox::FaultKind::CutBefore).method("getMe"));
    let reply = world.owner().post(&path, json!({})).await.expect(200);
    assert_eq!(reply.str("/status"), "error");
    assert!(reply.str("/status_detail").contains("cannot be reached"), "{}", reply.text);
    world.finish().await;
}

#[tokio::test]
async fn a_removed_bot_is_gone_and_connected_again_it_keeps_its_conversations() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    let path = format!("/api/v1/bots/{}", bot.id);
    world.owner().delete(&path).await.expect(204);
    world.owner().get(&path).await.expect_problem(404, "not_found");
    world.owner().delete(&path).await.expect_problem(404, "not_found");
    let tokens = world.hub.db().read(|tx| tx.one("SELECT token FROM bots", &[], |row| row.get::<Vec<u8>>(0))).await;
    assert!(tokens.expect("a row").is_empty(), "the token is forgotten");
    world.sandbox().say(bot.made.id, ann.person.id, "anybody there?").expect("said");
    let again = world.owner().post("/api/v1/bots", json!({ "token": bot.made.token })).await.expect(201);
    assert_eq!(again.str("/id"), bot.id);
    world.texts(&ann, &["hello", "anybody there?"]).await;
    world.finish().await;
}

#[tokio::test]
async fn what_waits_for_a_removed_bot_is_dead_and_cannot_be_sent_again() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    world
        .sandbox()
        .fault(sandbox::Fault::new(sandbox::FaultKind::TooManyRequests).method("sendMessage").retry_after(500));
    let reply = world.reply(&ann, "one moment").await;
    world.state(&reply, "retrying").await;
    world.owner().delete(&format!("/api/v1/bots/{}", bot.id)).await.expect(204);
    let dead = world.state(&reply, "dead").await;
    assert_eq!(dead["error"], "the bot was removed");
    let path = format!("/api/v1/deliveries/{}/retry", reply.delivery);
    world.owner().post(&path, json!({})).await.expect_problem(409, "delivery_not_retryable");
    world.finish().await;
}

#[tokio::test]
async fn others_hear_of_bots_live_and_every_act_is_in_the_audit_log() {
    let world = World::start().await;
    let mut live = world.owner().live(None).await;
    let bot = world.bot().await;
    let created = live.next_event("bot.created").await;
    assert_eq!(created["body"]["bot"]["id"], bot.id.as_str());
    let updated = live.next_event("bot.updated").await;
    assert_eq!(updated["body"]["bot"]["status"], "connected");
    world.owner().delete(&format!("/api/v1/bots/{}", bot.id)).await.expect(204);
    let removed = live.next_event("bot.removed").await;
    assert_eq!(removed["body"]["bot_id"], bot.id.as_str());
    let audit = world.owner().get("/api/v1/audit").await.expect(200);
    let actions: Vec<_> = audit.items().iter().map(|it| it["action"].as_str().expect("text")).collect();
    assert_eq!(actions, ["bot.removed", "bot.connected"]);
    live.leave().await;
    world.finish().await;
}
