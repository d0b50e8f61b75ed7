use std::time::Duration;

use testkit::{expect_panic, logged};

use crate::fixture::{Counter, tokens, with};

#[tokio::test]
async fn a_service_that_fails_or_panics_is_started_again_after_a_pause() {
    expect_panic("the second life");
    let lives = Counter::default();
    let counted = lives.clone();
    let builder = with(&tokens(), move |feature| {
        let lives = counted.clone();
        feature.service("fragile", move |hub| {
            let life = lives.up();
            async move {
                assert_ne!(life, 2, "the second life");
                if life == 1 {
                    return Err("the first life");
                }
                hub.shutdown().cancelled().await;
                Ok(())
            }
        })
    });
    let hub = builder.start().await;
    lives.reaches(1).await;
    let start = hub.hub().world().now();
    hub.clock().run(Duration::from_millis(100), lives.reaches(3)).await;
    assert!(hub.hub().world().now().since(start) >= Duration::from_secs(3), "pauses of one and two seconds");
    assert!(logged("fragile").iter().any(|line| line.contains("the first life")));
    hub.finish().await;
    assert_eq!(lives.get(), 3);
}

#[tokio::test]
async fn a_service_that_is_done_is_not_started_again() {
    let lives = Counter::default();
    let counted = lives.clone();
    let builder = with(&tokens(), move |feature| {
        let lives = counted.clone();
        feature.service("short", move |_| {
            lives.up();
            async {}
        })
    });
    let hub = builder.start().await;
    lives.reaches(1).await;
    for _ in 0..5 {
        hub.clock().advance(Duration::from_secs(60));
        hub.stranger().get("/api/v1/hello").await.expect(200);
    }
    assert_eq!(lives.get(), 1);
    hub.finish().await;
}
