use crate::client::{World, ids};
use sandbox::{Fault, FaultKind, SandboxConfig};
use serde_json::json;

#[tokio::test]
async fn a_restart_keeps_bots_people_chats_and_undelivered_updates() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = SandboxConfig { data: Some(folder.path().to_owned()), ..SandboxConfig::default() };
    let world = World::with(config.clone()).await;
    let (bot, ann) = world.met().await;
    let bo = world.sandbox.person("Bo", None, None).expect("person");
    let group = world.sandbox.group(bot.id, "Group", &[ann.id, bo.id]).expect("group");
    world.sandbox.say(bot.id, ann.id, "kept").expect("said");
    world.send(&bot, ann.id, "deleted").await;
    world.send(&bot, ann.id, "before").await;
    world.sandbox.block(bot.id, bo.id, true).expect("blocked");
    let edit = json!({ "chat_id": ann.id, "message_id": 4, "text": "after" });
    world.ok(&bot, "editMessageText", edit).await;
    let delete = json!({ "chat_id": ann.id, "message_id": 3 });
    world.ok(&bot, "deleteMessage", delete).await;
    world.sandbox.fault(Fault::new(FaultKind::DuplicateUpdate));
    world.sandbox.say_in(bot.id, group.id, bo.id, "twice").expect("said");
    let confirmed = world.ok(&bot, "getUpdates", json!({ "limit": 1 })).await;
    let offset = json!({ "offset": ids(&confirmed)[0] + 1 });
    let waiting = ids(&world.ok(&bot, "getUpdates", offset).await);
    let chat = world.sandbox.messages(bot.id, ann.id).expect("chat");
    world.stop().await;

    for run in ["replayed", "replayed from the shortened file"] {
        let world = World::with(config.clone()).await;
        assert_eq!(world.sandbox.bots()[0].token, bot.token, "{run}");
        assert_eq!(world.sandbox.people().len(), 2, "{run}");
        assert_eq!(world.sandbox.messages(bot.id, ann.id).expect("chat"), chat);
        assert_eq!(world.sandbox.block(bot.id, bo.id, true), Ok(None), "still blocked");
        let updates = ids(&world.ok(&bot, "getUpdates", json!({})).await);
        assert_eq!(updates, waiting, "{run}");
        world.stop().await;
    }
    let world = World::with(config).await;
    let said = world.sandbox.say(bot.id, ann.id, "next").expect("said");
    assert_eq!(said.message_id, 5, "message ids go on");
    let newest = waiting.iter().max().expect("some waited");
    assert_eq!(said.update_id, Some(newest + 1), "update ids go on");
}

#[tokio::test]
async fn a_webhook_is_served_again_after_a_restart_and_a_torn_last_line_is_ignored() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = SandboxConfig { data: Some(folder.path().to_owned()), ..SandboxConfig::default() };
    let world = World::with(config.clone()).await;
    let (bot, _) = world.met().await;
    let hook = json!({ "url": "http://127.0.0.1:9/", "allowed_updates": ["message"] });
    world.ok(&bot, "setWebhook", hook).await;
    world.stop().await;
    let path = folder.path().join("sandbox.jsonl");
    let mut text = std::fs::read_to_string(&path).expect("the file");
    text.push_str("{\"kind\":\"pers");
    std::fs::write(&path, &text).expect("written");

    let world = World::with(config.clone()).await;
    let info = world.ok(&bot, "getWebhookInfo", json!({})).await;
    assert_eq!(info["url"], "http://127.0.0.1:9/");
    assert_eq!(info["allowed_updates"], json!(["message"]));
    world.stop().await;

    std::fs::write(&path, format!("nonsense\n{text}")).expect("written");
    let refused = sandbox::Sandbox::new(config);
    let error = refused.err().expect("a broken file is not guessed at");
    assert!(error.to_string().contains("line 1"), "{error}");
}
