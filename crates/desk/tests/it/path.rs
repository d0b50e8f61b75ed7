//! A contact writes, a member answers.

use chats::{AuthorKind, EditedText, HistoryQuery, Received};
use model::{DeliveryState, Timestamp};
use store::log;

use crate::office::{Office, conversation_of, stored};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_becomes_contact_chat_conversation_message_and_events_in_one_commit() {
    let office = Office::open().await;
    let message = stored(office.write("77", 1, "Hello, it is broken").await);
    assert_eq!((message.seq, message.author.kind), (1, AuthorKind::Contact));
    for sql in [
        "SELECT COUNT(*) FROM contacts WHERE workspace_id = $1",
        "SELECT COUNT(*) FROM chats WHERE workspace_id = $1",
        "SELECT COUNT(*) FROM conversations WHERE workspace_id = $1 AND status = 'open'",
        "SELECT COUNT(*) FROM messages WHERE workspace_id = $1",
    ] {
        assert_eq!(office.count(sql).await, 1, "{sql}");
    }
    let workspace = office.workspace;
    let events = office.run(move |tx| log::after(tx, workspace, 0, 10)).await;
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_ref()).collect();
    assert_eq!(kinds, ["conversation.created", "message.created", "conversation.updated"]);
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_outside_message_is_stored_once() {
    let office = Office::open().await;
    stored(office.write("77", 1, "Hello").await);
    assert_eq!(office.write("77", 1, "Hello").await, Received::Known);
    assert_eq!(office.count("SELECT COUNT(*) FROM messages WHERE workspace_id = $1").await, 1);
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_first_messages_at_once_open_one_conversation() {
    let office = std::sync::Arc::new(Office::open().await);
    let writing = (0..100).map(|number| {
        let office = std::sync::Arc::clone(&office);
        tokio::spawn(async move { stored(office.write("77", number, "Hello?").await) })
    });
    let mut seqs = Vec::new();
    for task in writing.collect::<Vec<_>>() {
        seqs.push(task.await.expect("no panic").seq);
    }
    let office = std::sync::Arc::into_inner(office).expect("nobody else has it");
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=100).collect::<Vec<_>>());
    assert_eq!(office.count("SELECT COUNT(*) FROM conversations WHERE workspace_id = $1").await, 1);
    assert_eq!(office.count("SELECT COUNT(*) FROM contacts WHERE workspace_id = $1").await, 1);
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_leaves_through_the_outbox_and_a_note_does_not() {
    let office = Office::open().await;
    let question = stored(office.write("77", 1, "Hello").await);
    let reply = office.reply(&question, "Good morning", false).await;
    let delivery = reply.delivery.expect("a reply has a delivery");
    assert_eq!(delivery.state, DeliveryState::Queued);
    let note = office.reply(&question, "He is a regular", true).await;
    assert!(note.delivery.is_none() && note.note);
    assert_eq!(office.count("SELECT COUNT(*) FROM deliveries WHERE workspace_id = $1").await, 1);
    let chat = question.chat_id;
    let query = HistoryQuery { limit: 10, ..HistoryQuery::default() };
    let page = office.history(chat, query).await;
    assert_eq!(page.items.iter().map(|it| it.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(page.items[1].delivery.as_ref().map(|it| it.id), Some(delivery.id));
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_pages_meet_without_gap_or_repeat() {
    let office = Office::open().await;
    let first = stored(office.write("77", 1, "1").await);
    for number in 2..=25 {
        office.write("77", number, &number.to_string()).await;
    }
    let chat = first.chat_id;
    let page = |query: HistoryQuery| office.history(chat, query);
    let query = HistoryQuery { limit: 10, ..HistoryQuery::default() };
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = page(HistoryQuery { before, ..query }).await;
        seen.splice(0..0, page.items.iter().map(|it| it.seq));
        before = page.items.first().map(|it| it.seq);
        if !page.has_before {
            break;
        }
    }
    assert_eq!(seen, (1..=25).collect::<Vec<_>>());
    let around = page(HistoryQuery { anchor: Some(12), ..query }).await;
    assert_eq!(around.items.iter().map(|it| it.seq).collect::<Vec<_>>(), (8..=17).collect::<Vec<_>>());
    assert!(around.has_before && around.has_after);
    let newest = page(HistoryQuery { after: Some(20), ..query }).await;
    assert_eq!((newest.items.len(), newest.has_after), (5, false));
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_edit_wins_whatever_comes_first() {
    let office = Office::open().await;
    let original = stored(office.write("77", 1, "helo").await);
    let edit =
        |text: &str, at: i64| EditedText { now: office.inbound("77", 1, text), edited_at: Timestamp::from_micros(at) };
    for (edit, expected) in
        [(edit("hello!", 20), "hello!"), (edit("hello", 10), "hello!"), (edit("hello!", 20), "hello!")]
    {
        let (chats, edit) = (office.chats.clone(), edit);
        office.run(move |tx| chats.edited(tx, edit.clone())).await;
        let (workspace, id) = (office.workspace, original.id);
        let now = office.run(move |tx| chats::message(tx, workspace, id)).await.expect("it exists");
        assert_eq!(now.text, expected);
    }
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_an_unknown_message_creates_it_marked_edited() {
    let office = Office::open().await;
    let (chats, now) = (office.chats.clone(), office.inbound("77", 5, "late"));
    let edit = EditedText { now, edited_at: Timestamp::from_micros(7) };
    let message = stored(office.run(move |tx| chats.edited(tx, edit.clone())).await);
    assert_eq!((message.text.as_str(), message.edited_at), ("late", Some(Timestamp::from_micros(7))));
    let conversation = conversation_of(&message);
    assert_eq!(office.count("SELECT COUNT(*) FROM conversations WHERE workspace_id = $1").await, 1, "{conversation}");
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_texts_that_a_database_cannot_hold_are_made_storable() {
    let office = Office::open().await;
    let mut inbound = office.inbound("77", 1, "a\0b");
    inbound.from.name = "\u{202e}\0Eve\n\n".repeat(200);
    let chats = office.chats.clone();
    let message = stored(office.run(move |tx| chats.receive(tx, inbound.clone())).await);
    assert_eq!(message.text, "a\u{fffd}b");
    assert!(message.author.name.chars().count() <= 200 && !message.author.name.contains(['\0', '\n']));
    office.close().await;
}
