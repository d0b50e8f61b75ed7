use std::{collections::HashSet, time::Duration};

use hyper::Method;
use serde_json::json;
use testkit::{expect_panic, logged};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::fixture::{notes, tokens};

#[tokio::test]
async fn every_refusal_is_a_problem_with_a_stable_code() {
    let hub = notes(&tokens()).start().await;
    let owner = hub.with_token("owner");
    let note = |body: &str| owner.post("/api/v1/notes", json!({})).text("application/json", body.to_owned());
    hub.stranger().get("/api/v1/me").await.expect_problem(401, "unauthenticated");
    hub.with_token("nobody").get("/api/v1/me").await.expect_problem(401, "unauthenticated");
    hub.with_token("guest").get("/api/v1/notes").await.expect_problem(403, "forbidden");
    owner.get("/api/v1/nowhere").await.expect_problem(404, "not_found");
    owner.get("/api/nowhere").await.expect_problem(404, "not_found");
    owner.get("/elsewhere").await.expect_problem(404, "not_found");
    owner.delete("/api/v1/notes").await.expect_problem(405, "method_not_allowed");
    owner.get("/api/v1/notes/not-an-id").await.expect_problem(404, "not_found");
    owner.get("/api/v1/notes/01890a5d-ac96-774b-bcce-b302099a8057").await.expect_problem(404, "not_found");
    owner.get("/api/v1/notes?limit=0").await.expect_problem(400, "invalid_query");
    owner.get("/api/v1/notes?limit=many").await.expect_problem(400, "invalid_query");
    owner.get("/api/v1/notes?cursor=forged").await.expect_problem(400, "cursor_invalid");
    note("{").await.expect_problem(400, "malformed_json");
    note(r#"{"text": 5}"#).await.expect_problem(422, "wrong_type");
    note(r#"{"text": "a\u0000b"}"#).await.expect_problem(422, "invalid_text");
    note(r#"{"text": "  "}"#).await.expect_problem(422, "text_empty");
    note(&format!(r#"{{"text": "{}"}}"#, "x".repeat(2 << 20))).await.expect_problem(413, "body_too_large");
    note("{}").text("text/plain", "{}").await.expect_problem(415, "json_expected");
    note("{}").key("two words").await.expect_problem(400, "idempotency_key_invalid");
    note("{}").key(&"k".repeat(129)).await.expect_problem(400, "idempotency_key_invalid");
    hub.finish().await;
}

#[tokio::test]
async fn a_wrong_field_is_named_with_its_path() {
    let hub = notes(&tokens()).start().await;
    let reply =
        hub.with_token("owner").post("/api/v1/notes", json!({ "text": [] })).await.expect_problem(422, "wrong_type");
    assert_eq!(reply.str("/errors/0/field"), "text");
    assert_eq!(reply.str("/errors/0/code"), "wrong_type");
    hub.finish().await;
}

#[tokio::test]
async fn a_panic_is_a_500_that_shows_nothing_and_the_server_goes_on() {
    expect_panic("on purpose, with a secret inside");
    let hub = notes(&tokens()).start().await;
    let reply = hub.stranger().post("/api/v1/panic", json!({})).await.expect_problem(500, "internal");
    assert!(!reply.text.contains("secret inside"), "{}", reply.text);
    let id = reply.str("/request_id");
    assert!(logged(id).iter().any(|line| line.contains("on purpose")), "the log knows the cause of {id}");
    hub.stranger().get("/api/v1/hello").await.expect(200);
    hub.finish().await;
}

#[tokio::test]
async fn a_sane_request_id_is_kept_and_any_other_is_replaced() {
    let hub = notes(&tokens()).start().await;
    let ask = |id: &str| hub.stranger().get("/api/v1/hello").header("x-request-id", id);
    assert_eq!(ask("trace-1.2_3").await.header("x-request-id"), "trace-1.2_3");
    let long = "x".repeat(65);
    let mut made = HashSet::new();
    for odd in ["spaces are odd", "quote\"d", &long] {
        let reply = ask(odd).await;
        assert_ne!(reply.header("x-request-id"), odd);
        assert!(made.insert(reply.header("x-request-id").to_owned()), "made ids differ");
    }
    hub.finish().await;
}

#[tokio::test]
async fn the_log_shows_the_route_and_never_the_path_the_query_or_the_token() {
    let hub = notes(&tokens()).start().await;
    let owner = hub.with_token("owner");
    let ask = owner.get("/api/v1/notes/01890a5d-0000-774b-bcce-b302099a8057?private=thing");
    ask.header("x-request-id", "log-test-1").await.expect(404);
    hub.with_token("token-in-the-header").get("/api/v1/me").header("x-request-id", "log-test-2").await.expect(401);
    let line = logged("log-test-1").into_iter().find(|line| line.contains("access")).expect("an access line");
    assert!(line.contains("/api/v1/notes/{id}") && line.contains("404"), "{line}");
    assert_eq!(logged("01890a5d-0000"), Vec::<String>::new());
    assert_eq!(logged("private=thing"), Vec::<String>::new());
    assert_eq!(logged("token-in-the-header"), Vec::<String>::new());
    hub.finish().await;
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let hub = notes(&tokens()).start().await;
    for path in ["/api/v1/hello", "/api/v1/nowhere", "/nowhere", "/live"] {
        let reply = hub.stranger().get(path).await;
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("referrer-policy"), "no-referrer", "{path}");
        assert!(reply.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert!(!reply.header("x-request-id").is_empty(), "{path}");
    }
    hub.finish().await;
}

#[tokio::test]
async fn json_is_compressed_for_who_asks_for_it() {
    let hub = notes(&tokens()).start().await;
    let packed = hub.stranger().get("/api/v1/hello").header("accept-encoding", "gzip").await.expect(200);
    assert_eq!(packed.header("content-encoding"), "gzip");
    let plain = hub.stranger().get("/api/v1/hello").await.expect(200);
    assert_eq!(plain.header("content-encoding"), "");
    assert!(packed.text.len() < plain.text.len());
    hub.finish().await;
}

#[tokio::test]
async fn a_browser_of_another_origin_is_let_in_only_by_configuration_and_never_with_credentials() {
    let ask = async |hub: &testkit::TestHub| {
        let preflight =
            hub.stranger().request(Method::OPTIONS, "/api/v1/hello").header("origin", "https://friend.test");
        preflight.header("access-control-request-method", "GET").await
    };
    let closed = notes(&tokens()).start().await;
    assert_eq!(ask(&closed).await.header("access-control-allow-origin"), "");
    closed.finish().await;
    let open =
        notes(&tokens()).config(|config| config.cors_origins = vec!["https://friend.test".to_owned()]).start().await;
    let reply = ask(&open).await;
    assert_eq!(reply.header("access-control-allow-origin"), "https://friend.test");
    assert_eq!(reply.header("access-control-allow-credentials"), "");
    let refused = open
        .stranger()
        .get("/api/v1/me")
        .header("origin", "https://friend.test")
        .await
        .expect_problem(401, "unauthenticated");
    assert_eq!(refused.header("access-control-allow-origin"), "https://friend.test");
    open.finish().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for_for_ever() {
    let hub = notes(&tokens()).start().await;
    let mut socket = TcpStream::connect(hub.url().trim_start_matches("http://")).await.expect("connected");
    let head = "POST /api/v1/notes HTTP/1.1\r\nhost: here\r\nauthorization: Bearer owner\r\n\
                content-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    socket.write_all(head.as_bytes()).await.expect("written");
    let mut answer = vec![0; 4096];
    let read = hub.clock().run(Duration::from_secs(1), socket.read(&mut answer)).await.expect("an answer");
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("body_timeout"), "{answer}");
    drop(socket);
    hub.finish().await;
}
