//! A short run of the crash harness; `cargo run -p bench --bin crash` makes long ones.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use bench::crash::{Plan, run};

use crate::place::{Place, binary};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_is_sent_twice_when_the_server_is_killed_at_random_moments() {
    let place = Place::new();
    let seed = std::env::var("SWITCHBOARD_CRASH_SEED").ok().and_then(|it| it.parse().ok()).unwrap_or_else(fresh_seed);
    println!("SWITCHBOARD_CRASH_SEED={seed}");
    let plan = Plan {
        binary: binary().to_owned(),
        folder: place.folder().to_owned(),
        database: place.database(),
        kills: if place.database().is_some() { 2 } else { 6 },
        seed,
        bots: 2,
        customers: 8,
    };
    let report = run(&plan).await;
    println!("{report}");
    assert!(report.accepted > 0 && report.events > report.accepted, "the load did its work: {report}");
    assert_eq!(report.faults, Vec::<String>::new(), "seed {seed}");
}

/// Another run each time, with the seed to repeat it.
fn fresh_seed() -> u64 {
    RandomState::new().build_hasher().finish() >> 32
}
