//! What the sender makes of an answer: what the breaker, the lanes and the outbox are told.

use std::{sync::Arc, time::Duration};

use net::BreakerState;
use store::Outcome;
use tokio::task::{Id, JoinError};

use super::{
    commit::{Claimed, Finished},
    lanes::{Hold, Item, Settled},
    sender::Sender,
    verdict::{MOST_REFUSALS, Verdict, pause},
};
use crate::inbound::poll::token_refused;

/// How long a bot whose token is refused is left alone.
const LOCKED_OUT: Duration = Duration::from_secs(300);

impl Sender {
    /// A request ended. One that panicked was perhaps sent.
    pub(super) fn landed(&mut self, ended: Result<(Id, Verdict), JoinError>) {
        let (id, verdict) = match ended {
            Ok(ended) => ended,
            Err(error) => (error.id(), Verdict::Unclear("the request broke off inside the server".to_owned())),
        };
        if let Some(claimed) = self.flying.remove(&id) {
            self.telegram().numbers().sent(&verdict);
            self.report(&verdict);
            self.decide(claimed, verdict);
        }
    }

    /// Tells the breaker, and the bots that wait for it when it changed.
    fn report(&mut self, verdict: &Verdict) {
        self.probing = false;
        let now = self.link.hub.world().clock().monotonic();
        let mut breaker = self.link.telegram.breaker(self.link.server);
        let was_closed = breaker.state() == BreakerState::Closed;
        if verdict.host_is_well() {
            breaker.success()
        } else {
            breaker.failure(now)
        }
        drop(breaker);
        if !was_closed {
            self.telegram().wake_all();
        }
    }

    /// Decides what becomes of an item, in the lanes at once and in the outbox with the next commit.
    pub(super) fn decide(&mut self, mut claimed: Claimed, verdict: Verdict) {
        let mut unreachable = None;
        let outcome = match verdict {
            Verdict::Sent { external_id } => Outcome::Sent { external_id },
            Verdict::Unclear(error) => Outcome::Unknown { error },
            Verdict::Refused { error, unreachable: true } => {
                unreachable = Some(Arc::clone(&claimed.item.to));
                Outcome::Failed { error }
            }
            Verdict::Refused { error, unreachable: false } => Outcome::Failed { error },
            Verdict::Limited { retry_after, error } => {
                let now = self.now();
                let hold = self.lanes.hit(&claimed.item.to, retry_after, now);
                self.telegram().numbers().held(hold.chat.is_none());
                self.holds.push(hold);
                self.again(retry_after, error)
            }
            Verdict::NotSent(error) => {
                let wait = pause(claimed.item.tries, false, self.link.hub.world().unit());
                self.again(wait, error)
            }
            Verdict::TokenRefused(error) => self.locked_out(error),
            Verdict::HostInTrouble(error) => self.refused_for_now(&mut claimed.item, error),
        };
        claimed.item.tries += 1;
        let how = match &outcome {
            Outcome::Retry { at, .. } => Settled::Again(self.on_lanes(*at)),
            _ => Settled::Done,
        };
        self.finished.push(Finished { id: claimed.item.id, message: claimed.message, outcome, unreachable });
        self.settle(claimed.item, how);
    }

    fn again(&self, wait: Duration, error: String) -> Outcome {
        Outcome::Retry { at: self.link.hub.world().now() + wait, error }
    }

    /// A 5xx. It counts against the item only while the host serves others; when the host is in trouble as a whole, its
    /// breaker is open and the item just waits.
    fn refused_for_now(&self, item: &mut Item, error: String) -> Outcome {
        let host_is_well = self.telegram().breaker(self.link.server).state() == BreakerState::Closed;
        item.refusals += u32::from(host_is_well);
        if item.refusals >= MOST_REFUSALS {
            return Outcome::Dead { error };
        }
        self.again(pause(item.tries, true, self.link.hub.world().unit()), error)
    }

    /// Telegram does not let the bot in: nothing is sent until somebody enters a new token, which makes a new sender.
    fn locked_out(&mut self, error: String) -> Outcome {
        let (hold, now) = (Hold { chat: None, lasts: LOCKED_OUT }, self.now());
        self.lanes.hold(&hold, now);
        self.complaint = Some(token_refused(&error));
        self.again(LOCKED_OUT, error)
    }
}
