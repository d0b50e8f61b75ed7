//! Invitations.

use std::time::Duration;

use serde_json::json;

use crate::harness::{ORIGIN, PASSWORD, Person, Reply, Server};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn accept(server: &Server, token: &str, name: Option<&str>, password: &str) -> Reply {
    server.post("/invitations/accept", json!({ "token": token, "name": name, "password": password })).send().await
}

async fn preview(server: &Server, token: &str) -> Reply {
    server.post("/invitations/preview", json!({ "token": token })).send().await
}

#[tokio::test]
async fn an_invited_person_sees_what_it_is_to_and_joins_with_the_given_role() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let reply = server
        .post("/invitations", json!({ "email": " Bob@Example.org", "role": "operator" }))
        .by(&ada)
        .send()
        .await
        .expect(201);
    assert_eq!((&reply.json["email"], &reply.json["state"]), (&json!("bob@example.org"), &json!("pending")));
    assert_eq!(reply.json["invited_by"], json!({ "id": ada.id, "name": "Ada" }));
    let token = reply.json["link"].as_str().unwrap().strip_prefix(&format!("{ORIGIN}/join#")).unwrap().to_owned();
    assert_eq!(token.len(), 22, "128 bits");
    let seen = preview(&server, &token).await.expect(200);
    assert_eq!((&seen.json["workspace"], &seen.json["existing_user"]), (&json!("Analytical"), &json!(false)));
    let bob = Person::of(accept(&server, &token, Some("Bob"), PASSWORD).await.expect(201));
    assert_eq!((&bob.body["role"], &bob.body["workspace"]["name"]), (&json!("operator"), &json!("Analytical")));
    server.get("/me").by(&bob).send().await.expect(200);
    assert_eq!(server.login("bob@example.org").await.id, bob.id);
    accept(&server, &token, Some("Bob"), PASSWORD).await.refused(410, "invitation_used");
    preview(&server, &token).await.refused(410, "invitation_used");
    let listed = server.get("/invitations").by(&ada).send().await.expect(200);
    assert_eq!(listed.items()[0]["state"], "accepted");
    assert!(listed.items()[0].get("link").is_none(), "the link is shown once");
    server.stop().await;
}

#[tokio::test]
async fn an_invitation_lasts_seven_days() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let (early, late) = (
        server.invite(&ada, "bob@example.org", "member").await,
        server.invite(&ada, "eve@example.org", "member").await,
    );
    server.clock.advance(7 * DAY - Duration::from_secs(1));
    accept(&server, &early, Some("Bob"), PASSWORD).await.expect(201);
    server.clock.advance(Duration::from_secs(1));
    preview(&server, &late).await.refused(410, "invitation_expired");
    accept(&server, &late, Some("Eve"), PASSWORD).await.refused(410, "invitation_expired");
    let ada = server.login(&ada.email).await;
    let listed = server.get("/invitations").by(&ada).send().await.expect(200);
    assert_eq!(
        listed.items().iter().map(|it| it["state"].as_str().unwrap()).collect::<Vec<_>>(),
        ["expired", "accepted"]
    );
    server.stop().await;
}

#[tokio::test]
async fn an_existing_person_accepts_with_his_password_and_only_with_it() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let bob = server.member(&ada, "operator").await;
    let there = server.second_workspace(&ada).await;
    let token = server.invite(&there, &bob.email, "admin").await;
    assert_eq!(preview(&server, &token).await.expect(200).json["existing_user"], true);
    accept(&server, &token, Some("Mallory"), "somebody else's idea").await.refused(401, "credentials_wrong");
    let both = Person::of(accept(&server, &token, None, PASSWORD).await.expect(201));
    assert_eq!((both.id.as_str(), &both.body["user"]["name"]), (bob.id.as_str(), &bob.body["user"]["name"]));
    assert_eq!((&both.body["role"], &both.body["workspaces"][0]["role"]), (&json!("admin"), &json!("operator")));
    server.stop().await;
}

#[tokio::test]
async fn a_revoked_or_replaced_invitation_is_worth_nothing() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let first = server.invite(&ada, "bob@example.org", "member").await;
    let second = server.invite(&ada, "BOB@example.org", "operator").await;
    accept(&server, &first, Some("Bob"), PASSWORD).await.refused(410, "invitation_revoked");
    let listed = server.get("/invitations").by(&ada).send().await.expect(200);
    let path = format!("/invitations/{}", listed.items()[0]["id"].as_str().unwrap());
    server.delete(&path).by(&ada).send().await.expect(204);
    server.delete(&path).by(&ada).send().await.expect(204);
    accept(&server, &second, Some("Bob"), PASSWORD).await.refused(410, "invitation_revoked");
    for token in ["", "unknown", &"A".repeat(22)] {
        accept(&server, token, Some("Bob"), PASSWORD).await.refused(404, "invitation_unknown");
    }
    server.delete("/invitations/01890a5d-ac96-774b-bcce-b302099a8057").by(&ada).send().await.refused(404, "not_found");
    server.stop().await;
}

#[tokio::test]
async fn a_new_person_needs_a_name_and_a_good_password() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let token = server.invite(&ada, "bob@example.org", "member").await;
    assert_eq!(
        accept(&server, &token, None, PASSWORD).await.refused(422, "text_empty").json["errors"][0]["field"],
        "name"
    );
    accept(&server, &token, Some("Bob"), "short").await.refused(422, "password_too_short");
    accept(&server, &token, Some("Bob"), PASSWORD).await.expect(201);
    server.stop().await;
}

#[tokio::test]
async fn one_invitation_makes_one_member_however_often_it_is_accepted_at_once() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let token = server.invite(&ada, "bob@example.org", "member").await;
    let all = (0..6).map(|n| {
        let (server, token) = (&server, token.as_str());
        async move { accept(server, token, Some(&format!("Bob {n}")), PASSWORD).await }
    });
    let replies = futures_util::future::join_all(all).await;
    assert_eq!(replies.iter().filter(|it| it.status == 201).count(), 1, "{replies:?}");
    let known = ["account_exists", "invitation_used"];
    assert!(replies.iter().all(|it| it.status == 201 || known.contains(&it.code())), "{replies:?}");
    assert_eq!(server.get("/members").by(&ada).send().await.expect(200).items().len(), 2);
    server.stop().await;
}

#[tokio::test]
async fn nobody_invites_above_his_role_or_who_is_there_already() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let admin = server.member(&ada, "admin").await;
    let invite = |by: &Person, email: &str, role: &str| {
        server.post("/invitations", json!({ "email": email, "role": role })).by(by).send()
    };
    invite(&admin, "bob@example.org", "owner").await.refused(403, "role_too_high");
    invite(&admin, "bob@example.org", "admin").await.expect(201);
    invite(&ada, "eve@example.org", "owner").await.expect(201);
    invite(&ada, "ADMIN@example.org", "guest").await.refused(409, "already_member");
    invite(&ada, "no address", "guest").await.refused(422, "invalid_email");
    invite(&ada, "x@example.org", "emperor").await.refused(422, "wrong_type");
    server.stop().await;
}

#[tokio::test]
async fn a_repeat_of_an_invitation_does_not_show_the_link_again() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let invite = || {
        let body = json!({ "email": "bob@example.org", "role": "member" });
        server.post("/invitations", body).by(&ada).header("idempotency-key", "first-try").send()
    };
    let first = invite().await.expect(201);
    let repeat = invite().await.refused(409, "result_not_repeatable");
    assert_eq!(repeat.json["resource"], first.json["id"]);
    assert_eq!(server.get("/invitations").by(&ada).send().await.expect(200).items().len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn what_somebody_may_not_grant_any_more_is_taken_back_with_his_role() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let boss = server.member(&ada, "owner").await;
    let (owner, guest) = (
        server.invite(&boss, "second@example.org", "owner").await,
        server.invite(&boss, "third@example.org", "guest").await,
    );
    let role = |role: &str| server.patch(&format!("/members/{}", boss.id), json!({ "role": role })).by(&ada);
    role("admin").send().await.expect(200);
    accept(&server, &owner, Some("Second"), PASSWORD).await.refused(410, "invitation_revoked");
    preview(&server, &guest).await.expect(200);
    role("operator").send().await.expect(200);
    preview(&server, &guest).await.refused(410, "invitation_revoked");
    server.stop().await;
}

#[tokio::test]
async fn a_removed_member_and_a_revoked_key_leave_no_open_invitation() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let admin = server.member(&ada, "admin").await;
    let his = server.invite(&admin, "friend@example.org", "admin").await;
    let hers = server.invite(&ada, "other@example.org", "admin").await;
    server.delete(&format!("/members/{}", admin.id)).by(&ada).send().await.expect(204);
    accept(&server, &his, Some("Friend"), PASSWORD).await.refused(410, "invitation_revoked");
    preview(&server, &hers).await.expect(200);
    let key = json!({ "name": "CI", "scopes": ["members.manage", "live.read"] });
    let key = server.post("/keys", key).by(&ada).send().await.expect(201).json;
    let invited = server
        .post("/invitations", json!({ "email": "robot@example.org", "role": "guest" }))
        .bearer(key["secret"].as_str().unwrap())
        .send()
        .await
        .expect(201);
    let token = invited.json["link"].as_str().unwrap().rsplit_once('#').unwrap().1;
    preview(&server, token).await.expect(200);
    server.delete(&format!("/keys/{}", key["id"].as_str().unwrap())).by(&ada).send().await.expect(204);
    preview(&server, token).await.refused(410, "invitation_revoked");
    server.stop().await;
}
