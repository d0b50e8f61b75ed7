use crate::client::{PATIENCE, World, open};
use sandbox::{Call, SandboxConfig};
use serde_json::{Value, json};
use std::path::Path;

fn file(path: &Path) -> Vec<Call> {
    let text = std::fs::read_to_string(path).expect("the journal file");
    text.lines().map(|line| serde_json::from_str(line).expect("a call per line")).collect()
}

#[tokio::test]
async fn a_call_is_in_the_file_before_it_is_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal.jsonl");
    let config = SandboxConfig { journal: Some(path.clone()), journal_cap: 3, ..SandboxConfig::default() };
    let world = World::with(config.clone()).await;
    let (bot, ann) = world.met().await;
    for i in 0..10 {
        let sent = world.send(&bot, ann.id, &format!("text {i}")).await;
        let last = file(&path).pop().expect("written");
        assert_eq!(last.method, "sendMessage");
        assert_eq!(last.bot, bot.id);
        assert_eq!(last.params["text"], format!("text {i}"));
        assert_eq!(last.outcome, "ok");
        assert_eq!(last.message_id, sent["message_id"].as_i64());
        assert!(last.at > 1_500_000_000_000_000, "microseconds");
    }
    let all = file(&path);
    assert!(all.iter().zip(1..).all(|(call, n)| call.n == n), "no gap");
    assert_eq!(world.sandbox.journal().len(), 3, "memory is bounded");
    world.stop().await;
    let mut text = std::fs::read_to_string(&path).expect("the journal file");
    text.truncate(text.len() - 5);
    std::fs::write(&path, text).expect("written");

    let world = World::with(config).await;
    let other = world.sandbox.create_bot("Other", None).expect("bot");
    world.ok(&other, "getMe", json!({})).await;
    let text = std::fs::read_to_string(&path).expect("the journal file");
    let last: Call = serde_json::from_str(text.lines().last().expect("a line")).expect("whole, after a torn one");
    assert_eq!(last.n, all.len() as u64 + 1);
}

#[tokio::test]
async fn the_journal_is_read_in_pages_by_method() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    for _ in 0..3 {
        world.send(&bot, ann.id, "x").await;
        world.ok(&bot, "getMe", json!({})).await;
    }
    let page = async |query: &str| {
        let path = format!("journal?{query}");
        let (status, page) = world.control("GET", &path, Value::Null).await;
        assert_eq!(status, 200);
        page
    };
    let first = page("method=sendMessage&limit=2").await;
    assert_eq!(first["calls"].as_array().map(Vec::len), Some(2));
    let after = &first["calls"][1]["n"];
    let rest = page(&format!("method=sendMessage&after={after}")).await;
    assert_eq!(rest["calls"].as_array().map(Vec::len), Some(1));
    assert_eq!(rest["last"], 7);
}

#[tokio::test]
async fn refused_calls_and_strangers_are_journalled_without_any_token() {
    let world = World::start().await;
    let (bot, _) = world.met().await;
    world.refused(&bot, "sendMessage", json!({ "chat_id": 1, "text": "x" })).await;
    let path = "/bot1:guess/getMe";
    let answer = world.request("GET", path, "", b"").await;
    assert_eq!(answer.expect("an answer").status, 401);
    let calls = world.sandbox.journal();
    let tail: Vec<_> = calls.iter().rev().take(2).map(|c| (c.bot, c.outcome.as_str())).collect();
    assert_eq!(tail, [(0, "error 401"), (bot.id, "error 400")]);
    let (_, page) = world.control("GET", "journal", Value::Null).await;
    let text = page.to_string();
    assert!(!text.contains(&bot.token) && !text.contains("guess"));
}

#[tokio::test]
async fn a_poller_that_leaves_is_journalled_as_gone() {
    let world = World::start().await;
    let (bot, _) = world.met().await;
    let path = format!("/bot{}/getUpdates?timeout=50", bot.token);
    let stream = open(world.address, "GET", &path, "", b"").await;
    drop(stream.expect("connected"));
    let gone = world.sandbox.wait_for_call(|c| c.outcome == "gone", PATIENCE).await;
    assert_eq!(gone.map(|c| c.method), Some("getUpdates".to_owned()));
}
