//! Scripted and random trouble: which call or update meets which fault.

use crate::rng::Rng;
use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Refuse with `Too Many Requests` and `retry_after`.
    #[serde(rename = "429")]
    TooManyRequests,
    /// Refuse with `Forbidden: bot was blocked by the user`.
    #[serde(rename = "403")]
    Forbidden,
    /// Refuse with `Internal Server Error`.
    #[serde(rename = "500")]
    ServerError,
    /// Close the connection; the call has no effect.
    CutBefore,
    /// Carry the call out, then close the connection without an answer.
    CutAfter,
    /// Carry the call out and never answer.
    Hang,
    /// Close the connection of every matching call until the fault is lifted.
    Down,
    /// Deliver the next update twice.
    DuplicateUpdate,
    /// Deliver the next update after the one that follows it.
    LateUpdate,
}

impl FaultKind {
    fn of_updates(self) -> bool {
        matches!(self, Self::DuplicateUpdate | Self::LateUpdate)
    }
}

/// A scripted fault: hits the next `times` calls (or updates) that match every given field.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Only this bot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot: Option<i64>,
    /// Only this Bot API method, upper and lower case alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Only calls (or updates) that concern this chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<i64>,
    /// How often it strikes; `down` strikes until it is lifted, whatever stands here.
    #[serde(default = "once")]
    pub times: u32,
    /// Seconds that a `429` names.
    #[serde(default = "one_second")]
    pub retry_after: u32,
}

fn once() -> u32 {
    1
}

fn one_second() -> u32 {
    1
}

impl Fault {
    /// A fault that strikes once, any bot, any method, any chat.
    pub fn new(kind: FaultKind) -> Self {
        Self { kind, bot: None, method: None, chat: None, times: 1, retry_after: 1 }
    }

    /// Only this bot.
    #[must_use]
    pub fn bot(mut self, id: i64) -> Self {
        self.bot = Some(id);
        self
    }

    /// Only this method.
    #[must_use]
    pub fn method(mut self, name: &str) -> Self {
        self.method = Some(name.to_owned());
        self
    }

    /// Only this chat.
    #[must_use]
    pub fn chat(mut self, id: i64) -> Self {
        self.chat = Some(id);
        self
    }

    /// Strikes this often.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// The seconds that a `429` names.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = seconds;
        self
    }

    fn matches(&self, bot: i64, method: Option<&str>, chat: Option<i64>) -> bool {
        self.bot.is_none_or(|b| b == bot)
            && self.chat.is_none_or(|c| Some(c) == chat)
            && self
                .method
                .as_deref()
                .is_none_or(|wanted| method.is_some_and(|method| wanted.eq_ignore_ascii_case(method)))
    }
}

/// Random trouble: each rate is a probability per call, 0 to 1. `methods` limits it to those; empty means all.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Chaos {
    /// Share of calls refused with 429.
    pub rate_429: f64,
    /// Share of calls refused with 500.
    pub rate_500: f64,
    /// Share of calls cut before they take effect.
    pub rate_cut_before: f64,
    /// Share of calls cut after they took effect.
    pub rate_cut_after: f64,
    /// The methods that it concerns.
    pub methods: Vec<String>,
}

/// What a call meets, and the seconds that a 429 names.
pub(crate) struct Strike {
    pub(crate) kind: FaultKind,
    pub(crate) retry_after: u32,
}

/// All armed faults.
pub(crate) struct Faults {
    armed: Vec<Fault>,
    chaos: Chaos,
    rng: Rng,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        // Another stream than the ids, so that arming chaos does not move them.
        Self { armed: Vec::new(), chaos: Chaos::default(), rng: Rng::new(seed ^ 0x5eed_fa17) }
    }

    pub(crate) fn arm(&mut self, fault: Fault) {
        self.armed.push(fault);
    }

    pub(crate) fn armed(&self) -> Vec<Fault> {
        self.armed.clone()
    }

    /// Lifts every scripted fault and ends the chaos.
    pub(crate) fn clear(&mut self) {
        self.armed.clear();
        self.chaos = Chaos::default();
    }

    pub(crate) fn set_chaos(&mut self, chaos: Chaos) {
        self.chaos = chaos;
    }

    /// Whether Telegram is down for this bot as a whole: then no long poll goes on and nothing is pushed.
    pub(crate) fn down(&self, bot: i64) -> bool {
        self.armed.iter().any(|f| f.kind == FaultKind::Down && f.matches(bot, Some("getUpdates"), None))
    }

    /// What this call meets; uses up one strike.
    pub(crate) fn call(&mut self, bot: i64, method: &str, chat: Option<i64>) -> Option<Strike> {
        let found = self.armed.iter().position(|f| !f.kind.of_updates() && f.matches(bot, Some(method), chat));
        match found {
            Some(at) => Some(self.strike(at)),
            None => self.random(method),
        }
    }

    /// What the next update for this chat meets; uses up one strike.
    pub(crate) fn update(&mut self, bot: i64, chat: i64) -> Option<FaultKind> {
        let found = self.armed.iter().position(|f| f.kind.of_updates() && f.matches(bot, None, Some(chat)))?;
        Some(self.strike(found).kind)
    }

    fn strike(&mut self, at: usize) -> Strike {
        let fault = &mut self.armed[at];
        let strike = Strike { kind: fault.kind, retry_after: fault.retry_after };
        if fault.kind != FaultKind::Down {
            fault.times = fault.times.saturating_sub(1);
            if fault.times == 0 {
                self.armed.remove(at);
            }
        }
        strike
    }

    fn random(&mut self, method: &str) -> Option<Strike> {
        let chaos = &self.chaos;
        let rates = [
            (chaos.rate_429, FaultKind::TooManyRequests),
            (chaos.rate_500, FaultKind::ServerError),
            (chaos.rate_cut_before, FaultKind::CutBefore),
            (chaos.rate_cut_after, FaultKind::CutAfter),
        ];
        let concerned = chaos.methods.is_empty() || chaos.methods.iter().any(|m| m.eq_ignore_ascii_case(method));
        if !concerned {
            return None;
        }
        rates
            .into_iter()
            .find(|(rate, _)| *rate > 0.0 && self.rng.chance(*rate))
            .map(|(_, kind)| Strike { kind, retry_after: 1 })
    }
}
