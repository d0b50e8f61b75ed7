use std::time::Duration;

use kit::Rates;
use model::Right;

use crate::fixture::{key, notes, tokens};

#[tokio::test]
async fn a_user_is_told_what_is_left_and_refused_when_it_is_used_up() {
    let hub = notes(&tokens()).config(|config| config.rates.per_user = 3).start().await;
    let owner = hub.with_token("owner");
    for left in ["2", "1", "0"] {
        let reply = owner.get("/api/v1/me").await.expect(200);
        assert_eq!(reply.header("x-ratelimit-limit"), "3");
        assert_eq!(reply.header("x-ratelimit-remaining"), left);
    }
    let refused = owner.get("/api/v1/me").await.expect_problem(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), "20");
    assert_eq!(refused.header("x-ratelimit-remaining"), "0");
    assert_eq!(refused.header("x-ratelimit-reset"), "60");
    hub.with_token("operator").get("/api/v1/me").await.expect(200);
    hub.clock().advance(Duration::from_secs(20));
    owner.get("/api/v1/me").await.expect(200);
    owner.get("/api/v1/me").await.expect_problem(429, "rate_limited");
    hub.finish().await;
}

#[tokio::test]
async fn a_key_has_the_rate_of_all_keys_or_its_own() {
    let tokens = tokens();
    tokens.put("fast", key(6, &[Right::LiveRead], Some(5)));
    let hub = notes(&tokens).config(|config| config.rates.per_key = 2).start().await;
    assert_eq!(hub.with_token("key").get("/api/v1/me").await.expect(200).header("x-ratelimit-limit"), "2");
    assert_eq!(hub.with_token("fast").get("/api/v1/me").await.expect(200).header("x-ratelimit-limit"), "5");
    hub.finish().await;
}

#[tokio::test]
async fn requests_without_a_good_token_count_against_the_address_and_others_do_not() {
    let hub =
        notes(&tokens()).config(|config| config.rates = Rates { per_address: 3, ..Rates::default() }).start().await;
    hub.stranger().get("/api/v1/hello").await.expect(200);
    hub.stranger().get("/api/v1/nowhere").await.expect_problem(404, "not_found");
    hub.with_token("guess").get("/api/v1/me").await.expect_problem(401, "unauthenticated");
    hub.with_token("guess").get("/api/v1/me").await.expect_problem(429, "rate_limited");
    hub.stranger().get("/api/v1/hello").await.expect_problem(429, "rate_limited");
    hub.with_token("owner").get("/api/v1/me").await.expect(200);
    hub.stranger().get("/live").await.expect(200);
    hub.finish().await;
}

#[tokio::test]
async fn a_token_that_nobody_checks_is_no_way_around_the_limit_of_an_address() {
    let hub = notes(&tokens()).config(|config| config.rates.per_address = 2).start().await;
    for token in ["guess", "owner"] {
        hub.with_token(token).get("/api/v1/hello").await.expect(200);
    }
    hub.with_token("guess").get("/api/v1/hello").await.expect_problem(429, "rate_limited");
    hub.stranger().get("/api/v1/hello").await.expect_problem(429, "rate_limited");
    hub.with_token("owner").get("/api/v1/me").await.expect(200);
    hub.finish().await;
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_his_own_rate() {
    let configured = notes(&tokens()).config(|config| {
        config.rates.per_address = 1;
        config.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a block")];
    });
    let hub = configured.start().await;
    let from = |address: &str| hub.stranger().get("/api/v1/hello").header("x-forwarded-for", address);
    from("198.51.100.1").await.expect(200);
    from("198.51.100.2").await.expect(200);
    from("6.6.6.6, 198.51.100.1").await.expect_problem(429, "rate_limited");
    from("2001:db8::1").await.expect(200);
    from("2001:db8::2").await.expect_problem(429, "rate_limited");
    hub.finish().await;
}
