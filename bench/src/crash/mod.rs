//! The crash harness: the real binary under load, killed with SIGKILL at random moments and started again on the same data.
//!
//! Two outside records judge it (RULES 8.5). The clients write every accepted reply to a journal before they count it, and
//! the sandbox, a process of its own that survives, journals every call before it answers. [`judge`] compares them with what
//! the API shows once everything has come to rest:
//!
//! - every accepted reply reached Telegram once, or is `unknown`, `failed` or `dead`; it is in the history once;
//! - a reply that reached Telegram twice has had state `unknown`, and only what was `sending` becomes that;
//! - no kill makes more deliveries `unknown` than the senders may have in flight;
//! - every customer message is stored once, in the order in which it was written; replies keep their order too;
//! - log and chats have no gap; a client that resumes with its cursor sees what a reader from the beginning sees.

mod judge;
mod load;
mod record;

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use serde_json::json;

use crate::{
    eventually,
    http::Client,
    product::{Launch, Product},
    rng::Rng,
    scene::{self, Sandbox},
    until,
};
use load::{Load, Talk};

/// Requests to Telegram that one bot may have in flight.
const IN_FLIGHT: usize = 8;

/// Sending begins anew when the lease of the killed process has run out, which on PostgreSQL takes some seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a run consists of.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The binary.
    pub binary: PathBuf,
    /// An empty folder for data and journals.
    pub folder: PathBuf,
    /// Address of an empty PostgreSQL database instead of the embedded one.
    pub database: Option<String>,
    /// How often the server is killed.
    pub kills: usize,
    /// Chooses moments, people and faults.
    pub seed: u64,
    /// Connected bots.
    pub bots: usize,
    /// Customers of each bot.
    pub customers: usize,
}

/// What a run came to.
#[derive(Debug, Default)]
pub struct Report {
    /// Kills, and those with a request of a client or to Telegram in flight.
    pub kills: usize,
    /// Kills with a request in flight.
    pub busy_kills: usize,
    /// Replies answered with 2xx.
    pub accepted: usize,
    /// Messages that customers wrote.
    pub written: usize,
    /// Events in the log since its start.
    pub events: usize,
    /// Accepted replies by the last state of their delivery.
    pub states: Vec<(String, usize)>,
    /// Replies that reached Telegram more than once.
    pub repeated: usize,
    /// Most deliveries that one kill has made `unknown`.
    pub most_unknown: usize,
    /// What should not be; empty when all is well.
    pub faults: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "kills {} ({} with a request in flight)", self.kills, self.busy_kills)?;
        writeln!(f, "replies accepted {}, customer messages {}, events {}", self.accepted, self.written, self.events)?;
        let states: Vec<_> = self.states.iter().map(|(state, count)| format!("{state} {count}")).collect();
        writeln!(f, "deliveries: {}", states.join(", "))?;
        writeln!(f, "sent twice {}, most unknown by one kill {}", self.repeated, self.most_unknown)?;
        self.faults.iter().try_for_each(|fault| writeln!(f, "FAULT {fault}"))?;
        write!(
            f,
            "{}",
            if self.faults.is_empty() { "nothing lost, no gap, no duplicate" } else { "NOT as it has to be" }
        )
    }
}

/// The server, its launch at a fixed address, and the sandbox beside it.
struct Stage {
    launch: Launch,
    product: Product,
    sandbox: Sandbox,
    _sandbox_process: Product,
}

impl Stage {
    async fn new(plan: &Plan) -> Self {
        let journal = plan.folder.join("sandbox.journal");
        let process = Launch::new(&plan.binary, &plan.folder, &["sandbox"])
            .set("sandbox.listen", "127.0.0.1:0")
            .set("sandbox.journal", journal.to_str().expect("a plain path"))
            .start_sandbox()
            .await;
        let mut launch = Launch::serve(&plan.binary, &plan.folder).database(plan.database.as_deref());
        let settings = [
            ("telegram.api_url", process.url.as_str()),
            ("telegram.poll_seconds", "2"),
            ("telegram.request_seconds", "2"),
            ("telegram.in_flight", &IN_FLIGHT.to_string()),
            ("limits.per_key", "1000000"),
            ("limits.per_address", "1000000"),
            ("store.disk_reserve_mb", "0"),
        ];
        for (path, value) in settings {
            launch = launch.set(path, value);
        }
        let product = launch.start().await;
        // From now on at the same address, so that clients find it again.
        let launch = launch.set("listen", product.address());
        let sandbox = Sandbox::at(&process.url);
        Self { launch, product, sandbox, _sandbox_process: process }
    }

    async fn kill_and_restart(&mut self) {
        self.product.kill();
        self.product = self.launch.start().await;
    }
}

/// Runs the plan and judges it.
///
/// # Panics
/// When the product cannot be started or stops answering; what it did wrong is in the report.
pub async fn run(plan: &Plan) -> Report {
    let mut rng = Rng::new(plan.seed);
    let mut stage = Stage::new(plan).await;
    let owner = scene::set_up(&stage.product).await;
    // Every right there is, so that a gap in what he sees is a gap in the log.
    let operator = scene::key_with_every_right(&owner).await;
    let start = live_cursor(&operator).await;
    let talks = people(plan, &stage.sandbox, &owner, &operator).await;
    let load = Load::start(plan, operator.clone(), stage.sandbox.clone(), talks, start.clone());

    let mut busy_kills = 0;
    let mut killed_at = Vec::new();
    for number in 0..plan.kills {
        busy_kills += usize::from(moment(&mut rng, &stage, &load, number).await);
        killed_at.push(record::now());
        stage.kill_and_restart().await;
    }
    stage.sandbox.calm().await;
    let seen = load.stop().await;
    let mut report = judge::judge(plan, &stage.sandbox, &operator, &start, seen, &killed_at).await;
    report.kills = plan.kills;
    report.busy_kills = busy_kills;
    if busy_kills * 2 < plan.kills {
        report.faults.push(format!("only {busy_kills} of {} kills had a request in flight", plan.kills));
    }
    report
}

/// The cursor of the log as it is now.
async fn live_cursor(client: &Client) -> String {
    let counts = client.get("/api/v1/conversations/counts").await.expect(200);
    counts["live_cursor"].as_str().expect("a cursor").to_owned()
}

/// Bots and customers; every customer has a conversation before the first kill.
async fn people(plan: &Plan, sandbox: &Sandbox, owner: &Client, operator: &Client) -> Vec<Talk> {
    let mut talks = Vec::new();
    for number in 0..plan.bots {
        let bot = sandbox.bot(&format!("Shop {number}")).await;
        scene::connect(owner, &bot).await;
        for customer in 0..plan.customers {
            let name = format!("Customer {number}.{customer}");
            let person = sandbox.person(&name).await;
            sandbox.say(&bot.username, person, "/start").await;
            talks.push(Talk { bot: bot.username.clone(), person, name, conversation: String::new() });
        }
    }
    eventually("every customer has a conversation", async || {
        let found = scene::all_items(operator, "/api/v1/conversations?status=all").await;
        for conversation in &found {
            let talk = talks.iter_mut().find(|it| conversation["contact"]["name"] == it.name)?;
            conversation["id"].as_str()?.clone_into(&mut talk.conversation);
        }
        (found.len() == talks.len()).then_some(())
    })
    .await;
    talks
}

/// Waits for the moment of a kill and says whether a request is in flight. Every second kill waits until Telegram holds a
/// request that it does not answer; others wait for a request of a client, or for nothing at all.
async fn moment(rng: &mut Rng, stage: &Stage, load: &Arc<Load>, number: usize) -> bool {
    let trouble = json!({ "rate_429": 0.01, "rate_500": 0.02, "rate_cut_before": 0.02, "rate_cut_after": 0.01, "methods": ["sendMessage"] });
    let _ = stage.sandbox.0.post("/control/chaos", &trouble).await.expect(200);
    tokio::time::sleep(Duration::from_millis(20 + rng.below(400))).await;
    if number.is_multiple_of(2) {
        stage.sandbox.fault(&json!({ "kind": "hang", "method": "sendMessage", "times": 1 + rng.below(3) })).await;
        until(PATIENCE, "a request to Telegram hangs", async || {
            let armed = stage.sandbox.0.get("/control/faults").await.expect(200);
            armed.as_array().is_some_and(Vec::is_empty).then_some(())
        })
        .await;
        return true;
    }
    if rng.chance(70) {
        return eventually("a client has a request in flight", async || {
            (load.in_flight.load(Ordering::SeqCst) > 0).then_some(true)
        })
        .await;
    }
    load.in_flight.load(Ordering::SeqCst) > 0
}
