//! Limits on guessing passwords.

use std::time::Duration;

use serde_json::json;

use crate::harness::{PASSWORD, Reply, Server};

/// A server that believes in the addresses that tests give themselves.
async fn behind_a_proxy() -> Server {
    Server::with(|config| config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]).await
}

async fn login(server: &Server, address: &str, email: &str, password: &str) -> Reply {
    server.post("/auth/login", json!({ "email": email, "password": password })).through(address).send().await
}

#[tokio::test]
async fn five_wrong_passwords_a_minute_per_account_and_address() {
    let server = behind_a_proxy().await;
    server.owner().await;
    for _ in 0..5 {
        login(&server, "192.0.2.1", "ada@example.org", "wrong password").await.refused(401, "credentials_wrong");
    }
    let refused = login(&server, "192.0.2.1", "ADA@example.org ", PASSWORD).await.refused(429, "rate_limited");
    assert_eq!(refused.headers["retry-after"], "12");
    login(&server, "192.0.2.1", "other@example.org", PASSWORD).await.refused(401, "credentials_wrong");
    login(&server, "192.0.2.2", "ada@example.org", PASSWORD).await.expect(200);
    server.clock.advance(Duration::from_secs(12));
    login(&server, "192.0.2.1", "ada@example.org", PASSWORD).await.expect(200);
    server.stop().await;
}

#[tokio::test]
async fn a_right_password_clears_the_count() {
    let server = behind_a_proxy().await;
    server.owner().await;
    for _ in 0..4 {
        for _ in 0..4 {
            login(&server, "192.0.2.1", "ada@example.org", "wrong password").await;
        }
        // From the second round on the network is known, so only the pair is counted.
        login(&server, "192.0.2.1", "ada@example.org", PASSWORD).await.expect(200);
    }
    server.stop().await;
}

#[tokio::test]
async fn many_machines_cannot_guess_together_and_cannot_lock_the_owner_out() {
    let server = behind_a_proxy().await;
    server.owner().await;
    login(&server, "198.51.100.7", "ada@example.org", PASSWORD).await.expect(200);
    let mut answers = Vec::new();
    for n in 0..30 {
        answers
            .push(login(&server, &format!("192.0.2.{n}"), "ada@example.org", "wrong password").await.status.as_u16());
    }
    assert_eq!(answers.iter().filter(|it| **it == 401).count(), 9, "ten units, one of which was her own first visit");
    assert!(answers[9..].iter().all(|it| *it == 429));
    login(&server, "203.0.113.9", "ada@example.org", PASSWORD).await.refused(429, "rate_limited");
    login(&server, "198.51.100.7", "ada@example.org", PASSWORD).await.expect(200);
    login(&server, "203.0.113.9", "bob@example.org", PASSWORD).await.refused(401, "credentials_wrong");
    server.clock.advance(Duration::from_secs(60));
    login(&server, "203.0.113.9", "ada@example.org", PASSWORD).await.expect(200);
    server.stop().await;
}

#[tokio::test]
async fn an_account_that_does_not_exist_is_limited_like_one_that_does() {
    let server = behind_a_proxy().await;
    server.owner().await;
    let mut answers = Vec::new();
    for n in 0..12 {
        answers.push(login(&server, &format!("192.0.2.{n}"), "nobody@example.org", PASSWORD).await.status.as_u16());
    }
    assert_eq!(answers, [[401; 10].as_slice(), &[429; 2]].concat());
    server.stop().await;
}

#[tokio::test]
async fn addresses_of_one_ipv6_network_count_as_one() {
    let server = behind_a_proxy().await;
    server.owner().await;
    for n in 0..5 {
        login(&server, &format!("2001:db8::{n:x}"), "ada@example.org", "wrong password")
            .await
            .refused(401, "credentials_wrong");
    }
    login(&server, "2001:db8::ffff:1", "ada@example.org", PASSWORD).await.refused(429, "rate_limited");
    login(&server, "2001:db8:0:1::1", "ada@example.org", PASSWORD).await.expect(200);
    server.stop().await;
}

#[tokio::test]
async fn simultaneous_guesses_are_counted_before_they_are_checked() {
    let server = behind_a_proxy().await;
    server.owner().await;
    let guesses = (0..20).map(|_| login(&server, "192.0.2.1", "ada@example.org", "wrong password"));
    let answers = futures_util::future::join_all(guesses).await;
    assert_eq!(answers.iter().filter(|it| it.status == 401).count(), 5);
    server.stop().await;
}

#[tokio::test]
async fn changing_a_password_and_accepting_an_invitation_are_no_way_around() {
    let server = behind_a_proxy().await;
    let ada = server.owner().await;
    let there = server.second_workspace(&ada).await;
    let member = server.member(&ada, "member").await;
    let token = server.invite(&there, &member.email, "member").await;
    for _ in 0..3 {
        let body = json!({ "current": "wrong password", "new": "another long password" });
        server.post("/auth/password", body).by(&member).send().await.refused(422, "password_wrong");
    }
    let accept = || server.post("/invitations/accept", json!({ "token": token, "password": "wrong password" })).send();
    accept().await.refused(401, "credentials_wrong");
    accept().await.refused(401, "credentials_wrong");
    accept().await.refused(429, "rate_limited");
    server.stop().await;
}
