use crate::client::World;
use sandbox::SandboxConfig;

#[tokio::test]
async fn the_pages_are_served_with_a_strict_policy() {
    let world = World::start().await;
    let (bot, _) = world.met().await;
    for path in [
        "/".to_owned(),
        format!("/play/{}", bot.username),
        "/assets/play.css".to_owned(),
        "/assets/play.js".to_owned(),
        "/assets/dom.js".to_owned(),
        "/assets/text.js".to_owned(),
        "/assets/trouble.js".to_owned(),
        "/assets/index.js".to_owned(),
    ] {
        let answer = world.request("GET", &path, "", b"").await.expect("page");
        assert_eq!(answer.status, 200, "{path}");
        let head = answer.head.to_lowercase();
        assert!(head.contains("content-security-policy: default-src 'none'"));
        assert!(head.contains("x-content-type-options: nosniff"));
        for forbidden in ["innerHTML", "insertAdjacentHTML", "document.write", "onclick=", "style=\""] {
            assert!(!answer.body.contains(forbidden), "{path} has {forbidden}");
        }
    }
    let unknown = world.request("GET", "/play/nobody", "", b"").await;
    assert_eq!(unknown.expect("an answer").status, 303);
}

#[tokio::test]
async fn on_loopback_only_this_machines_names_get_in() {
    let world = World::start().await;
    for (host, status) in [
        ("localhost:8081", 200),
        ("127.0.0.1:8081", 200),
        ("[::1]:8081", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example:8081", 403),
    ] {
        let header = format!("Host: {host}\r\n");
        for path in ["/", "/control/bots"] {
            let answer = world.request("GET", path, &header, b"").await;
            assert_eq!(answer.expect("an answer").status, status, "{host} {path}");
        }
    }
}

#[tokio::test]
async fn a_public_sandbox_lets_in_by_a_link_that_works_once() {
    let config = SandboxConfig { public: true, ..SandboxConfig::default() };
    let world = World::with(config).await;
    let (bot, _) = world.met().await;
    for path in ["/", "/play/x", "/control/bots", "/control/journal"] {
        let answer = world.request("GET", path, "", b"").await.expect("answer");
        assert_eq!(answer.status, 403, "{path}");
        assert!(!answer.body.contains(&bot.token));
    }
    let key = world.sandbox.play_key().expect("a key");
    assert_eq!(key.len(), 32, "128 bits");
    let link = format!("/play?key={key}");
    let wrong = world.request("GET", "/play?key=00", "", b"").await;
    assert_eq!(wrong.expect("an answer").status, 403);
    let entered = world.request("GET", &link, "", b"").await.expect("entered");
    assert_eq!(entered.status, 303);
    let head = entered.head.to_lowercase();
    assert!(head.contains("httponly") && head.contains("samesite=strict"));
    let cookie = entered
        .head
        .lines()
        .find_map(|l| l.split_once("sandbox_play=").map(|(_, v)| v))
        .and_then(|v| v.split(';').next())
        .expect("a cookie");
    let header = format!("Cookie: a=b; sandbox_play={cookie}\r\n");
    let admitted = world.request("GET", "/control/bots", &header, b"").await;
    assert_eq!(admitted.expect("an answer").status, 200);
    let again = world.request("GET", &link, "", b"").await.expect("answer");
    assert_eq!(again.status, 403, "a link is used up");
    let forged = format!("Cookie: sandbox_play={key}\r\n");
    let refused = world.request("GET", "/", &forged, b"").await;
    assert_eq!(refused.expect("an answer").status, 403);
}
