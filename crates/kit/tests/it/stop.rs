use std::future::IntoFuture as _;

use serde_json::json;

use crate::fixture::{Counter, append_many, notes, tokens, with};

#[tokio::test]
async fn a_stop_tells_live_clients_to_come_back() {
    let hub = notes(&tokens()).start().await;
    let operator = hub.with_token("operator");
    let mut socket = operator.live(None).await;
    let mut events = operator.events(None).await;
    append_many(&hub, 1).await;
    socket.next_event("note.created").await;
    events.next_of("event").await;
    let cursor = socket.cursor().expect("an event has one").to_owned();
    let restarting = tokio::spawn(hub.restart());
    let closing = socket.next_of("closing").await;
    assert_eq!((closing["code"].as_u64(), closing["reason"].as_str()), (Some(1012), Some("restart")));
    assert_eq!(socket.closed().await, 1012);
    assert_eq!(events.next_of("closing").await.data["code"], 1012);
    assert!(events.try_next().await.is_none());
    let hub = restarting.await.expect("no panic");
    let mut back = hub.with_token("operator").live(Some(&cursor)).await;
    assert!(back.backlog().await.is_empty());
    hub.finish().await;
}

#[tokio::test]
async fn a_stop_finishes_the_requests_in_flight_and_takes_no_more() {
    let hub = notes(&tokens()).start().await;
    let owner = hub.with_token("owner");
    let requests: Vec<_> = (0..50)
        .map(|number| tokio::spawn(owner.post("/api/v1/notes", json!({ "text": format!("n{number}") })).into_future()))
        .collect();
    let mut written = 0;
    for request in requests {
        // All of them are sent before the stop; each is either answered with success or never was.
        written += usize::from(request.await.expect("no panic").status == 201);
    }
    let hub = hub.restart().await;
    let kept = hub.with_token("owner").get("/api/v1/notes?limit=200").await.expect(200).items().len();
    assert_eq!((written, kept), (50, 50));
    hub.finish().await;
}

#[tokio::test]
async fn a_stop_waits_for_services_that_are_finishing() {
    let (started, ended) = (Counter::default(), Counter::default());
    let (starts, ends) = (started.clone(), ended.clone());
    let builder = with(&tokens(), move |feature| {
        let (starts, ends) = (starts.clone(), ends.clone());
        feature.service("tidy", move |hub| {
            let (starts, ends) = (starts.clone(), ends.clone());
            async move {
                starts.up();
                hub.shutdown().cancelled().await;
                let written = hub.db().write(model::SYSTEM_WORKSPACE, |tx| store::meta::set(tx, "tidy", "done"));
                written.await.map_err(|error: store::Error| error)?;
                ends.up();
                Ok::<_, store::Error>(())
            }
        })
    });
    let hub = builder.start().await;
    started.reaches(1).await;
    hub.finish().await;
    assert_eq!(ended.get(), 1, "the database was open until the service had ended");
}
