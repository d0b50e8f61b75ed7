//! Updates that Telegram brings.

use serde_json::{Value, json};
use testkit::{Actor, Reply};

use crate::world::{Bot, World, until};

fn text(update: i64, message: i64, text: &str) -> Value {
    json!({"update_id": update, "message": {
        "message_id": message, "date": 1_700_000_000, "text": text,
        "chat": {"id": 4242, "type": "private", "first_name": "Ann"},
        "from": {"id": 4242, "is_bot": false, "first_name": "Ann"},
    }})
}

struct Caller {
    actor: Actor,
    path: String,
    secret: String,
}

impl Caller {
    async fn of(world: &World, bot: &Bot) -> Self {
        let path = format!("/telegram/{}/webhook", bot.id);
        Self { actor: world.hub.stranger(), path, secret: world.secret(bot).await }
    }

    async fn send(&self, update: &Value) -> Reply {
        self.send_as(&self.secret, update).await
    }

    async fn send_as(&self, secret: &str, update: &Value) -> Reply {
        let request = self.actor.post(&self.path, update.clone());
        request.header("x-telegram-bot-api-secret-token", secret).await
    }
}

#[tokio::test]
async fn telegram_calls_and_the_answer_follows_the_commit() {
    let world = World::start().await;
    let bot = world.bot_in("webhook").await;
    let ann = world.customer(&bot, "Ann").await;
    world.sandbox().say(bot.made.id, ann.person.id, "and more").expect("said");
    world.texts(&ann, &["hello", "and more"]).await;
    until(|| world.sandbox().pending_updates(bot.made.id).expect("known") == 0).await;
    let polls = world.sandbox().journal_page(0, Some("getUpdates"), 100).calls;
    assert!(polls.is_empty(), "a bot with a webhook does not poll");
    world.finish().await;
}

#[tokio::test]
async fn a_wrong_or_missing_secret_is_refused_and_stores_nothing() {
    let world = World::start().await;
    let bot = world.bot_in("webhook").await;
    let caller = Caller::of(&world, &bot).await;
    caller.send_as("guess", &text(1, 1, "hi")).await.expect_problem(403, "webhook_secret_wrong");
    caller.send_as("", &text(1, 1, "hi")).await.expect_problem(403, "webhook_secret_wrong");
    world.hub.stranger().post(&caller.path, text(1, 1, "hi")).await.expect_problem(403, "webhook_secret_wrong");
    let nobody = format!("/telegram/{}/webhook", uuid::Uuid::nil());
    world.hub.stranger().post(&nobody, text(1, 1, "hi")).await.expect_problem(404, "not_found");
    world.hub.stranger().post("/telegram/nonsense/webhook", text(1, 1, "hi")).await.expect_problem(404, "not_found");
    assert!(world.owner().get("/api/v1/conversations").await.expect(200).items().is_empty());
    caller.send(&text(1, 1, "hi")).await.expect(200);
    assert_eq!(world.owner().get("/api/v1/conversations").await.expect(200).items().len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_wrong_secret_counts_against_its_address_and_a_right_one_does_not() {
    let world = World::start().await;
    let bot = world.bot_in("webhook").await;
    let caller = Caller::of(&world, &bot).await;
    let left = |reply: &Reply| reply.header("x-ratelimit-remaining").parse::<u64>().ok();
    let first = left(&caller.send_as("guess", &text(1, 1, "hi")).await.expect(403)).expect("it is counted");
    let second = left(&caller.send_as("", &text(1, 1, "hi")).await.expect(403));
    assert_eq!(second, Some(first - 1));
    assert_eq!(left(&caller.send(&text(1, 1, "hi")).await.expect(200)), None);
    world.finish().await;
}

#[tokio::test]
async fn an_update_that_is_sent_twice_is_stored_once_whatever_the_order_of_numbers() {
    let world = World::start().await;
    let bot = world.bot_in("webhook").await;
    let caller = Caller::of(&world, &bot).await;
    for update in [text(500, 1, "first"), text(500, 1, "first"), text(20, 2, "lower number"), text(500, 1, "first")] {
        caller.send(&update).await.expect(200);
    }
    let id = world.conversation("Ann").await;
    let found = world.owner().get(&format!("/api/v1/conversations/{id}/messages")).await.expect(200);
    let texts: Vec<_> = found.items().iter().map(|it| it["text"].as_str().expect("text")).collect();
    assert_eq!(texts, ["first", "lower number"]);
    world.finish().await;
}

#[tokio::test]
async fn an_update_that_comes_again_later_undoes_nothing() {
    let world = World::start().await;
    let bot = world.bot_in("webhook").await;
    let caller = Caller::of(&world, &bot).await;
    caller.send(&text(1, 1, "hi")).await.expect(200);
    let id = world.conversation("Ann").await;
    let membership = |update: i64, status: &str| {
        json!({"update_id": update, "my_chat_member": {
            "chat": {"id": 4242, "type": "private"}, "new_chat_member": {"status": status}}})
    };
    let (blocked, back) = (membership(5, "kicked"), membership(6, "member"));
    for (update, unreachable) in [(&blocked, true), (&back, false), (&blocked, false)] {
        caller.send(update).await.expect(200);
        let found = world.owner().get(&format!("/api/v1/conversations/{id}")).await.expect(200);
        assert_eq!(found.json["contact"]["unreachable"], unreachable, "after {update}");
    }
    for _ in 0..2 {
        caller.send(&json!({"update_id": 7, "poll": {"id": "1"}})).await.expect(200);
    }
    assert_eq!(world.raw().await.len(), 1);
    world.finish().await;
}

#[tokio::test]
async fn what_is_not_text_is_shown_as_what_it_is_and_kept_as_it_came() {
    let world = World::start().await;
    let bot = world.bot_in("webhook").await;
    let caller = Caller::of(&world, &bot).await;
    let mut photo = text(1, 1, "");
    let message = photo["message"].as_object_mut().expect("an object");
    message.remove("text");
    message.insert("photo".to_owned(), json!([{"file_id": "x"}]));
    message.insert("caption".to_owned(), json!("this one?"));
    caller.send(&photo).await.expect(200);
    let id = world.conversation("Ann").await;
    let found = world.owner().get(&format!("/api/v1/conversations/{id}")).await.expect(200);
    assert_eq!(found.str("/last_message/text"), "[photo] this one?");
    assert_eq!(world.raw().await, ["a message that is not text"]);
    world.finish().await;
}

#[tokio::test]
async fn whatever_telegram_sends_is_taken_once_and_never_lost() {
    let world = World::start().await;
    let bot = world.bot_in("webhook").await;
    let caller = Caller::of(&world, &bot).await;
    let strange = [
        json!({"update_id": 1}),
        json!({"update_id": 2, "message": {"chat": 7}}),
        json!({"update_id": 3, "poll": {"id": "1"}}),
        json!({"update_id": 4, "message": {"message_id": 1, "chat": {"id": -7, "type": "group"}, "text": "hi"}}),
        json!([1, 2, 3]),
        json!({"update_id": "five"}),
    ];
    for update in &strange {
        caller.send(update).await.expect(200);
    }
    assert_eq!(world.raw().await.len(), strange.len());
    let nul = text(9, 9, "a\u{0}b");
    caller.send(&nul).await.expect(200);
    let id = world.conversation("Ann").await;
    let found = world.owner().get(&format!("/api/v1/conversations/{id}")).await.expect(200);
    assert_eq!(found.str("/last_message/text"), "a\u{fffd}b");
    world.finish().await;
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let world = World::start().await;
    let bot = world.bot_in("webhook").await;
    let caller = Caller::of(&world, &bot).await;
    let reply = caller.send(&text(1, 1, &"x".repeat(1 << 20))).await;
    assert_eq!(reply.status, 413, "{}", reply.text);
    world.finish().await;
}

#[tokio::test]
async fn a_hundred_first_messages_at_once_make_one_conversation() {
    let world = World::start().await;
    let bot = world.bot_in("webhook").await;
    let caller = std::sync::Arc::new(Caller::of(&world, &bot).await);
    let sends: Vec<_> = (1..=100)
        .map(|n| {
            let caller = std::sync::Arc::clone(&caller);
            tokio::spawn(async move { caller.send(&text(n, n, &format!("message {n}"))).await.expect(200) })
        })
        .collect();
    for send in sends {
        send.await.expect("no panic");
    }
    let found = world.owner().get("/api/v1/conversations").await.expect(200);
    assert_eq!(found.items().len(), 1);
    assert_eq!(found.items()[0]["inbound_total"], 100);
    world.finish().await;
}

#[tokio::test]
async fn the_mode_changes_both_ways_and_nothing_is_lost_or_doubled() {
    let world = World::start().await;
    let bot = world.bot().await;
    let ann = world.customer(&bot, "Ann").await;
    let path = format!("/api/v1/bots/{}", bot.id);
    let mut expected = vec!["hello".to_owned()];
    for (n, mode) in ["webhook", "polling", "webhook", "polling"].into_iter().enumerate() {
        world.owner().patch(&path, json!({ "mode": mode })).await.expect(200);
        let text = format!("message {n}");
        world.sandbox().say(bot.made.id, ann.person.id, &text).expect("said");
        expected.push(text);
        world.status(&bot, "connected").await;
        let texts: Vec<&str> = expected.iter().map(String::as_str).collect();
        world.texts(&ann, &texts).await;
    }
    let caller = Caller::of(&world, &bot).await;
    caller.send(&text(1, 1, "hi")).await.expect_problem(503, "webhook_off");
    world.finish().await;
}

#[tokio::test]
async fn the_webhook_is_set_anew_when_the_server_starts_at_another_address() {
    let world = World::start().await;
    let bot = world.bot_in("webhook").await;
    let ann = world.customer(&bot, "Ann").await;
    let world = world.restart().await;
    world.sandbox().say(bot.made.id, ann.person.id, "still there?").expect("said");
    world.texts(&ann, &["hello", "still there?"]).await;
    world.finish().await;
}

#[tokio::test]
async fn the_webhook_of_a_removed_bot_is_taken_back() {
    let world = World::start().await;
    let bot = world.bot_in("webhook").await;
    world.owner().delete(&format!("/api/v1/bots/{}", bot.id)).await.expect(204);
    let removed = |call: &sandbox::Call| call.method == "deleteWebhook" && call.outcome == "ok";
    until(|| world.sandbox().journal().iter().any(removed)).await;
    world.finish().await;
}
