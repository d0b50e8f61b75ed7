use crate::client::{PATIENCE, World, open};
use sandbox::{BotInfo, Call, Chaos, Fault, FaultKind};
use serde_json::{Value, json};
use std::io::ErrorKind;

fn hello(chat: i64) -> Value {
    json!({ "chat_id": chat, "text": "hello" })
}

fn sends(world: &World) -> Vec<Call> {
    let mut calls = world.sandbox.journal();
    calls.retain(|c| c.method == "sendMessage");
    calls
}

fn texts(world: &World, bot: &BotInfo, chat: i64) -> usize {
    let messages = world.sandbox.messages(bot.id, chat).expect("a chat");
    messages.iter().filter(|m| m["text"] == "hello").count()
}

#[tokio::test]
async fn scripted_refusals_strike_as_often_as_they_say_and_leave_no_message() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    let fault = json!({ "kind": "429", "bot": bot.username, "method": "sendMessage", "chat": ann.id, "times": 2, "retry_after": 7 });
    assert_eq!(world.control("POST", "faults", fault).await.0, 200);
    world.sandbox.fault(Fault::new(FaultKind::Forbidden).method("sendmessage"));
    world.sandbox.fault(Fault::new(FaultKind::ServerError).method("sendMessage"));
    for _ in 0..2 {
        let answer = world.call(&bot, "sendMessage", hello(ann.id)).await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 429);
        assert!(answer.head.to_lowercase().contains("retry-after: 7"));
        let body = answer.json();
        assert_eq!(body["description"], "Too Many Requests: retry after 7");
        assert_eq!(body["parameters"]["retry_after"], 7);
    }
    for expected in ["403 Forbidden: bot was blocked by the user", "500 Internal Server Error"] {
        assert_eq!(world.refused(&bot, "sendMessage", hello(ann.id)).await, expected);
    }
    assert_eq!(texts(&world, &bot, ann.id), 0);
    world.ok(&bot, "sendMessage", hello(ann.id)).await;
    let outcomes: Vec<_> = sends(&world).into_iter().map(|c| c.outcome).collect();
    assert_eq!(outcomes, ["error 429", "error 429", "error 403", "error 500", "ok"]);
    assert_eq!(world.sandbox.breaches(), 0, "a scripted 429 is no breach");
}

#[tokio::test]
async fn a_fault_for_another_bot_method_or_chat_does_not_strike() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    for fault in [
        Fault::new(FaultKind::ServerError).bot(1),
        Fault::new(FaultKind::ServerError).method("deleteMessage"),
        Fault::new(FaultKind::ServerError).chat(1),
    ] {
        world.sandbox.fault(fault);
    }
    world.ok(&bot, "sendMessage", hello(ann.id)).await;
    assert_eq!(world.sandbox.faults().len(), 3);
    assert_eq!(world.control("DELETE", "faults", Value::Null).await, (200, json!([])));
    assert!(world.sandbox.faults().is_empty());
}

#[tokio::test]
async fn a_cut_before_leaves_nothing_and_a_cut_after_leaves_the_message() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    for (kind, outcome, left) in [(FaultKind::CutBefore, "cut_before", 0), (FaultKind::CutAfter, "cut_after", 1)] {
        world.sandbox.fault(Fault::new(kind).method("sendMessage"));
        let cut = world.call(&bot, "sendMessage", hello(ann.id)).await;
        let error = cut.err().expect("the connection ends without an answer");
        let expected = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
        assert!(expected.contains(&error.kind()), "{error}");
        let last = sends(&world).pop().expect("journalled");
        assert_eq!(last.outcome, outcome);
        assert_eq!(last.message_id.is_some(), left == 1);
        assert_eq!(texts(&world, &bot, ann.id), left);
    }
}

#[tokio::test]
async fn a_hung_call_takes_effect_and_is_never_answered() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    world.sandbox.fault(Fault::new(FaultKind::Hang).method("sendMessage"));
    let path = format!("/bot{}/sendMessage", bot.token);
    let json = "Content-Type: application/json\r\n";
    let body = hello(ann.id).to_string();
    let stream = open(world.address, "POST", &path, json, body.as_bytes()).await;
    let stream = stream.expect("connected");
    let hung = world.sandbox.wait_for_call(|c| c.outcome == "hang", PATIENCE).await.expect("journalled");
    assert!(hung.message_id.is_some());
    assert_eq!(texts(&world, &bot, ann.id), 1);
    let mut byte = [0u8; 1];
    let read = stream.try_read(&mut byte);
    assert_eq!(read.expect_err("no answer").kind(), ErrorKind::WouldBlock);
    world.ok(&bot, "getMe", json!({})).await;
    world.stop().await;
}

#[tokio::test]
async fn down_refuses_every_call_until_it_is_lifted() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    world.sandbox.fault(Fault::new(FaultKind::Down));
    for method in ["getMe", "sendMessage", "getUpdates"] {
        assert!(world.call(&bot, method, hello(ann.id)).await.is_err());
    }
    let (status, _) = world.control("GET", "bots", Value::Null).await;
    assert_eq!(status, 200, "the control API stays up");
    world.sandbox.clear_faults();
    world.ok(&bot, "sendMessage", hello(ann.id)).await;
    assert_eq!(texts(&world, &bot, ann.id), 1);
}

#[tokio::test]
async fn going_down_ends_a_long_poll_and_keeps_its_updates() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    let poll = world.call(&bot, "getUpdates", json!({ "timeout": 50 }));
    let down = async {
        // Gives the poll time to begin; it is cut whether it waits by then or comes later.
        world.ok(&bot, "getMe", json!({})).await;
        world.sandbox.fault(Fault::new(FaultKind::Down).bot(bot.id));
    };
    let (polled, ()) = tokio::join!(poll, down);
    assert!(polled.is_err(), "cut long before its timeout");
    world.sandbox.say(bot.id, ann.id, "meanwhile").expect("said");
    let last = world.sandbox.journal().pop().expect("journalled");
    assert_eq!((last.method.as_str(), last.outcome.as_str()), ("getUpdates", "down"));
    world.sandbox.clear_faults();
    let updates = world.ok(&bot, "getUpdates", json!({})).await;
    assert_eq!(updates[0]["message"]["text"], "meanwhile");
}

#[tokio::test]
async fn lifting_faults_lets_a_held_update_go() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    world.sandbox.fault(Fault::new(FaultKind::LateUpdate));
    world.sandbox.say(bot.id, ann.id, "held").expect("said");
    let poll = world.ok(&bot, "getUpdates", json!({ "timeout": 50 }));
    let lift = async { world.sandbox.clear_faults() };
    let (updates, ()) = tokio::join!(poll, lift);
    assert_eq!(updates[0]["message"]["text"], "held");
}

/// One run of fifty sends under chaos: the outcomes.
async fn chaotic() -> Vec<String> {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    world.sandbox.chaos(Chaos {
        rate_429: 0.2,
        rate_500: 0.2,
        rate_cut_before: 0.2,
        rate_cut_after: 0.2,
        methods: vec!["sendMessage".to_owned()],
    });
    for _ in 0..50 {
        world.ok(&bot, "getMe", json!({})).await;
        let _ = world.call(&bot, "sendMessage", hello(ann.id)).await;
    }
    let outcomes: Vec<_> = sends(&world).into_iter().map(|c| c.outcome).collect();
    let effective = outcomes.iter().filter(|o| *o == "ok" || *o == "cut_after");
    assert_eq!(effective.count(), texts(&world, &bot, ann.id));
    outcomes
}

#[tokio::test]
async fn chaos_mixes_outcomes_and_repeats_itself_from_the_same_seed() {
    let first = chaotic().await;
    for outcome in ["ok", "error 429", "error 500", "cut_before", "cut_after"] {
        assert!(first.iter().any(|o| o == outcome), "{outcome}: {first:?}");
    }
    assert_eq!(first, chaotic().await);
}
