//! The way in: a webhook call, its commit, and the event on an open live stream, at a steady rate.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bench::{
    eventually,
    live::Live,
    stand::{Options, Stand},
    stats::{Sample, cpu},
    wire::Wire,
};
use clap::Parser;
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinSet};

/// Updates at a steady rate; the time runs from the moment at which one was due, so that waiting counts.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    stand: Options,
    /// Updates per second.
    #[arg(long, default_value_t = 1000)]
    rate: u32,
    /// Seconds; the first two are not counted.
    #[arg(long, default_value_t = 12)]
    seconds: u32,
    /// Customers who write in turn.
    #[arg(long, default_value_t = 200)]
    customers: u32,
    /// Connections, as many as Telegram opens.
    #[arg(long, default_value_t = 40)]
    connections: usize,
}

type Due = Arc<Mutex<HashMap<u32, Instant>>>;

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let stand = Stand::new(&arguments.stand, &[]).await;
    let bot = format!("/api/v1/bots/{}", stand.bot_id);
    let _ = stand.operator.patch(&bot, &json!({ "mode": "webhook" })).await.expect(200);
    let (path, secret) = webhook(&stand).await;
    let live = Live::open(&stand.product.url, stand.operator.token(), None).await.expect("a stream");
    let due = Due::default();
    let total = arguments.rate * arguments.seconds;
    let watching = tokio::spawn(watch(live, Arc::clone(&due), total, arguments.rate * 2));

    let (jobs, queue) = mpsc::unbounded_channel::<u32>();
    let queue = Arc::new(tokio::sync::Mutex::new(queue));
    let mut workers = JoinSet::new();
    for _ in 0..arguments.connections {
        let headers = [("x-telegram-bot-api-secret-token", secret.as_str()), ("content-type", "application/json")];
        let wire = Wire::connect(&stand.product.url, &headers).await;
        workers.spawn(post(wire, path.clone(), arguments.customers, Arc::clone(&queue)));
    }
    let (begun, own, server) = (Instant::now(), cpu(None), cpu(Some(stand.product.pid())));
    for number in 0..total {
        let at = begun + Duration::from_secs(1) * number / arguments.rate;
        tokio::time::sleep_until(at.into()).await;
        due.lock().unwrap_or_else(PoisonError::into_inner).insert(number, at);
        jobs.send(number).expect("the workers wait for it");
    }
    drop(jobs);
    workers.join_all().await;
    let sample = Sample::new(watching.await.expect("no panic"));
    let seconds = begun.elapsed().as_secs_f64();
    let (own, server) = ((cpu(None) - own).as_secs_f64(), (cpu(Some(stand.product.pid())) - server).as_secs_f64());
    println!("webhook to live stream at {}/s, {} events: {}", arguments.rate, sample.count(), sample.line());
    println!("cores used: server {:.2}, load generator {:.2}", server / seconds, own / seconds);
}

/// Path and secret of the webhook, as the server told them to Telegram.
async fn webhook(stand: &Stand) -> (String, String) {
    let set = eventually("the webhook is set", async || stand.sandbox.calls("setWebhook", 0).await.pop()).await;
    let text = |name: &str| set["params"][name].as_str().expect("a text").to_owned();
    let url = text("url");
    let path = url.strip_prefix(&stand.product.url).expect("it is this server's").to_owned();
    (path, text("secret_token"))
}

async fn post(
    mut wire: Wire,
    path: String,
    customers: u32,
    queue: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<u32>>>,
) {
    loop {
        let Some(number) = queue.lock().await.recv().await else { return };
        let (status, body) = wire.call("POST", &path, None, update(number, customers).to_string()).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    }
}

fn update(number: u32, customers: u32) -> Value {
    let person = 5_000_000_000_u64 + u64::from(number % customers);
    json!({
        "update_id": 1_000_000 + number,
        "message": {
            "message_id": 1 + number / customers,
            "date": 1_795_000_000,
            "from": { "id": person, "is_bot": false, "first_name": format!("Customer {}", number % customers), "language_code": "en" },
            "chat": { "id": person, "type": "private", "first_name": format!("Customer {}", number % customers) },
            "text": format!("{number} is the number of this message, which is as long as messages are"),
        },
    })
}

/// Notes when each message was seen; the durations of all but the first `warm`.
async fn watch(mut live: Live, due: Due, total: u32, warm: u32) -> Vec<Duration> {
    let (mut durations, mut seen) = (Vec::new(), 0);
    while seen < total {
        let frame = live.frame().await.expect("the stream stays open");
        let now = Instant::now();
        let Some(text) = frame["event"]["body"]["message"]["text"].as_str() else { continue };
        let number: u32 = text.split(' ').next().and_then(|it| it.parse().ok()).expect("our own text");
        seen += 1;
        let at = due.lock().unwrap_or_else(PoisonError::into_inner).remove(&number).expect("each comes once");
        if number >= warm {
            durations.push(now.duration_since(at));
        }
    }
    durations
}
