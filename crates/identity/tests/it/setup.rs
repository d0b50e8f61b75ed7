//! Setting the installation up.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{CODE, PASSWORD, Person, Server};

fn body() -> Value {
    json!({ "code": CODE, "workspace": "Analytical", "name": "Ada", "email": " Ada@Example.org ", "password": PASSWORD })
}

fn but(field: &str, value: Value) -> Value {
    let mut body = body();
    body[field] = value;
    body
}

#[tokio::test]
async fn the_first_person_becomes_owner_and_is_signed_in() {
    let server = Server::start().await;
    let state = server.get("/setup").send().await.expect(200);
    assert_eq!(state.json, json!({ "needed": true, "sandbox": true }));
    let reply = server.post("/setup", body()).send().await.expect(201);
    assert_eq!(reply.json["user"]["email"], "ada@example.org");
    assert_eq!(reply.json["role"], "owner");
    assert_eq!(reply.json["expires_in"], 900);
    assert_eq!(reply.json["rights"].as_array().map(Vec::len), Some(model::Right::ALL.len()));
    assert_eq!(
        reply.json["workspaces"],
        json!([{ "id": reply.json["workspace"]["id"], "name": "Analytical", "role": "owner" }])
    );
    let ada = Person::of(reply);
    let me = server.get("/me").by(&ada).send().await.expect(200);
    assert_eq!(me.json["user"]["name"], "Ada");
    assert_eq!(server.get("/setup").send().await.expect(200).json["needed"], false);
    server.refresh(&ada.cookie).await.expect(200);
    server.stop().await;
}

#[tokio::test]
async fn a_second_setup_is_refused_even_with_the_code() {
    let server = Server::start().await;
    server.owner().await;
    server.post("/setup", body()).send().await.refused(409, "already_set_up");
    server.post("/setup", but("code", json!("wrong"))).send().await.refused(409, "already_set_up");
    server.stop().await;
}

#[tokio::test]
async fn of_many_simultaneous_setups_one_wins_and_leaves_one_workspace() {
    let server = Server::start().await;
    let all = (0..8).map(|n| {
        let mut body = body();
        body["email"] = json!(format!("ada{n}@example.org"));
        server.post("/setup", body).send()
    });
    let replies = futures_util::future::join_all(all).await;
    let won: Vec<_> = replies.iter().filter(|it| it.status == 201).collect();
    assert_eq!(won.len(), 1, "{replies:?}");
    assert!(replies.iter().all(|it| it.status == 201 || it.code() == "already_set_up"), "{replies:?}");
    let counted = server.hub.db().read(|tx| {
        let count = |tx: &mut store::Tx<'_>, sql: &str| tx.one(sql, &[], |row| row.get::<i64>(0));
        let workspaces = count(tx, "SELECT COUNT(*) FROM workspaces")?;
        let memberships = count(tx, "SELECT COUNT(*) FROM memberships")?;
        let users = count(tx, "SELECT COUNT(*) FROM users")?;
        Ok::<_, store::Error>((workspaces, memberships, users))
    });
    assert_eq!(counted.await.unwrap(), (1, 1, 1));
    server.stop().await;
}

#[tokio::test]
async fn the_code_can_be_tried_ten_times_a_minute() {
    let server = Server::start().await;
    for _ in 0..10 {
        server.post("/setup", but("code", json!("not-the-setup-code"))).send().await.refused(403, "setup_code_wrong");
    }
    let refused = server.post("/setup", body()).send().await.refused(429, "rate_limited");
    assert_eq!(refused.headers["retry-after"], "6");
    server.clock.advance(Duration::from_secs(6));
    server.post("/setup", body()).send().await.expect(201);
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_with_its_field_and_the_code_stays_good() {
    let server = Server::start().await;
    let cases = [
        ("workspace", json!("  "), "text_empty"),
        ("name", json!("x".repeat(101)), "text_too_long"),
        ("name", json!("two\nlines"), "invalid_text"),
        ("email", json!("nobody"), "invalid_email"),
        ("password", json!("too short"), "password_too_short"),
        ("password", json!("x".repeat(201)), "password_too_long"),
    ];
    for (field, value, code) in cases {
        let reply = server.post("/setup", but(field, value)).send().await.refused(422, code);
        assert_eq!(reply.json["errors"][0]["field"], field, "{}", reply.json);
    }
    server.post("/setup", but("name", json!(7))).send().await.refused(422, "wrong_type");
    server.post("/setup", body()).send().await.expect(201);
    server.stop().await;
}

#[tokio::test]
async fn a_sandbox_bot_is_connected_when_it_is_asked_for() {
    let server = Server::start().await;
    server.post("/setup", but("sandbox", json!(true))).send().await.expect(201);
    assert_eq!(*server.sandboxes.lock().unwrap(), ["Ada"]);
    server.stop().await;
}
