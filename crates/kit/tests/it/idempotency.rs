use std::time::Duration;

use serde_json::json;
use store::args;
use testkit::TestHub;

use crate::fixture::{notes, tokens};

async fn count(hub: &TestHub) -> usize {
    hub.with_token("owner").get("/api/v1/notes?limit=200").await.expect(200).items().len()
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_and_does_nothing() {
    let hub = notes(&tokens()).start().await;
    let send = || hub.with_token("owner").post("/api/v1/notes", json!({ "text": "once" })).key("k1");
    let first = send().await.expect(201);
    let second = send().await.expect(201);
    assert_eq!(first.json, second.json);
    assert_eq!(second.header("content-type"), "application/json");
    assert_eq!(count(&hub).await, 1);
    hub.finish().await;
}

#[tokio::test]
async fn the_same_key_with_another_body_is_a_conflict() {
    let hub = notes(&tokens()).start().await;
    let send = |text: &str| hub.with_token("owner").post("/api/v1/notes", json!({ "text": text })).key("k1");
    send("one").await.expect(201);
    send("two").await.expect_problem(409, "idempotency_conflict");
    assert_eq!(count(&hub).await, 1);
    hub.finish().await;
}

#[tokio::test]
async fn a_key_belongs_to_its_principal_and_its_route() {
    let hub = notes(&tokens()).start().await;
    let body = json!({ "text": "the same" });
    hub.with_token("owner").post("/api/v1/notes", body.clone()).key("k1").await.expect(201);
    hub.with_token("operator").post("/api/v1/notes", body.clone()).key("k1").await.expect(201);
    hub.with_token("owner").post("/api/v1/long", body.clone()).key("k1").await.expect(201);
    hub.with_token("foreign").post("/api/v1/notes", body).key("k1").await.expect(201);
    assert_eq!(count(&hub).await, 3);
    hub.finish().await;
}

#[tokio::test]
async fn a_refusal_is_not_stored_and_authority_is_asked_before_a_stored_answer_is_given() {
    let tokens = tokens();
    let hub = notes(&tokens).start().await;
    let send = |text: &str| hub.with_token("operator").post("/api/v1/notes", json!({ "text": text })).key("k1");
    send("  ").await.expect_problem(422, "text_empty");
    send("good").await.expect(201);
    tokens.change("operator", |principal| principal.rights = model::Role::Guest.rights());
    send("good").await.expect_problem(403, "forbidden");
    hub.finish().await;
}

#[tokio::test]
async fn two_requests_in_flight_do_it_once() {
    let hub = notes(&tokens()).start().await;
    let send = || hub.with_token("owner").post("/api/v1/notes", json!({ "text": "racing" })).key("k1");
    for round in 0..10 {
        let key = format!("race-{round}");
        let (a, b, c) = tokio::join!(send().key(&key), send().key(&key), send().key(&key));
        let first = a.expect(201).json;
        assert_eq!(b.expect(201).json, first);
        assert_eq!(c.expect(201).json, first);
    }
    assert_eq!(count(&hub).await, 10);
    hub.finish().await;
}

#[tokio::test]
async fn an_answer_with_a_secret_is_shown_once_and_a_repeat_names_the_resource() {
    let hub = notes(&tokens()).start().await;
    let send = || hub.with_token("owner").post("/api/v1/secrets", json!({ "text": "s3cret" })).key("k1");
    let first = send().await.expect(201);
    let repeat = send().await.expect_problem(409, "result_not_repeatable");
    assert_eq!(repeat.str("/resource"), first.str("/id"));
    let kept: Result<Vec<Option<String>>, store::Error> =
        hub.db().read(|tx| tx.query("SELECT body FROM idempotency", args![], |row| row.get(0))).await;
    assert_eq!(kept.expect("read"), [None]);
    hub.finish().await;
}

#[tokio::test]
async fn a_long_answer_is_read_again_for_its_repeat() {
    let hub = notes(&tokens()).start().await;
    let send = |path: &str| hub.with_token("owner").post(path, json!({ "text": "long ".repeat(10_000) })).key("k1");
    let first = send("/api/v1/long").await.expect(201);
    assert_eq!(send("/api/v1/long").await.expect(201).json, first.json);
    let plain = send("/api/v1/notes").await.expect(201);
    let repeat = send("/api/v1/notes").await.expect_problem(409, "result_not_repeatable");
    assert_eq!(repeat.str("/resource"), plain.str("/id"));
    hub.finish().await;
}

#[tokio::test]
async fn a_key_is_forgotten_after_seven_days() {
    let hub = notes(&tokens()).start().await;
    let send = || hub.with_token("owner").post("/api/v1/notes", json!({ "text": "again" })).key("k1");
    send().await.expect(201);
    hub.clock().advance(Duration::from_secs(6 * 24 * 3600));
    send().await.expect(201);
    assert_eq!(count(&hub).await, 1);
    hub.clock().advance(Duration::from_secs(2 * 24 * 3600));
    // The hourly upkeep may have been at work when time moved; it comes again.
    let forgotten = testkit::eventually(|| async {
        let left: Result<i64, store::Error> =
            hub.db().read(|tx| tx.one("SELECT COUNT(*) FROM idempotency", args![], |row| row.get(0))).await;
        (left.expect("read") == 0).then_some(())
    });
    hub.clock().run(Duration::from_secs(600), forgotten).await;
    send().await.expect(201);
    assert_eq!(count(&hub).await, 2);
    hub.finish().await;
}

#[tokio::test]
async fn a_stored_answer_survives_a_restart() {
    let hub = notes(&tokens()).start().await;
    let first = hub.with_token("owner").post("/api/v1/notes", json!({ "text": "kept" })).key("k1").await.expect(201);
    let hub = hub.restart().await;
    let second = hub.with_token("owner").post("/api/v1/notes", json!({ "text": "kept" })).key("k1").await.expect(201);
    assert_eq!(first.json, second.json);
    hub.finish().await;
}
