//! Subscribers: exactly once, parked, halted, rebuilt.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use model::{Event, Seq, WorkspaceId};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use store::{
    Error, OnError, Subscriber, SubscriberError, Tx, args, log,
    subscribers::{self, Progress},
};
use uuid::Uuid;

use crate::support::{Place, fact, on_each};

/// Notes the events that it applied, in order; refuses `thing.broken` while it is not mended.
struct Noting {
    name: &'static str,
    on_error: OnError,
    mended: AtomicBool,
}

impl Noting {
    const fn new(name: &'static str, on_error: OnError) -> Self {
        Self { name, on_error, mended: AtomicBool::new(false) }
    }
}

impl Subscriber for Noting {
    fn name(&self) -> &'static str {
        self.name
    }

    fn wants(&self, kind: &str) -> bool {
        kind.starts_with("thing.")
    }

    fn on_error(&self) -> OnError {
        self.on_error
    }

    fn apply(&self, tx: &mut Tx<'_>, event: &Event) -> Result<(), SubscriberError> {
        let number: i64 =
            tx.one("SELECT COUNT(*) FROM notes WHERE workspace_id = $1", args![event.workspace], |row| row.get(0))?;
        // The key makes a second application of an event an error.
        tx.exec(
            "INSERT INTO notes (workspace_id, seq, number) VALUES ($1, $2, $3)",
            args![event.workspace, event.seq, number],
        )?;
        tx.append(fact("note.taken", event.entity))?;
        if event.kind == "thing.broken" && !self.mended.load(Ordering::SeqCst) {
            return Err(SubscriberError::Refused("it is broken".to_owned()));
        }
        Ok(())
    }

    fn rebuild(&self, tx: &mut Tx<'_>) -> Result<(), SubscriberError> {
        let workspace = tx.workspace();
        let head = log::head(tx, workspace)?;
        tx.exec("DELETE FROM notes WHERE workspace_id = $1", args![workspace])?;
        for seq in 1..=head {
            tx.exec("INSERT INTO notes (workspace_id, seq, number) VALUES ($1, $2, -1)", args![workspace, seq])?;
        }
        Ok(())
    }
}

async fn notes_table(place: &Place) {
    let sql = "CREATE TABLE notes (workspace_id BLOB NOT NULL, seq BIGINT NOT NULL, number BIGINT NOT NULL, PRIMARY KEY (workspace_id, seq))";
    place.table(sql).await;
}

async fn notes(place: &Place, workspace: WorkspaceId) -> Vec<Seq> {
    let sql = "SELECT seq FROM notes WHERE workspace_id = $1 ORDER BY number";
    place.read(move |tx| tx.query(sql, args![workspace], |row| row.get(0))).await
}

async fn append(place: &Place, workspace: WorkspaceId, kind: &'static str, entity: u128) -> Seq {
    place.write(workspace, move |tx| tx.append(fact(kind, Some(Uuid::from_u128(entity))))).await
}

async fn advance(place: &Place, workspace: WorkspaceId, who: &'static Noting) -> Progress {
    let mut progress = place.write(workspace, move |tx| subscribers::advance(tx, who, 100)).await;
    while progress.more {
        progress = place.write(workspace, move |tx| subscribers::advance(tx, who, 100)).await;
    }
    progress
}

#[test]
fn every_event_is_applied_once_whatever_runs_are_lost() {
    static WHO: Noting = Noting::new("counter", OnError::Halt);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(on_each(async |place| {
        notes_table(place).await;
        let mut runner = TestRunner::deterministic();
        // Events appended, how many the subscriber takes at once, and whether its run is lost before the commit.
        let turns = proptest::collection::vec((0..4_usize, 1..5_i64, any::<bool>()), 1..25);
        for _ in 0..16 {
            let workspace = place.workspace();
            for (events, limit, lost) in turns.new_tree(&mut runner).expect("turns").current() {
                for number in 0..events {
                    append(place, workspace, if number % 2 == 0 { "thing.done" } else { "other.done" }, 1).await;
                }
                let run = place.db.write(workspace, move |tx| {
                    let progress = subscribers::advance(tx, &WHO, limit)?;
                    if lost { Err(Error::NotFound) } else { Ok(progress) }
                });
                assert_eq!(run.await.is_err(), lost);
            }
            advance(place, workspace, &WHO).await;
            let wanted: Vec<Seq> =
                place.log(workspace).await.iter().filter(|it| WHO.wants(&it.kind)).map(|it| it.seq).collect();
            assert_eq!(notes(place, workspace).await, wanted);
        }
    }));
}

#[tokio::test(flavor = "multi_thread")]
async fn later_events_of_a_parked_entity_wait_and_are_replayed_in_order() {
    static WHO: Noting = Noting::new("parker", OnError::Park);
    on_each(async |place| {
        WHO.mended.store(false, Ordering::SeqCst);
        notes_table(place).await;
        let workspace = place.workspace();
        for (kind, entity) in
            [("thing.done", 1), ("thing.broken", 1), ("thing.done", 2), ("thing.done", 1), ("thing.broken", 1)]
        {
            append(place, workspace, kind, entity).await;
        }
        assert!(!advance(place, workspace, &WHO).await.halted);
        assert_eq!(notes(place, workspace).await, [1, 3], "the other entity goes on, and what failed left nothing");
        let [letter] = place
            .read(move |tx| subscribers::dead_letters(tx, workspace, None, 10))
            .await
            .try_into()
            .expect("one letter");
        assert_eq!((letter.event_seq, letter.waiting, letter.error.as_str()), (2, 2, "it is broken"));
        let find = |name: &str| (name == WHO.name).then_some(&WHO as &dyn Subscriber);
        let failed = place.write(workspace, move |tx| subscribers::replay(tx, letter.id, find)).await;
        assert_eq!(failed, 0, "it is still broken");
        assert_eq!(place.number("SELECT COUNT(*) FROM dead_letters WHERE attempts = 2").await, 1);
        WHO.mended.store(true, Ordering::SeqCst);
        let stranger = place.db.write(place.workspace(), move |tx| subscribers::replay(tx, letter.id, find)).await;
        assert_eq!(stranger, Err(Error::NotFound), "another workspace's letter does not exist");
        assert_eq!(place.write(workspace, move |tx| subscribers::replay(tx, letter.id, find)).await, 3);
        assert_eq!(notes(place, workspace).await, [1, 3, 2, 4, 5]);
        assert_eq!(place.number("SELECT COUNT(*) FROM dead_letters").await, 0);
        let last = append(place, workspace, "thing.done", 1).await;
        advance(place, workspace, &WHO).await;
        assert_eq!(notes(place, workspace).await.last(), Some(&last));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_stops_at_the_next_event_that_fails() {
    static WHO: Noting = Noting::new("stopper", OnError::Park);
    on_each(async |place| {
        WHO.mended.store(false, Ordering::SeqCst);
        notes_table(place).await;
        let workspace = place.workspace();
        for kind in ["thing.broken", "thing.done", "thing.broken", "thing.done"] {
            append(place, workspace, kind, 1).await;
        }
        advance(place, workspace, &WHO).await;
        let letters = move |tx: &mut Tx<'_>| subscribers::dead_letters(tx, workspace, None, 10);
        let first = place.read(letters).await[0].clone();
        // Somebody repaired what the first event was about, but not the third.
        let sql = "UPDATE events SET kind = 'thing.done' WHERE workspace_id = $1 AND seq = 1";
        place.write(workspace, move |tx| tx.exec(sql, args![workspace])).await;
        let find = |_: &str| Some(&WHO as &dyn Subscriber);
        assert_eq!(place.write(workspace, move |tx| subscribers::replay(tx, first.id, find)).await, 2);
        let [second] = place.read(letters).await.try_into().expect("one letter");
        assert_eq!((second.event_seq, second.waiting), (3, 1));
        assert_eq!(notes(place, workspace).await, [1, 2]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_counts_halts_at_the_event_and_goes_on_there() {
    static WHO: Noting = Noting::new("halter", OnError::Halt);
    on_each(async |place| {
        WHO.mended.store(false, Ordering::SeqCst);
        notes_table(place).await;
        let workspace = place.workspace();
        for kind in ["thing.done", "thing.broken", "thing.done"] {
            append(place, workspace, kind, 1).await;
        }
        for _ in 0..2 {
            let progress = advance(place, workspace, &WHO).await;
            assert_eq!((progress.seq, progress.halted), (1, true));
        }
        let (seq, why) = place.read(move |tx| subscribers::position(tx, WHO.name, workspace)).await;
        assert!(seq == 1 && why.is_some());
        let find = |_: &str| Some(&WHO as &dyn Subscriber);
        let letters = move |tx: &mut Tx<'_>| subscribers::dead_letters(tx, workspace, None, 10);
        let [letter] = place.read(letters).await.try_into().expect("one letter");
        assert_eq!(place.write(workspace, move |tx| subscribers::replay(tx, letter.id, find)).await, 0);
        let [letter] = place.read(letters).await.try_into().expect("it halted again");
        WHO.mended.store(true, Ordering::SeqCst);
        assert_eq!(place.write(workspace, move |tx| subscribers::replay(tx, letter.id, find)).await, 1);
        assert!(!advance(place, workspace, &WHO).await.halted);
        assert_eq!(notes(place, workspace).await, [1, 2, 3]);
        assert!(place.read(letters).await.is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_fell_behind_the_floor_rebuilds_and_counts_nothing_twice() {
    static WHO: Noting = Noting::new("rebuilder", OnError::Halt);
    on_each(async |place| {
        notes_table(place).await;
        let workspace = place.workspace();
        for _ in 0..3 {
            append(place, workspace, "thing.done", 1).await;
        }
        place.clock.advance(Duration::from_secs(10));
        let before = place.world.now();
        assert_eq!(place.write(workspace, move |tx| log::prune(tx, before, 10)).await, 3);
        // In one transaction, as in a batch: an event of a neighbour and the run that rebuilds.
        let progress = place
            .write(workspace, |tx| {
                tx.append(fact("thing.done", None))?;
                subscribers::advance(tx, &WHO, 10)
            })
            .await;
        assert_eq!((progress.seq, progress.halted), (4, false));
        let last = append(place, workspace, "thing.done", 1).await;
        advance(place, workspace, &WHO).await;
        let mut seen = notes(place, workspace).await;
        seen.sort_unstable();
        assert_eq!(seen, [1, 2, 3, 4, last]);
    })
    .await;
}
