//! Customers who write, operators who reply, and one who watches the live stream, all through every crash.

use std::{
    collections::HashSet,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::task::JoinSet;

use super::{
    Plan,
    record::{Accepted, Journal},
};
use crate::{
    http::Client,
    live::Live,
    rng::Rng,
    scene::{self, Sandbox},
};

/// Operators who reply at the same time.
const OPERATORS: u64 = 8;
/// Customers who write at the same time.
const WRITERS: u64 = 4;
/// Replies that may be on their way at the same time: Telegram takes 30 a second of each bot, operators are faster.
const MOST_WAITING: usize = 400;
/// Between two attempts while the server is away.
const AWAY: Duration = Duration::from_millis(20);

/// One customer with one bot.
#[derive(Debug, Clone)]
pub(super) struct Talk {
    pub(super) bot: String,
    pub(super) person: i64,
    pub(super) name: String,
    pub(super) conversation: String,
}

/// The load while it runs.
pub(super) struct Load {
    /// Requests of operators without an answer yet.
    pub(super) in_flight: AtomicUsize,
    stop: AtomicBool,
    operator: Client,
    sandbox: Sandbox,
    talks: Vec<Talk>,
    journal: Journal,
    /// What each customer has written, in order.
    written: Vec<tokio::sync::Mutex<Vec<String>>>,
    watched: Mutex<Watched>,
    tasks: Mutex<JoinSet<()>>,
}

/// What the live client has seen.
#[derive(Debug, Default, Clone)]
pub(super) struct Watched {
    pub(super) seqs: Vec<i64>,
    /// Deliveries that have come to an end.
    settled: HashSet<String>,
    pub(super) faults: Vec<String>,
}

/// The clients' records when the load has ended.
pub(super) struct Seen {
    pub(super) talks: Vec<Talk>,
    pub(super) accepted: Vec<Accepted>,
    pub(super) written: Vec<Vec<String>>,
    pub(super) load: Arc<Load>,
}

impl Load {
    pub(super) fn start(
        plan: &Plan,
        operator: Client,
        sandbox: Sandbox,
        talks: Vec<Talk>,
        cursor: String,
    ) -> Arc<Self> {
        let written = talks.iter().map(|_| tokio::sync::Mutex::new(vec!["/start".to_owned()])).collect();
        let load = Arc::new(Self {
            in_flight: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            operator,
            sandbox,
            talks,
            journal: Journal::new(Path::new(&plan.folder)),
            written,
            watched: Mutex::default(),
            tasks: Mutex::default(),
        });
        let mut tasks = load.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for number in 0..OPERATORS {
            tasks.spawn(Arc::clone(&load).operate(number, Rng::new(plan.seed ^ (0xa000 + number))));
        }
        for number in 0..WRITERS {
            tasks.spawn(Arc::clone(&load).write(Rng::new(plan.seed ^ (0xb000 + number))));
        }
        drop(tasks);
        tokio::spawn(Arc::clone(&load).watch(cursor));
        load
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// One operator: replies in some conversation, again with the same key until it is accepted.
    async fn operate(self: Arc<Self>, number: u64, mut rng: Rng) {
        for turn in 0.. {
            if self.stopped() {
                return;
            }
            if self.waiting() > MOST_WAITING {
                tokio::time::sleep(AWAY).await;
                continue;
            }
            let talk = index(&mut rng, self.talks.len());
            let key = format!("operator-{number}-{turn}");
            let text = format!("Reply {number}.{turn} to {}", self.talks[talk].name);
            let message = self.reply(&self.talks[talk].conversation, &key, &text).await;
            self.journal.accepted(&key, Accepted { text, message, talk });
            tokio::time::sleep(Duration::from_millis(40 + rng.below(80))).await;
        }
    }

    /// Replies that were accepted and whose end the live client has not seen yet.
    fn waiting(&self) -> usize {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        self.journal.count().saturating_sub(watched.settled.len())
    }

    async fn reply(&self, conversation: &str, key: &str, text: &str) -> String {
        loop {
            self.in_flight.fetch_add(1, Ordering::SeqCst);
            let answer = scene::reply(&self.operator, conversation, key, text).await;
            self.in_flight.fetch_sub(1, Ordering::SeqCst);
            match answer {
                Ok(reply) if reply.status == 201 => {
                    return reply.json()["id"].as_str().expect("a message has an id").to_owned();
                }
                Ok(reply) if reply.status.is_server_error() => {}
                Ok(reply) => panic!("a reply was refused: {} {}", reply.status, String::from_utf8_lossy(&reply.body)),
                Err(_) => {}
            }
            tokio::time::sleep(AWAY).await;
        }
    }

    /// Customers: whoever it is writes his next message.
    async fn write(self: Arc<Self>, mut rng: Rng) {
        while !self.stopped() {
            let at = index(&mut rng, self.talks.len());
            let talk = &self.talks[at];
            {
                // Held while it is sent, so that the record has the order in which the sandbox got them.
                let mut written = self.written[at].lock().await;
                let text = format!("Message {} of {}", written.len(), talk.name);
                self.sandbox.say(&talk.bot, talk.person, &text).await;
                written.push(text);
            }
            tokio::time::sleep(Duration::from_millis(30 + rng.below(60))).await;
        }
    }

    /// The live client: comes back with its cursor after every crash and notes each event once.
    async fn watch(self: Arc<Self>, mut cursor: String) {
        loop {
            let Ok(mut live) = Live::open(self.operator.base(), self.operator.token(), Some(&cursor)).await else {
                tokio::time::sleep(AWAY).await;
                continue;
            };
            while let Some(frame) = live.frame().await {
                self.note(&frame);
                if let Some(next) = frame["cursor"].as_str() {
                    next.clone_into(&mut cursor);
                }
            }
        }
    }

    fn note(&self, frame: &Value) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if frame["type"] == "reset" {
            watched.faults.push("the live client was reset".to_owned());
        }
        let Some(seq) = frame["event"]["seq"].as_i64() else { return };
        let delivery = &frame["event"]["body"]["delivery"];
        if let (Some(id), Some("sent" | "unknown" | "failed" | "dead")) =
            (delivery["id"].as_str(), delivery["state"].as_str())
        {
            watched.settled.insert(id.to_owned());
        }
        match watched.seqs.last().copied() {
            // A repeat, which a client ignores.
            Some(last) if seq <= last => {
                if watched.seqs.binary_search(&seq).is_err() {
                    let late = format!("event {seq} came late, after {last}");
                    watched.faults.push(late);
                }
            }
            _ => watched.seqs.push(seq),
        }
    }

    /// What the live client has seen so far.
    pub(super) fn watched(&self) -> Watched {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets everybody finish his last sentence.
    pub(super) async fn stop(self: Arc<Self>) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.join_all().await;
        let mut written = Vec::new();
        for texts in &self.written {
            written.push(texts.lock().await.clone());
        }
        Seen { talks: self.talks.clone(), accepted: self.journal.all(), written, load: self }
    }
}

fn index(rng: &mut Rng, length: usize) -> usize {
    usize::try_from(rng.below(length as u64)).expect("below a length")
}
