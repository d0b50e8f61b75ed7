//! Compares the outside records with what the API shows once everything has come to rest.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    time::Duration,
};

use model::Timestamp;
use serde_json::{Value, json};

use super::{IN_FLIGHT, Plan, Report, load::Seen, record::Accepted};
use crate::{
    http::Client,
    scene::{self, Sandbox, took_effect},
    until,
};

/// How long the outbox may take to empty at the pace that Telegram allows, and what is left of a lease on PostgreSQL.
const REST: Duration = Duration::from_secs(300);

/// One delivery as the log tells it.
#[derive(Debug, Default)]
struct Life {
    /// Moment in microseconds and state, in the order of the log.
    states: Vec<(i64, String)>,
}

impl Life {
    fn last(&self) -> &str {
        self.states.last().map_or("queued", |(_, state)| state)
    }

    fn was_unknown(&self) -> bool {
        self.states.iter().any(|(_, state)| state == "unknown")
    }

    /// What it was at a moment.
    fn at(&self, moment: i64) -> &str {
        self.states.iter().take_while(|(at, _)| *at <= moment).last().map_or("queued", |(_, state)| state)
    }
}

/// Everything that is compared.
struct Facts {
    seen: Seen,
    log: Vec<Value>,
    histories: Vec<Vec<Value>>,
    calls: Vec<Value>,
    /// By message.
    lives: HashMap<String, Life>,
}

pub(super) async fn judge(
    plan: &Plan,
    sandbox: &Sandbox,
    operator: &Client,
    start: &str,
    seen: Seen,
    killed_at: &[i64],
) -> Report {
    retry_some(operator).await;
    come_to_rest(sandbox, operator, &seen).await;
    let facts = gather(plan, operator, start, seen).await;
    let mut report = Report {
        accepted: facts.seen.accepted.len(),
        written: facts.seen.written.iter().map(Vec::len).sum(),
        events: facts.log.len(),
        most_unknown: most_unknown(&facts, killed_at),
        ..Report::default()
    };
    report.states = states(&facts);
    let dead_letters = scene::all_items(operator, "/api/v1/dead-letters").await.len();
    let faults = &mut report.faults;
    if dead_letters > 0 {
        faults.push(format!("{dead_letters} dead letters"));
    }
    if report.most_unknown > IN_FLIGHT * plan.bots {
        faults.push(format!("a kill made {} deliveries unknown", report.most_unknown));
    }
    log_is_gapless(&facts, faults);
    live_client_saw_it_all(&facts, faults).await;
    chats_are_whole(&facts, faults);
    report.repeated = replies_are_accounted_for(&facts, faults);
    replies_keep_their_order(&facts, faults);
    report
}

/// A person asks for every third delivery in `unknown` again, which makes rightful repeats.
async fn retry_some(operator: &Client) {
    for delivery in scene::all_items(operator, "/api/v1/deliveries?state=unknown").await.iter().step_by(3) {
        let path = format!("/api/v1/deliveries/{}/retry", delivery["id"].as_str().expect("an id"));
        let answer = operator.post(&path, &json!({})).await;
        assert!(answer.status.is_success(), "a retry was refused: {}", answer.code());
    }
}

async fn come_to_rest(sandbox: &Sandbox, operator: &Client, seen: &Seen) {
    let written: usize = seen.written.iter().map(Vec::len).sum();
    until(REST, "nothing is under way any more", async || {
        for state in ["queued", "sending", "retrying"] {
            let page = operator.get(&format!("/api/v1/deliveries?state={state}&limit=1")).await.expect(200);
            if !page["items"].as_array().expect("a list").is_empty() {
                return None;
            }
        }
        let stored = scene::all_items(operator, "/api/v1/conversations?status=all").await;
        let stored: i64 = stored.iter().filter_map(|it| it["inbound_total"].as_i64()).sum();
        (stored >= i64::try_from(written).expect("few")).then_some(())
    })
    .await;
    sandbox.calm().await;
}

async fn gather(plan: &Plan, operator: &Client, start: &str, seen: Seen) -> Facts {
    let mut histories = Vec::new();
    for talk in &seen.talks {
        histories.push(scene::history(operator, &talk.conversation).await);
    }
    let log = log_from(operator, start).await;
    let journal = fs::read_to_string(plan.folder.join("sandbox.journal")).expect("the sandbox keeps a journal");
    let calls = journal.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line is a call"));
    let calls = calls.filter(|call| call["method"] == "sendMessage" && took_effect(call)).collect();
    let lives = lives(&log);
    Facts { seen, log, histories, calls, lives }
}

/// The log from a cursor to its end, by long poll.
async fn log_from(operator: &Client, start: &str) -> Vec<Value> {
    let (mut log, mut cursor) = (Vec::new(), start.to_owned());
    loop {
        let page = operator.get(&format!("/api/v1/events?cursor={cursor}&wait=0")).await.expect(200);
        let items = page["items"].as_array().expect("a list");
        log.extend(items.iter().map(|item| item["event"].clone()));
        if items.is_empty() && page["caught_up"] == true {
            return log;
        }
        page["cursor"].as_str().expect("a cursor").clone_into(&mut cursor);
    }
}

fn lives(log: &[Value]) -> HashMap<String, Life> {
    let mut lives: HashMap<String, Life> = HashMap::new();
    for event in log.iter().filter(|event| event["kind"] == "delivery.updated") {
        let Some(message) = event["body"]["message_id"].as_str() else { continue };
        let at: Timestamp = event["at"].as_str().and_then(|at| at.parse().ok()).expect("an event has a time");
        let state = event["body"]["delivery"]["state"].as_str().expect("a state").to_owned();
        lives.entry(message.to_owned()).or_default().states.push((at.micros(), state));
    }
    lives
}

fn states(facts: &Facts) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for accepted in &facts.seen.accepted {
        let state = facts.lives.get(&accepted.message).map_or("queued", Life::last);
        *counts.entry(state.to_owned()).or_default() += 1;
    }
    counts.into_iter().collect()
}

/// How many deliveries that were `sending` when the server was killed turned `unknown` before they were anything else.
fn most_unknown(facts: &Facts, killed_at: &[i64]) -> usize {
    let by_kill = |at: i64| {
        let turned = |life: &&Life| {
            let next = life.states.iter().find(|(moment, _)| *moment > at);
            life.at(at) == "sending" && next.is_some_and(|(_, state)| state == "unknown")
        };
        facts.lives.values().filter(turned).count()
    };
    killed_at.iter().map(|at| by_kill(*at)).max().unwrap_or_default()
}

fn seqs(items: &[Value]) -> Vec<i64> {
    items.iter().filter_map(|it| it["seq"].as_i64()).collect()
}

fn first_gap(seqs: &[i64]) -> Option<(i64, i64)> {
    seqs.windows(2).find(|pair| pair[1] != pair[0] + 1).map(|pair| (pair[0], pair[1]))
}

fn log_is_gapless(facts: &Facts, faults: &mut Vec<String>) {
    if let Some((before, after)) = first_gap(&seqs(&facts.log)) {
        faults.push(format!("the log goes from event {before} to {after}"));
    }
    for life in facts.lives.values() {
        let states = &life.states;
        for (at, (_, state)) in states.iter().enumerate() {
            let before = at.checked_sub(1).map_or("queued", |at| states[at].1.as_str());
            if state == "unknown" && before != "sending" {
                faults.push(format!("a delivery became unknown out of {before}"));
            }
        }
    }
}

/// The live client may be a moment behind; it has to see what a reader from the beginning sees, in the same order.
async fn live_client_saw_it_all(facts: &Facts, faults: &mut Vec<String>) {
    let all = seqs(&facts.log);
    let load = &facts.seen.load;
    until(REST, "the live client has caught up", async || (load.watched().seqs.last() >= all.last()).then_some(()))
        .await;
    let mut watched = load.watched();
    faults.append(&mut watched.faults);
    watched.seqs.truncate(all.len());
    if watched.seqs != all {
        let first = watched.seqs.iter().zip(&all).find(|(seen, real)| seen != real);
        faults.push(format!(
            "the live client saw {} of {} events, first difference {first:?}",
            watched.seqs.len(),
            all.len()
        ));
    }
}

fn chats_are_whole(facts: &Facts, faults: &mut Vec<String>) {
    let mut replies = 0;
    for ((talk, history), written) in facts.seen.talks.iter().zip(&facts.histories).zip(&facts.seen.written) {
        let seqs = seqs(history);
        if seqs.first() != Some(&1) || first_gap(&seqs).is_some() {
            faults.push(format!("the chat of {} has a gap: {seqs:?}", talk.name));
        }
        let of = |kind: &'static str| history.iter().filter(move |it| it["author"]["kind"] == kind);
        let texts: Vec<_> = of("contact").filter_map(|it| it["text"].as_str()).collect();
        if texts != *written {
            let first = written.iter().zip(&texts).position(|(wrote, stored)| wrote != stored);
            let (wrote, stored) = (written.len(), texts.len());
            faults
                .push(format!("{} wrote {wrote} messages, stored are {stored}, first difference {first:?}", talk.name));
        }
        replies += of("key").count() + of("member").count() + of("source").count() + of("system").count();
    }
    if replies != facts.seen.accepted.len() {
        faults.push(format!("{} replies were accepted, {replies} are in the chats", facts.seen.accepted.len()));
    }
}

/// Returns how many replies reached Telegram more than once.
fn replies_are_accounted_for(facts: &Facts, faults: &mut Vec<String>) -> usize {
    let mut arrived: HashMap<&str, usize> = HashMap::new();
    for call in &facts.calls {
        *arrived.entry(call["params"]["text"].as_str().unwrap_or_default()).or_default() += 1;
    }
    let mut repeated = 0;
    let in_talk = |(talk, history): (usize, &'_ Vec<Value>)| -> Vec<(String, usize)> {
        history.iter().filter_map(|it| Some((it["id"].as_str()?.to_owned(), talk))).collect()
    };
    let stored: HashMap<String, usize> = facts.histories.iter().enumerate().flat_map(in_talk).collect();
    let silent = Life::default();
    for Accepted { text, message, talk } in &facts.seen.accepted {
        let life = facts.lives.get(message).unwrap_or(&silent);
        let times = arrived.remove(text.as_str()).unwrap_or_default();
        repeated += usize::from(times > 1);
        if stored.get(message) != Some(talk) {
            faults.push(format!("{text:?} was accepted and is not in its chat's history"));
        }
        match (life.last(), times) {
            ("sent", 1) | ("unknown" | "failed" | "dead", 0 | 1) => {}
            (_, 2..) if life.was_unknown() => {}
            (state, times) => faults.push(format!("{text:?} reached Telegram {times} times and is {state}: {life:?}")),
        }
    }
    faults.extend(arrived.keys().map(|text| format!("{text:?} reached Telegram and was never accepted")));
    repeated
}

/// In each chat replies arrive in the order of their messages; one whose fate was unknown may have come at any time.
fn replies_keep_their_order(facts: &Facts, faults: &mut Vec<String>) {
    let mut first_arrival: HashMap<&str, usize> = HashMap::new();
    for (at, call) in facts.calls.iter().enumerate() {
        first_arrival.entry(call["params"]["text"].as_str().unwrap_or_default()).or_insert(at);
    }
    for (talk, history) in facts.seen.talks.iter().zip(&facts.histories) {
        let sure =
            |it: &&Value| it["id"].as_str().and_then(|id| facts.lives.get(id)).is_some_and(|life| !life.was_unknown());
        let arrivals = history.iter().filter(sure).filter_map(|it| first_arrival.get(it["text"].as_str()?));
        if !arrivals.is_sorted() {
            faults.push(format!("replies to {} arrived out of order", talk.name));
        }
    }
}
