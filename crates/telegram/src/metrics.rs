//! The feature's numbers for operators.

use kit::Hub;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};
use store::outbox;

use crate::{feature::Telegram, inbound::apply::Applied, model::Api, out::verdict::Verdict};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Class {
    class: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Host {
    host: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Scope {
    scope: &'static str,
}

/// Cheap to clone; every clone counts into the same numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers {
    updates: Family<Outcome, Counter>,
    sends: Family<Outcome, Counter>,
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
        let all = [("applied", applied.fresh), ("repeated", applied.repeated), ("raw", applied.raw)];
        for (outcome, count) in all {
            self.updates.get_or_create(&Outcome { outcome }).inc_by(count);
        }
    }

    pub(crate) fn sent(&self, verdict: &Verdict) {
        let outcome = match verdict {
            Verdict::Sent { .. } => "sent",
            Verdict::Limited { .. } => "limited",
            Verdict::HostInTrouble(_) => "host_in_trouble",
            Verdict::NotSent(_) => "not_sent",
            Verdict::Unclear(_) => "unclear",
            Verdict::Refused { .. } => "refused",
            Verdict::TokenRefused(_) => "token_refused",
        };
        self.sends.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn held(&self, whole_bot: bool) {
        self.holds.get_or_create(&Scope { scope: if whole_bot { "bot" } else { "chat" } }).inc();
    }
}
