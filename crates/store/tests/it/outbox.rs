//! The outbox's states: only the transitions of its contract, and none under an old fence.

use std::time::Duration;

use model::{DeliveryClass, DeliveryId, DeliveryState as State, Timestamp, WorkspaceId};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use store::{Channel, Delivery, Error, Lease, NewDelivery, Outcome, Tx, leases, outbox};
use uuid::Uuid;

use crate::support::{Place, assert_gapless, json, on_each};

const BOT: Uuid = Uuid::from_u128(77);
const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn item() -> NewDelivery {
    NewDelivery {
        channel: Channel::Telegram,
        owner: BOT,
        chat: None,
        class: DeliveryClass::Reply,
        payload: json("{\"text\":\"hi\"}"),
        message: None,
        conversation: None,
        expires_at: None,
    }
}

#[derive(Debug, Clone)]
enum Step {
    Claim { stale: bool },
    Settle { stale: bool, outcome: Outcome },
    TakeOver,
    Orphans,
    Retry,
    Bury,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let error = || "why".to_owned();
    let outcome = prop_oneof![
        Just(Outcome::Sent { external_id: Some("1".to_owned()) }),
        Just(Outcome::Retry { at: Timestamp::from_micros(5), error: error() }),
        Just(Outcome::Failed { error: error() }),
        Just(Outcome::Unknown { error: error() }),
        Just(Outcome::Dead { error: error() }),
    ];
    let step = prop_oneof![
        4 => any::<bool>().prop_map(|stale| Step::Claim { stale }),
        4 => (any::<bool>(), outcome).prop_map(|(stale, outcome)| Step::Settle { stale, outcome }),
        1 => Just(Step::TakeOver),
        1 => Just(Step::Orphans),
        1 => Just(Step::Retry),
        1 => Just(Step::Bury),
    ];
    proptest::collection::vec(step, 1..30)
}

/// What the contract says about one step: the state after it, or none when it changes nothing.
fn expected(state: State, claimed_under: i64, fence: i64, step: &Step) -> Option<State> {
    match (step, state) {
        (Step::Claim { stale: false }, State::Queued | State::Retrying) => Some(State::Sending),
        (Step::Settle { stale, outcome }, State::Sending) => {
            let used = if *stale { fence - 1 } else { fence };
            (used == claimed_under).then_some(match outcome {
                Outcome::Sent { .. } => State::Sent,
                Outcome::Retry { .. } => State::Retrying,
                Outcome::Failed { .. } => State::Failed,
                Outcome::Unknown { .. } => State::Unknown,
                Outcome::Dead { .. } => State::Dead,
            })
        }
        (Step::Orphans, State::Sending) if claimed_under < fence => Some(State::Unknown),
        (Step::Retry, State::Failed | State::Unknown | State::Dead) => Some(State::Queued),
        (Step::Bury, State::Queued | State::Retrying) => Some(State::Dead),
        _ => None,
    }
}

fn take(tx: &mut Tx<'_>, id: DeliveryId, lease: &mut Lease, step: &Step) -> Result<Option<Delivery>, Error> {
    let old = Lease { fence: lease.fence - 1, owner: Uuid::nil(), ..lease.clone() };
    let with = |stale: bool| if stale { old.clone() } else { lease.clone() };
    match step {
        Step::Claim { stale } => outbox::claim(tx, id, &with(*stale)),
        Step::Settle { stale, outcome } => outbox::settle(tx, id, &with(*stale), outcome),
        Step::Orphans => Ok(outbox::orphans(tx, BOT, lease.fence)?.pop()),
        Step::Retry => outbox::retry(tx, id),
        Step::Bury => outbox::bury(tx, id, "discarded"),
        Step::TakeOver => {
            *lease = leases::acquire(tx, &lease.name, lease.owner, MINUTE)?.expect("the same owner may");
            Ok(None)
        }
    }
}

/// Plays the steps in one command each and compares every step with the contract.
async fn play(place: &Place, name: String, steps: Vec<Step>) {
    let workspace: WorkspaceId = place.workspace();
    let owner = Uuid::from_u128(1);
    let (mut lease, id) = place
        .write(workspace, move |tx| {
            let lease = leases::acquire(tx, &name, owner, MINUTE)?.expect("nobody has it");
            Ok((lease, outbox::enqueue(tx, item())?.id))
        })
        .await;
    let (mut state, mut claimed_under, mut changes) = (State::Queued, 0, 0);
    for step in steps {
        let (same, before) = (step.clone(), lease.clone());
        let (changed, now, after) = place
            .write(workspace, move |tx| {
                let mut lease = before.clone();
                let changed = take(tx, id, &mut lease, &same)?;
                let now = outbox::get(tx, workspace, id)?.expect("it is there");
                Ok((changed.filter(|it| it.id == id), now, lease))
            })
            .await;
        let wanted = expected(state, claimed_under, lease.fence, &step);
        assert_eq!(changed.as_ref().map(|it| it.state), wanted, "{step:?} from {state:?}");
        assert_eq!(now.state, wanted.unwrap_or(state), "{step:?} from {state:?}");
        if matches!(step, Step::Claim { .. }) && wanted.is_some() {
            claimed_under = lease.fence;
        }
        changes += usize::from(wanted.is_some());
        state = now.state;
        lease = after;
    }
    let log = place.log(workspace).await;
    assert!(log.iter().all(|event| event.kind == "delivery.updated"));
    assert_eq!(log.len(), changes, "every change of state is an event, and nothing else is");
    place.write(workspace, move |tx| tx.exec("DELETE FROM deliveries", &[])).await;
}

#[test]
fn no_step_leads_where_the_contract_does_not() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(on_each(async |place| {
        let mut runner = TestRunner::deterministic();
        for number in 0..48 {
            let steps = steps().new_tree(&mut runner).expect("steps").current();
            play(place, format!("bot {number}"), steps).await;
        }
    }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_under_an_old_fence_is_recorded_and_changes_nothing() {
    on_each(async |place| {
        let workspace = place.workspace();
        let (first, id) = place
            .write(workspace, |tx| {
                let first = leases::acquire(tx, "bot", Uuid::from_u128(1), MINUTE)?.expect("free");
                let id = outbox::enqueue(tx, item())?.id;
                outbox::claim(tx, id, &first)?.expect("it waits");
                leases::release(tx, &first)?;
                Ok((first, id))
            })
            .await;
        let sent = Outcome::Sent { external_id: Some("9".to_owned()) };
        let late = place
            .write(workspace, move |tx| {
                let second = leases::acquire(tx, "bot", Uuid::from_u128(2), MINUTE)?.expect("it was given back");
                let orphans = outbox::orphans(tx, BOT, second.fence)?;
                assert_eq!(orphans.iter().map(|it| (it.id, it.state)).collect::<Vec<_>>(), [(id, State::Unknown)]);
                outbox::settle(tx, id, &first, &sent)
            })
            .await;
        assert!(late.is_none());
        let now = place.read(move |tx| outbox::get(tx, workspace, id)).await.expect("it is there");
        assert_eq!((now.state, now.external_id), (State::Unknown, None));
        assert_eq!(place.number("SELECT COUNT(*) FROM delivery_attempts WHERE outcome = 'sent'").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_rise_in_the_order_of_commits_and_retrying_takes_a_new_one() {
    on_each(async |place| {
        let (workspace, other) = (place.workspace(), place.workspace());
        let failed = place.db.write(workspace, |tx| {
            outbox::enqueue(tx, item())?;
            Err::<(), Error>(Error::NotFound)
        });
        assert_eq!(failed.await, Err(Error::NotFound));
        let calls =
            (0..20).map(|_| place.db.write(workspace, |tx| Ok::<_, Error>(outbox::enqueue(tx, item())?.position)));
        let positions: Vec<i64> =
            futures_util::future::join_all(calls).await.into_iter().collect::<Result<_, Error>>().expect("no error");
        assert_gapless(&positions);
        let waiting = place.read(|tx| outbox::pending(tx, BOT, 0, 100)).await;
        assert_eq!(waiting.iter().map(|it| it.position).collect::<Vec<_>>(), positions);
        let id = waiting[0].id;
        let foreign = place.write(other, move |tx| outbox::bury(tx, id, "not yours")).await;
        assert!(foreign.is_none(), "another workspace's item does not exist");
        assert!(place.read(move |tx| outbox::get(tx, other, id)).await.is_none());
        let again = place
            .write(workspace, move |tx| {
                assert!(outbox::retry(tx, id)?.is_none(), "it waits already");
                outbox::bury(tx, id, "discarded")?.expect("it waits");
                outbox::retry(tx, id)
            })
            .await;
        assert_eq!(again.map(|it| (it.position, it.state)), Some((21, State::Queued)));
        let newest = place.read(move |tx| outbox::list(tx, workspace, Some(State::Queued), i64::MAX, 2)).await;
        assert_eq!(newest.iter().map(|it| it.position).collect::<Vec<_>>(), [21, 20]);
        let oldest = place.read(outbox::oldest_waiting).await;
        assert_eq!(oldest, [(DeliveryClass::Reply, place.world.now())]);
    })
    .await;
}
