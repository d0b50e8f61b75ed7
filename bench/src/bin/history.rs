//! Pages of one long chat, at growing lengths: the time must not grow with them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use bench::{
    rng::Rng,
    stand::{Options, Stand},
    stats::Sample,
    wire::Wire,
};
use clap::Parser;
use tokio::task::JoinSet;

/// Fills one conversation with notes and reads pages of 50 at random places.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    stand: Options,
    /// Lengths at which to measure.
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
    lengths: Vec<u64>,
    /// Pages per measurement.
    #[arg(long, default_value_t = 4000)]
    pages: u64,
    /// Connections that read at the same time.
    #[arg(long, default_value_t = 4)]
    readers: u64,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let stand = Stand::new(&arguments.stand, &[]).await;
    let conversation = stand.conversations(1).await.remove(0);
    let path = format!("/api/v1/conversations/{conversation}/messages");
    let written = Arc::new(AtomicU64::new(1));
    for length in arguments.lengths {
        fill(&stand, &path, &written, length).await;
        let mut readers = JoinSet::new();
        for reader in 0..arguments.readers {
            let wire = connect(&stand).await;
            readers.spawn(read(wire, path.clone(), length, arguments.pages / arguments.readers, Rng::new(reader)));
        }
        let begun = Instant::now();
        let sample = Sample::new(readers.join_all().await.concat());
        let rate =
            f64::from(u32::try_from(sample.count()).expect("a countable number")) / begun.elapsed().as_secs_f64();
        println!("{length} messages: {}, {rate:.0} pages/s", sample.line());
    }
}

async fn connect(stand: &Stand) -> Wire {
    let authorization = format!("Bearer {}", stand.operator.token());
    Wire::connect(&stand.product.url, &[("authorization", &authorization), ("content-type", "application/json")]).await
}

/// Writes notes until there are `length` messages.
async fn fill(stand: &Stand, path: &str, written: &Arc<AtomicU64>, length: u64) {
    let mut writers = JoinSet::new();
    for _ in 0..64 {
        let (mut wire, path, written) = (connect(stand).await, path.to_owned(), Arc::clone(written));
        writers.spawn(async move {
            while written.fetch_add(1, Ordering::Relaxed) < length {
                let body =
                    r#"{"text":"A note of the length that notes have, so that pages weigh what they do.","note":true}"#;
                let (status, answer) = wire.call("POST", &path, None, body.to_owned()).await;
                assert_eq!(status, 201, "{}", String::from_utf8_lossy(&answer));
            }
        });
    }
    writers.join_all().await;
    written.store(length, Ordering::Relaxed);
}

async fn read(mut wire: Wire, path: String, length: u64, pages: u64, mut rng: Rng) -> Vec<std::time::Duration> {
    let mut durations = Vec::new();
    for _ in 0..pages {
        let before = 52 + rng.below(length.saturating_sub(52).max(1));
        let begun = Instant::now();
        let (status, answer) = wire.call("GET", &format!("{path}?before={before}&limit=50"), None, String::new()).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
        durations.push(begun.elapsed());
    }
    durations
}
