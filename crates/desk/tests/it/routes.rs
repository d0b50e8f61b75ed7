//! The Desk's operations over HTTP.

use model::Role;
use serde_json::{Value, json};

use crate::office::{Office, conversation_of, stored};

async fn waiting(office: &Office, person: &str) -> String {
    let message = stored(office.write(person, 1, "Hello, it is broken").await);
    conversation_of(&message).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inbox_lists_the_latest_first_and_pages_without_gaps() {
    let office = Office::of_owner().await;
    let owner = office.hub.owner().await;
    for person in 0..25 {
        office.hub.clock().advance(std::time::Duration::from_secs(1));
        waiting(&office, &person.to_string()).await;
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = owner.get(&format!("/api/v1/conversations?status=open&limit=10{cursor}")).await.expect(200);
        names.extend(page.json["items"].as_array().expect("items").iter().map(|it| it["contact"]["name"].to_string()));
        match page.json["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let expected: Vec<_> = (0..25).rev().map(|person| format!("\"Person {person}\"")).collect();
    assert_eq!(names, expected);
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unread_is_per_person_and_read_marks_only_move_forward() {
    let office = Office::of_owner().await;
    let (owner, operator) = (office.hub.owner().await, office.hub.member(Role::Operator).await);
    let id = waiting(&office, "7").await;
    office.write("7", 2, "Anybody?").await;
    let unread = async |who: &testkit::Actor| {
        who.get(&format!("/api/v1/conversations/{id}")).await.expect(200).json["unread"].clone()
    };
    assert_eq!((unread(&owner).await, unread(&operator).await), (json!(2), json!(2)));
    let read = |seq: i64| owner.post(&format!("/api/v1/conversations/{id}/read"), json!({ "seq": seq }));
    read(1).await.expect(200);
    assert_eq!((unread(&owner).await, unread(&operator).await), (json!(1), json!(2)));
    read(99).await.expect(200);
    let mark = read(1).await.expect(200).json;
    assert_eq!((&mark["read_seq"], &mark["read_inbound"]), (&json!(2), &json!(2)));
    assert_eq!(unread(&owner).await, json!(0));
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_send_gives_the_same_message_and_another_text_is_a_conflict() {
    let office = Office::of_owner().await;
    let owner = office.hub.owner().await;
    let path = format!("/api/v1/conversations/{}/messages", waiting(&office, "7").await);
    let send = |text: &str| owner.post(&path, json!({ "text": text })).key("abc");
    let first = send("Good morning").await.expect(201).json;
    assert_eq!(first["idempotency_key"], "abc");
    assert_eq!(send("Good morning").await.expect(201).json, first);
    assert_eq!(send("Good evening").await.expect(409).json["code"], "idempotency_conflict");
    assert_eq!(office.count("SELECT COUNT(*) FROM deliveries WHERE workspace_id = $1").await, 1);
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_to_what_others_moved_on_is_refused_unless_forced() {
    let office = Office::of_owner().await;
    let (owner, operator) = (office.hub.owner().await, office.hub.member(Role::Operator).await);
    let path = format!("/api/v1/conversations/{}/messages", waiting(&office, "7").await);
    let send = |who: &testkit::Actor, seen: i64, force: bool| {
        who.post(&path, json!({ "text": "Well", "last_seen_seq": seen, "force": force }))
    };
    // His own messages do not move him.
    send(&owner, 1, false).await.expect(201);
    send(&owner, 1, false).await.expect(201);
    assert_eq!(send(&operator, 1, false).await.expect(409).json["code"], "conversation_moved");
    send(&operator, 1, true).await.expect(201);
    office.write("7", 2, "Wait").await;
    assert_eq!(send(&operator, 4, false).await.expect(409).json["code"], "conversation_moved");
    send(&operator, 5, false).await.expect(201);
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_cannot_be_sent_are_refused_with_a_stable_code() {
    let office = Office::of_owner().await;
    let owner = office.hub.owner().await;
    let path = format!("/api/v1/conversations/{}/messages", waiting(&office, "7").await);
    let long = "я".repeat(4097);
    let refused = |body: Value, status: u16, code: &'static str| {
        let request = owner.post(&path, body);
        async move { assert_eq!(request.await.expect(status).json["code"], code) }
    };
    refused(json!({ "text": long }), 422, "text_too_long").await;
    refused(json!({ "text": " \n " }), 422, "text_empty").await;
    refused(json!({ "text": "a\u{0}b" }), 422, "invalid_text").await;
    refused(json!({ "text": 7 }), 422, "wrong_type").await;
    owner.post(&path, json!({ "text": long, "note": true })).await.expect(201);
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resolving_shows_in_counts_and_the_next_message_reopens() {
    let office = Office::of_owner().await;
    let owner = office.hub.owner().await;
    let id = waiting(&office, "7").await;
    let path = format!("/api/v1/conversations/{id}");
    assert_eq!(owner.patch(&path, json!({ "status": "resolved" })).await.expect(200).json["status"], "resolved");
    office.follow().await;
    let counts = owner.get("/api/v1/conversations/counts").await.expect(200).json;
    assert_eq!((&counts["open"], &counts["resolved"]), (&json!(0), &json!(1)));
    office.write("7", 2, "One more thing").await;
    assert_eq!(owner.get(&path).await.expect(200).json["status"], "open");
    assert_eq!(owner.patch(&path, json!({ "status": "snoozed" })).await.expect(422).json["code"], "wrong_type");
    assert_eq!(owner.patch(&path, json!({ "status": 5 })).await.expect(422).json["code"], "wrong_type");
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_stream_shows_the_message_the_reply_and_the_read_mark_to_its_person_only() {
    let office = Office::of_owner().await;
    let (owner, member) = (office.hub.owner().await, office.hub.member(Role::Member).await);
    let (mut live, mut other) = (owner.live(None).await, member.live(None).await);
    let id = waiting(&office, "7").await;
    let created = live.next_event("message.created").await;
    assert_eq!(created["body"]["message"]["text"], "Hello, it is broken");
    owner.post(&format!("/api/v1/conversations/{id}/messages"), json!({ "text": "Hi" })).await.expect(201);
    assert_eq!(live.next_event("message.created").await["body"]["message"]["delivery"]["state"], "queued");
    owner.post(&format!("/api/v1/conversations/{id}/read"), json!({ "seq": 2 })).await.expect(200);
    assert_eq!(live.next_event("read.marked").await["body"]["read_inbound"], 1);
    // The member gets nothing of it: all that he sees until then are facts about members.
    office.hub.member(Role::Operator).await;
    loop {
        let frame = other.next().await;
        let Some(kind) = frame["event"]["kind"].as_str() else { continue };
        assert!(kind.starts_with("member."), "{kind}");
        if frame["event"]["body"]["member"]["role"] == "operator" {
            break;
        }
    }
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_or_cannot_be_parsed_is_not_found() {
    let office = Office::of_owner().await;
    let owner = office.hub.owner().await;
    for id in ["nonsense", "01890a5d-ac96-774b-bcce-b302099a8057"] {
        owner.get(&format!("/api/v1/conversations/{id}")).await.expect(404);
        owner.get(&format!("/api/v1/conversations/{id}/messages")).await.expect(404);
        owner.post(&format!("/api/v1/conversations/{id}/messages"), json!({ "text": "Hi" })).await.expect(404);
    }
    let id = waiting(&office, "7").await;
    for query in ["limit=0", "limit=201", "before=1&after=2", "before=-1", "before=x"] {
        owner.get(&format!("/api/v1/conversations/{id}/messages?{query}")).await.expect(400);
    }
    office.close().await;
}
