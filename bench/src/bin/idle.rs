//! What an idle live connection costs the server in memory.

use std::time::{Duration, Instant};

use bench::{
    live::Live,
    stand::{Options, Stand, raise_open_files},
    stats::memory,
};
use clap::Parser;
use tokio::task::JoinSet;

/// Opens live streams that stay silent and weighs the server.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    stand: Options,
    /// Connections.
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Opened at the same time.
    #[arg(long, default_value_t = 100)]
    at_once: usize,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    raise_open_files(arguments.connections as u64 + 500).expect("enough open files");
    let stand = Stand::new(&arguments.stand, &[]).await;
    // The first ones grow pools that the others share.
    let mut open = connect(&stand, 100, arguments.at_once).await;
    settle().await;
    let before = memory(stand.product.pid());
    let begun = Instant::now();
    open.extend(connect(&stand, arguments.connections, arguments.at_once).await);
    let rate =
        f64::from(u32::try_from(arguments.connections).expect("a countable number")) / begun.elapsed().as_secs_f64();
    settle().await;
    let grown = memory(stand.product.pid()).saturating_sub(before);
    let each = grown / arguments.connections as u64;
    println!("{} idle connections: {each} bytes each, {} MB in all before them", arguments.connections, before >> 20);
    println!("{rate:.0} connects/s, with hello and welcome");
    drop(open);
}

async fn connect(stand: &Stand, count: usize, at_once: usize) -> Vec<Live> {
    let (mut open, mut opening) = (Vec::with_capacity(count), JoinSet::new());
    for started in 0..count {
        let (url, token) = (stand.product.url.clone(), stand.operator.token().to_owned());
        opening.spawn(async move {
            let mut live = Live::open(&url, &token, None).await.expect("a stream");
            live.find("caught_up", |frame| frame["type"] == "caught_up").await;
            live
        });
        if started >= at_once {
            open.push(opening.join_next().await.expect("one is opening").expect("no panic"));
        }
    }
    open.extend(opening.join_all().await);
    open
}

/// Lets the server put away what connecting left behind.
async fn settle() {
    tokio::time::sleep(Duration::from_secs(3)).await;
}
