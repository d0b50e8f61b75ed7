use std::time::Duration;

use model::{Right, Role, SYSTEM_WORKSPACE};
use serde_json::json;

use crate::fixture::{ACME, about, acme, append_event, append_many, later, member, notes, session, tokens, user};

#[tokio::test]
async fn a_revoked_session_is_closed_and_the_others_stay() {
    let tokens = tokens();
    let hub = notes(&tokens).start().await;
    let (mut operator, mut owner) =
        (hub.with_token("operator").live(None).await, hub.with_token("owner").live(None).await);
    tokens.remove("operator");
    append_event(&hub, SYSTEM_WORKSPACE, || about("session.revoked", Some(session(2).uuid()))).await;
    assert_eq!(operator.next_of("closing").await["code"], 4001);
    assert_eq!(operator.closed().await, 4001);
    append_many(&hub, 1).await;
    owner.next_event("note.created").await;
    hub.finish().await;
}

#[tokio::test]
async fn nothing_is_sent_after_the_commit_that_revoked() {
    let tokens = tokens();
    let hub = notes(&tokens).start().await;
    for round in 0..20 {
        tokens.put("leaving", member(ACME, 1_000 + round, Role::Operator));
        let mut leaving = hub.with_token("leaving").live(None).await;
        leaving.next_of("caught_up").await;
        tokens.remove("leaving");
        append_event(&hub, acme(), move || about("member.removed", Some(user(1_000 + round).uuid()))).await;
        append_many(&hub, 1).await;
        let next = leaving.next().await;
        assert_eq!(next["type"], "closing", "{next}");
    }
    hub.finish().await;
}

#[tokio::test]
async fn a_changed_role_counts_from_the_next_event_on() {
    let tokens = tokens();
    let hub = notes(&tokens).start().await;
    let mut live = hub.with_token("operator").live(None).await;
    tokens.change("operator", |principal| principal.rights = Role::Guest.rights());
    append_event(&hub, acme(), || about("member.updated", Some(user(2).uuid()))).await;
    let hidden = || {
        let audience = model::Audience::Right(Right::ConversationsRead);
        crate::fixture::event("note.created", &json!({ "text": "hidden" }), audience, &member(ACME, 1, Role::Owner))
    };
    append_event(&hub, acme(), hidden).await;
    append_many(&hub, 1).await;
    assert_eq!(live.next_event("note.created").await["body"]["text"], "note 0");
    hub.finish().await;
}

#[tokio::test]
async fn an_event_without_an_entity_concerns_the_whole_workspace() {
    let tokens = tokens();
    let hub = notes(&tokens).start().await;
    let mut guest = hub.with_token("guest").live(None).await;
    let mut foreign = hub.with_token("foreign").live(None).await;
    tokens.remove("guest");
    tokens.remove("foreign");
    append_event(&hub, acme(), || about("member.updated", None)).await;
    assert_eq!(guest.closed().await, 4001);
    foreign.send(json!({ "type": "ping" })).await;
    foreign.next_of("pong").await;
    append_event(&hub, SYSTEM_WORKSPACE, || about("session.revoked", None)).await;
    assert_eq!(foreign.closed().await, 4001);
    hub.finish().await;
}

#[tokio::test]
async fn a_revoked_key_ends_its_event_stream_and_its_long_poll() {
    let tokens = tokens();
    let hub = notes(&tokens).start().await;
    let key = hub.with_token("key");
    let mut events = key.events(None).await;
    events.next_of("caught_up").await;
    let poll = tokio::spawn(async move { key.get("/api/v1/events?wait=50").await });
    testkit::eventually(|| async { (hub.hub().live().open_streams() == 2).then_some(()) }).await;
    tokens.remove("key");
    append_event(&hub, acme(), || about("key.updated", Some(uuid_of_key()))).await;
    assert_eq!(events.next_of("closing").await.data["code"], 4001);
    assert!(events.try_next().await.is_none());
    poll.await.expect("no panic").expect_problem(401, "unauthenticated");
    hub.finish().await;
}

fn uuid_of_key() -> uuid::Uuid {
    crate::fixture::id::<model::kind::Key>(5).uuid()
}

#[tokio::test]
async fn a_stream_ends_with_its_token_unless_it_gets_a_new_one() {
    let tokens = tokens();
    let hub = notes(&tokens).start().await;
    let until = |seconds| kit::Principal { expires_at: Some(later(&hub, seconds)), ..member(ACME, 2, Role::Operator) };
    tokens.put("short", until(900));
    tokens.put("renewed", until(1_800));
    let (mut ends, mut stays) = (hub.with_token("short").live(None).await, hub.with_token("short").live(None).await);
    stays.send(json!({ "type": "token", "token": "renewed" })).await;
    for live in [&mut ends, &mut stays] {
        live.send(json!({ "type": "ping" })).await;
        live.next_of("pong").await;
    }
    hub.clock().advance(Duration::from_secs(900));
    assert_eq!(ends.closed().await, 4001);
    append_many(&hub, 1).await;
    stays.next_event("note.created").await;
    hub.finish().await;
}

#[tokio::test]
async fn a_stream_cannot_be_renewed_with_somebody_elses_token() {
    let hub = notes(&tokens()).start().await;
    for other in ["owner", "foreign", "key", "nobody"] {
        let mut live = hub.with_token("operator").live(None).await;
        live.send(json!({ "type": "token", "token": other })).await;
        assert_eq!(live.closed().await, 4001, "{other}");
    }
    hub.finish().await;
}
