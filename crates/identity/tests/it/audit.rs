//! What administrators do is written down.

use serde_json::json;

use crate::harness::{Person, Server};

#[tokio::test]
async fn every_administrative_act_is_in_the_audit_log_of_its_workspace() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let member = server.member(&ada, "member").await;
    server.patch(&format!("/members/{}", member.id), json!({ "role": "operator" })).by(&ada).send().await.expect(200);
    server.delete(&format!("/members/{}", member.id)).by(&ada).send().await.expect(204);
    server.invite(&ada, "eve@example.org", "guest").await;
    let invitations = server.get("/invitations").by(&ada).send().await.expect(200);
    server
        .delete(&format!("/invitations/{}", invitations.items()[0]["id"].as_str().unwrap()))
        .by(&ada)
        .send()
        .await
        .expect(204);
    let key = server.post("/keys", json!({ "name": "CI", "scopes": ["live.read"] })).by(&ada).send().await.expect(201);
    server.delete(&format!("/keys/{}", key.json["id"].as_str().unwrap())).by(&ada).send().await.expect(204);
    let log = server.get("/audit").by(&ada).send().await.expect(200);
    let actions: Vec<&str> = log.items().iter().map(|it| it["action"].as_str().unwrap()).collect();
    let want = [
        "key.revoked",
        "key.created",
        "invitation.revoked",
        "invitation.created",
        "member.removed",
        "member.role_changed",
        "invitation.accepted",
        "invitation.created",
        "workspace.created",
    ];
    assert_eq!(actions, want);
    let change = &log.items()[5];
    assert_eq!(change["detail"], json!({ "from": "member", "to": "operator" }));
    assert_eq!(
        (&change["actor"]["name"], &change["target"]["id"], &change["address"]),
        (&json!("Ada"), &json!(member.id), &json!("127.0.0.1"))
    );
    let text = log.json.to_string();
    for secret in [key.json["secret"].as_str().unwrap(), crate::harness::PASSWORD, crate::harness::CODE] {
        assert!(!text.contains(secret));
    }
    let workspace = ada.workspace.parse().unwrap();
    let broken: Result<_, store::Error> = server.hub.db().read(move |tx| kit::audit::verify(tx, workspace)).await;
    assert_eq!(broken.unwrap(), None);
    server.stop().await;
}

#[tokio::test]
async fn an_act_that_was_refused_or_changed_nothing_leaves_no_entry() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let count = async |by: &Person| server.get("/audit").by(by).send().await.expect(200).items().len();
    let before = count(&ada).await;
    let me = format!("/members/{}", ada.id);
    server.patch(&me, json!({ "role": "guest" })).by(&ada).send().await.refused(409, "last_owner");
    server.patch(&me, json!({ "role": "owner" })).by(&ada).send().await.expect(200);
    server
        .post("/keys", json!({ "name": "", "scopes": ["live.read"] }))
        .by(&ada)
        .send()
        .await
        .refused(422, "text_empty");
    assert_eq!(count(&ada).await, before);
    server.stop().await;
}
