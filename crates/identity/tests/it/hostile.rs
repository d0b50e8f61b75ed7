//! Input that nobody sends by accident.

use hyper::Method;
use serde_json::json;

use crate::harness::{PASSWORD, Server};

#[tokio::test]
async fn bodies_that_make_no_sense_are_refused_and_nothing_breaks() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let paths = [
        "/auth/login",
        "/auth/reset",
        "/invitations/preview",
        "/invitations/accept",
        "/auth/password",
        "/auth/workspace",
        "/invitations",
        "/keys",
    ];
    for path in paths {
        let raw = |body: &'static str| server.call(Method::POST, path).by(&ada).raw(body).send();
        raw("{").await.refused(400, "malformed_json");
        raw("[]").await.refused(422, "wrong_type");
        raw("{}").await.refused(422, "wrong_type");
        raw("null").await.refused(422, "wrong_type");
        raw(r#"{"email":"a\u0000b","password":"x","token":"x","role":"member","name":"x"}"#)
            .await
            .refused(422, "invalid_text");
        server
            .call(Method::POST, path)
            .by(&ada)
            .header("content-type", "text/plain")
            .send()
            .await
            .refused(415, "json_expected");
    }
    let huge = json!({ "email": "x".repeat(2 << 20), "password": PASSWORD }).to_string();
    server.call(Method::POST, "/auth/login").raw(huge).send().await.refused(413, "body_too_large");
    server.get("/me").by(&ada).send().await.expect(200);
    server.stop().await;
}

#[tokio::test]
async fn tokens_that_are_no_tokens_are_refused() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let changed = {
        let mut token = ada.access.clone();
        let last = if token.pop() == Some('A') { 'Q' } else { 'A' };
        token.push(last);
        token
    };
    let long = "a".repeat(8000);
    for token in
        ["x", "sba_", "sba_AAAA", "sbk_AAAA", "Bearer", "..", changed.as_str(), ada.cookie.as_str(), long.as_str()]
    {
        server.get("/me").bearer(token).send().await.refused(401, "unauthenticated");
    }
    server.get("/me").header("authorization", "Basic YTpi").send().await.refused(401, "unauthenticated");
    server.get("/me").header("authorization", &format!("Bearer {}", ada.access)).send().await.expect(200);
    server.stop().await;
}

#[tokio::test]
async fn quotes_percent_signs_and_emoji_are_only_text() {
    let server = Server::start().await;
    let ada = server.owner().await;
    for name in ["Robert'); DROP TABLE users;--", "100% _wild_ \\ \"quoted\"", "👩‍🚀 Ада 艾达", "$1 ?1 :name"]
    {
        let me = server.patch("/me", json!({ "name": name })).by(&ada).send().await.expect(200);
        assert_eq!(me.json["user"]["name"], name);
    }
    server
        .post("/auth/login", json!({ "email": "' OR 1=1 --@x", "password": PASSWORD }))
        .send()
        .await
        .refused(401, "credentials_wrong");
    server.stop().await;
}

#[tokio::test]
async fn no_address_name_or_secret_reaches_the_log() {
    let server = Server::start().await;
    let ada = server.owner().await;
    server.patch("/me", json!({ "name": "Unmistakable Name" })).by(&ada).send().await.expect(200);
    let token = server.invite(&ada, "unmistakable@example.org", "member").await;
    let accept = json!({ "token": token, "name": "Unmistakable Too", "password": "an unmistakable password" });
    server.post("/invitations/accept", accept).send().await.expect(201);
    for password in ["an unmistakable password", "an unmistakable mistake"] {
        server.post("/auth/login", json!({ "email": "unmistakable@example.org", "password": password })).send().await;
    }
    let key = server.post("/keys", json!({ "name": "CI", "scopes": ["live.read"] })).by(&ada).send().await.expect(201);
    let key = key.json["secret"].as_str().unwrap();
    server.get("/me").bearer(key).send().await.expect(200);
    server.refresh(&ada.cookie).await.expect(200);
    server.clock.advance(std::time::Duration::from_secs(60));
    server.refresh(&ada.cookie).await.refused(401, "refresh_reused");
    assert!(!testkit::logged("a refresh token was used twice").is_empty(), "the log is read here");
    assert!(!testkit::logged("a password was wrong").is_empty());
    for secret in ["nmistakable", &token, key, &ada.access, &ada.cookie, crate::harness::CODE, PASSWORD] {
        assert_eq!(testkit::logged(secret), Vec::<String>::new(), "{secret}");
    }
    server.stop().await;
}
