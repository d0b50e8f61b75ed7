//! Members and their roles.

use serde_json::{Value, json};

use crate::harness::{Person, Reply, Server};

async fn set_role(server: &Server, by: &Person, user: &str, role: &str) -> Reply {
    server.patch(&format!("/members/{user}"), json!({ "role": role })).by(by).send().await
}

#[tokio::test]
async fn members_are_listed_page_by_page_in_the_order_in_which_they_joined() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let mut want = vec![ada.email.clone()];
    for role in ["admin", "moderator", "operator", "member"] {
        want.push(server.member(&ada, role).await.email);
    }
    let (mut seen, mut path) = (Vec::new(), "/members?limit=2".to_owned());
    loop {
        let page = server.get(&path).by(&ada).send().await.expect(200);
        seen.extend(page.items().iter().map(|it| it["user"]["email"].as_str().unwrap().to_owned()));
        assert!(page.json["live_cursor"].is_string());
        let Some(cursor) = page.json["next_cursor"].as_str() else { break };
        path = format!("/members?limit=2&cursor={cursor}");
    }
    // All joined at the same moment of the fixed clock, so ids decide; every one is there once.
    seen[1..].sort_unstable();
    want[1..].sort_unstable();
    assert_eq!(seen, want);
    server.get("/invitations?cursor=AAAA").by(&ada).send().await.refused(400, "cursor_invalid");
    server.stop().await;
}

#[tokio::test]
async fn a_changed_role_takes_effect_on_the_next_request() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let admin = server.member(&ada, "admin").await;
    server.get("/keys").by(&admin).send().await.expect(200);
    let changed = set_role(&server, &ada, &admin.id, "operator").await.expect(200);
    assert_eq!(changed.json["role"], "operator");
    server.get("/keys").by(&admin).send().await.refused(401, "unauthenticated");
    let again = Person::of(server.refresh(&admin.cookie).await.expect(200));
    assert_eq!(again.body["role"], "operator");
    server.get("/keys").by(&again).send().await.refused(403, "forbidden");
    let same = set_role(&server, &ada, &admin.id, "operator").await.expect(200);
    assert_eq!(same.json, changed.json);
    server.get("/me").by(&again).send().await.expect(200);
    server.stop().await;
}

#[tokio::test]
async fn nobody_touches_or_grants_a_role_above_his_own() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let (admin, operator) = (server.member(&ada, "admin").await, server.member(&ada, "operator").await);
    set_role(&server, &admin, &ada.id, "member").await.refused(403, "role_too_high");
    set_role(&server, &admin, &operator.id, "owner").await.refused(403, "role_too_high");
    set_role(&server, &admin, &admin.id, "owner").await.refused(403, "role_too_high");
    server.delete(&format!("/members/{}", ada.id)).by(&admin).send().await.refused(403, "role_too_high");
    set_role(&server, &operator, &admin.id, "guest").await.refused(403, "forbidden");
    set_role(&server, &admin, &operator.id, "admin").await.expect(200);
    set_role(&server, &ada, &admin.id, "owner").await.expect(200);
    server.stop().await;
}

#[tokio::test]
async fn a_workspace_keeps_its_last_owner() {
    let server = Server::start().await;
    let ada = server.owner().await;
    set_role(&server, &ada, &ada.id, "admin").await.refused(409, "last_owner");
    server.delete(&format!("/members/{}", ada.id)).by(&ada).send().await.refused(409, "last_owner");
    let second = server.member(&ada, "admin").await;
    set_role(&server, &ada, &second.id, "owner").await.expect(200);
    let second = Person::of(server.refresh(&second.cookie).await.expect(200));
    let (one, two) =
        tokio::join!(set_role(&server, &ada, &second.id, "member"), set_role(&server, &second, &ada.id, "member"));
    let left = server.get("/members").by(&server.login(&ada.email).await).send().await.expect(200);
    let owners = left.items().iter().filter(|it| it["role"] == "owner").count();
    assert_eq!(owners, 1, "of two owners who demote each other one remains: {} {}", one.json, two.json);
    server.stop().await;
}

#[tokio::test]
async fn a_removed_member_is_out_at_once_and_may_be_invited_again() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let member = server.member(&ada, "member").await;
    server.get("/me").by(&member).send().await.expect(200);
    let path = format!("/members/{}", member.id);
    server.delete(&path).by(&ada).send().await.expect(204);
    server.get("/me").by(&member).send().await.refused(401, "unauthenticated");
    server.refresh(&member.cookie).await.refused(401, "session_ended");
    let login = json!({ "email": member.email, "password": crate::harness::PASSWORD });
    server.post("/auth/login", login).send().await.refused(403, "no_workspace");
    server.delete(&path).by(&ada).send().await.refused(404, "not_found");
    let token = server.invite(&ada, &member.email, "guest").await;
    let body = json!({ "token": token, "password": crate::harness::PASSWORD });
    let back = Person::of(server.post("/invitations/accept", body).send().await.expect(201));
    assert_eq!((back.id.as_str(), &back.body["role"]), (member.id.as_str(), &json!("guest")));
    server.get("/me").by(&member).send().await.refused(401, "unauthenticated");
    server.stop().await;
}

#[tokio::test]
async fn members_of_another_workspace_do_not_exist() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let member = server.member(&ada, "member").await;
    let there = server.second_workspace(&ada).await;
    let path = format!("/members/{}", member.id);
    server.patch(&path, json!({ "role": "guest" })).by(&there).send().await.refused(404, "not_found");
    server.delete(&path).by(&there).send().await.refused(404, "not_found");
    let listed = server.get("/members").by(&there).send().await.expect(200);
    assert_eq!(listed.items().iter().map(|it| &it["user"]["email"]).collect::<Vec<&Value>>(), [&json!(ada.email)]);
    server.stop().await;
}

#[tokio::test]
async fn the_rights_of_each_role_are_those_of_the_table() {
    let server = Server::start().await;
    let ada = server.owner().await;
    for role in ["admin", "moderator", "operator", "member", "guest"] {
        let person = server.member(&ada, role).await;
        let me = server.get("/me").by(&person).send().await.expect(200);
        let want: Vec<&str> = role.parse::<model::Role>().unwrap().rights().iter().map(model::Right::as_str).collect();
        assert_eq!(me.json["rights"], json!(want), "{role}");
        let listed = server.get("/members").by(&person).send().await;
        assert_eq!(listed.status == 200, want.contains(&"members.read"), "{role}");
        let invited = server.get("/invitations").by(&person).send().await;
        assert_eq!(invited.status == 200, want.contains(&"members.manage"), "{role}");
        let keys = server.get("/keys").by(&person).send().await;
        assert_eq!(keys.status == 200, want.contains(&"keys.manage"), "{role}");
    }
    for path in ["/me", "/members", "/invitations", "/keys", "/auth/sessions"] {
        server.get(path).send().await.refused(401, "unauthenticated");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_repeated_role_change_with_the_same_idempotency_key_is_done_once() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let member = server.member(&ada, "member").await;
    let path = format!("/members/{}", member.id);
    let change =
        |role: &str| server.patch(&path, json!({ "role": role })).by(&ada).header("idempotency-key", "one").send();
    let first = change("operator").await.expect(200);
    set_role(&server, &ada, &member.id, "guest").await.expect(200);
    assert_eq!(change("operator").await.expect(200).json, first.json);
    change("admin").await.refused(409, "idempotency_conflict");
    let listed = server.get("/members").by(&ada).send().await.expect(200);
    assert_eq!(listed.items()[1]["role"], "guest");
    server.stop().await;
}
