//! Bad input and trouble around the server: a clear answer with a stable code, and nothing lost.

use bench::{
    eventually,
    http::{Client, Reply},
    live::Live,
    scene,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::place::{Place, sandbox_alone};

async fn raw(client: &Client, path: &str, body: &[u8], kind: &str) -> Reply {
    client.send(hyper::Method::POST, path, &[("content-type", kind)], Some(body.to_vec())).await.expect("an answer")
}

/// Sends one byte more than the server takes of a body that would be longer still, and gives the first bytes of the answer:
/// the server must not wait for the rest.
async fn too_large(client: &Client, path: &str) -> String {
    const LIMIT: usize = 1 << 20;
    let host = client.base().trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await.expect("somebody listens");
    let token = client.token();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        3 * LIMIT
    );
    stream.write_all(head.as_bytes()).await.expect("an open connection");
    stream.write_all(&vec![b' '; LIMIT + 1]).await.expect("an open connection");
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.expect("an answer");
    String::from_utf8_lossy(&start).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_gets_a_clear_refusal() {
    let place = Place::new();
    let shop = place.shop().await;
    let (_, conversation) = shop.customer("Ann Lee", "Hello").await;
    let messages = format!("/api/v1/conversations/{conversation}/messages");
    let send = async |body: Value| shop.owner.post(&messages, &body).await;

    raw(&shop.owner, &messages, b"{\"text\": ", "application/json").await.refused(400, "malformed_json");
    raw(&shop.owner, &messages, b"\xff\xfe", "application/json").await.refused(400, "malformed_json");
    assert_eq!(raw(&shop.owner, &messages, b"text=hi", "application/x-www-form-urlencoded").await.status, 415);
    assert_eq!(too_large(&shop.owner, &messages).await, "HTTP/1.1 413");
    send(json!({ "text": 5 })).await.refused(422, "wrong_type");
    send(json!({})).await.refused(422, "wrong_type");
    send(json!({ "text": "" })).await.refused(422, "text_empty");
    send(json!({ "text": " \n\t" })).await.refused(422, "text_empty");
    send(json!({ "text": "a\u{0}b" })).await.refused(422, "invalid_text");
    send(json!({ "text": "a".repeat(4097) })).await.refused(422, "text_too_long");
    send(json!({ "text": "a".repeat(16_001), "note": true })).await.refused(422, "text_too_long");
    let wrong = send(json!({ "text": 5 })).await.json();
    assert_eq!(wrong["errors"][0]["field"], "text", "the place of the mistake is named: {wrong}");

    let _ = send(json!({ "text": "🙂".repeat(2048) })).await.expect(201);
    let _ = send(json!({ "text": "a".repeat(16_000), "note": true })).await.expect(201);
    assert_eq!(scene::history(&shop.owner, &conversation).await.len(), 3, "nothing refused was stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_exist_is_not_found() {
    let place = Place::new();
    let product = place.serve().start().await;
    let owner = scene::set_up(&product).await;
    let nobody = "019a0000-0000-7000-8000-000000000000";
    for path in ["conversations", "bots"] {
        owner.get(&format!("/api/v1/{path}/{nobody}")).await.refused(404, "not_found");
        owner.get(&format!("/api/v1/{path}/no-id-at-all")).await.refused(404, "not_found");
        owner.get(&format!("/api/v1/{path}/%F0%9F%99%82")).await.refused(404, "not_found");
    }
    assert_eq!(owner.get("/api/v1/nothing-like-this").await.status, 404);
    assert_eq!(owner.delete("/api/v1/conversations").await.status, 405);
    let cursor = owner.get("/api/v1/conversations?cursor=made-up").await;
    assert!(cursor.status.is_client_error(), "{}", cursor.status);
    assert_eq!(owner.get("/api/v1/conversations?limit=100000").await.status.as_u16() / 100, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_keys_and_ended_sessions_are_out_at_once_and_their_streams_close() {
    let place = Place::new();
    let shop = place.shop().await;
    let key = scene::key(&shop.owner, &["conversations.read", "live.read"]).await;
    let colleague = scene::member(&shop.owner, "operator").await;
    let mut by_key = Live::open(&shop.product.url, key.token(), None).await.expect("a stream");
    let mut by_person = Live::open(&shop.product.url, colleague.token(), None).await.expect("a stream");
    let _ = key.get("/api/v1/conversations").await.expect(200);

    let keys = shop.owner.get("/api/v1/keys").await.expect(200);
    let id = keys["items"][0]["id"].as_str().expect("an id");
    assert_eq!(shop.owner.delete(&format!("/api/v1/keys/{id}")).await.status, 204);
    assert_eq!(key.get("/api/v1/conversations").await.status, 401);
    ends(&mut by_key).await;

    let me = colleague.get("/api/v1/me").await.expect(200);
    let user = me["user"]["id"].as_str().expect("an id");
    assert_eq!(shop.owner.delete(&format!("/api/v1/members/{user}")).await.status, 204);
    assert_eq!(colleague.get("/api/v1/me").await.status, 401);
    ends(&mut by_person).await;

    for token in ["sbk_made_up", "nonsense", "", "a.b.c"] {
        assert_eq!(shop.owner.with(token).get("/api/v1/me").await.status, 401, "{token:?}");
    }
}

/// Waits until the server closes the stream.
async fn ends(stream: &mut Live) {
    eventually("the stream closes", async || match stream.frame().await {
        Some(frame) if frame["type"] == "closing" => {
            assert_eq!(frame["code"], 4001, "{frame}");
            Some(())
        }
        Some(_) => None,
        None => Some(()),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_at_the_same_time_all_count_and_the_same_key_counts_once() {
    let place = Place::new();
    let shop = place.shop().await;
    let (_, conversation) = shop.customer("Ann Lee", "Hello").await;
    let messages = format!("/api/v1/conversations/{conversation}/messages");
    let bodies: Vec<_> = (0..40).map(|number| json!({ "text": format!("Note {number}"), "note": true })).collect();
    let once = join_all((0..20).map(|_| shop.owner.post_once(&messages, "the-same", &bodies[0])));
    let many = join_all(bodies[1..].iter().map(|body| shop.owner.post(&messages, body)));
    let (once, many) = tokio::join!(once, many);
    let ids: std::collections::HashSet<_> =
        once.into_iter().map(|it| it.expect("an answer").expect(201)["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
    assert!(many.iter().all(|it| it.status == 201));
    let history = scene::history(&shop.owner, &conversation).await;
    let seqs: Vec<_> = history.iter().map(|it| it["seq"].as_i64().expect("a number")).collect();
    assert_eq!(seqs, (1..=41).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_and_keeps_reads_and_sign_in() {
    let place = Place::new();
    let product = place.serve().start().await;
    let owner = scene::set_up(&product).await;
    drop(product);
    // More than any disk has: the server believes that its disk is full.
    let product = place.serve().set("store.disk_reserve_mb", "900000000").start().await;
    let owner = product.client().with(owner.token());
    let key = json!({ "name": "Machine", "scopes": ["live.read"] });
    let refused = owner.post("/api/v1/keys", &key).await;
    refused.refused(503, "storage_full");
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(product.client().get("/ready").await.status, 503, "a balancer looks elsewhere");
    assert_eq!(product.client().get("/live").await.status, 200, "the process itself is well");
    let _ = owner.get("/api/v1/keys").await.expect(200);
    let login = json!({ "email": "owner@shop.test", "password": scene::PASSWORD });
    let _ = product.client().post("/api/v1/auth/login", &login).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_telegram_is_down_replies_wait_and_then_arrive_once() {
    let place = Place::new();
    let (_process, sandbox, bot) = sandbox_alone(&place).await;
    let product = place.serve().set("telegram.api_url", sandbox.0.base()).start().await;
    let owner = scene::set_up(&product).await;
    scene::connect(&owner, &bot).await;
    let person = sandbox.person("Ann Lee").await;
    sandbox.say(&bot.username, person, "Hello").await;
    let conversation = scene::conversation_of(&owner, "Ann Lee").await["id"].as_str().expect("an id").to_owned();

    sandbox.fault(&json!({ "kind": "500", "method": "sendMessage", "times": 2 })).await;
    let _ = scene::reply(&owner, &conversation, "k", "Hello Ann").await.expect("an answer").expect(201);
    let state = async || scene::history(&owner, &conversation).await[1]["delivery"]["state"].clone();
    eventually("the reply is retried", async || (state().await == "retrying").then_some(())).await;
    eventually("the reply arrives", async || (state().await == "sent").then_some(())).await;
    assert_eq!(sandbox.times_sent("Hello Ann").await, 1);
    assert_eq!(sandbox.calls("sendMessage", 0).await.len(), 3, "two refusals and one success");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_whose_fate_is_unknown_is_not_sent_again_by_itself() {
    let place = Place::new();
    let shop = place.shop().await;
    let (_, conversation) = shop.customer("Ann Lee", "Hello").await;
    shop.sandbox.fault(&json!({ "kind": "cut_after", "method": "sendMessage" })).await;
    let _ = scene::reply(&shop.owner, &conversation, "one", "First").await.expect("an answer").expect(201);
    let delivery = async || scene::history(&shop.owner, &conversation).await[1]["delivery"].clone();
    eventually("the fate is unknown", async || (delivery().await["state"] == "unknown").then_some(())).await;
    // A later reply overtakes it, so there was every chance to send the first one again.
    let _ = scene::reply(&shop.owner, &conversation, "two", "Second").await.expect("an answer").expect(201);
    eventually("the second arrives", async || (shop.sandbox.times_sent("Second").await == 1).then_some(())).await;
    assert_eq!(shop.sandbox.times_sent("First").await, 1);

    let id = delivery().await["id"].as_str().expect("an id").to_owned();
    let _ = shop.owner.post(&format!("/api/v1/deliveries/{id}/retry"), &json!({})).await.expect(200);
    eventually("a person had it sent again", async || (delivery().await["state"] == "sent").then_some(())).await;
    assert_eq!(shop.sandbox.times_sent("First").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_bot_token_is_refused_with_telegrams_words() {
    let place = Place::new();
    let (_process, sandbox, bot) = sandbox_alone(&place).await;
    let product = place.serve().set("telegram.api_url", sandbox.0.base()).start().await;
    let owner = scene::set_up(&product).await;
    let connect = async |token: &str| owner.post("/api/v1/bots", &json!({ "token": token })).await;
    let wrong = connect("1234567890:AAthis_token_is_of_no_bot_at_all_012345").await;
    wrong.refused(422, "bot_token_refused");
    assert!(wrong.json()["detail"].to_string().contains("Unauthorized"), "{}", wrong.json());
    let connected = connect(&bot.token).await.expect(201);
    connect(&bot.token).await.refused(409, "bot_already_connected");
    assert!(!connected.to_string().contains(&bot.token), "the token is not shown");
    let secret = bot.token.split_once(':').expect("a token has two parts").1;
    assert!(!product.output().contains(secret), "the token is not logged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_requests_are_refused_with_the_time_to_wait() {
    let place = Place::new();
    let product = place.serve().set("limits.per_user", "5").start().await;
    let owner = scene::set_up(&product).await;
    let answers = join_all((0..12).map(|_| owner.get("/api/v1/me"))).await;
    let refused: Vec<_> = answers.iter().filter(|it| it.status == 429).collect();
    assert!(!refused.is_empty() && refused.len() < 12);
    for answer in refused {
        answer.refused(429, "rate_limited");
        assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
    }
    assert!(answers.iter().all(|it| it.header("x-ratelimit-limit") == "5"));
}
