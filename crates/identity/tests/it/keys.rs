//! API keys.

use std::time::Duration;

use serde_json::{Value, json};

use testkit::eventually;

use crate::harness::{Person, Reply, Server};

async fn create(server: &Server, by: &Person, body: Value) -> Reply {
    server.post("/keys", body).by(by).send().await
}

async fn key(server: &Server, by: &Person, scopes: &[&str]) -> (String, String) {
    let reply = create(server, by, json!({ "name": "CI", "scopes": scopes })).await.expect(201);
    let text = |field: &str| reply.json[field].as_str().unwrap().to_owned();
    (text("secret"), text("id"))
}

#[tokio::test]
async fn a_key_does_what_its_scopes_say_and_no_more() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let (secret, id) = key(&server, &ada, &["members.read", "live.read"]).await;
    assert!(secret.starts_with("sbk_") && secret.len() == 55, "{secret}");
    server.get("/members").bearer(&secret).send().await.expect(200);
    server.get("/keys").bearer(&secret).send().await.refused(403, "forbidden");
    let me = server.get("/me").bearer(&secret).send().await.expect(200);
    assert_eq!(
        (&me.json["user"], &me.json["role"], &me.json["session_id"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(me.json["rights"], json!(["members.read", "live.read"]));
    for (method, path) in [("GET", "/auth/sessions"), ("DELETE", "/auth/sessions/01890a5d-ac96-774b-bcce-b302099a8057")]
    {
        server.call(method.parse().unwrap(), path).bearer(&secret).send().await.refused(403, "people_only");
    }
    server.patch("/me", json!({ "name": "Robot" })).bearer(&secret).send().await.refused(403, "people_only");
    let listed = server.get("/keys").by(&ada).send().await.expect(200);
    assert_eq!((&listed.items()[0]["id"], &listed.items()[0]["prefix"]), (&json!(id), &json!(secret[..12])));
    assert!(!listed.json.to_string().contains(&secret[12..]), "the secret is shown once");
    server.stop().await;
}

#[tokio::test]
async fn nobody_gives_a_key_more_than_he_has() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let (maker, _) = key(&server, &ada, &["keys.manage", "members.read"]).await;
    let by_key = |scopes: &[&str]| server.post("/keys", json!({ "name": "x", "scopes": scopes })).bearer(&maker).send();
    by_key(&["members.read"]).await.expect(201);
    by_key(&["members.read", "audit.read"]).await.refused(403, "scopes_too_high");
    create(&server, &ada, json!({ "name": "x", "scopes": [] })).await.refused(422, "scopes_empty");
    create(&server, &ada, json!({ "name": "x", "scopes": ["world.rule"] })).await.refused(422, "wrong_type");
    create(&server, &ada, json!({ "name": " ", "scopes": ["live.read"] })).await.refused(422, "text_empty");
    create(&server, &ada, json!({ "name": "x", "scopes": ["live.read"], "rate_limit": 0 }))
        .await
        .refused(422, "rate_limit_invalid");
    let past = "2020-01-01T00:00:00Z";
    create(&server, &ada, json!({ "name": "x", "scopes": ["live.read"], "expires_at": past }))
        .await
        .refused(422, "expires_in_the_past");
    server.stop().await;
}

#[tokio::test]
async fn a_key_never_reaches_owners_nor_invites_above_its_scopes() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let member = server.member(&ada, "member").await;
    let (few, _) = key(&server, &ada, &["members.manage", "members.read", "live.read"]).await;
    let all: Vec<&str> = model::Right::ALL.iter().map(|it| it.as_str()).collect();
    let (most, _) = key(&server, &ada, &all).await;
    let invite = |secret: &str, role: &str| {
        server
            .post("/invitations", json!({ "email": format!("{role}@new.example"), "role": role }))
            .bearer(secret)
            .send()
    };
    invite(&few, "member").await.expect(201);
    invite(&few, "operator").await.refused(403, "role_too_high");
    invite(&most, "admin").await.expect(201);
    invite(&most, "owner").await.refused(403, "role_too_high");
    server.delete(&format!("/members/{}", ada.id)).bearer(&most).send().await.refused(403, "role_too_high");
    server.delete(&format!("/members/{}", member.id)).bearer(&few).send().await.expect(204);
    server.stop().await;
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let (secret, id) = key(&server, &ada, &["members.read"]).await;
    server.get("/members").bearer(&secret).send().await.expect(200);
    server.delete(&format!("/keys/{id}")).by(&ada).send().await.expect(204);
    server.get("/members").bearer(&secret).send().await.refused(401, "unauthenticated");
    server.delete(&format!("/keys/{id}")).by(&ada).send().await.expect(204);
    assert!(server.get("/keys").by(&ada).send().await.expect(200).items()[0]["revoked_at"].is_string());
    server.delete("/keys/nonsense").by(&ada).send().await.refused(404, "not_found");
    server.stop().await;
}

#[tokio::test]
async fn a_key_ends_when_its_time_is_over() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let end = server.hub.world().now() + Duration::from_secs(3600);
    let body = json!({ "name": "short", "scopes": ["members.read"], "expires_at": end });
    let secret = create(&server, &ada, body).await.expect(201).json["secret"].as_str().unwrap().to_owned();
    server.clock.advance(Duration::from_secs(3599));
    server.get("/members").bearer(&secret).send().await.expect(200);
    server.clock.advance(Duration::from_secs(1));
    server.get("/members").bearer(&secret).send().await.refused(401, "token_expired");
    server.stop().await;
}

#[tokio::test]
async fn a_key_has_a_rate_of_its_own() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let body = json!({ "name": "slow", "scopes": ["members.read"], "rate_limit": 3 });
    let secret = create(&server, &ada, body).await.expect(201).json["secret"].as_str().unwrap().to_owned();
    for left in ["2", "1", "0"] {
        let reply = server.get("/members").bearer(&secret).send().await.expect(200);
        assert_eq!(
            (&reply.headers["x-ratelimit-limit"], &reply.headers["x-ratelimit-remaining"]),
            (&"3".parse().unwrap(), &left.parse().unwrap())
        );
    }
    server.get("/members").bearer(&secret).send().await.refused(429, "rate_limited");
    server.get("/members").by(&ada).send().await.expect(200);
    server.stop().await;
}

#[tokio::test]
async fn the_last_use_of_a_key_is_shown_and_survives_in_the_database() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let (secret, _) = key(&server, &ada, &["members.read"]).await;
    let used = async || server.get("/keys").by(&ada).send().await.expect(200).items()[0]["last_used_at"].clone();
    assert_eq!(used().await, Value::Null);
    server.clock.advance(Duration::from_secs(5));
    let at = json!(server.hub.world().now());
    server.get("/members").bearer(&secret).send().await.expect(200);
    assert_eq!(used().await, at);
    let stored = async || {
        let read = server
            .hub
            .db()
            .read(|tx| tx.one("SELECT last_used_at FROM api_keys", &[], |row| row.get::<Option<model::Timestamp>>(0)));
        let stored: Result<_, store::Error> = read.await;
        stored.unwrap()
    };
    // It is written within a minute of the clock.
    eventually(async || {
        server.clock.advance(Duration::from_secs(60));
        (stored().await.is_some()).then_some(())
    })
    .await;
    assert_eq!(json!(stored().await), at);
    server.stop().await;
}

#[tokio::test]
async fn what_only_looks_like_a_key_is_refused() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let (secret, _) = key(&server, &ada, &["members.read"]).await;
    server.get("/members").bearer(&secret).send().await.expect(200);
    let mut wrong = secret.clone();
    wrong.replace_range(20..24, if &secret[20..24] == "AAAA" { "BBBB" } else { "AAAA" });
    for text in [wrong.as_str(), &secret[..12], "sbk_", &format!("{secret}x"), &secret[4..]] {
        server.get("/members").bearer(text).send().await.refused(401, "unauthenticated");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_repeated_creation_does_not_show_the_secret_again() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let make = || {
        server
            .post("/keys", json!({ "name": "CI", "scopes": ["live.read"] }))
            .by(&ada)
            .header("idempotency-key", "k")
            .send()
    };
    let first = make().await.expect(201);
    assert_eq!(make().await.refused(409, "result_not_repeatable").json["resource"], first.json["id"]);
    server.stop().await;
}
