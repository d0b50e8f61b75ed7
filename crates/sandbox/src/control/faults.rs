//! Arming and lifting trouble.

use super::{BotRef, ControlError};
use crate::faults::{Chaos, Fault, FaultKind};
use crate::{Sandbox, lock};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;

impl Sandbox {
    /// Arms a fault. Several wait side by side; the oldest that matches strikes.
    pub fn fault(&self, fault: Fault) {
        let down = fault.kind == FaultKind::Down;
        lock(&self.0.faults).arm(fault);
        if down {
            // Ends long polls that wait.
            self.0.bots().iter().for_each(|bot| bot.wake.notify_waiters());
        }
    }

    /// The faults that have not struck out yet, oldest first.
    pub fn faults(&self) -> Vec<Fault> {
        lock(&self.0.faults).armed()
    }

    /// Lifts every fault, ends chaos, and lets held updates go.
    pub fn clear_faults(&self) {
        lock(&self.0.faults).clear();
        for bot in self.0.bots() {
            lock(&bot.state).queue.release_held();
            bot.wake.notify_waiters();
        }
    }

    /// Sets the random trouble that calls meet which no scripted fault strikes.
    pub fn chaos(&self, chaos: Chaos) {
        lock(&self.0.faults).set_chaos(chaos);
    }
}

#[derive(Deserialize)]
pub(super) struct NewFault {
    kind: FaultKind,
    bot: Option<BotRef>,
    method: Option<String>,
    chat: Option<i64>,
    times: Option<u32>,
    retry_after: Option<u32>,
}

pub(super) async fn arm(
    State(sandbox): State<Sandbox>,
    Json(new): Json<NewFault>,
) -> Result<Json<Vec<Fault>>, ControlError> {
    let bot = new.bot.map(|bot| sandbox.resolve(&bot)).transpose()?;
    sandbox.fault(Fault {
        kind: new.kind,
        bot: bot.map(|b| b.info.id),
        method: new.method,
        chat: new.chat,
        times: new.times.unwrap_or(1).max(1),
        retry_after: new.retry_after.unwrap_or(1),
    });
    Ok(Json(sandbox.faults()))
}

pub(super) async fn list(State(sandbox): State<Sandbox>) -> Json<Vec<Fault>> {
    Json(sandbox.faults())
}

pub(super) async fn clear(State(sandbox): State<Sandbox>) -> Json<Vec<Fault>> {
    sandbox.clear_faults();
    Json(sandbox.faults())
}

pub(super) async fn chaos(State(sandbox): State<Sandbox>, Json(chaos): Json<Chaos>) -> Json<Chaos> {
    sandbox.chaos(chaos.clone());
    Json(chaos)
}
