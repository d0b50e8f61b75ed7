//! Replies accepted over HTTP: authenticated, idempotent, numbered, in the outbox, durable when answered.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bench::{
    stand::{Options, Stand},
    stats::{Sample, cpu},
    wire::Wire,
};
use clap::Parser;
use tokio::task::JoinSet;

/// Replies over keep-alive connections, one in flight on each.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    stand: Options,
    /// Connections.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds to measure; another two go before, to warm up.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Notes, which have no delivery.
    #[arg(long)]
    notes: bool,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let stand = Stand::new(&arguments.stand, &[]).await;
    // Telegram takes its 30 a second all the same; that is how it is in life.
    let conversations = Arc::new(stand.conversations(64).await);
    let authorization = format!("Bearer {}", stand.operator.token());
    let begun = Instant::now();
    let from = begun + Duration::from_secs(2);
    let until = from + Duration::from_secs(arguments.seconds);
    let mut workers = JoinSet::new();
    for number in 0..arguments.connections {
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let wire = Wire::connect(&stand.product.url, &headers).await;
        workers.spawn(work(wire, number, Arc::clone(&conversations), arguments.notes, from, until));
    }
    tokio::time::sleep_until(from.into()).await;
    let (own, server) = (cpu(None), cpu(Some(stand.product.pid())));
    tokio::time::sleep_until(until.into()).await;
    let (own, server) = (cpu(None) - own, cpu(Some(stand.product.pid())) - server);
    let sample = Sample::new(workers.join_all().await.concat());
    let seconds = until.duration_since(from).as_secs_f64();
    let rate = f64::from(u32::try_from(sample.count()).expect("a countable number")) / seconds;
    println!("{rate:.0} accepted/s over {} connections, {}", arguments.connections, sample.line());
    let (own, server) = (own.as_secs_f64() / seconds, server.as_secs_f64() / seconds);
    println!("cores used: server {server:.2}, load generator {own:.2}");
}

/// Sends one after the other; the durations of those that were sent between `from` and `until`.
async fn work(
    mut wire: Wire,
    number: usize,
    conversations: Arc<Vec<String>>,
    notes: bool,
    from: Instant,
    until: Instant,
) -> Vec<Duration> {
    let mut durations = Vec::new();
    for turn in 0_usize.. {
        let conversation = &conversations[(number + turn) % conversations.len()];
        let path = format!("/api/v1/conversations/{conversation}/messages");
        let body = format!(r#"{{"text":"Message {turn} of {number}: it will be with you tomorrow.","note":{notes}}}"#);
        let key = format!("{number}-{turn}");
        let begun = Instant::now();
        if begun >= until {
            break;
        }
        let (status, answer) = wire.call("POST", &path, Some(&key), body).await;
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&answer));
        if begun >= from {
            durations.push(begun.elapsed());
        }
    }
    durations
}
