//! Numbers for operators (Prometheus), and what has to answer for the server to be ready. All of it belongs to a hub; there
//! are no globals, so two servers can live in one process.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::{BoxFuture, Hub};

/// A gauge of fractions.
pub type FloatGauge = Gauge<f64, AtomicU64>;

type Refresh = Arc<dyn Fn(Hub) -> BoxFuture<'static, ()> + Send + Sync>;

/// The registry and the numbers of the HTTP side.
pub struct Metrics {
    registry: Mutex<Registry>,
    refreshers: RwLock<Vec<Refresh>>,
    requests: Family<RequestLabels, Counter>,
    latency: Family<RouteLabels, Histogram, fn() -> Histogram>,
    routes: RwLock<HashMap<Box<str>, Text>>,
}

/// A label value that is cheap to copy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Text(Arc<str>);

impl EncodeLabelValue for Text {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        EncodeLabelValue::encode(&&*self.0, encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: Text,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: Text,
}

fn latency() -> Histogram {
    Histogram::new([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0])
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("switchboard");
        let requests = Family::default();
        let durations = Family::new_with_constructor(latency as fn() -> Histogram);
        registry.register("http_requests", "Answered requests by route pattern", requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "Time to the answer's head by route pattern",
            durations.clone(),
        );
        Self {
            registry: Mutex::new(registry),
            refreshers: RwLock::default(),
            requests,
            latency: durations,
            routes: RwLock::default(),
        }
    }

    /// Registers a feature's metrics: `metrics.register(|registry| registry.register("name", "help", gauge.clone()))`.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Has `refresh` called before each scrape, for gauges that are read from the database.
    pub fn before_scrape<F>(&self, refresh: F)
    where
        F: Fn(Hub) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    {
        self.refreshers.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(refresh));
    }

    /// Counts an answered request.
    pub(crate) fn request(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        let route = self.intern(route);
        self.latency.get_or_create(&RouteLabels { method, route: route.clone() }).observe(took.as_secs_f64());
        self.requests.get_or_create(&RequestLabels { method, route, status }).inc();
    }

    /// The shared text of a route pattern; there are only as many as the program has routes.
    fn intern(&self, route: &str) -> Text {
        if let Some(text) = self.routes.read().unwrap_or_else(PoisonError::into_inner).get(route) {
            return text.clone();
        }
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.entry(route.into()).or_insert_with(|| Text(route.into())).clone()
    }

    /// Everything in the text format.
    pub(crate) async fn scrape(&self, hub: &Hub) -> Result<String, fmt::Error> {
        let refreshers = self.refreshers.read().unwrap_or_else(PoisonError::into_inner).clone();
        for refresh in refreshers {
            refresh(hub.clone()).await;
        }
        let mut text = String::new();
        encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(text)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

type Check = Arc<dyn Fn(Hub) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What has to answer for the server to be ready.
#[derive(Default)]
pub struct Readiness {
    checks: RwLock<Vec<(&'static str, Check)>>,
    /// Held while the dependencies are asked. Anybody may ask, and the answer costs a write: one at a time cannot crowd out
    /// other work, however many ask.
    turn: tokio::sync::Mutex<()>,
}

impl Readiness {
    /// Adds a dependency; the error says in a sentence what is wrong with it.
    pub fn register<F>(&self, name: &'static str, check: F)
    where
        F: Fn(Hub) -> BoxFuture<'static, Result<(), String>> + Send + Sync + 'static,
    {
        self.checks.write().unwrap_or_else(PoisonError::into_inner).push((name, Arc::new(check)));
    }

    /// Waits for the turn to ask.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Asks every dependency.
    pub(crate) async fn ask(&self, hub: &Hub) -> Vec<(&'static str, Result<(), String>)> {
        let checks = self.checks.read().unwrap_or_else(PoisonError::into_inner).clone();
        let ask = checks.into_iter().map(|(name, check)| async move { (name, check(hub.clone()).await) });
        futures_util::future::join_all(ask).await
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Readiness")
    }
}
