//! The whole path: somebody writes to a bot, an operator sees it at once and answers, and the answer arrives once.

use bench::{
    eventually,
    live::Live,
    scene::{self, Sandbox},
};
use serde_json::{Value, json};

use crate::place::{Place, Shop, sandbox_alone};

fn path_of(conversation: &str) -> String {
    format!("/api/v1/conversations/{conversation}")
}

async fn live(shop: &Shop) -> Live {
    Live::open(&shop.product.url, shop.owner.token(), None).await.expect("a stream")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_is_answered_from_the_inbox() {
    let place = Place::new();
    let shop = place.shop().await;
    let mut stream = live(&shop).await;
    let (person, conversation) = shop.customer("Ann Lee", "Is the shop open? 🙂").await;

    let created = stream.event("message.created").await;
    assert_eq!(created["body"]["message"]["text"], "Is the shop open? 🙂");
    assert_eq!(created["body"]["conversation_id"], conversation.as_str());
    let shown = shop.owner.get(&path_of(&conversation)).await.expect(200);
    assert_eq!(shown["status"], "open");
    assert_eq!(shown["contact"]["name"], "Ann Lee");
    assert_eq!(shown["unread"], 1);

    let answer =
        scene::reply(&shop.owner, &conversation, "one", "It is, until six").await.expect("an answer").expect(201);
    let again =
        scene::reply(&shop.owner, &conversation, "one", "It is, until six").await.expect("an answer").expect(201);
    assert_eq!(answer["id"], again["id"], "the same key gives the same message");
    let other = scene::reply(&shop.owner, &conversation, "one", "Something else").await.expect("an answer");
    other.refused(409, "idempotency_conflict");

    stream.find("the delivery", |frame| frame["event"]["body"]["delivery"]["state"] == "sent").await;
    assert_eq!(shop.sandbox.times_sent("It is, until six").await, 1);
    let calls = shop.sandbox.calls("sendMessage", 0).await;
    assert_eq!(calls[0]["params"]["chat_id"].to_string().trim_matches('"'), person.to_string());
    let history = scene::history(&shop.owner, &conversation).await;
    let seqs: Vec<_> = history.iter().map(|it| it["seq"].as_i64().expect("a number")).collect();
    assert_eq!(seqs, [1, 2]);
    assert_eq!(history[1]["delivery"]["state"], "sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_stays_inside() {
    let place = Place::new();
    let shop = place.shop().await;
    let (_, conversation) = shop.customer("Ann Lee", "Hello").await;
    let messages = format!("{}/messages", path_of(&conversation));
    let note = shop.owner.post(&messages, &json!({ "text": "Careful with her", "note": true })).await.expect(201);
    assert_eq!(note["note"], true);
    assert_eq!(note["delivery"], Value::Null);
    // What is sent afterwards arrives, so a note that had been queued would have arrived too.
    let _ = shop.owner.post(&messages, &json!({ "text": "Hello Ann" })).await.expect(201);
    eventually("the reply arrives", async || (shop.sandbox.times_sent("Hello Ann").await == 1).then_some(())).await;
    assert_eq!(shop.sandbox.times_sent("Careful with her").await, 0);
    assert_eq!(shop.sandbox.calls("sendMessage", 0).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resolved_conversation_is_reopened_by_the_next_message() {
    let place = Place::new();
    let shop = place.shop().await;
    let (person, conversation) = shop.customer("Ann Lee", "Hello").await;
    let resolved = shop.owner.patch(&path_of(&conversation), &json!({ "status": "resolved" })).await.expect(200);
    assert_eq!(resolved["status"], "resolved");
    let open = shop.owner.get("/api/v1/conversations?status=open").await.expect(200);
    assert_eq!(open["items"], json!([]));

    shop.sandbox.say(&shop.bot, person, "One more thing").await;
    let reopened = eventually("the conversation is open again", async || {
        let shown = shop.owner.get(&path_of(&conversation)).await.expect(200);
        (shown["status"] == "open").then_some(shown)
    });
    assert_eq!(reopened.await["last_message"]["text"], "One more thing");
    let all = scene::all_items(&shop.owner, "/api/v1/conversations?status=all").await;
    assert_eq!(all.len(), 1, "it is the same conversation");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_first_messages_at_once_make_one_conversation() {
    let place = Place::new();
    let shop = place.shop().await;
    let person = shop.sandbox.person("Ann Lee").await;
    let texts: Vec<_> = (0..100).map(|number| format!("Message {number}")).collect();
    let all = texts.iter().map(|text| shop.sandbox.say(&shop.bot, person, text));
    futures_util::future::join_all(all).await;
    let found = eventually("all messages are there", async || {
        let items = scene::all_items(&shop.owner, "/api/v1/conversations?status=all").await;
        items.iter().any(|it| it["inbound_total"] == 100).then_some(items)
    })
    .await;
    assert_eq!(found.len(), 1, "{found:?}");
    let history = scene::history(&shop.owner, found[0]["id"].as_str().expect("an id")).await;
    let seqs: Vec<_> = history.iter().map(|it| it["seq"].as_i64().expect("a number")).collect();
    assert_eq!(seqs, (1..=100).collect::<Vec<_>>());
    let mut stored: Vec<_> = history.iter().map(|it| it["text"].as_str().expect("a text").to_owned()).collect();
    let mut wrote = texts;
    stored.sort_unstable();
    wrote.sort_unstable();
    assert_eq!(stored, wrote);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_can_change_between_polling_and_a_webhook_without_losing_a_message() {
    let place = Place::new();
    let shop = place.shop().await;
    let bots = shop.owner.get("/api/v1/bots").await.expect(200);
    let bot = format!("/api/v1/bots/{}", bots["items"][0]["id"].as_str().expect("an id"));
    let (person, conversation) = shop.customer("Ann Lee", "Message 0").await;
    for (round, mode) in ["webhook", "polling", "webhook"].into_iter().enumerate() {
        let changed = shop.owner.patch(&bot, &json!({ "mode": mode })).await.expect(200);
        assert_eq!(changed["mode"], mode);
        shop.sandbox.say(&shop.bot, person, &format!("Message {}", round + 1)).await;
        eventually(format!("the message of round {round} by {mode}"), async || {
            let shown = shop.owner.get(&path_of(&conversation)).await.expect(200);
            (shown["inbound_total"] == round + 2).then_some(())
        })
        .await;
    }
    let history = scene::history(&shop.owner, &conversation).await;
    let texts: Vec<_> = history.iter().map(|it| it["text"].as_str().expect("a text")).collect();
    assert_eq!(texts, ["Message 0", "Message 1", "Message 2", "Message 3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_operators_see_the_same_and_one_hears_that_the_other_was_faster() {
    let place = Place::new();
    let shop = place.shop().await;
    let colleague = scene::member(&shop.owner, "operator").await;
    let (person, conversation) = shop.customer("Ann Lee", "Hello").await;
    let mut hers = live(&shop).await;
    let mut his = Live::open(&shop.product.url, colleague.token(), None).await.expect("a stream");
    shop.sandbox.say(&shop.bot, person, "Are you there?").await;
    let (a, b) = (hers.event("message.created").await, his.event("message.created").await);
    assert_eq!(a, b);

    let messages = format!("{}/messages", path_of(&conversation));
    let _ = shop.owner.post(&messages, &json!({ "text": "Yes", "last_seen_seq": 2 })).await.expect(201);
    let late = json!({ "text": "Yes!", "last_seen_seq": 2 });
    colleague.post(&messages, &late).await.refused(409, "conversation_moved");
    let forced = json!({ "text": "Yes!", "last_seen_seq": 2, "force": true });
    let _ = colleague.post(&messages, &forced).await.expect(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_everything_goes_on_where_it_stopped() {
    let place = Place::new();
    let (_process, sandbox, bot) = sandbox_alone(&place).await;
    // On PostgreSQL the next process waits until the lease of the killed one has run out, which these make short.
    let launch = place.serve().set("telegram.poll_seconds", "1").set("telegram.request_seconds", "1");
    let launch = launch.set("telegram.api_url", sandbox.0.base());
    let product = launch.start().await;
    let owner = scene::set_up(&product).await;
    scene::connect(&owner, &bot).await;
    let person = sandbox.person("Ann Lee").await;
    sandbox.say(&bot.username, person, "Hello").await;
    let conversation = scene::conversation_of(&owner, "Ann Lee").await["id"].as_str().expect("an id").to_owned();
    let mut stream = Live::open(&product.url, owner.token(), None).await.expect("a stream");
    sandbox.say(&bot.username, person, "Second").await;
    stream.event("message.created").await;
    let cursor = stream.cursor.clone();

    product.kill();
    sandbox.say(&bot.username, person, "While you were away").await;
    let product = launch.start().await;
    let owner = product.client().with(owner.token());
    let mut stream =
        Live::open(&product.url, owner.token(), Some(&cursor)).await.expect("the session and the cursor are good");
    let next = stream.event("message.created").await;
    assert_eq!(next["body"]["message"]["text"], "While you were away");
    let texts: Vec<_> = scene::history(&owner, &conversation).await.iter().map(|it| it["text"].clone()).collect();
    assert_eq!(texts, ["Hello", "Second", "While you were away"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn setup_with_the_sandbox_gives_a_bot_that_can_be_written_to() {
    let place = Place::new();
    let product = place.serve().argument("--sandbox").start().await;
    let sandbox = Sandbox::at(&product.line("sandbox on ").await);
    assert_eq!(product.client().get("/api/v1/setup").await.expect(200)["sandbox"], true);
    let body = json!({
        "code": bench::product::SETUP_CODE, "workspace": "W", "name": "N", "email": "n@w.test",
        "password": scene::PASSWORD, "sandbox": true,
    });
    let signed_in = product.client().post("/api/v1/setup", &body).await.expect(201);
    let owner = product.client().with(signed_in["access_token"].as_str().expect("a token"));
    let bots = owner.get("/api/v1/bots").await.expect(200);
    let bot = &bots["items"][0];
    assert_eq!((&bot["api"], &bot["mode"]), (&json!("sandbox"), &json!("polling")));
    let page = bot["play_url"].as_str().expect("a page to play the customer on");
    let page = page.strip_prefix(sandbox.0.base()).expect("it is the sandbox's");
    assert_eq!(sandbox.0.get(page).await.status, 200);
    let person = sandbox.person("Ann Lee").await;
    sandbox.say(bot["username"].as_str().expect("a username"), person, "/start").await;
    scene::conversation_of(&owner, "Ann Lee").await;
}
