use std::time::Duration;

use model::{Audience, Right, Role};
use serde_json::json;
use store::log;
use testkit::LiveClient;

use crate::fixture::{
    ACME, about, acme, append_event, append_many, event, later, member, notes, seqs, texts, tokens, user,
};

#[tokio::test]
async fn an_event_arrives_with_its_cursor_and_its_envelope() {
    let hub = notes(&tokens()).start().await;
    let mut live = hub.with_token("operator").live(None).await;
    assert_eq!(live.welcome["user"]["name"], "operator 2");
    live.next_of("caught_up").await;
    hub.with_token("owner").post("/api/v1/notes", json!({ "text": "hello" })).await.expect(201);
    let frame = live.next_of("event").await;
    assert_eq!(frame["event"]["kind"], "note.created");
    assert_eq!(frame["event"]["body"]["text"], "hello");
    assert_eq!(frame["event"]["actor"]["kind"], "member");
    assert_eq!(frame["event"]["v"], 1);
    assert!(frame["cursor"].is_string() && frame["event"]["workspace"].is_null());
    hub.finish().await;
}

#[tokio::test]
async fn who_comes_back_with_his_cursor_misses_nothing_and_sees_nothing_twice() {
    let hub = notes(&tokens()).start().await;
    let operator = hub.with_token("operator");
    append_many(&hub, 3).await;
    let mut live = operator.live(None).await;
    assert!(live.backlog().await.is_empty(), "without a cursor a stream starts at the head");
    append_many(&hub, 1).await;
    live.next_event("note.created").await;
    let cursor = live.cursor().expect("an event has one").to_owned();
    live.leave().await;
    append_many(&hub, 1_000).await;
    let mut live = operator.live(Some(&cursor)).await;
    assert_eq!(seqs(&live.backlog().await), (5..=1_004).collect::<Vec<_>>());
    hub.finish().await;
}

#[tokio::test]
async fn a_cursor_is_good_after_a_restart_of_the_server() {
    let hub = notes(&tokens()).start().await;
    let mut live = hub.with_token("operator").live(None).await;
    append_many(&hub, 2).await;
    live.next_event("note.created").await;
    let cursor = live.cursor().expect("an event has one").to_owned();
    drop(live);
    append_many(&hub, 300).await;
    let hub = hub.restart().await;
    append_many(&hub, 1).await;
    let mut live = hub.with_token("operator").live(Some(&cursor)).await;
    assert_eq!(seqs(&live.backlog().await), (2..=303).collect::<Vec<_>>());
    hub.finish().await;
}

#[tokio::test]
async fn the_cursor_of_a_list_continues_where_the_list_was_read() {
    let hub = notes(&tokens()).start().await;
    let operator = hub.with_token("operator");
    append_many(&hub, 2).await;
    let list = operator.get("/api/v1/notes").await.expect(200);
    append_many(&hub, 1).await;
    let mut live = operator.live(Some(list.str("/live_cursor"))).await;
    assert_eq!(seqs(&live.backlog().await), [3]);
    hub.finish().await;
}

#[tokio::test]
async fn a_cursor_that_names_no_place_here_is_answered_with_a_reset() {
    let hub = notes(&tokens()).start().await;
    let foreign = hub.with_token("foreign").get("/api/v1/notes").await.expect(200);
    let ahead = hub.hub().live_cursor(acme(), 99);
    let odd = [foreign.str("/live_cursor"), "garbled", "", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &ahead];
    for (round, cursor) in (0..).zip(odd) {
        let mut live = hub.with_token("operator").live(Some(cursor)).await;
        let reset = live.next().await;
        assert_eq!(reset["type"], "reset", "{cursor}");
        assert_eq!(reset["cursor"], hub.hub().live_cursor(acme(), round), "{cursor}");
        live.next_of("caught_up").await;
        append_many(&hub, 1).await;
        assert_eq!(live.next_event("note.created").await["seq"], round + 1);
    }
    hub.finish().await;
}

#[tokio::test]
async fn a_cursor_that_is_older_than_the_log_is_answered_with_a_reset() {
    let hub = notes(&tokens()).start().await;
    append_many(&hub, 10).await;
    let old = hub.hub().live_cursor(acme(), 4);
    let edge = hub.hub().live_cursor(acme(), 5);
    let before = later(&hub, 1);
    let pruned = hub.db().write(acme(), move |tx| log::prune(tx, before, 5)).await.expect("pruned");
    assert_eq!(pruned, 5);
    let hub = hub.restart().await;
    let mut live = hub.with_token("operator").live(Some(&old)).await;
    assert_eq!(live.next().await["type"], "reset");
    assert_eq!(live.next().await["type"], "caught_up");
    let mut live = hub.with_token("operator").live(Some(&edge)).await;
    assert_eq!(seqs(&live.backlog().await), [6, 7, 8, 9, 10]);
    hub.finish().await;
}

#[tokio::test]
async fn everybody_sees_what_is_for_him() {
    let hub = notes(&tokens()).start().await;
    let by = || member(ACME, 1, Role::Owner);
    let chat = crate::fixture::id(77);
    let audiences = [
        ("everyone", Audience::Everyone),
        ("readers", Audience::Right(Right::ConversationsRead)),
        ("guest only", Audience::User(user(3))),
        ("in a chat", Audience::Chat(chat)),
        ("nobody", Audience::Internal),
        ("end", Audience::Everyone),
    ];
    let start = hub.hub().live_cursor(acme(), 0);
    for (text, audience) in audiences {
        append_event(&hub, acme(), move || event("note.created", &json!({ "text": text }), audience, &by())).await;
    }
    let seen = async |token: &str| {
        let events = hub.with_token(token).live(Some(&start)).await.backlog().await;
        texts(&events).join(", ")
    };
    assert_eq!(seen("operator").await, "everyone, readers, in a chat, end");
    assert_eq!(seen("guest").await, "everyone, guest only, end");
    assert_eq!(seen("key").await, "everyone, readers, in a chat, end");
    let mut elsewhere = hub.with_token("foreign").live(Some(&start)).await;
    assert_eq!(elsewhere.next().await["type"], "reset");
    hub.finish().await;
}

#[tokio::test]
async fn skipped_events_move_the_cursor_by_a_progress_frame() {
    let hub = notes(&tokens()).start().await;
    let mut live = hub.with_token("guest").live(None).await;
    live.next_of("caught_up").await;
    let by = || member(ACME, 1, Role::Owner);
    let hidden = move || event("note.created", &json!({}), Audience::Right(Right::AuditRead), &by());
    append_event(&hub, acme(), hidden).await;
    let expected = hub.hub().live_cursor(acme(), 1);
    let progress = hub.clock().run(Duration::from_millis(10), live.next_of("progress")).await;
    assert_eq!(progress["cursor"], expected);
    hub.finish().await;
}

#[tokio::test]
async fn a_quiet_stream_says_every_thirty_seconds_where_it_is() {
    let hub = notes(&tokens()).start().await;
    append_many(&hub, 1).await;
    let mut live = hub.with_token("operator").live(None).await;
    live.next_of("caught_up").await;
    live.send(json!({ "type": "ping" })).await;
    live.next_of("pong").await;
    for _ in 0..3 {
        hub.clock().advance(Duration::from_secs(30));
        assert_eq!(live.next_of("progress").await["cursor"], hub.hub().live_cursor(acme(), 1));
    }
    hub.finish().await;
}

#[tokio::test]
async fn a_slow_reader_is_neither_dropped_nor_skipped() {
    let hub = notes(&tokens()).start().await;
    let mut slow = hub.with_token("operator").live(None).await;
    let mut quick = hub.with_token("owner").live(None).await;
    let by = member(ACME, 1, Role::Owner);
    // Far more than sockets and buffers hold.
    for _ in 0..20 {
        let by = by.clone();
        let written = hub.db().write(acme(), move |tx| {
            for _ in 0..300 {
                tx.append(event("note.created", &json!({ "text": "x".repeat(4_000) }), Audience::Everyone, &by))?;
            }
            Ok::<_, store::Error>(())
        });
        written.await.expect("committed");
    }
    let mut quick_seqs = Vec::new();
    while quick_seqs.len() < 6_000 {
        quick_seqs.push(quick.next_of("event").await["event"]["seq"].as_i64().expect("a number"));
    }
    let mut slow_seqs = Vec::new();
    while slow_seqs.len() < 6_000 {
        slow_seqs.push(slow.next_of("event").await["event"]["seq"].as_i64().expect("a number"));
    }
    assert_eq!(slow_seqs, (1..=6_000).collect::<Vec<_>>());
    assert_eq!(quick_seqs, slow_seqs);
    hub.finish().await;
}

#[tokio::test]
async fn two_tabs_of_one_user_each_see_everything() {
    let hub = notes(&tokens()).start().await;
    let operator = hub.with_token("operator");
    let (mut one, mut two) = (operator.live_in_tab(None, "one").await, operator.live_in_tab(None, "two").await);
    append_many(&hub, 5).await;
    for tab in [&mut one, &mut two] {
        for seq in 1..=5 {
            assert_eq!(tab.next_of("event").await["event"]["seq"], seq);
        }
    }
    hub.finish().await;
}

#[tokio::test]
async fn a_user_has_so_many_streams_and_no_more() {
    let hub = notes(&tokens()).config(|config| config.streams_per_user = 2).start().await;
    let operator = hub.with_token("operator");
    let one = operator.live(None).await;
    let _two = operator.live(None).await;
    let mut three = operator.socket().await;
    three.send(json!({ "type": "hello", "token": "operator" })).await;
    assert_eq!(three.next_of("closing").await["reason"], "too_many_streams");
    assert_eq!(three.closed().await, 4029);
    operator.get("/api/v1/events").await.expect_problem(429, "too_many_streams");
    let _another_user = hub.with_token("owner").live(None).await;
    one.leave().await;
    testkit::eventually(|| async { (hub.hub().live().open_streams() == 2).then_some(()) }).await;
    let _again = operator.live(None).await;
    hub.finish().await;
}

#[tokio::test]
async fn a_stream_without_a_good_hello_is_closed_with_its_reason() {
    let tokens = tokens();
    tokens.put("deaf", crate::fixture::key(9, &[Right::ConversationsRead], None));
    let hub = notes(&tokens).start().await;
    let mut silent = hub.stranger().socket().await;
    let closing = hub.clock().run(Duration::from_secs(1), silent.next()).await;
    assert_eq!(closing["reason"], "hello_timeout");
    assert_eq!(silent.closed().await, 4008);
    let hellos = [
        (json!({ "type": "hello", "token": "nobody" }), 4001),
        (json!({ "type": "hello", "token": "deaf" }), 4003),
        (json!({ "type": "ping" }), 4001),
        (json!("hello"), 4001),
    ];
    for (hello, code) in hellos {
        let mut socket = hub.stranger().socket().await;
        socket.send(hello.clone()).await;
        assert_eq!(socket.closed().await, code, "{hello}");
    }
    hub.finish().await;
}

#[tokio::test]
async fn nonsense_from_a_client_is_ignored_and_an_oversized_frame_ends_its_stream() {
    let hub = notes(&tokens()).start().await;
    let mut live = hub.with_token("operator").live(None).await;
    for nonsense in ["", "{", "[]", r#"{"type":"from.the.future"}"#, r#"{"type":"signal","kind":"dancing"}"#] {
        live.send_text(nonsense).await;
    }
    live.send(json!({ "type": "ping" })).await;
    live.next_of("pong").await;
    live.send_text(&"x".repeat(100_000)).await;
    live.closed().await;
    testkit::eventually(|| async { (hub.hub().live().open_streams() == 0).then_some(()) }).await;
    hub.finish().await;
}

#[tokio::test]
async fn a_page_of_another_origin_cannot_open_a_stream() {
    let hub =
        notes(&tokens()).config(|config| config.cors_origins = vec!["https://friend.test".to_owned()]).start().await;
    let own = hub.url().to_owned();
    for (origin, allowed) in
        [(own.as_str(), true), ("https://friend.test", true), ("https://evil.test", false), ("null", false)]
    {
        let opened = LiveClient::try_connect(hub.url(), &[("origin", origin)]).await;
        assert_eq!(opened.map(drop), if allowed { Ok(()) } else { Err(403) }, "{origin}");
    }
    hub.finish().await;
}

#[tokio::test]
async fn erasing_empties_what_streams_remember() {
    let hub = notes(&tokens()).start().await;
    let start = hub.hub().live_cursor(acme(), 0);
    let _listener = hub.with_token("owner").live(None).await;
    append_many(&hub, 2).await;
    let erased = hub.db().write(acme(), |tx| {
        let workspace = tx.workspace();
        tx.exec("UPDATE events SET body = NULL WHERE workspace_id = $1 AND seq <= 2", store::args![workspace])?;
        tx.append(about("note.erased", None))
    });
    erased.await.map_err(|error: store::Error| error).expect("erased");
    let events = hub.with_token("operator").live(Some(&start)).await.backlog().await;
    assert_eq!(seqs(&events), [1, 2]);
    assert!(events.iter().all(|event| event["redacted"] == true && event["body"].is_null()));
    hub.finish().await;
}
