//! Signing in, staying signed in, signing out.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hyper::Method;
use serde_json::json;

use testkit::eventually;

use crate::harness::{ORIGIN, PASSWORD, Person, Server};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_right_password_signs_in_and_nothing_else_does() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let login = |email: &str, password: &str| {
        server.post("/auth/login", json!({ "email": email, "password": password })).send()
    };
    let again = Person::of(login(" ADA@example.org", PASSWORD).await.expect(200));
    assert_eq!(again.id, ada.id);
    assert_ne!(again.cookie, ada.cookie);
    login("ada@example.org", "a wrong password").await.refused(401, "credentials_wrong");
    login("nobody@example.org", PASSWORD).await.refused(401, "credentials_wrong");
    login("no address", "").await.refused(401, "credentials_wrong");
    login("ada@example.org", &"x".repeat(5000)).await.refused(401, "credentials_wrong");
    server.stop().await;
}

#[tokio::test]
async fn a_refresh_rotates_the_token_and_extends_the_session() {
    let server = Server::start().await;
    let mut person = server.owner().await;
    for _ in 0..3 {
        server.clock.advance(Duration::from_secs(6 * 24 * 3600));
        let next = Person::of(server.refresh(&person.cookie).await.expect(200));
        assert_ne!(next.cookie, person.cookie);
        server.get("/me").by(&next).send().await.expect(200);
        person = next;
    }
    server.clock.advance(Duration::from_secs(7 * 24 * 3600));
    server.refresh(&person.cookie).await.refused(401, "session_ended");
    server.stop().await;
}

#[tokio::test]
async fn two_tabs_that_refresh_at_once_both_stay_signed_in() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let (one, two) = tokio::join!(server.refresh(&ada.cookie), server.refresh(&ada.cookie));
    let (one, two) = (one.expect(200).cookie(), two.expect(200).cookie());
    assert_eq!(one, two, "the same successor");
    server.clock.advance(Duration::from_secs(30));
    let late = server.refresh(&ada.cookie).await.expect(200).cookie();
    assert_eq!(late, one, "a lost answer, asked for again within 30 s");
    let next = server.refresh(&one.unwrap()).await.expect(200).cookie();
    assert_ne!(next, two);
    server.stop().await;
}

#[tokio::test]
async fn a_tab_that_is_two_steps_behind_within_the_grace_gets_the_present_token() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let second = server.refresh(&ada.cookie).await.expect(200).cookie().unwrap();
    let third = server.refresh(&second).await.expect(200).cookie().unwrap();
    let slow = server.refresh(&ada.cookie).await.expect(200).cookie().unwrap();
    assert_eq!(slow, third);
    server.clock.advance(20 * MINUTE);
    server.refresh(&third).await.expect(200);
    server.stop().await;
}

#[tokio::test]
async fn a_refresh_token_used_again_later_ends_its_session_for_thief_and_owner() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let other = server.login(&ada.email).await;
    let next = Person::of(server.refresh(&ada.cookie).await.expect(200));
    server.clock.advance(Duration::from_secs(31));
    let refused = server.refresh(&ada.cookie).await.refused(401, "refresh_reused");
    assert_eq!(refused.cookie().as_deref(), Some(""), "the useless cookie is taken away");
    server.refresh(&next.cookie).await.refused(401, "session_ended");
    server.get("/me").by(&next).send().await.refused(401, "unauthenticated");
    server.get("/me").by(&other).send().await.expect(200);
    server.stop().await;
}

#[tokio::test]
async fn a_forged_refresh_token_ends_nothing() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let mut forged = ada.cookie.clone();
    forged.replace_range(60..64, "AAAA");
    for cookie in [forged.as_str(), "", "garbage", &"A".repeat(75)] {
        server.refresh(cookie).await.refused(401, "session_ended");
    }
    server.call(Method::POST, "/auth/refresh").header("origin", ORIGIN).send().await.refused(401, "session_ended");
    server.refresh(&ada.cookie).await.expect(200);
    server.stop().await;
}

#[tokio::test]
async fn the_cookie_works_only_from_our_own_pages() {
    let server = Server::start().await;
    let ada = server.owner().await;
    for path in ["/auth/refresh", "/auth/logout"] {
        let call = || server.call(Method::POST, path).cookie(&ada.cookie);
        call().send().await.refused(403, "origin_refused");
        call().header("origin", "https://evil.example").send().await.refused(403, "origin_refused");
        call()
            .header("sec-fetch-site", "cross-site")
            .header("origin", ORIGIN)
            .send()
            .await
            .refused(403, "origin_refused");
    }
    server
        .call(Method::POST, "/auth/refresh")
        .cookie(&ada.cookie)
        .header("sec-fetch-site", "same-origin")
        .send()
        .await
        .expect(200);
    server.stop().await;
}

#[tokio::test]
async fn an_access_token_ends_after_fifteen_minutes() {
    let server = Server::start().await;
    let ada = server.owner().await;
    server.clock.advance(15 * MINUTE - Duration::from_secs(1));
    server.get("/me").by(&ada).send().await.expect(200);
    server.clock.advance(Duration::from_secs(1));
    server.get("/me").by(&ada).send().await.refused(401, "token_expired");
    server.stop().await;
}

#[tokio::test]
async fn signing_out_ends_the_session_at_once_and_twice_is_no_error() {
    let server = Server::start().await;
    let ada = server.owner().await;
    server.get("/me").by(&ada).send().await.expect(200);
    let out = || server.call(Method::POST, "/auth/logout").header("origin", ORIGIN);
    assert_eq!(out().cookie(&ada.cookie).send().await.expect(204).cookie().as_deref(), Some(""));
    server.get("/me").by(&ada).send().await.refused(401, "unauthenticated");
    server.refresh(&ada.cookie).await.refused(401, "session_ended");
    out().cookie(&ada.cookie).send().await.expect(204);
    out().send().await.expect(204);
    server.stop().await;
}

#[tokio::test]
async fn sessions_are_listed_and_revoked_by_their_owner_only() {
    let server = Server::start().await;
    let ada = server.owner().await;
    server.clock.advance(Duration::from_secs(1));
    let body = json!({ "email": ada.email, "password": PASSWORD });
    let phone = Person::of(server.post("/auth/login", body).header("user-agent", "Phone/1").send().await.expect(200));
    let listed = server.get("/auth/sessions").by(&ada).send().await.expect(200);
    let [newest, oldest] = listed.items() else { panic!("two sessions: {}", listed.json) };
    assert_eq!((&newest["user_agent"], &newest["current"]), (&json!("Phone/1"), &json!(false)));
    assert_eq!((&oldest["current"], &oldest["address"]), (&json!(true), &json!("127.0.0.1")));
    let path = format!("/auth/sessions/{}", newest["id"].as_str().unwrap());
    let stranger = server.member(&ada, "admin").await;
    server.delete(&path).by(&stranger).send().await.refused(404, "not_found");
    server.get("/me").by(&phone).send().await.expect(200);
    server.delete(&path).by(&ada).send().await.expect(204);
    server.get("/me").by(&phone).send().await.refused(401, "unauthenticated");
    server.refresh(&phone.cookie).await.refused(401, "session_ended");
    server.delete(&path).by(&ada).send().await.refused(404, "not_found");
    server.delete("/auth/sessions/no-id").by(&ada).send().await.refused(404, "not_found");
    assert_eq!(server.get("/auth/sessions").by(&ada).send().await.expect(200).items().len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn once_a_session_is_ended_no_request_passes_even_while_others_are_in_flight() {
    let server = Server::start().await;
    let ada = server.owner().await;
    for round in 0..20 {
        server.clock.advance(Duration::from_secs(1));
        let victim = server.login(&ada.email).await;
        let listed = server.get("/auth/sessions").by(&ada).send().await.expect(200);
        let path = format!("/auth/sessions/{}", listed.items()[0]["id"].as_str().unwrap());
        // Requests that read the session around the commit must not bring it back into the server's memory.
        let around = (0..8).map(|_| tokio::spawn(server.get("/me").by(&victim).send())).collect::<Vec<_>>();
        server.delete(&path).by(&ada).send().await.expect(204);
        let after = server.get("/me").by(&victim).send().await;
        assert_eq!(after.status.as_u16(), 401, "round {round}");
        for request in around {
            request.await.unwrap();
        }
        server.get("/me").by(&victim).send().await.refused(401, "unauthenticated");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_long_over_is_cleared_away() {
    let server = Server::start().await;
    let ada = server.owner().await;
    server.refresh(&ada.cookie).await.expect(200);
    let rows = async || {
        let read = server.hub.db().read(|tx| {
            let sql = "SELECT (SELECT COUNT(*) FROM sessions) + (SELECT COUNT(*) FROM refresh_rotations)";
            tx.one(sql, &[], |row| row.get::<i64>(0))
        });
        let rows: Result<i64, store::Error> = read.await;
        rows.unwrap()
    };
    assert_eq!(rows().await, 2);
    // The hourly job clears them away within 38 days.
    eventually(async || {
        server.clock.advance(Duration::from_secs(24 * 3600));
        (rows().await == 0).then_some(())
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn nobody_has_more_than_fifty_sessions() {
    let server = Server::start().await;
    let first = server.owner().await;
    let mut last = first.clone();
    for _ in 0..50 {
        server.clock.advance(Duration::from_secs(1));
        last = server.login(&first.email).await;
    }
    server.get("/me").by(&first).send().await.refused(401, "unauthenticated");
    assert_eq!(server.get("/auth/sessions").by(&last).send().await.expect(200).items().len(), 50);
    server.stop().await;
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_the_old_password() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let other = server.login(&ada.email).await;
    let change = |current: &str, new: &str| {
        server.post("/auth/password", json!({ "current": current, "new": new })).by(&ada).send()
    };
    change("not the password", "another long password").await.refused(422, "password_wrong");
    change(PASSWORD, "short").await.refused(422, "password_too_short");
    change(PASSWORD, "another long password").await.expect(204);
    server.get("/me").by(&ada).send().await.expect(200);
    server.get("/me").by(&other).send().await.refused(401, "unauthenticated");
    server.refresh(&other.cookie).await.refused(401, "session_ended");
    server
        .post("/auth/login", json!({ "email": ada.email, "password": PASSWORD }))
        .send()
        .await
        .refused(401, "credentials_wrong");
    server
        .post("/auth/login", json!({ "email": ada.email, "password": "another long password" }))
        .send()
        .await
        .expect(200);
    server.stop().await;
}

#[tokio::test]
async fn a_reset_link_works_once_within_a_day_and_ends_every_session() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let issue = |email: &'static str| identity::issue_reset_link(server.hub.db(), ORIGIN, email);
    assert_eq!(issue("nobody@example.org").await.unwrap(), None);
    let stale = issue("ada@example.org").await.unwrap().expect("she exists");
    server.get("/me").by(&ada).send().await.refused(401, "unauthenticated");
    let link = issue(" ADA@example.org ").await.unwrap().expect("she exists");
    let reset = |link: &str, password: &str| {
        let token = link.strip_prefix(&format!("{ORIGIN}/reset#")).expect("a link to the page").to_owned();
        server.post("/auth/reset", json!({ "token": token, "password": password })).send()
    };
    let new = "yet another password";
    reset(&stale, new).await.refused(410, "reset_link_invalid");
    reset(&link, "short").await.refused(422, "password_too_short");
    let between = server.login(&ada.email).await;
    reset(&link, new).await.expect(204);
    server.get("/me").by(&between).send().await.refused(401, "unauthenticated");
    reset(&link, new).await.refused(410, "reset_link_invalid");
    server.post("/auth/login", json!({ "email": ada.email, "password": new })).send().await.expect(200);
    let late = issue("ada@example.org").await.unwrap().expect("she exists");
    server.clock.advance(Duration::from_secs(24 * 3600));
    reset(&late, new).await.refused(410, "reset_link_invalid");
    server.stop().await;
}

#[tokio::test]
async fn a_person_of_two_workspaces_goes_from_one_to_the_other() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let second = identity::create_workspace(server.hub.db(), server.hub.world(), "Second", &ada.email).await.unwrap();
    let second = second.expect("she exists").to_string();
    let there = server.post("/auth/workspace", json!({ "workspace": second })).by(&ada).send().await.expect(200);
    assert_eq!(there.json["workspace"]["name"], "Second");
    assert_eq!(there.json["workspaces"].as_array().map(Vec::len), Some(2));
    let there = there.json["access_token"].as_str().unwrap().to_owned();
    assert_eq!(server.get("/me").bearer(&there).send().await.expect(200).json["workspace"]["id"], second);
    assert_eq!(server.get("/me").by(&ada).send().await.expect(200).json["workspace"]["id"], ada.workspace);
    assert_eq!(
        server.refresh(&ada.cookie).await.expect(200).json["workspace"]["id"],
        second,
        "the session leads there"
    );
    assert_eq!(server.login(&ada.email).await.workspace, second, "the one used last");
    let body = json!({ "email": ada.email, "password": PASSWORD, "workspace": ada.workspace });
    assert_eq!(Person::of(server.post("/auth/login", body).send().await.expect(200)).workspace, ada.workspace);
    let member = server.member(&ada, "member").await;
    server.post("/auth/workspace", json!({ "workspace": second })).by(&member).send().await.refused(404, "not_found");
    let body = json!({ "email": member.email, "password": PASSWORD, "workspace": second });
    server.post("/auth/login", body).send().await.refused(404, "not_found");
    server.stop().await;
}

#[tokio::test]
async fn a_name_changes_everywhere_at_once() {
    let server = Server::start().await;
    let ada = server.owner().await;
    server.get("/me").by(&ada).send().await.expect(200);
    let me = server.patch("/me", json!({ "name": "  Countess Ada " })).by(&ada).send().await.expect(200);
    assert_eq!(me.json["user"]["name"], "Countess Ada");
    assert_eq!(server.get("/members").by(&ada).send().await.expect(200).items()[0]["user"]["name"], "Countess Ada");
    server.patch("/me", json!({ "name": "" })).by(&ada).send().await.refused(422, "text_empty");
    server.stop().await;
}

#[tokio::test]
async fn a_rename_with_an_idempotency_key_is_done_once_and_tells_every_workspace() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let second = server.second_workspace(&ada).await;
    let rename = |name: &str| server.patch("/me", json!({ "name": name })).header("idempotency-key", "k1").by(&ada);
    let first = rename("Countess").send().await.expect(200);
    server.patch("/me", json!({ "name": "Ada" })).by(&second).send().await.expect(200);
    assert_eq!(rename("Countess").send().await.expect(200).json, first.json, "the stored answer");
    rename("Duchess").send().await.refused(409, "idempotency_conflict");
    for person in [&ada, &second] {
        let members = server.get("/members").by(person).send().await.expect(200);
        assert_eq!(members.items()[0]["user"]["name"], "Ada", "neither repeat changed anything");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_restart_logs_nobody_out() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let next = server.refresh(&ada.cookie).await.expect(200).cookie();
    let server = server.restart().await;
    server.get("/me").by(&ada).send().await.expect(200);
    assert_eq!(server.refresh(&ada.cookie).await.expect(200).cookie(), next, "the same successor, made anew");
    server.stop().await;
}

#[tokio::test]
async fn a_new_master_key_logs_nobody_out() {
    let server = Server::start().await;
    let ada = server.owner().await;
    let next = server.refresh(&ada.cookie).await.expect(200).cookie().unwrap();
    kit::KeyRing::rotate(&server.kit.folder().join("keys"), server.hub.world().clone()).unwrap();
    let server = server.restart().await;
    server.get("/me").by(&ada).send().await.expect(200);
    // The successor cannot be derived again under the new key, so the family goes on by one more step.
    let other = server.refresh(&ada.cookie).await.expect(200).cookie().unwrap();
    assert_ne!(other, next);
    assert_eq!(server.refresh(&next).await.expect(200).cookie(), Some(other.clone()), "the other tab, in its grace");
    server.clock.advance(10 * MINUTE);
    server.refresh(&other).await.expect(200);
    server.clock.advance(MINUTE);
    server.refresh(&ada.cookie).await.refused(401, "refresh_reused");
    server.stop().await;
}

#[tokio::test]
async fn people_still_get_in_and_out_while_the_disk_is_nearly_full() {
    let free = Arc::new(AtomicU64::new(u64::MAX));
    let probe = free.clone();
    let store = move |config: &mut store::DbConfig| {
        let probe = probe.clone();
        config.disk_reserve = 1 << 20;
        config.free_space = Some(Arc::new(move || Some(probe.load(Ordering::Relaxed))));
    };
    let server = Server::on(store, |_| ()).await;
    let ada = server.owner().await;
    free.store(1000, Ordering::Relaxed);
    server.clock.advance(Duration::from_secs(1));
    server.patch("/me", json!({ "name": "Countess" })).by(&ada).send().await.refused(503, "storage_full");
    let again = server.login(&ada.email).await;
    let again = Person::of(server.refresh(&again.cookie).await.expect(200));
    let session = server.get("/me").by(&ada).send().await.expect(200).json["session_id"].as_str().unwrap().to_owned();
    server.delete(&format!("/auth/sessions/{session}")).by(&again).send().await.expect(204);
    let out = server.call(Method::POST, "/auth/logout").header("origin", ORIGIN);
    out.cookie(&again.cookie).send().await.expect(204);
    free.store(u64::MAX, Ordering::Relaxed);
    server.clock.advance(Duration::from_secs(1));
    let ada = server.login(&ada.email).await;
    server.patch("/me", json!({ "name": "Countess" })).by(&ada).send().await.expect(200);
    server.stop().await;
}
