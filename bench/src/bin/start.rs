//! How fast the server starts and how much memory it holds when nothing happens.

use std::time::{Duration, Instant};

use bench::{
    eventually,
    product::Launch,
    stand::{Options, built},
    stats::{Sample, machine, memory},
};
use clap::Parser;

/// Starts the server several times, on new and on existing data.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    stand: Options,
    /// Starts of each sort.
    #[arg(long, default_value_t = 10)]
    rounds: u32,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let binary = built(&arguments.stand.binary);
    let (mut first, mut again, mut idle) = (Vec::new(), Vec::new(), 0);
    for round in 0..arguments.rounds {
        let folder = tempfile::tempdir_in(&arguments.stand.folder).expect("a folder to write in");
        if round == 0 {
            println!("{}", machine(folder.path()));
        }
        let launch = Launch::serve(&binary, folder.path()).database(arguments.stand.database.as_deref());
        first.push(start(&launch).await.0);
        let (duration, bytes) = start(&launch).await;
        again.push(duration);
        idle = idle.max(bytes);
    }
    println!("first start on an empty folder: {}", Sample::new(first).line());
    println!("start on existing data: {}", Sample::new(again).line());
    println!("idle: {:.1} MB resident at most", idle as f64 / 1e6);
}

/// From the start of the process to its first good answer, and its memory a moment later.
async fn start(launch: &Launch) -> (Duration, u64) {
    let begun = Instant::now();
    let product = launch.start().await;
    let client = product.client();
    eventually("the server is ready", async || (client.get("/ready").await.status == 200).then_some(())).await;
    let duration = begun.elapsed();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let bytes = memory(product.pid());
    let _ = product.stop().await;
    (duration, bytes)
}
