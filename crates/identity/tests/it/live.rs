//! Revocation closes live streams; the workspace hears what changes.

use serde_json::{Value, json};
use testkit::LiveClient;

use crate::harness::{Person, Server};

async fn open(server: &Server, token: &str) -> LiveClient {
    server.kit.with_token(token).live(None).await
}

/// The body of the next event of this kind.
async fn event(stream: &mut LiveClient, kind: &str) -> Value {
    stream.next_event(kind).await["body"].clone()
}

#[tokio::test]
async fn ending_a_session_closes_its_streams_and_no_others() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let phone = server.login(&ada.email).await;
    let (mut here, mut there) = (open(&server, &ada.access).await, open(&server, &phone.access).await);
    let sessions = server.get("/auth/sessions").by(&ada).send().await.expect(200);
    let other = sessions.items().iter().find(|it| it["current"] == false).unwrap()["id"].as_str().unwrap().to_owned();
    server.delete(&format!("/auth/sessions/{other}")).by(&ada).send().await.expect(204);
    assert_eq!(there.closed().await, 4001);
    server.invite(&ada, "bob@example.org", "member").await;
    assert_eq!(event(&mut here, "invitation.created").await["invitation"]["email"], "bob@example.org");
    server.stop().await;
}

#[tokio::test]
async fn a_changed_role_or_a_removal_closes_the_members_streams() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let member = server.member(&ada, "operator").await;
    let (mut owner, mut stream) = (open(&server, &ada.access).await, open(&server, &member.access).await);
    let path = format!("/members/{}", member.id);
    server.patch(&path, json!({ "role": "member" })).by(&ada).send().await.expect(200);
    assert_eq!(stream.closed().await, 4001);
    assert_eq!(event(&mut owner, "member.updated").await["member"]["role"], "member");
    let member = Person::of(server.refresh(&member.cookie).await.expect(200));
    let mut stream = open(&server, &member.access).await;
    server.delete(&path).by(&ada).send().await.expect(204);
    assert_eq!(stream.closed().await, 4001);
    assert_eq!(event(&mut owner, "member.removed").await["user_id"], member.id);
    server.stop().await;
}

#[tokio::test]
async fn revoking_a_key_closes_its_streams_and_administrators_hear_of_it() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let mut owner = open(&server, &ada.access).await;
    let made = server.post("/keys", json!({ "name": "CI", "scopes": ["live.read"] })).by(&ada).send().await.expect(201);
    let told = event(&mut owner, "key.created").await;
    assert_eq!(told["key"]["prefix"], made.json["prefix"]);
    assert!(!told.to_string().contains(made.json["secret"].as_str().unwrap()));
    let mut stream = open(&server, made.json["secret"].as_str().unwrap()).await;
    server.delete(&format!("/keys/{}", made.json["id"].as_str().unwrap())).by(&ada).send().await.expect(204);
    assert_eq!(stream.closed().await, 4001);
    assert!(event(&mut owner, "key.updated").await["key"]["revoked_at"].is_string());
    server.stop().await;
}

#[tokio::test]
async fn a_member_hears_of_members_but_not_of_invitations_and_keys() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let member = server.member(&ada, "member").await;
    let mut stream = open(&server, &member.access).await;
    server.post("/keys", json!({ "name": "CI", "scopes": ["live.read"] })).by(&ada).send().await.expect(201);
    let guest = server.member(&ada, "guest").await;
    server.patch("/me", json!({ "name": "Renamed" })).by(&guest).send().await.expect(200);
    let mut kinds = Vec::new();
    while kinds.last().is_none_or(|kind| kind != "member.updated") {
        let frame = stream.next().await;
        if frame["type"] == "event" {
            kinds.push(frame["event"]["kind"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(kinds, ["member.joined", "member.updated"]);
    server.stop().await;
}

#[tokio::test]
async fn a_rename_leaves_the_streams_open() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let mut stream = open(&server, &ada.access).await;
    server.patch("/me", json!({ "name": "Countess" })).by(&ada).send().await.expect(200);
    assert_eq!(event(&mut stream, "member.updated").await["member"]["user"]["name"], "Countess");
    server.patch("/me", json!({ "name": "Ada" })).by(&ada).send().await.expect(200);
    assert_eq!(event(&mut stream, "member.updated").await["member"]["user"]["name"], "Ada");
    server.stop().await;
}
