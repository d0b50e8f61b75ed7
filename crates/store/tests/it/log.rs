//! The log's end of life: pruning, floors, redaction.

use std::time::Duration;

use store::log;
use uuid::Uuid;

use crate::support::{fact, on_each};

#[tokio::test(flavor = "multi_thread")]
async fn pruning_cuts_the_old_end_and_remembers_where() {
    on_each(async |place| {
        let (workspace, other) = (place.workspace(), place.workspace());
        for it in [workspace, other] {
            for _ in 0..5 {
                place.write(it, |tx| tx.append(fact("thing.done", None))).await;
            }
        }
        place.clock.advance(Duration::from_secs(10));
        let before = place.world.now();
        place.write(workspace, |tx| tx.append(fact("thing.done", None))).await;
        for (gone, floor) in [(3, 3), (2, 5), (0, 5)] {
            assert_eq!(place.write(workspace, move |tx| log::prune(tx, before, 3)).await, gone);
            assert_eq!(place.read(move |tx| log::floor(tx, workspace)).await, floor);
        }
        let kept: Vec<i64> = place.log(workspace).await.iter().map(|event| event.seq).collect();
        assert_eq!(kept, [6]);
        assert!(place.read(move |tx| log::get(tx, workspace, 5)).await.is_none());
        assert!(place.read(move |tx| log::get(tx, workspace, 6)).await.is_some());
        assert_eq!(place.log(other).await.len(), 5);
        assert_eq!(place.read(move |tx| log::floor(tx, other)).await, 0);
        assert_eq!(place.write(workspace, |tx| tx.append(fact("thing.done", None))).await, 7);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redaction_blanks_the_body_and_keeps_the_place() {
    on_each(async |place| {
        let (workspace, other) = (place.workspace(), place.workspace());
        let (erased, kept) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for it in [workspace, other] {
            place
                .write(it, move |tx| {
                    [erased, kept, erased]
                        .into_iter()
                        .try_for_each(|id| tx.append(fact("thing.done", Some(id))).map(drop))
                })
                .await;
        }
        // In parts: two places, then the last one.
        let next = place.write(workspace, move |tx| log::redact_part(tx, erased, 0, 2)).await;
        assert_eq!(next, Some(2));
        let bodies = |events: Vec<model::Event>| events.iter().map(|event| event.body.is_some()).collect::<Vec<_>>();
        assert_eq!(bodies(place.log(workspace).await), [false, true, true]);
        assert_eq!(place.write(workspace, move |tx| log::redact_part(tx, erased, 2, 2)).await, None);
        assert_eq!(bodies(place.log(workspace).await), [false, true, false]);
        assert_eq!(bodies(place.log(other).await), [true; 3], "only the command's workspace");
        assert_eq!(place.write(other, move |tx| log::redact(tx, erased)).await, 2);
        let event = &place.log(other).await[0];
        assert_eq!((event.seq, event.kind.as_ref(), event.entity), (1, "thing.done", Some(erased)));
        assert!(event.body::<serde_json::Value>().is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_head_counts_what_the_same_command_appended() {
    on_each(async |place| {
        let workspace = place.workspace();
        let heads = place
            .write(workspace, move |tx| {
                let before = log::head(tx, workspace)?;
                tx.append(fact("thing.done", None))?;
                Ok((before, log::head(tx, workspace)?))
            })
            .await;
        assert_eq!(heads, (0, 1));
        assert_eq!(place.read(log::heads).await.iter().filter(|it| it.0 == workspace).count(), 1);
    })
    .await;
}
