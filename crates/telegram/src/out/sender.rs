//! The sender of one bot: a thin shell around [`Lanes`].
//!
//! **Owner.** One process sends for a bot, under a lease with a fence. At take-over, what an older fence left in `sending`
//! becomes `unknown`: the old owner started a send only while its lease outlasted the request, so by now its requests ended.
//!
//! **Commit, then send.** A claim (`sending`) is committed before its request leaves; a result is committed when it is known.
//! One command takes all results and all claims that are ready, so a busy bot shares its commits with itself.
//!
//! **What is in memory** is a copy of what waits in the outbox: ids, order and pace. It is filled from the table in pages, in
//! order of position, whenever a commit says that there is more; nothing hangs on hearing of each item.
//!
//! **Failure.** While results cannot be stored nothing new is claimed, and results are kept and stored later. A crash in
//! between leaves `sending`, which becomes `unknown`. Nothing that was perhaps sent is sent again by itself.

use std::{collections::HashMap, sync::Arc, time::Duration};

use model::{DeliveryId, Timestamp};
use net::Admission;
use store::{Delivery, Driver, Error, outbox};
use tokio::task::{Id, JoinSet};

use super::{
    lanes::{Hold, Item, Lanes, Next, Settled},
    post::{Payload, post},
    verdict::Verdict,
};
use crate::{
    feature::Telegram,
    lease::Held,
    link::Link,
    model::Status,
    out::commit::{Claimed, Finished, Step, step},
    store::holds,
};

/// Items per page of the outbox.
const PAGE: i64 = 500;
/// Items in memory beyond which no more are loaded until some have left.
const MOST_IN_MEMORY: usize = 50_000;
/// On PostgreSQL other nodes enqueue too, and their commits are not heard here.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long it waits when the database refused something.
const STUMBLE: Duration = Duration::from_millis(500);

/// Sends until the link stops or loses its lease.
///
/// # Errors
/// What the database says; the caller starts it again.
pub(crate) async fn run(link: &Arc<Link>) -> Result<(), Error> {
    let name = format!("telegram:send:{}", link.bot);
    let ttl = link.telegram.config().lease_time();
    let Some(held) = Held::wait(&link.hub, link.workspace, name, ttl, &link.stop).await? else { return Ok(()) };
    let mut sender = Sender::new(Arc::clone(link), held);
    let ended = sender.work().await;
    sender.drain().await;
    sender.held.release().await;
    ended
}

pub(super) struct Sender {
    pub(super) link: Arc<Link>,
    held: Held,
    pub(super) lanes: Lanes,
    /// Position up to which the outbox was read.
    loaded: i64,
    /// There may be more behind it.
    behind: bool,
    requests: JoinSet<Verdict>,
    /// What each request carries.
    pub(super) flying: HashMap<Id, Claimed>,
    /// Results that are not stored yet.
    pub(super) finished: Vec<Finished>,
    /// Holds that are not stored yet.
    pub(super) holds: Vec<Hold>,
    /// The database refused something in this round.
    stuck: bool,
    /// The breaker let one request of ours through to see whether the host is back.
    pub(super) probing: bool,
    /// What to show about the bot.
    pub(super) complaint: Option<String>,
}

impl Sender {
    fn new(link: Arc<Link>, held: Held) -> Self {
        let lanes = Lanes::new(link.telegram.config().budgets);
        Self {
            link,
            held,
            lanes,
            loaded: 0,
            behind: true,
            requests: JoinSet::new(),
            flying: HashMap::new(),
            finished: Vec::new(),
            holds: Vec::new(),
            stuck: false,
            probing: false,
            complaint: None,
        }
    }

    pub(super) fn telegram(&self) -> &Telegram {
        &self.link.telegram
    }

    /// The monotonic clock as the moments that [`Lanes`] knows.
    pub(super) fn now(&self) -> Timestamp {
        moment(self.link.hub.world().clock().monotonic())
    }

    /// A moment of the wall clock on the monotonic one.
    pub(super) fn on_lanes(&self, wall: Timestamp) -> Timestamp {
        self.now() + wall.since(self.link.hub.world().now())
    }

    async fn work(&mut self) -> Result<(), Error> {
        self.take_over().await?;
        while !self.link.stop.is_cancelled() {
            // After a failure the results go first and alone: they may be stored also when claims may not.
            let results_first = std::mem::take(&mut self.stuck) && !self.finished.is_empty();
            match self.held.keep().await {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => self.stumble("its lease could not be renewed", &error),
            }
            if let Err(error) = self.load().await {
                self.stumble("its outbox could not be read", &error);
            }
            let wake = self.advance(results_first).await;
            if let Some(detail) = self.complaint.take() {
                self.link.say(Status::Error, Some(&detail)).await;
            }
            self.wait(wake).await;
        }
        Ok(())
    }

    /// The database refuses something for now. Nothing in memory is lost; it is tried again shortly.
    fn stumble(&mut self, what: &str, error: &Error) {
        tracing::warn!(bot = %self.link.bot, %error, "a sender waits: {what}");
        self.stuck = true;
    }

    /// Settles what the former owner left behind and remembers what Telegram had asked for.
    async fn take_over(&mut self) -> Result<(), Error> {
        let (bot, fence) = (self.link.bot, self.held.lease().fence);
        let taken = self.link.hub.db().write_essential(self.link.workspace, move |tx| {
            let orphans = outbox::orphans(tx, bot.uuid(), fence)?;
            Ok::<_, Error>((orphans.len(), holds::take_over(tx, bot)?))
        });
        let (orphans, holds) = taken.await?;
        if orphans > 0 {
            tracing::warn!(%bot, orphans, "deliveries were under way when the server stopped; they are unknown now");
        }
        let wall = self.link.hub.world().now();
        for (chat, until) in holds {
            let hold = Hold { chat: chat.map(Arc::from), lasts: until.since(wall) };
            self.lanes.hold(&hold, self.now());
        }
        Ok(())
    }

    /// Reads what waits in the outbox behind what is in memory.
    async fn load(&mut self) -> Result<(), Error> {
        while self.behind && self.lanes.waiting() < MOST_IN_MEMORY {
            let (owner, after) = (self.link.bot.uuid(), self.loaded);
            let page = self.link.hub.db().read(move |tx| outbox::pending(tx, owner, after, PAGE)).await?;
            self.behind = i64::try_from(page.len()).is_ok_and(|length| length == PAGE);
            for delivery in page {
                self.loaded = delivery.position;
                self.push(&delivery);
            }
        }
        Ok(())
    }

    fn push(&mut self, delivery: &Delivery) {
        // A payload that this version cannot read has a lane of its own, where its claim ends it with a reason.
        let to = Payload::read(&delivery.payload).map_or_else(|| "?".into(), |payload| payload.to().into());
        let item = Item {
            id: delivery.id,
            position: delivery.position,
            class: delivery.class,
            to,
            not_before: delivery.next_at.map_or_else(Timestamp::default, |at| self.on_lanes(at)),
            expires_at: delivery.expires_at,
            tries: 0,
            refusals: 0,
        };
        let now = self.now();
        self.lanes.push(item, now);
    }

    /// Stores results, claims what may leave, and starts it. Returns when to look again.
    async fn advance(&mut self, results_first: bool) -> Option<Timestamp> {
        let (items, wake) = if results_first { (Vec::new(), None) } else { self.pick() };
        if items.is_empty() && self.finished.is_empty() && self.holds.is_empty() {
            return wake;
        }
        match step(&self.link.hub, self.link.workspace, self.step(items.clone())).await {
            Ok(claimed) => {
                self.committed(items, claimed);
                if results_first { Some(self.now()) } else { wake }
            }
            Err(error) => {
                tracing::warn!(bot = %self.link.bot, %error, "sending waits until the database takes it");
                self.stuck = true;
                for item in items {
                    self.settle(item, Settled::Again(Timestamp::default()));
                }
                self.give_probe_back();
                wake
            }
        }
    }

    fn step(&self, items: Vec<Item>) -> Step {
        Step {
            bot: self.link.bot,
            lease: self.held.lease().clone(),
            finished: self.finished.clone(),
            holds: self.holds.clone(),
            items,
        }
    }

    fn committed(&mut self, items: Vec<Item>, mut claimed: HashMap<DeliveryId, Delivery>) {
        self.finished.clear();
        self.holds.clear();
        for item in items {
            match claimed.remove(&item.id) {
                Some(delivery) => self.start(item, &delivery),
                // Discarded by a person, too late, or no longer ours to send.
                None => self.settle(item, Settled::Done),
            }
        }
        if self.flying.is_empty() {
            self.give_probe_back();
        }
    }

    /// What may leave now, as far as lease, requests under way, breaker and budgets allow; and when to look again.
    fn pick(&mut self) -> (Vec<Item>, Option<Timestamp>) {
        let mut items = Vec::new();
        let mut free = self.telegram().config().in_flight.saturating_sub(self.flying.len());
        let may_send = self.held.outlasts(self.telegram().config().send_margin());
        if self.lanes.waiting() == 0 || free == 0 || !may_send {
            return (items, None);
        }
        let monotonic = self.link.hub.world().clock().monotonic();
        let admission = self.telegram().breaker(self.link.server).admit(monotonic);
        match admission {
            Admission::Go => {}
            Admission::Probe => (free, self.probing) = (1, true),
            Admission::Wait(until) => return (items, Some(moment(until))),
        }
        let wake = loop {
            match self.lanes.next(moment(monotonic)) {
                Next::Ready(item) => items.push(item),
                Next::Wait(at) => break Some(at),
                Next::Idle => break None,
            }
            if items.len() >= free {
                break None;
            }
        };
        if items.is_empty() {
            self.give_probe_back();
        }
        (items, wake)
    }

    /// The breaker let one request through, and it did not come to it.
    fn give_probe_back(&mut self) {
        if std::mem::take(&mut self.probing) {
            let now = self.link.hub.world().clock().monotonic();
            self.telegram().breaker(self.link.server).withdraw(now);
        }
    }

    pub(super) fn settle(&mut self, item: Item, how: Settled) {
        let now = self.now();
        self.lanes.settle(item, how, now);
    }

    /// Sends a claimed item.
    fn start(&mut self, item: Item, delivery: &Delivery) {
        let claimed = Claimed { item, message: delivery.message };
        match Payload::read(&delivery.payload) {
            Some(payload) => {
                let timeout = self.telegram().config().http.request_timeout;
                let request = self.requests.spawn(post(self.link.api.clone(), payload, timeout));
                self.flying.insert(request.id(), claimed);
            }
            None => {
                let error = "this version of the server does not know how to send this".to_owned();
                self.decide(claimed, Verdict::Refused { error, unreachable: false });
            }
        }
    }

    /// Waits for something to do.
    async fn wait(&mut self, wake: Option<Timestamp>) {
        if !self.stuck && !self.finished.is_empty() {
            return;
        }
        let link = Arc::clone(&self.link);
        let clock = link.hub.world().clock();
        let now = clock.monotonic();
        let mut pause = self.held.renew_at().saturating_sub(now);
        if let Some(at) = wake {
            pause = pause.min(at.since(moment(now)));
        }
        let shared = link.hub.db().driver() == Driver::Postgres;
        if shared {
            pause = pause.min(LOOK_AGAIN);
        }
        if self.stuck {
            pause = pause.clamp(STUMBLE / 2, STUMBLE);
        }
        tokio::select! {
            () = link.stop.cancelled() => {}
            Some(ended) = self.requests.join_next_with_id() => self.landed(ended),
            () = link.work.notified() => self.behind = true,
            () = clock.sleep(pause) => self.behind |= shared,
        }
        while let Some(ended) = self.requests.try_join_next_with_id() {
            self.landed(ended);
        }
    }

    /// Waits for what is under way and stores how it ended.
    async fn drain(&mut self) {
        while let Some(ended) = self.requests.join_next_with_id().await {
            self.landed(ended);
        }
        for _ in 0..20 {
            if self.finished.is_empty() && self.holds.is_empty() {
                return;
            }
            match step(&self.link.hub, self.link.workspace, self.step(Vec::new())).await {
                Ok(_) => return,
                Err(error) => self.stumble("results could not be stored", &error),
            }
            self.link.hub.world().clock().sleep(STUMBLE / 2).await;
        }
    }
}

/// A reading of the monotonic clock as a moment.
fn moment(monotonic: Duration) -> Timestamp {
    Timestamp::default() + monotonic
}
