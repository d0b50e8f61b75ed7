use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use model::{Audience, Event, Role};
use serde_json::json;
use store::{OnError, Subscriber, Tx, meta, subscribers::SubscriberError};
use testkit::{Builder, TestHub};
use uuid::Uuid;

use crate::fixture::{ACME, Tokens, acme, append_event, event, id, member, tokens, with};

/// Writes the texts of notes, one after the other, into `meta`; refuses `bad` until it is mended.
#[derive(Clone)]
struct Diary {
    on_error: OnError,
    mended: Arc<AtomicBool>,
}

impl Diary {
    fn new(on_error: OnError) -> Self {
        Self { on_error, mended: Arc::default() }
    }
}

impl Subscriber for Diary {
    fn name(&self) -> &'static str {
        "diary"
    }

    fn wants(&self, kind: &str) -> bool {
        kind == "note.created"
    }

    fn on_error(&self) -> OnError {
        self.on_error
    }

    fn apply(&self, tx: &mut Tx<'_>, event: &Event) -> Result<(), SubscriberError> {
        let body: serde_json::Value = event.body()?;
        let text = body["text"].as_str().ok_or_else(|| SubscriberError::Refused("no text".to_owned()))?;
        let before = meta::get(tx, "diary")?.unwrap_or_default();
        meta::set(tx, "diary", &format!("{before}{text} "))?;
        if text.starts_with("bad") && !self.mended.load(Ordering::SeqCst) {
            return Err(SubscriberError::Refused("a bad word".to_owned()));
        }
        Ok(())
    }

    fn rebuild(&self, _: &mut Tx<'_>) -> Result<(), SubscriberError> {
        Err(SubscriberError::Refused("a diary cannot be written afterwards".to_owned()))
    }
}

fn keeping(tokens: &Tokens, diary: &Diary) -> Builder {
    let diary = diary.clone();
    with(tokens, move |feature| feature.subscriber(diary.clone()))
}

async fn note(hub: &TestHub, text: &'static str, entity: u128) {
    let by = member(ACME, 1, Role::Owner);
    let new = move || {
        let entity = Some(Uuid::from_u128(entity));
        model::NewEvent { entity, ..event("note.created", &json!({ "text": text }), Audience::Everyone, &by) }
    };
    append_event(hub, acme(), new).await;
}

async fn diary(hub: &TestHub) -> String {
    hub.db()
        .read(|tx| meta::get(tx, "diary"))
        .await
        .map_err(|error: store::Error| error)
        .expect("read")
        .unwrap_or_default()
}

async fn diary_becomes(hub: &TestHub, text: &str) {
    testkit::eventually(|| async { (diary(hub).await == text).then_some(()) }).await;
}

#[tokio::test]
async fn every_event_is_applied_once_in_order_also_across_restarts() {
    let kept = Diary::new(OnError::Park);
    let mut hub = keeping(&tokens(), &kept).start().await;
    let mut expected = String::new();
    for text in ["a", "b", "c"] {
        note(&hub, text, 1).await;
        expected.push_str(text);
        expected.push(' ');
        hub = hub.restart().await;
    }
    diary_becomes(&hub, &expected).await;
    hub.finish().await;
}

#[tokio::test]
async fn a_parked_event_holds_back_its_entity_only_and_a_replay_applies_each_once() {
    let kept = Diary::new(OnError::Park);
    let hub = keeping(&tokens(), &kept).start().await;
    let owner = hub.with_token("owner");
    let mut live = owner.live(None).await;
    for (text, entity) in [("a1", 1), ("bad2", 2), ("b2", 2), ("c1", 1), ("d2", 2)] {
        note(&hub, text, entity).await;
    }
    diary_becomes(&hub, "a1 c1 ").await;
    let created = live.next_event("dead_letter.created").await;
    assert_eq!(created["body"]["dead_letter"]["event_kind"], "note.created");
    let letters = owner.get("/api/v1/dead-letters").await.expect(200);
    let letter = &letters.items()[0];
    assert_eq!(letters.items().len(), 1);
    assert_eq!(letter["error"], "a bad word");
    testkit::eventually(|| async {
        let letters = owner.get("/api/v1/dead-letters").await.expect(200);
        (letters.items()[0]["waiting"] == 2).then_some(())
    })
    .await;
    let replay = format!("/api/v1/dead-letters/{}/replay", letter["id"].as_str().expect("an id"));
    let failed = owner.post(&replay, json!({})).await.expect(200);
    assert_eq!(failed.json["replayed"], 0, "it is still bad");
    assert_eq!(diary(&hub).await, "a1 c1 ");
    kept.mended.store(true, Ordering::SeqCst);
    let replayed = owner.post(&replay, json!({})).await.expect(200);
    assert_eq!(replayed.json["replayed"], 3);
    assert_eq!(diary(&hub).await, "a1 c1 bad2 b2 d2 ");
    live.next_event("dead_letter.removed").await;
    assert_eq!(owner.get("/api/v1/dead-letters").await.expect(200).items().len(), 0);
    owner.post(&replay, json!({})).await.expect_problem(404, "not_found");
    note(&hub, "e2", 2).await;
    diary_becomes(&hub, "a1 c1 bad2 b2 d2 e2 ").await;
    hub.finish().await;
}

#[tokio::test]
async fn a_counting_subscriber_halts_and_goes_on_after_a_replay() {
    let kept = Diary::new(OnError::Halt);
    let hub = keeping(&tokens(), &kept).start().await;
    let owner = hub.with_token("owner");
    for (text, entity) in [("a", 1), ("bad", 2), ("c", 3)] {
        note(&hub, text, entity).await;
    }
    let letter =
        testkit::eventually(|| async { owner.get("/api/v1/dead-letters").await.items().first().cloned() }).await;
    diary_becomes(&hub, "a ").await;
    assert_eq!(hub.hub().subscriptions().behind(hub.db()).await.expect("read"), ["diary at 1 of 4, halted"]);
    kept.mended.store(true, Ordering::SeqCst);
    let replay = format!("/api/v1/dead-letters/{}/replay", letter["id"].as_str().expect("an id"));
    owner.post(&replay, json!({})).await.expect(200);
    diary_becomes(&hub, "a bad c ").await;
    hub.finish().await;
}

#[tokio::test]
async fn dead_letters_are_for_who_may_see_the_system_and_only_of_his_workspace() {
    let kept = Diary::new(OnError::Park);
    let hub = keeping(&tokens(), &kept).start().await;
    note(&hub, "bad", 1).await;
    let owner = hub.with_token("owner");
    let letter =
        testkit::eventually(|| async { owner.get("/api/v1/dead-letters").await.items().first().cloned() }).await;
    let replay = format!("/api/v1/dead-letters/{}/replay", letter["id"].as_str().expect("an id"));
    hub.with_token("operator").get("/api/v1/dead-letters").await.expect_problem(403, "forbidden");
    assert_eq!(hub.with_token("foreign").get("/api/v1/dead-letters").await.expect(200).items().len(), 0);
    hub.with_token("foreign").post(&replay, json!({})).await.expect_problem(404, "not_found");
    let unknown = id::<model::kind::DeadLetter>(5);
    owner.post(&format!("/api/v1/dead-letters/{unknown}/replay"), json!({})).await.expect_problem(404, "not_found");
    hub.finish().await;
}
