//! Group commit: order, gaps, failures, bounds.

use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
};

use futures_util::future::join_all;
use model::{Seq, WorkspaceId};
use proptest::{prelude::*, strategy::ValueTree};
use store::{Error, Tx, args, log};

use crate::support::{Place, Told, assert_gapless, count, fact, on_each};

#[derive(Debug, Clone, Copy)]
enum Ending {
    Succeeds,
    Refuses,
    Panics,
    BreaksAConstraint,
    UndoesAnAttempt,
}

#[derive(Debug, Clone)]
struct Plan {
    workspace: usize,
    room: i64,
    events: usize,
    ending: Ending,
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let ending = prop_oneof![
        4 => Just(Ending::Succeeds),
        1 => Just(Ending::Refuses),
        1 => Just(Ending::Panics),
        1 => Just(Ending::BreaksAConstraint),
        1 => Just(Ending::UndoesAnAttempt),
    ];
    let plan = (0..3_usize, 0..3_i64, 0..4_usize, ending);
    let plan = plan.prop_map(|(workspace, room, events, ending)| Plan { workspace, room, events, ending });
    proptest::collection::vec(plan, 1..60)
}

/// Takes the next number of a room, as messages of a chat do.
fn next_in_room(tx: &mut Tx<'_>, room: &str) -> Result<Seq, Error> {
    let seq = tx.first(
        "INSERT INTO rooms_here (id, last_seq) VALUES ($1, 1)
         ON CONFLICT (id) DO UPDATE SET last_seq = rooms_here.last_seq + 1 RETURNING last_seq",
        args![room],
        |row| row.get(0),
    )?;
    let seq = seq.ok_or(Error::NotFound)?;
    tx.exec("INSERT INTO items_here (room, seq) VALUES ($1, $2)", args![room, seq])?;
    Ok(seq)
}

fn obey(tx: &mut Tx<'_>, plan: &Plan) -> Result<Vec<Seq>, Error> {
    let room = format!("{}/{}", tx.workspace(), plan.room);
    next_in_room(tx, &room)?;
    let seqs = (0..plan.events).map(|_| tx.append(fact("thing.done", None))).collect::<Result<_, _>>()?;
    match plan.ending {
        Ending::Succeeds => Ok(seqs),
        Ending::Refuses => Err(Error::NotFound),
        Ending::Panics => resume_unwind(Box::new("on purpose")),
        Ending::BreaksAConstraint => {
            tx.exec("INSERT INTO items_here (room, seq) VALUES ($1, 1)", args![room])?;
            Ok(seqs)
        }
        Ending::UndoesAnAttempt => {
            let undone = tx.attempt(|tx| {
                tx.append(fact("thing.never_done", None))?;
                next_in_room(tx, &room)?;
                tx.exec("INSERT INTO items_here (room, seq) VALUES ($1, 1)", args![room])
            })?;
            assert!(undone.expect_err("the number is taken").is_duplicate());
            Ok(seqs)
        }
    }
}

async fn run_plans(place: &Place, told: &Told, plans: Vec<Plan>) {
    let workspaces: Vec<WorkspaceId> = (0..3).map(|_| place.workspace()).collect();
    let calls = plans.into_iter().map(|plan| {
        let (db, told, workspace) = (place.db.clone(), told.clone(), workspaces[plan.workspace]);
        tokio::spawn(async move {
            let same = plan.clone();
            let answer: Result<Vec<Seq>, Error> = db.write(workspace, move |tx| obey(tx, &same)).await;
            if let Ok(seqs) = &answer {
                let known = told.seqs(workspace);
                assert!(seqs.iter().all(|seq| known.contains(seq)), "the hooks are told before the caller is answered");
            }
            (workspace, plan, answer)
        })
    });
    let mut promised = vec![Vec::new(); 3];
    for ended in join_all(calls).await {
        let (workspace, plan, answer) = ended.expect("the task ends");
        let succeeds = matches!(plan.ending, Ending::Succeeds | Ending::UndoesAnAttempt);
        assert_eq!(answer.is_ok(), succeeds, "{plan:?} got {answer:?}");
        let index = workspaces.iter().position(|it| *it == workspace).expect("one of ours");
        promised[index].extend(answer.unwrap_or_default());
    }
    for (workspace, mut promised) in workspaces.into_iter().zip(promised) {
        promised.sort_unstable();
        assert_gapless(&promised);
        let stored: Vec<Seq> = place.log(workspace).await.iter().map(|event| event.seq).collect();
        assert_eq!(stored, promised, "what was answered is what is stored");
        assert_eq!(told.seqs(workspace), promised, "the hooks see commits in the order of seq");
    }
}

async fn no_room_has_a_gap(place: &Place) {
    let wrong =
        "SELECT COUNT(*) FROM rooms_here r WHERE r.last_seq <> (SELECT COUNT(*) FROM items_here i WHERE i.room = r.id)
        OR r.last_seq <> (SELECT MAX(seq) FROM items_here i WHERE i.room = r.id)";
    assert_eq!(place.number(wrong).await, 0);
    assert!(place.number("SELECT COUNT(*) FROM rooms_here").await > 0);
}

#[test]
fn numbers_have_no_gaps_whatever_commands_fail_or_panic() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(on_each(async |place| {
        place.table("CREATE TABLE rooms_here (id TEXT NOT NULL PRIMARY KEY, last_seq BIGINT NOT NULL)").await;
        place.table("CREATE TABLE items_here (room TEXT NOT NULL, seq BIGINT NOT NULL, PRIMARY KEY (room, seq))").await;
        let told = Told::listen(&place.db);
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        for _ in 0..24 {
            let plans = plans().new_tree(&mut runner).expect("a plan").current();
            run_plans(place, &told, plans).await;
        }
        no_room_has_a_gap(place).await;
    }));
}

/// Keeps a workspace's writer busy until the answer is dropped.
struct Plug {
    release: mpsc::Sender<()>,
    plugged: tokio::task::JoinHandle<Result<(), Error>>,
}

impl Plug {
    async fn insert(place: &Place, workspace: WorkspaceId) -> Self {
        let (release, wait) = mpsc::channel::<()>();
        let (started, running) = tokio::sync::oneshot::channel();
        let (mut started, db) = (Some(started), place.db.clone());
        let plugged = tokio::spawn(async move {
            db.write(workspace, move |_| {
                if let Some(started) = started.take() {
                    started.send(()).expect("the test waits");
                }
                assert!(wait.recv().is_err(), "the plug is pulled by dropping the sender");
                Ok(())
            })
            .await
        });
        running.await.expect("the writer takes it");
        Self { release, plugged }
    }

    async fn pull(self) {
        drop(self.release);
        self.plugged.await.expect("the task ends").expect("it succeeds");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_wait_share_a_commit() {
    on_each(async |place| {
        let workspace = place.workspace();
        let plug = Plug::insert(place, workspace).await;
        let before = place.db.stats().batches.load(Ordering::Relaxed);
        let calls = (0..200).map(|_| place.db.write(workspace, |tx| tx.append(fact("thing.done", None))));
        let (answers, ()) = tokio::join!(join_all(calls), plug.pull());
        assert!(answers.iter().all(Result::is_ok));
        let batches = place.db.stats().batches.load(Ordering::Relaxed) - before;
        assert!((1..=8).contains(&batches), "{batches} batches for 200 commands");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_at_once_and_forgets_nobody() {
    on_each(async |place| {
        let workspace = place.workspace();
        let plug = Plug::insert(place, workspace).await;
        let calls = (0..9000).map(|_| place.db.write(workspace, |tx| tx.append(fact("thing.done", None))));
        let (answers, ()) = tokio::join!(join_all(calls), plug.pull());
        let refused = answers.iter().filter(|it| matches!(it, Err(Error::Busy))).count();
        let done: Vec<Seq> = answers.into_iter().filter_map(Result::ok).collect();
        assert!(refused >= 9000 - 8192 - 1, "{refused} were refused");
        assert_eq!(done.len() + refused, 9000);
        assert_gapless(&done);
        assert_eq!(place.log(workspace).await.len(), done.len());
        assert_eq!(place.db.stats().waiting.load(Ordering::Relaxed), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_takes_nothing_with_him() {
    on_each(async |place| {
        let workspace = place.workspace();
        let plug = Plug::insert(place, workspace).await;
        let db = place.db.clone();
        let call = tokio::spawn(async move { db.write(workspace, |tx| tx.append(fact("thing.done", None))).await });
        while place.db.stats().waiting.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        call.abort();
        assert!(call.await.expect_err("it was aborted").is_cancelled());
        assert_eq!(place.db.stats().waiting.load(Ordering::Relaxed), 1);
        plug.pull().await;
        let seq = place.write(workspace, |tx| tx.append(fact("thing.done", None))).await;
        assert_eq!(seq, 2, "the command of the caller who left was committed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_command_leaves_nothing_and_its_neighbours_stay() {
    on_each(async |place| {
        let told = Told::listen(&place.db);
        let workspace = place.workspace();
        let plug = Plug::insert(place, workspace).await;
        let good = || place.db.write(workspace, |tx| tx.append(fact("thing.done", None)));
        let bad = place.db.write(workspace, |tx| {
            tx.append(fact("thing.done", None))?;
            Err::<Seq, Error>(Error::NotFound)
        });
        let (first, failed, second, ()) = tokio::join!(good(), bad, good(), plug.pull());
        assert_eq!((first, failed, second), (Ok(1), Err(Error::NotFound), Ok(2)));
        assert_eq!(told.seqs(workspace), [1, 2]);
        let alone = place.db.write(workspace, |tx| {
            tx.append(fact("thing.done", None))?;
            Err::<(), Error>(Error::NotFound)
        });
        assert_eq!(alone.await, Err(Error::NotFound));
        assert_eq!(place.log(workspace).await.len(), 2);
        assert_eq!(place.read(move |tx| log::head(tx, workspace)).await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_statement_may_not_be_ignored_but_attempted() {
    on_each(async |place| {
        place.table("CREATE TABLE once (id BIGINT NOT NULL PRIMARY KEY)").await;
        let insert = |tx: &mut Tx<'_>| tx.exec("INSERT INTO once (id) VALUES ($1)", args![1_i64]);
        let workspace = place.workspace();
        place.write(workspace, insert).await;
        let ignoring = move |tx: &mut Tx<'_>| {
            let ignored = insert(tx);
            assert!(ignored.is_err());
            Ok::<(), Error>(())
        };
        let refused = place.db.write(workspace, ignoring).await.expect_err("it may not be kept");
        assert!(refused.to_string().contains("went on after a failed statement"), "{refused}");
        let attempting = move |tx: &mut Tx<'_>| {
            assert!(tx.attempt(insert)?.is_err());
            tx.append(fact("thing.done", None))
        };
        assert_eq!(place.write(workspace, attempting).await, 1);
        // The same in company, where each command has only a savepoint.
        let plug = Plug::insert(place, workspace).await;
        let (ignored, attempted, ()) =
            tokio::join!(place.db.write(workspace, ignoring), place.db.write(workspace, attempting), plug.pull());
        assert!(ignored.is_err());
        assert_eq!(attempted, Ok(2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_panics_stops_neither_the_writer_nor_other_hooks() {
    on_each(async |place| {
        place.db.on_commit(Arc::new(|_| resume_unwind(Box::new("on purpose"))));
        let told = Told::listen(&place.db);
        let workspace = place.workspace();
        for expected in 1..=2 {
            assert_eq!(place.write(workspace, |tx| tx.append(fact("thing.done", None))).await, expected);
        }
        assert_eq!(told.seqs(workspace), [1, 2]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_runs_what_is_queued_and_refuses_what_comes_later() {
    on_each(async |place| {
        let workspace = place.workspace();
        let plug = Plug::insert(place, workspace).await;
        let db = place.db.clone();
        let call = tokio::spawn(async move { db.write(workspace, |tx| tx.append(fact("thing.done", None))).await });
        while place.db.stats().waiting.load(Ordering::Relaxed) < 2 {
            tokio::task::yield_now().await;
        }
        let ((), ()) = tokio::join!(plug.pull(), place.db.close());
        assert_eq!(call.await.expect("the task ends"), Ok(1));
        assert_eq!(place.db.write(workspace, |_| Ok::<(), Error>(())).await, Err(Error::Closed));
        assert_eq!(place.db.read(|_| Ok::<(), Error>(())).await, Err(Error::Closed));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_what_was_answered_and_keeps_its_snapshot() {
    on_each(async |place| {
        let workspace = place.workspace();
        place.write(workspace, |tx| tx.append(fact("thing.done", None))).await;
        let written = Arc::new(AtomicBool::new(false));
        let (started, running) = tokio::sync::oneshot::channel();
        let seen = Arc::clone(&written);
        let reading = place.db.read(move |tx| {
            let sql = "SELECT COUNT(*) FROM events";
            let before = count(tx, sql)?;
            started.send(()).expect("the test waits");
            while !seen.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            Ok::<_, Error>((before, count(tx, sql)?))
        });
        let writing = async {
            running.await.expect("the reader starts");
            place.write(workspace, |tx| tx.append(fact("thing.done", None))).await;
            written.store(true, Ordering::Release);
        };
        let (seen, ()) = tokio::join!(reading, writing);
        assert_eq!(seen, Ok((1, 1)));
        assert_eq!(place.number("SELECT COUNT(*) FROM events").await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_cannot_write_and_its_panic_is_its_own() {
    on_each(async |place| {
        let writing = place.db.read(|tx| tx.exec("DELETE FROM meta", &[])).await;
        assert!(writing.is_err());
        let panicking: Result<(), Error> = place.db.read(|_| resume_unwind(Box::new("on purpose"))).await;
        assert!(matches!(panicking, Err(Error::Panicked(_))));
        for _ in 0..8 {
            assert_eq!(place.number("SELECT COUNT(*) FROM meta").await, 0);
        }
    })
    .await;
}
