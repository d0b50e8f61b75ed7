//! One owner at a time, and fences that only rise.

use std::time::Duration;

use futures_util::future::join_all;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use store::{Db, Driver, Error, Lease, leases};
use uuid::Uuid;

use crate::support::{Place, on_each, world};

#[derive(Debug, Clone, Copy)]
enum Step {
    Acquire(usize, u64),
    Renew(usize, u64),
    Release(usize),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..3_usize, 0..50_u64).prop_map(|(who, ttl)| Step::Acquire(who, ttl)),
        2 => (0..3_usize, 0..50_u64).prop_map(|(who, ttl)| Step::Renew(who, ttl)),
        1 => (0..3_usize).prop_map(Step::Release),
        3 => (0..40_u64).prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..40)
}

async fn take(place: &Place, name: &str, step: Step, held: &[Option<Lease>; 3]) -> Option<Lease> {
    let (workspace, name) = (place.workspace(), name.to_owned());
    let old = match step {
        Step::Acquire(who, _) | Step::Renew(who, _) | Step::Release(who) => held[who].clone(),
        Step::Pass(_) => None,
    };
    let millis = Duration::from_millis;
    place
        .write(workspace, move |tx| match (step, &old) {
            (Step::Acquire(who, ttl), _) => leases::acquire(tx, &name, Uuid::from_u128(who as u128 + 1), millis(ttl)),
            (Step::Renew(_, ttl), Some(old)) => leases::renew(tx, old, millis(ttl)),
            (Step::Release(_), Some(old)) => leases::release(tx, old).map(|()| None),
            _ => Ok(None),
        })
        .await
}

async fn play(place: &Place, name: &str, steps: Vec<Step>) {
    let mut held: [Option<Lease>; 3] = [None, None, None];
    let mut highest = 0;
    for step in steps {
        let got = take(place, name, step, &held).await;
        match step {
            Step::Pass(by) => place.clock.advance(Duration::from_millis(by)),
            Step::Release(who) => held[who] = None,
            Step::Acquire(who, _) => {
                if let Some(lease) = got {
                    assert!(lease.fence > highest, "a fence rises with every acquisition");
                    highest = lease.fence;
                    held[who] = Some(lease);
                }
            }
            Step::Renew(who, _) => match got {
                Some(lease) => {
                    assert_eq!(lease.fence, highest, "only the newest lease is renewed");
                    held[who] = Some(lease);
                }
                None => assert!(held[who].as_ref().is_none_or(|it| it.fence < highest)),
            },
        }
        let now = place.world.now();
        let valid: Vec<&Lease> = held.iter().flatten().filter(|lease| lease.expires_at > now).collect();
        assert!(valid.len() <= 1, "after {step:?} both hold it: {valid:?}");
    }
}

#[test]
fn two_owners_never_hold_a_lease_at_once() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let place = Place::sqlite().await;
        let mut runner = TestRunner::deterministic();
        for number in 0..64 {
            let steps = steps().new_tree(&mut runner).expect("steps").current();
            play(&place, &format!("lease {number}"), steps).await;
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_it_one_gets_it() {
    on_each(async |place| {
        let minute = Duration::from_secs(60);
        let calls = (1..=16_u128).map(|who| {
            let workspace = place.workspace();
            place.db.write(workspace, move |tx| leases::acquire(tx, "it", Uuid::from_u128(who), minute))
        });
        let all: Vec<Option<Lease>> =
            join_all(calls).await.into_iter().collect::<Result<_, Error>>().expect("no error");
        let winners: Vec<Lease> = all.into_iter().flatten().collect();
        let [winner] = winners.as_slice() else { panic!("{winners:?}") };
        assert_eq!(winner.fence, 1);
        let (first, workspace) = (winner.clone(), place.workspace());
        let renewed = place.write(workspace, move |tx| leases::renew(tx, &first, minute)).await.expect("still his");
        assert!(renewed.expires_at >= winner.expires_at);
        // It is given back, somebody else takes it, and the first has lost it for good.
        let first = winner.clone();
        let (second, lost) = place
            .write(workspace, move |tx| {
                leases::release(tx, &first)?;
                let second = leases::acquire(tx, "it", Uuid::from_u128(99), minute)?;
                leases::release(tx, &first)?;
                Ok((second, leases::renew(tx, &first, minute)?))
            })
            .await;
        assert_eq!(second.map(|it| it.fence), Some(2));
        assert_eq!(lost, None);
        let third = place.write(workspace, move |tx| leases::acquire(tx, "it", Uuid::from_u128(3), minute)).await;
        assert_eq!(third, None, "an old holder cannot give back what another holds");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_on_one_machine_frees_what_the_last_process_held() {
    let place = Place::sqlite().await;
    let workspace = place.workspace();
    let day = Duration::from_secs(86_400);
    let first = place.write(workspace, move |tx| leases::acquire(tx, "it", Uuid::from_u128(1), day)).await;
    assert!(first.is_some());
    place.db.close().await;
    // The other process has a clock that went back.
    let db = Db::open(place.config.clone(), world(5).1).await.expect("it opens");
    assert_eq!(db.driver(), Driver::Sqlite);
    let second = db.write(workspace, move |tx| leases::acquire(tx, "it", Uuid::from_u128(2), day)).await;
    assert_eq!(second.expect("no error").map(|it| it.fence), Some(2));
}
