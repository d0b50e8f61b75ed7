use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use testkit::TestHub;

use crate::fixture::{append_many, notes, tokens};

async fn ready(hub: &TestHub) -> (u16, serde_json::Value) {
    let reply = hub.stranger().get("/ready").await;
    (reply.status.as_u16(), reply.json)
}

#[tokio::test]
async fn ready_asks_every_dependency_and_live_asks_none() {
    let hub = notes(&tokens()).start().await;
    assert_eq!(ready(&hub).await, (200, serde_json::json!({ "status": "ready", "checks": { "database": "ok" } })));
    hub.hub().readiness().register("telegram", |_| Box::pin(async { Err("nobody answers".to_owned()) }));
    let (status, body) = ready(&hub).await;
    assert_eq!(status, 503);
    assert_eq!(body["checks"]["telegram"], "nobody answers");
    hub.stranger().get("/live").await.expect(200);
    hub.finish().await;
}

#[tokio::test]
async fn however_many_ask_the_dependencies_are_asked_by_one_at_a_time() {
    let hub = notes(&tokens()).start().await;
    let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (entered, highest) = (inside.clone(), most.clone());
    hub.hub().readiness().register("slow", move |_| {
        let (inside, most) = (entered.clone(), highest.clone());
        Box::pin(async move {
            most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            inside.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        })
    });
    let all = futures_util::future::join_all((0..20).map(|_| ready(&hub))).await;
    assert!(all.iter().all(|(status, _)| *status == 200));
    assert_eq!(most.load(Ordering::SeqCst), 1);
    hub.finish().await;
}

#[tokio::test]
async fn detail_is_for_loopback_or_the_token() {
    let configured = notes(&tokens()).config(|config| {
        config.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a block")];
        config.metrics_token = Some(model::Secret::new("a-token-for-metrics".to_owned()));
    });
    let hub = configured.start().await;
    let outside = |path: &str| hub.stranger().get(path).header("x-forwarded-for", "198.51.100.1");
    outside("/metrics").await.expect_problem(403, "forbidden");
    outside("/metrics").header("authorization", "Bearer wrong").await.expect_problem(403, "forbidden");
    outside("/metrics").header("authorization", "Bearer a-token-for-metrics").await.expect(200);
    assert!(outside("/ready").await.expect(200).json["checks"].is_null());
    hub.stranger().get("/metrics").await.expect(200);
    hub.finish().await;
}

#[tokio::test]
async fn a_proxy_on_the_same_machine_does_not_make_everybody_local() {
    let hub = notes(&tokens()).start().await;
    let proxied = hub.stranger().get("/metrics").header("x-forwarded-for", "198.51.100.1");
    proxied.await.expect_problem(403, "forbidden");
    hub.finish().await;
}

#[tokio::test]
async fn metrics_count_by_route_and_show_the_state_of_things() {
    let hub = notes(&tokens()).start().await;
    append_many(&hub, 1).await;
    let _stream = hub.with_token("owner").live(None).await;
    for _ in 0..3 {
        hub.with_token("owner").get("/api/v1/notes/01890a5d-ac96-774b-bcce-b302099a8057").await.expect(404);
    }
    let text = hub.stranger().get("/metrics").await.expect(200).text;
    let line = r#"switchboard_http_requests_total{method="GET",route="/api/v1/notes/{id}",status="404"} 3"#;
    assert!(text.contains(line), "{text}");
    assert!(text.contains("switchboard_live_streams 1"), "{text}");
    assert!(text.contains("switchboard_writer_commands"), "{text}");
    assert!(!text.contains("01890a5d"), "metrics never show a path");
    assert!(text.ends_with("# EOF\n"));
    hub.finish().await;
}
