use std::{future::IntoFuture as _, time::Duration};

use crate::fixture::{acme, append_many, notes, seqs, tokens};

#[tokio::test]
async fn three_transports_agree_on_events_and_cursors() {
    let hub = notes(&tokens()).start().await;
    append_many(&hub, 250).await;
    let start = hub.hub().live_cursor(acme(), 40);
    let operator = hub.with_token("operator");

    let mut socket = operator.live(Some(&start)).await;
    let mut over_socket = Vec::new();
    while over_socket.len() < 210 {
        over_socket.push(socket.next_of("event").await);
    }
    let mut stream = operator.events(Some(&start)).await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    let mut over_stream = Vec::new();
    while over_stream.len() < 210 {
        let event = stream.next_of("event").await;
        assert_eq!(event.id.as_deref(), event.data["cursor"].as_str());
        over_stream.push(event.data);
    }
    let (mut over_poll, mut cursor) = (Vec::new(), start);
    loop {
        let answer = operator.get(&format!("/api/v1/events?cursor={cursor}")).await.expect(200);
        over_poll.extend(answer.items().to_vec());
        cursor = answer.str("/cursor").to_owned();
        if answer.json["caught_up"] == true {
            break;
        }
    }
    assert_eq!(over_socket, over_stream);
    let items: Vec<_> = over_socket.iter().map(|it| (&it["cursor"], &it["event"])).collect();
    assert_eq!(items, over_poll.iter().map(|it| (&it["cursor"], &it["event"])).collect::<Vec<_>>());
    let events: Vec<_> = over_socket.iter().map(|it| it["event"].clone()).collect();
    assert_eq!(seqs(&events), (41..=250).collect::<Vec<_>>());

    // A cursor of one transport continues on another.
    let middle = over_poll[99]["cursor"].as_str().expect("a cursor").to_owned();
    let mut resumed = operator.live(Some(&middle)).await;
    assert_eq!(seqs(&resumed.backlog().await), (141..=250).collect::<Vec<_>>());
    hub.finish().await;
}

#[tokio::test]
async fn a_long_poll_answers_as_soon_as_something_happens() {
    let hub = notes(&tokens()).start().await;
    let operator = hub.with_token("operator");
    let first = operator.get("/api/v1/events").await.expect(200);
    assert_eq!(first.items().len(), 0);
    assert_eq!(first.json["caught_up"], true);
    assert_eq!(first.json["reset"], false);
    let url = format!("/api/v1/events?wait=50&cursor={}", first.str("/cursor"));
    let waiting = tokio::spawn(async move { operator.get(&url).await });
    testkit::eventually(|| async { (hub.hub().live().open_streams() == 1).then_some(()) }).await;
    append_many(&hub, 1).await;
    let answer = waiting.await.expect("no panic").expect(200);
    assert_eq!(answer.items().len(), 1);
    assert_eq!(answer.str("/cursor"), hub.hub().live_cursor(acme(), 1));
    hub.finish().await;
}

#[tokio::test]
async fn a_long_poll_without_news_ends_after_its_wait() {
    let hub = notes(&tokens()).start().await;
    let operator = hub.with_token("operator");
    let answer = hub.clock().run(Duration::from_secs(5), operator.get("/api/v1/events?wait=20").into_future()).await;
    assert_eq!(answer.expect(200).items().len(), 0);
    hub.finish().await;
}

#[tokio::test]
async fn a_long_poll_says_when_its_cursor_is_no_good() {
    let hub = notes(&tokens()).start().await;
    append_many(&hub, 3).await;
    let answer = hub.with_token("operator").get("/api/v1/events?cursor=garbled&wait=50").await.expect(200);
    assert_eq!(answer.json["reset"], true);
    assert_eq!(answer.str("/cursor"), hub.hub().live_cursor(acme(), 3));
    hub.finish().await;
}

#[tokio::test]
async fn an_idle_event_stream_is_kept_alive_by_comments() {
    let hub = notes(&tokens()).start().await;
    let mut events = hub.with_token("operator").events(None).await;
    events.next_of("caught_up").await;
    hub.clock().advance(Duration::from_secs(25));
    assert_eq!(events.try_next().await.expect("a comment").kind, "");
    hub.clock().advance(Duration::from_secs(5));
    assert!(events.next_of("progress").await.id.is_some());
    hub.finish().await;
}

#[tokio::test]
async fn who_may_not_listen_gets_a_problem() {
    let tokens = tokens();
    tokens.put("deaf", crate::fixture::key(9, &[], None));
    let hub = notes(&tokens).start().await;
    hub.stranger().get("/api/v1/events").await.expect_problem(401, "unauthenticated");
    hub.with_token("deaf").get("/api/v1/events").await.expect_problem(403, "forbidden");
    hub.stranger().get("/api/v1/live").await.expect_problem(426, "websocket_expected");
    hub.finish().await;
}
