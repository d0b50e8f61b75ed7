//! The feature's shared state, and what wires it into a server.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::Extension;
use chats::Chats;
use kit::{Feature, Hub};
use model::{BotId, Secret};
use net::{Breaker, BreakerSettings, BuildError, Http};
use tokio::sync::Notify;

use crate::{
    api::BotApi,
    config::{SandboxControl, TelegramConfig},
    jobs,
    link::Link,
    metrics::Numbers,
    model::{Api, Bot, BotRow},
    reseal, routes, supervisor,
};

/// The feature. Cloning is cheap, and every clone is the same.
#[derive(Clone)]
pub struct Telegram(Arc<Inner>);

struct Inner {
    config: TelegramConfig,
    http: Http,
    chats: Chats,
    sandbox: Option<Arc<dyn SandboxControl>>,
    /// The bots that this process works for.
    links: RwLock<HashMap<BotId, Arc<Link>>>,
    /// Bots may have changed.
    changed: Notify,
    breakers: [Mutex<Breaker>; 2],
    numbers: Numbers,
    hooked: AtomicBool,
}

impl Telegram {
    /// The feature on this trunk; `sandbox` makes bots when a sandbox runs in this process.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up from the configuration.
    pub fn new(
        config: TelegramConfig,
        chats: Chats,
        sandbox: Option<Arc<dyn SandboxControl>>,
    ) -> Result<Self, BuildError> {
        let breaker = || Mutex::new(Breaker::new(BreakerSettings::default()));
        Ok(Self(Arc::new(Inner {
            http: Http::new(&config.http)?,
            config,
            chats,
            sandbox,
            links: RwLock::default(),
            changed: Notify::new(),
            breakers: [breaker(), breaker()],
            numbers: Numbers::default(),
            hooked: AtomicBool::new(false),
        })))
    }

    /// What the server runs.
    #[must_use]
    pub fn feature(&self) -> Feature {
        let telegram = self.clone();
        Feature::new("telegram")
            .api(routes::all().layer(Extension(self.clone())))
            .plain(routes::plain().layer(Extension(self.clone())))
            .job(jobs::Forget)
            .job(jobs::Bury)
            .service("telegram", move |hub| supervisor::run(hub, telegram.clone()))
            .service("telegram.reseal", reseal::run)
    }

    pub(crate) fn config(&self) -> &TelegramConfig {
        &self.0.config
    }

    pub(crate) fn chats(&self) -> &Chats {
        &self.0.chats
    }

    pub(crate) fn sandbox(&self) -> Option<&Arc<dyn SandboxControl>> {
        self.0.sandbox.as_ref()
    }

    pub(crate) fn numbers(&self) -> &Numbers {
        &self.0.numbers
    }

    /// The breaker of a Bot API server; hold it only for a moment.
    pub(crate) fn breaker(&self, api: Api) -> MutexGuard<'_, Breaker> {
        let index = match api {
            Api::Telegram => 0,
            Api::Sandbox => 1,
        };
        self.0.breakers[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client for a token; `None` when it is for a sandbox and none runs.
    pub(crate) fn bot_api(&self, api: Api, token: Secret) -> Option<BotApi> {
        let base = match api {
            Api::Telegram => Some(self.config().api_url.clone()),
            Api::Sandbox => self.config().sandbox_url.clone().or_else(|| self.sandbox()?.api_url()),
        };
        base.map(|base| BotApi::new(self.0.http.clone(), &base, token))
    }

    /// A bot as clients see it.
    pub(crate) fn view(&self, row: &BotRow) -> Bot {
        let play_url = match (row.api, self.sandbox()) {
            (Api::Sandbox, Some(sandbox)) => Some(sandbox.play_url(&row.username)),
            _ => None,
        };
        row.view(play_url)
    }

    /// The bot, if this process works for it.
    pub(crate) fn link(&self, bot: BotId) -> Option<Arc<Link>> {
        self.0.links.read().unwrap_or_else(PoisonError::into_inner).get(&bot).cloned()
    }

    pub(crate) fn set_link(&self, bot: BotId, link: Option<Arc<Link>>) {
        let mut links = self.0.links.write().unwrap_or_else(PoisonError::into_inner);
        match link {
            Some(link) => drop(links.insert(bot, link)),
            None => drop(links.remove(&bot)),
        }
    }

    /// Stops whatever a supervisor that broke off left at work.
    pub(crate) fn stop_links(&self) {
        let mut links = self.0.links.write().unwrap_or_else(PoisonError::into_inner);
        links.drain().for_each(|(_, link)| link.stop.cancel());
    }

    /// Has every sender look again at what it may send.
    pub(crate) fn wake_all(&self) {
        let links = self.0.links.read().unwrap_or_else(PoisonError::into_inner);
        links.values().for_each(|link| link.work.notify_one());
    }

    /// Resolves when bots may have changed.
    pub(crate) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// Hangs itself into the commits and the metrics of the hub, once: new deliveries wake their bot's sender, changes of
    /// bots wake the supervisor.
    pub(crate) fn hook(&self, hub: &Hub) {
        if self.0.hooked.swap(true, Ordering::SeqCst) {
            return;
        }
        self.0.numbers.register(hub, self);
        let weak = Arc::downgrade(&self.0);
        hub.db().on_commit(Arc::new(move |committed| {
            let Some(inner) = weak.upgrade() else { return };
            if committed.events.iter().any(|event| event.kind.starts_with("bot.")) {
                inner.changed.notify_one();
            }
            if !committed.deliveries.is_empty() {
                let links = inner.links.read().unwrap_or_else(PoisonError::into_inner);
                for delivery in &committed.deliveries {
                    if let Some(link) = links.get(&BotId::from_uuid(delivery.owner)) {
                        link.work.notify_one();
                    }
                }
            }
        }));
    }
}
