//! What has to hold after any sequence of things that people do.

use model::{ActorRef, Event};
use proptest::{prelude::*, test_runner::Config};
use store::{Error, args, log};

use crate::office::{Office, conversation_of, stored};

/// One thing that somebody does.
#[derive(Debug, Clone)]
enum Step {
    Write(u8),
    Reply(u8),
    Note(u8),
    Read(u8, i64),
    Resolve(u8),
    Fail,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let person = 0u8..3;
    let step = prop_oneof![
        4 => person.clone().prop_map(Step::Write),
        2 => person.clone().prop_map(Step::Reply),
        1 => person.clone().prop_map(Step::Note),
        2 => (person.clone(), 0i64..20).prop_map(|(who, seq)| Step::Read(who, seq)),
        1 => person.prop_map(Step::Resolve),
        1 => Just(Step::Fail),
    ];
    prop::collection::vec(step, 1..40)
}

async fn do_all(office: &Office, steps: &[Step]) {
    let mut latest = [None, None, None];
    for (number, step) in steps.iter().enumerate() {
        let number = i64::try_from(number).expect("a small number");
        match *step {
            Step::Write(who) => {
                let message = stored(office.write(&who.to_string(), number, "hello").await);
                latest[usize::from(who)] = Some(message);
            }
            Step::Reply(who) | Step::Note(who) => {
                if let Some(to) = &latest[usize::from(who)] {
                    office.reply(to, "well", matches!(step, Step::Note(_))).await;
                }
            }
            Step::Read(who, seq) => {
                if let Some(message) = &latest[usize::from(who)] {
                    office.read(message.chat_id, seq).await;
                }
            }
            Step::Resolve(who) => {
                if let Some(message) = &latest[usize::from(who)] {
                    resolve(office, conversation_of(message)).await;
                }
            }
            Step::Fail => fail(office).await,
        }
    }
}

/// As the Desk's own operation does it, by the event that the counts follow.
async fn resolve(office: &Office, id: model::ConversationId) {
    office.run(move |tx| desk::set_status(tx, ActorRef::SYSTEM, id, desk::Status::Resolved)).await;
}

/// A command that does a lot and then fails: nothing of it may remain.
async fn fail(office: &Office) {
    let (chats, inbound) = (office.chats.clone(), office.inbound("nobody", 1, "lost"));
    let failed: Result<(), Error> = office
        .db()
        .write(office.workspace, move |tx| {
            chats.receive(tx, inbound.clone())?;
            Err(Error::NotFound)
        })
        .await;
    assert_eq!(failed, Err(Error::NotFound));
}

async fn events(office: &Office) -> Vec<Event> {
    let workspace = office.workspace;
    office.run(move |tx| log::after(tx, workspace, 0, 100_000)).await
}

proptest! {
    #![proptest_config(Config { cases: 24, ..Config::default() })]

    #[test]
    fn after_anything_counts_equal_a_recount_and_no_number_is_missing(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let office = Office::open().await;
            do_all(&office, &steps).await;
            office.follow().await;

            let seqs: Vec<_> = events(&office).await.iter().map(|event| event.seq).collect();
            assert_eq!(seqs, (1..=i64::try_from(seqs.len()).expect("few")).collect::<Vec<_>>());
            // Per chat: as many messages as the last number says, and the unread of everyone by subtraction and by counting.
            let wrong = office.count(
                "SELECT COUNT(*) FROM chats c WHERE c.workspace_id = $1 AND (
                   c.last_seq <> (SELECT COUNT(*) FROM messages m WHERE m.chat_id = c.id)
                   OR c.inbound_total <> (SELECT COUNT(*) FROM messages m WHERE m.chat_id = c.id AND m.author_kind = 'contact'))");
            assert_eq!(wrong.await, 0);
            let wrong = office.count(
                "SELECT COUNT(*) FROM read_marks r WHERE r.workspace_id = $1 AND r.read_inbound <>
                   (SELECT COUNT(*) FROM messages m WHERE m.chat_id = r.chat_id AND m.author_kind = 'contact' AND m.seq <= r.read_seq)");
            assert_eq!(wrong.await, 0);
            let wrong = office.count(
                "SELECT COUNT(*) FROM conversations v JOIN chats c ON c.id = v.chat_id WHERE v.workspace_id = $1
                   AND (v.last_seq <> c.last_seq OR v.inbound_total <> c.inbound_total)");
            assert_eq!(wrong.await, 0);
            for status in desk::Status::ALL {
                let (workspace, name) = (office.workspace, status.as_str());
                let (kept, counted) = office.run(move |tx| {
                    let kept = tx.first("SELECT total FROM desk_counts WHERE workspace_id = $1 AND status = $2",
                        args![workspace, name], |row| row.get::<i64>(0))?;
                    let counted = tx.one("SELECT COUNT(*) FROM conversations WHERE workspace_id = $1 AND status = $2",
                        args![workspace, name], |row| row.get::<i64>(0))?;
                    Ok((kept.unwrap_or(0), counted))
                }).await;
                assert_eq!(kept, counted, "{status:?}");
            }
            office.close().await;
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_failed_brings_a_resolved_conversation_back() {
    let office = Office::open().await;
    let question = stored(office.write("77", 1, "Hello").await);
    let id = conversation_of(&question);
    let reply = office.reply(&question, "Good morning", false).await;
    resolve(&office, id).await;
    let delivery = reply.delivery.expect("it leaves").id;
    office.run(move |tx| store::outbox::bury(tx, delivery, "time is over").map(drop)).await;
    office.follow().await;
    assert_eq!(office.count("SELECT COUNT(*) FROM conversations WHERE workspace_id = $1 AND status = 'open'").await, 1);
    office.close().await;
}
