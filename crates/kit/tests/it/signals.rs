use std::time::Duration;

use serde_json::Value;
use testkit::LiveClient;

use crate::fixture::{append_many, notes, tokens};

const CHAT: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const OTHER: &str = "01890a5d-ac96-774b-bcce-b302099a8058";

/// Kind, chat, user, tab and whether it is active.
fn told(frame: &Value) -> (String, String, String, String, bool) {
    let signal = &frame["signal"];
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let active = signal["active"].as_bool().expect("a truth");
    (text(&signal["kind"]), text(&signal["chat_id"]), text(&signal["user"]["name"]), text(&signal["tab"]), active)
}

fn expected(kind: &str, chat: &str, who: &str, tab: &str, active: bool) -> (String, String, String, String, bool) {
    (kind.to_owned(), chat.to_owned(), who.to_owned(), tab.to_owned(), active)
}

async fn next(live: &mut LiveClient) -> (String, String, String, String, bool) {
    told(&live.next_of("signal").await)
}

#[tokio::test]
async fn typing_is_seen_by_others_and_ends_by_itself_after_ten_seconds() {
    let hub = notes(&tokens()).start().await;
    let (mut owner, mut operator) =
        (hub.with_token("owner").live(None).await, hub.with_token("operator").live(None).await);
    operator.signal("typing", CHAT, true).await;
    assert_eq!(next(&mut owner).await, expected("typing", CHAT, "operator 2", "tab", true));
    hub.clock().advance(Duration::from_secs(9));
    operator.signal("typing", CHAT, true).await;
    operator.send(serde_json::json!({ "type": "ping" })).await;
    operator.next_of("pong").await;
    hub.clock().advance(Duration::from_secs(9));
    operator.signal("viewing", CHAT, true).await;
    assert_eq!(next(&mut owner).await, expected("viewing", CHAT, "operator 2", "tab", true), "typing was renewed");
    hub.clock().advance(Duration::from_secs(1));
    assert_eq!(next(&mut owner).await, expected("typing", CHAT, "operator 2", "tab", false));
    hub.clock().advance(Duration::from_secs(44));
    assert_eq!(next(&mut owner).await, expected("viewing", CHAT, "operator 2", "tab", false));
    hub.finish().await;
}

#[tokio::test]
async fn who_joins_is_told_what_is_and_a_closed_tab_is_no_longer_there() {
    let hub = notes(&tokens()).start().await;
    let operator = hub.with_token("operator");
    let (mut one, mut two) = (operator.live_in_tab(None, "one").await, operator.live_in_tab(None, "two").await);
    one.signal("viewing", CHAT, true).await;
    assert_eq!(next(&mut two).await, expected("viewing", CHAT, "operator 2", "one", true), "another tab of his own");
    two.signal("viewing", CHAT, true).await;
    assert_eq!(next(&mut one).await, expected("viewing", CHAT, "operator 2", "two", true));
    let mut owner = hub.with_token("owner").live(None).await;
    assert_eq!(next(&mut owner).await, expected("viewing", CHAT, "operator 2", "one", true));
    assert_eq!(next(&mut owner).await, expected("viewing", CHAT, "operator 2", "two", true));
    one.leave().await;
    assert_eq!(next(&mut owner).await, expected("viewing", CHAT, "operator 2", "one", false));
    two.leave().await;
    assert_eq!(next(&mut owner).await, expected("viewing", CHAT, "operator 2", "two", false));
    hub.finish().await;
}

#[tokio::test]
async fn going_to_another_chat_leaves_the_first() {
    let hub = notes(&tokens()).start().await;
    let (mut owner, mut operator) =
        (hub.with_token("owner").live(None).await, hub.with_token("operator").live(None).await);
    operator.signal("viewing", CHAT, true).await;
    assert!(next(&mut owner).await.4);
    operator.signal("viewing", OTHER, true).await;
    assert_eq!(next(&mut owner).await, expected("viewing", CHAT, "operator 2", "tab", false));
    assert_eq!(next(&mut owner).await, expected("viewing", OTHER, "operator 2", "tab", true));
    operator.signal("viewing", CHAT, false).await;
    operator.signal("viewing", OTHER, false).await;
    assert_eq!(next(&mut owner).await, expected("viewing", OTHER, "operator 2", "tab", false));
    hub.finish().await;
}

#[tokio::test]
async fn signals_reach_only_who_may_see_the_chat_and_carry_no_cursor() {
    let hub = notes(&tokens()).start().await;
    let mut guest = hub.with_token("guest").live(None).await;
    let mut foreign = hub.with_token("foreign").live(None).await;
    let mut owner = hub.with_token("owner").live(None).await;
    let mut operator = hub.with_token("operator").live(None).await;
    guest.signal("typing", CHAT, true).await;
    operator.signal("typing", CHAT, true).await;
    let frame = owner.next_of("signal").await;
    assert_eq!(told(&frame), expected("typing", CHAT, "operator 2", "tab", true));
    assert!(frame["cursor"].is_null());
    append_many(&hub, 1).await;
    guest.next_of("caught_up").await;
    assert_eq!(guest.next().await["type"], "event");
    foreign.next_of("caught_up").await;
    foreign.send(serde_json::json!({ "type": "ping" })).await;
    assert_eq!(foreign.next().await["type"], "pong");
    hub.finish().await;
}

#[tokio::test]
async fn event_streams_carry_signals_too() {
    let hub = notes(&tokens()).start().await;
    let mut owner = hub.with_token("owner").events(None).await;
    let mut operator = hub.with_token("operator").live(None).await;
    operator.signal("typing", CHAT, true).await;
    let event = owner.next_of("signal").await;
    assert_eq!(told(&event.data), expected("typing", CHAT, "operator 2", "tab", true));
    assert!(event.id.is_none());
    hub.finish().await;
}

#[tokio::test]
async fn who_signals_without_end_is_not_heard_until_he_is_quieter() {
    let hub = notes(&tokens()).start().await;
    let (mut owner, mut operator) =
        (hub.with_token("owner").live(None).await, hub.with_token("operator").live(None).await);
    for _ in 0..600 {
        operator.signal("typing", CHAT, true).await;
    }
    operator.signal("viewing", CHAT, true).await;
    operator.send(serde_json::json!({ "type": "ping" })).await;
    operator.next_of("pong").await;
    assert_eq!(next(&mut owner).await, expected("typing", CHAT, "operator 2", "tab", true));
    hub.clock().advance(std::time::Duration::from_millis(200));
    operator.signal("viewing", OTHER, true).await;
    assert_eq!(next(&mut owner).await, expected("viewing", OTHER, "operator 2", "tab", true));
    hub.finish().await;
}
