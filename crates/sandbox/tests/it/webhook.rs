use crate::client::{PATIENCE, World};
use sandbox::{Fault, FaultKind};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A push as the receiver saw it.
struct Push {
    head: String,
    update: Value,
    answer: tokio::sync::oneshot::Sender<(u16, String)>,
}

/// A receiver whose answers the test gives one by one.
async fn receiver() -> (SocketAddr, mpsc::UnboundedReceiver<Push>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (out, pushes) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(receive(stream, out.clone()));
        }
    });
    (address, pushes)
}

async fn receive(mut stream: TcpStream, out: mpsc::UnboundedSender<Push>) {
    let mut raw = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&raw).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(update) = serde_json::from_str(body)
        {
            let (answer, answered) = tokio::sync::oneshot::channel();
            let head = head.to_owned();
            let push = Push { head, update, answer };
            if out.send(push).is_err() {
                return;
            }
            let Ok((status, body)) = answered.await else {
                return;
            };
            let length = body.len();
            let reply = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            let _ = stream.write_all(reply.as_bytes()).await;
            return;
        }
        match stream.read_buf(&mut raw).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

async fn next(pushes: &mut mpsc::UnboundedReceiver<Push>) -> Push {
    tokio::time::timeout(PATIENCE, pushes.recv()).await.expect("a push in time").expect("the receiver lives")
}

impl Push {
    fn answer(self, status: u16) {
        self.answer.send((status, String::new())).expect("waits");
    }

    fn text(&self) -> &str {
        self.update["message"]["text"].as_str().unwrap_or_default()
    }
}

#[tokio::test]
async fn updates_are_pushed_with_the_secret_until_the_receiver_says_2xx() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    let (address, mut pushes) = receiver().await;
    let hook = json!({ "url": format!("http://{address}/hook"), "secret_token": "s3cret_-", "max_connections": 5 });
    assert_eq!(world.ok(&bot, "setWebhook", hook).await, true);
    for text in ["one", "two"] {
        world.sandbox.say(bot.id, ann.id, text).expect("said");
    }
    let push = next(&mut pushes).await;
    assert!(push.head.starts_with("POST /hook "));
    let head = push.head.to_lowercase();
    assert!(head.contains("x-telegram-bot-api-secret-token: s3cret_-"));
    assert!(head.contains("content-type: application/json"));
    let first = push.update["update_id"].clone();
    assert_eq!(push.text(), "one");
    push.answer(500);

    let again = next(&mut pushes).await;
    assert_eq!(again.update["update_id"], first, "the same, before the second");
    let info = world.ok(&bot, "getWebhookInfo", json!({})).await;
    assert_eq!(info["pending_update_count"], 2);
    assert_eq!(info["max_connections"], 5);
    assert_eq!(info["last_error_message"], "Wrong response from the webhook: 500 Internal Server Error");
    again.answer(204);
    let second = next(&mut pushes).await;
    assert_eq!(second.text(), "two");
    second.answer(200);
    world.sandbox.say(bot.id, ann.id, "three").expect("said");
    next(&mut pushes).await.answer(200);
    world.sandbox.say(bot.id, ann.id, "four").expect("said");
    let fourth = next(&mut pushes).await;
    assert_eq!(fourth.text(), "four", "what was confirmed does not come again");
}

#[tokio::test]
async fn chats_are_pushed_side_by_side_and_one_chat_in_order() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    let bo = world.sandbox.person("Bo", None, None).expect("person");
    let (address, mut pushes) = receiver().await;
    let hook = json!({ "url": format!("http://{address}/") });
    world.ok(&bot, "setWebhook", hook).await;
    world.sandbox.say(bot.id, ann.id, "ann 1").expect("said");
    world.sandbox.say(bot.id, ann.id, "ann 2").expect("said");
    world.sandbox.say(bot.id, bo.id, "bo 1").expect("said");
    let (a, b) = (next(&mut pushes).await, next(&mut pushes).await);
    let mut texts = [a.text().to_owned(), b.text().to_owned()];
    texts.sort();
    assert_eq!(texts, ["ann 1", "bo 1"], "ann 2 waits for ann 1, bo does not");
    a.answer(200);
    b.answer(200);
    assert_eq!(next(&mut pushes).await.text(), "ann 2");
}

#[tokio::test]
async fn deleting_the_webhook_keeps_or_drops_what_waits() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    let hook = json!({ "url": "http://127.0.0.1:9/" });
    for (drop, left) in [(false, 1), (true, 0)] {
        world.ok(&bot, "setWebhook", hook.clone()).await;
        world.sandbox.say(bot.id, ann.id, "waiting").expect("said");
        let delete = json!({ "drop_pending_updates": drop });
        world.ok(&bot, "deleteWebhook", delete).await;
        let info = world.ok(&bot, "getWebhookInfo", json!({})).await;
        assert_eq!(info["url"], "");
        assert_eq!(info["pending_update_count"], left);
        let updates = world.ok(&bot, "getUpdates", json!({ "offset": -1 })).await;
        assert_eq!(updates.as_array().map(Vec::len), Some(left));
    }
}

#[tokio::test]
async fn nothing_is_pushed_while_telegram_is_down() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    let (address, mut pushes) = receiver().await;
    world.sandbox.set_webhook(bot.id, Some(&format!("http://{address}/")), None).expect("set");
    world.sandbox.say(bot.id, ann.id, "before").expect("said");
    next(&mut pushes).await.answer(200);
    world.sandbox.fault(Fault::new(FaultKind::Down));
    world.sandbox.say(bot.id, ann.id, "meanwhile").expect("said");
    // Some turns of the server in which a push would have started.
    for _ in 0..20 {
        world.control("GET", "bots", Value::Null).await;
    }
    assert!(pushes.try_recv().is_err());
    assert_eq!(world.sandbox.pending_updates(bot.id), Ok(1));
    world.sandbox.clear_faults();
    let push = next(&mut pushes).await;
    assert_eq!(push.text(), "meanwhile");
    push.answer(200);
}

#[tokio::test]
async fn a_call_in_the_answer_is_carried_out() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    let (address, mut pushes) = receiver().await;
    world.sandbox.set_webhook(bot.id, Some(&format!("http://{address}/")), None).expect("set");
    world.sandbox.say(bot.id, ann.id, "ping").expect("said");
    let push = next(&mut pushes).await;
    let call = json!({ "method": "sendMessage", "chat_id": ann.id, "text": "pong" });
    push.answer.send((200, call.to_string())).expect("waits");
    let made = world.sandbox.wait_for_call(|c| c.method == "sendMessage", PATIENCE).await.expect("carried out");
    assert_eq!(made.outcome, "ok");
    let messages = world.sandbox.messages(bot.id, ann.id).expect("chat");
    assert_eq!(messages.last().map(|m| m["text"].clone()), Some(json!("pong")));
}

#[tokio::test]
async fn unsound_webhooks_are_refused() {
    let world = World::start().await;
    let (bot, _) = world.met().await;
    for (params, expected) in [
        (
            json!({ "url": "https://x.example/" }),
            "400 Bad Request: bad webhook: the sandbox pushes to http:// addresses only",
        ),
        (
            json!({ "url": "http://x/", "secret_token": "no spaces" }),
            "400 Bad Request: secret token contains unallowed characters",
        ),
    ] {
        assert_eq!(world.refused(&bot, "setWebhook", params).await, expected);
    }
}
