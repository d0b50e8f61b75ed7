//! Two nodes on one database; SQLite serves one process, so these say something only on PostgreSQL.

use std::time::Duration;

use model::SYSTEM_WORKSPACE;
use serde_json::json;

use crate::fixture::{about, acme, append_event, append_many, notes, seqs, session, texts, tokens};

#[tokio::test]
async fn a_stream_sees_what_another_node_commits_and_goes_on_there() {
    let one = notes(&tokens()).start().await;
    let Some(two) = one.another_node().await else { return one.finish().await };
    let mut live = one.with_token("operator").live(None).await;
    append_many(&two, 3).await;
    one.clock().run(Duration::from_millis(100), live.next_event("note.created")).await;
    append_many(&one, 1).await;
    append_many(&two, 1).await;
    let mut seen = Vec::new();
    while seen.last() != Some(&5) {
        let frame = one.clock().run(Duration::from_millis(100), live.next_of("event")).await;
        seen.push(frame["event"]["seq"].as_i64().expect("a number"));
    }
    assert_eq!(seen, [2, 3, 4, 5]);
    let cursor = live.cursor().expect("an event has one").to_owned();
    append_many(&one, 2).await;
    let mut moved = two.with_token("operator").live(Some(&cursor)).await;
    let mut events = moved.backlog().await;
    while events.len() < 2 {
        events.push(one.clock().run(Duration::from_millis(100), moved.next_event("note.created")).await);
    }
    assert_eq!(seqs(&events), [6, 7]);
    assert_eq!(texts(&events), ["note 0", "note 1"]);
    two.finish().await;
    one.finish().await;
}

#[tokio::test]
async fn a_cursor_that_a_node_has_not_heard_of_yet_is_looked_up() {
    let one = notes(&tokens()).start().await;
    let Some(two) = one.another_node().await else { return one.finish().await };
    let _keeps_the_room_open = two.with_token("owner").live(None).await;
    append_many(&one, 5).await;
    let list = one.with_token("operator").get("/api/v1/notes").await.expect(200);
    let mut live = two.with_token("operator").live(Some(list.str("/live_cursor"))).await;
    assert_eq!(live.next().await["type"], "caught_up");
    two.finish().await;
    one.finish().await;
}

#[tokio::test]
async fn revoking_on_one_node_closes_streams_on_the_other() {
    let tokens = tokens();
    let one = notes(&tokens).start().await;
    let Some(two) = one.another_node().await else { return one.finish().await };
    let (mut operator, mut owner) =
        (two.with_token("operator").live(None).await, two.with_token("owner").live(None).await);
    tokens.remove("operator");
    append_event(&one, SYSTEM_WORKSPACE, || about("session.revoked", Some(session(2).uuid()))).await;
    assert_eq!(one.clock().run(Duration::from_millis(100), operator.closed()).await, 4001);
    tokens.remove("owner");
    append_event(&one, acme(), || about("member.removed", Some(session(1).uuid()))).await;
    assert_eq!(one.clock().run(Duration::from_millis(100), owner.closed()).await, 4001);
    two.finish().await;
    one.finish().await;
}

#[tokio::test]
async fn an_idempotent_write_is_done_once_whichever_node_is_asked() {
    let one = notes(&tokens()).start().await;
    let Some(two) = one.another_node().await else { return one.finish().await };
    for round in 0..10 {
        let key = format!("k{round}");
        let send =
            |hub: &testkit::TestHub| hub.with_token("owner").post("/api/v1/notes", json!({ "text": "once" })).key(&key);
        let (a, b) = tokio::join!(send(&one), send(&two));
        assert_eq!(a.expect(201).json, b.expect(201).json);
    }
    let list = one.with_token("owner").get("/api/v1/notes?limit=200").await.expect(200);
    assert_eq!(list.items().len(), 10);
    two.finish().await;
    one.finish().await;
}
