use crate::client::{PATIENCE, World, open};
use sandbox::{Fault, FaultKind};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_conversation_is_played_over_the_control_api() {
    let world = World::start().await;
    let (status, bot) = world.control("POST", "bots", json!({ "name": "Shop", "username": "@my_shop_bot" })).await;
    assert_eq!((status, &bot["username"]), (200, &json!("my_shop_bot")));
    let (_, bots) = world.control("GET", "bots", Value::Null).await;
    assert_eq!(bots, json!([bot]));
    let (_, ann) = world.control("POST", "people", json!({ "name": "Ann", "language": "de" })).await;
    let (_, people) = world.control("GET", "people", Value::Null).await;
    assert_eq!(people, json!([ann]));
    let say = json!({ "bot": "my_shop_bot", "from": ann["id"], "text": "/start" });
    let (status, said) = world.control("POST", "messages", say).await;
    assert_eq!((status, &said["message_id"]), (200, &json!(1)));
    let info = world.sandbox.bots()[0].clone();
    let updates = world.ok(&info, "getUpdates", json!({})).await;
    assert_eq!(updates[0]["update_id"], said["update_id"]);
    assert_eq!(updates[0]["message"]["from"]["language_code"], "de");
    world.send(&info, ann["id"].as_i64().expect("id"), "Hello").await;
    let path = format!("chats/my_shop_bot/{}/messages", ann["id"]);
    let (_, chat) = world.control("GET", &path, Value::Null).await;
    assert_eq!(chat["messages"][1]["text"], "Hello");
    assert_eq!(chat["blocked"], false);
}

#[tokio::test]
async fn blocking_tells_the_bot_and_refuses_its_messages() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    let block = |blocked: bool| json!({ "bot": bot.id, "person": ann.id, "blocked": blocked });
    let (_, answer) = world.control("POST", "block", block(true)).await;
    let updates = world.ok(&bot, "getUpdates", json!({})).await;
    assert_eq!(updates[0]["update_id"], answer["update_id"]);
    let change = &updates[0]["my_chat_member"];
    assert_eq!(change["old_chat_member"]["status"], "member");
    assert_eq!(change["new_chat_member"]["status"], "kicked");
    let hello = json!({ "chat_id": ann.id, "text": "x" });
    assert_eq!(world.refused(&bot, "sendMessage", hello.clone()).await, "403 Forbidden: bot was blocked by the user");
    let say = json!({ "bot": bot.id, "from": ann.id, "text": "x" });
    assert_eq!(world.control("POST", "messages", say).await.0, 409);
    world.control("POST", "block", block(false)).await;
    world.ok(&bot, "sendMessage", hello).await;
}

#[tokio::test]
async fn members_speak_in_a_group_and_strangers_do_not() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    let bo = world.sandbox.person("Bo", None, None).expect("person");
    let new = json!({ "bot": bot.id, "title": "Neighbours", "members": [ann.id] });
    let (status, group) = world.control("POST", "groups", new).await;
    assert_eq!(status, 200);
    let say = |from: i64| json!({ "bot": bot.id, "from": from, "chat": group["id"], "text": "hi all" });
    assert_eq!(world.control("POST", "messages", say(ann.id)).await.0, 200);
    assert_eq!(world.control("POST", "messages", say(bo.id)).await.0, 409);
    let updates = world.ok(&bot, "getUpdates", json!({})).await;
    let joined = &updates[0]["my_chat_member"];
    assert_eq!(joined["new_chat_member"]["status"], "administrator");
    assert_eq!(updates[1]["message"]["chat"]["type"], "supergroup");
    assert_eq!(updates[1]["message"]["chat"]["title"], "Neighbours");
    assert_eq!(updates[1]["message"]["from"]["id"], ann.id);
    let chat = group["id"].as_i64().expect("id");
    assert_eq!(world.send(&bot, chat, "welcome").await["message_id"], 2);
}

#[tokio::test]
async fn wrong_control_calls_say_what_is_wrong() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    for (path, body, status) in [
        ("bots", json!({ "name": " " }), 422),
        ("bots", json!({ "name": "x", "username": "no" }), 422),
        ("bots", json!({ "name": "x", "username": bot.username }), 409),
        ("messages", json!({ "bot": "nobody", "from": ann.id, "text": "x" }), 404),
        ("messages", json!({ "bot": bot.id, "from": 1, "text": "x" }), 404),
        ("messages", json!({ "bot": bot.id, "from": ann.id, "text": "x".repeat(4097) }), 422),
        ("edits", json!({ "bot": bot.id, "from": ann.id, "message_id": 9, "text": "x" }), 404),
        ("press", json!({ "bot": bot.id, "from": ann.id, "message_id": 1, "data": "x" }), 404),
        ("groups", json!({ "bot": bot.id, "title": "x", "members": [] }), 422),
    ] {
        let (got, answer) = world.control("POST", path, body).await;
        assert_eq!(got, status, "{path}: {answer}");
        assert!(answer["error"].is_string());
    }
}

struct Events(Lines<BufReader<TcpStream>>);

impl Events {
    async fn next(&mut self) -> Value {
        let wait = async {
            loop {
                let line = self.0.next_line().await.expect("a stream");
                let line = line.expect("the stream goes on");
                if let Some(data) = line.strip_prefix("data: ") {
                    return serde_json::from_str(data).expect("JSON");
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("in time")
    }
}

#[tokio::test]
async fn the_stream_tells_what_happens_in_one_chat() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    let bo = world.sandbox.person("Bo", None, None).expect("person");
    let path = format!("/control/stream?bot={}&person={}", bot.username, ann.id);
    let stream = open(world.address, "GET", &path, "", b"").await;
    let mut events = Events(BufReader::new(stream.expect("connected")).lines());
    assert_eq!(events.next().await["type"], "reset");
    world.sandbox.say(bot.id, bo.id, "elsewhere").expect("said");
    world.sandbox.say(bot.id, ann.id, "here").expect("said");
    let typing = json!({ "chat_id": ann.id, "action": "typing" });
    world.ok(&bot, "sendChatAction", typing).await;
    world.send(&bot, ann.id, "yes?").await;
    let edit = json!({ "chat_id": ann.id, "message_id": 3, "text": "yes!" });
    world.ok(&bot, "editMessageText", edit).await;
    let delete = json!({ "chat_id": ann.id, "message_id": 3 });
    world.ok(&bot, "deleteMessage", delete).await;
    world.sandbox.fault(Fault::new(FaultKind::ServerError).chat(ann.id));
    world.refused(&bot, "sendMessage", json!({ "chat_id": ann.id, "text": "x" })).await;
    world.sandbox.block(bot.id, ann.id, true).expect("blocked");
    let said = events.next().await;
    assert_eq!(said["message"]["text"], "here", "and not what was said elsewhere");
    assert_eq!(events.next().await["action"], "typing");
    assert_eq!(events.next().await["message"]["text"], "yes?");
    let edited = events.next().await;
    assert_eq!((&edited["type"], &edited["message"]["text"]), (&json!("edited"), &json!("yes!")));
    assert_eq!(events.next().await["message_ids"], json!([3]));
    let trouble = json!({ "type": "trouble", "kind": "500", "method": "sendMessage" });
    assert_eq!(events.next().await, trouble);
    assert_eq!(events.next().await["blocked"], true);
    world.stop().await;
}
