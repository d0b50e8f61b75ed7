//! The feature's numbers for operators.

use kit::Hub;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};
use store::outbox;

use crate::{feature::Telegram, inbound::apply::Applied, model::Api, out::verdict::Verdict};

/// What became of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
enum UpdateOutcome {
    Applied,
    Repeated,
    Raw,
}

/// How a request to send ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
enum SendOutcome {
    Sent,
    Limited,
    HostInTrouble,
    NotSent,
    Unclear,
    Refused,
    TokenRefused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfUpdate {
    outcome: UpdateOutcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfSend {
    outcome: SendOutcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Class {
    class: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Host {
    host: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Scope {
    scope: HoldScope,
}

/// What a hold holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
enum HoldScope {
    Chat,
    Bot,
}

/// Cheap to clone; every clone counts into the same numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers {
    updates: Family<OfUpdate, Counter>,
    sends: Family<OfSend, Counter>,
    holds: Family<Scope, Counter>,
    breakers: Family<Host, Gauge>,
    queue_age: Family<Class, Gauge>,
}

impl Numbers {
    /// Registers everything; once per hub.
    pub(crate) fn register(&self, hub: &Hub, telegram: &Telegram) {
        hub.metrics().register(|registry| {
            registry.register("telegram_updates", "Updates by what became of them", self.updates.clone());
            registry.register("telegram_sends", "Requests to send by how they ended", self.sends.clone());
            registry.register(
                "telegram_holds",
                "Times that Telegram asked to wait, by what it held",
                self.holds.clone(),
            );
            registry.register("telegram_breaker_open", "1 while a Bot API server is left alone", self.breakers.clone());
            registry.register(
                "deliveries_oldest_waiting_seconds",
                "Age of the oldest waiting delivery of a class",
                self.queue_age.clone(),
            );
        });
        let (numbers, telegram) = (self.clone(), telegram.clone());
        hub.metrics().before_scrape(move |hub| {
            let (numbers, telegram) = (numbers.clone(), telegram.clone());
            Box::pin(async move { numbers.refresh(&hub, &telegram).await })
        });
    }

    async fn refresh(&self, hub: &Hub, telegram: &Telegram) {
        for (api, host) in [(Api::Telegram, "telegram"), (Api::Sandbox, "sandbox")] {
            let open = telegram.breaker(api).state() != net::BreakerState::Closed;
            self.breakers.get_or_create(&Host { host }).set(i64::from(open));
        }
        let now = hub.world().now();
        let Ok(oldest) = hub.db().read(outbox::oldest_waiting).await else { return };
        for class in model::DeliveryClass::ALL {
            let since = oldest.iter().find(|(it, _)| it == class).map_or(now, |(_, since)| *since);
            let label = Class { class: format!("{class:?}").to_lowercase() };
            let seconds = i64::try_from(now.since(since).as_secs()).unwrap_or(i64::MAX);
            self.queue_age.get_or_create(&label).set(seconds);
        }
    }

    pub(crate) fn applied(&self, applied: Applied) {
        let all = [
            (UpdateOutcome::Applied, applied.fresh),
            (UpdateOutcome::Repeated, applied.repeated),
            (UpdateOutcome::Raw, applied.raw),
        ];
        for (outcome, count) in all {
            self.updates.get_or_create(&OfUpdate { outcome }).inc_by(count);
        }
    }

    pub(crate) fn sent(&self, verdict: &Verdict) {
        let outcome = match verdict {
            Verdict::Sent { .. } => SendOutcome::Sent,
            Verdict::Limited { .. } => SendOutcome::Limited,
            Verdict::HostInTrouble(_) => SendOutcome::HostInTrouble,
            Verdict::NotSent(_) => SendOutcome::NotSent,
            Verdict::Unclear(_) => SendOutcome::Unclear,
            Verdict::Refused { .. } => SendOutcome::Refused,
            Verdict::TokenRefused(_) => SendOutcome::TokenRefused,
        };
        self.sends.get_or_create(&OfSend { outcome }).inc();
    }

    pub(crate) fn held(&self, whole_bot: bool) {
        let scope = if whole_bot { HoldScope::Bot } else { HoldScope::Chat };
        self.holds.get_or_create(&Scope { scope }).inc();
    }
}
