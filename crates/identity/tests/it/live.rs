//! Revocation closes live streams; the workspace hears what changes.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};

use crate::harness::{Person, Server};

struct Stream(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Stream {
    async fn open(server: &Server, token: &str) -> Self {
        let url = format!("ws://{}/api/v1/live", server.address());
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let mut stream = Self(socket);
        stream.0.send(Message::text(json!({ "type": "hello", "token": token }).to_string())).await.unwrap();
        assert_eq!(stream.next().await.expect("a frame")["type"], "welcome");
        stream
    }

    /// The next JSON frame; `Err` with the code once it is closed.
    async fn next(&mut self) -> Result<Value, u16> {
        loop {
            let message = tokio::time::timeout(Duration::from_secs(20), self.0.next()).await.expect("something comes");
            match message {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => return Err(frame.map_or(0, |it| u16::from(it.code))),
                Some(Ok(_)) => {}
                other => panic!("the stream broke: {other:?}"),
            }
        }
    }

    async fn event(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await.expect("it stays open");
            if frame["type"] == "event" && frame["event"]["kind"] == kind {
                return frame["event"]["body"].clone();
            }
        }
    }

    async fn closed(&mut self) -> u16 {
        loop {
            if let Err(code) = self.next().await {
                return code;
            }
        }
    }
}

#[tokio::test]
async fn ending_a_session_closes_its_streams_and_no_others() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let phone = server.login(&ada.email).await;
    let (mut here, mut there) = (Stream::open(&server, &ada.access).await, Stream::open(&server, &phone.access).await);
    let sessions = server.get("/auth/sessions").by(&ada).send().await.expect(200);
    let other = sessions.items().iter().find(|it| it["current"] == false).unwrap()["id"].as_str().unwrap().to_owned();
    server.delete(&format!("/auth/sessions/{other}")).by(&ada).send().await.expect(204);
    assert_eq!(there.closed().await, 4001);
    server.invite(&ada, "bob@example.org", "member").await;
    assert_eq!(here.event("invitation.created").await["invitation"]["email"], "bob@example.org");
    server.stop().await;
}

#[tokio::test]
async fn a_changed_role_or_a_removal_closes_the_members_streams() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let member = server.member(&ada, "operator").await;
    let (mut owner, mut stream) =
        (Stream::open(&server, &ada.access).await, Stream::open(&server, &member.access).await);
    let path = format!("/members/{}", member.id);
    server.patch(&path, json!({ "role": "member" })).by(&ada).send().await.expect(200);
    assert_eq!(stream.closed().await, 4001);
    assert_eq!(owner.event("member.updated").await["member"]["role"], "member");
    let member = Person::of(server.refresh(&member.cookie).await.expect(200));
    let mut stream = Stream::open(&server, &member.access).await;
    server.delete(&path).by(&ada).send().await.expect(204);
    assert_eq!(stream.closed().await, 4001);
    assert_eq!(owner.event("member.removed").await["user_id"], member.id);
    server.stop().await;
}

#[tokio::test]
async fn revoking_a_key_closes_its_streams_and_administrators_hear_of_it() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let mut owner = Stream::open(&server, &ada.access).await;
    let made = server.post("/keys", json!({ "name": "CI", "scopes": ["live.read"] })).by(&ada).send().await.expect(201);
    let event = owner.event("key.created").await;
    assert_eq!(event["key"]["prefix"], made.json["prefix"]);
    assert!(!event.to_string().contains(made.json["secret"].as_str().unwrap()));
    let mut stream = Stream::open(&server, made.json["secret"].as_str().unwrap()).await;
    server.delete(&format!("/keys/{}", made.json["id"].as_str().unwrap())).by(&ada).send().await.expect(204);
    assert_eq!(stream.closed().await, 4001);
    assert!(owner.event("key.updated").await["key"]["revoked_at"].is_string());
    server.stop().await;
}

#[tokio::test]
async fn a_member_hears_of_members_but_not_of_invitations_and_keys() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let member = server.member(&ada, "member").await;
    let mut stream = Stream::open(&server, &member.access).await;
    server.post("/keys", json!({ "name": "CI", "scopes": ["live.read"] })).by(&ada).send().await.expect(201);
    let guest = server.member(&ada, "guest").await;
    server.patch("/me", json!({ "name": "Renamed" })).by(&guest).send().await.expect(200);
    let mut kinds = Vec::new();
    while kinds.last().is_none_or(|kind| kind != "member.updated") {
        let frame = stream.next().await.expect("it stays open");
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
    let mut stream = Stream::open(&server, &ada.access).await;
    server.patch("/me", json!({ "name": "Countess" })).by(&ada).send().await.expect(200);
    assert_eq!(stream.event("member.updated").await["member"]["user"]["name"], "Countess");
    server.patch("/me", json!({ "name": "Ada" })).by(&ada).send().await.expect(200);
    assert_eq!(stream.event("member.updated").await["member"]["user"]["name"], "Ada");
    server.stop().await;
}
