//! The sandbox beside the server. It runs when the configuration says so, or from the moment that somebody chooses it: on the
//! setup page, or under Settings. That choice is remembered, so its bots are there again after a restart.

use std::{net::SocketAddr, sync::Arc};

use kit::BoxFuture;
use model::{SYSTEM_WORKSPACE, Secret};
use sandbox::Sandbox;
use store::{Db, Error, meta};
use telegram::{SandboxBot, SandboxControl};
use tokio::{
    sync::{OnceCell, watch},
    task::JoinHandle,
};

use crate::{config::Config, playground::Playground};

/// Where the choice is remembered.
const CHOSEN: &str = "sandbox";

/// The sandbox, running or not yet. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Beside(Arc<Inner>);

struct Inner {
    config: Config,
    db: Db,
    running: OnceCell<Running>,
    stop: watch::Sender<bool>,
}

struct Running {
    sandbox: Sandbox,
    url: String,
    serving: std::sync::Mutex<Option<JoinHandle<std::io::Result<()>>>>,
}

/// Whether people may choose the sandbox: on a server that is being tried on this machine, and nowhere else.
pub(crate) fn is_offered(config: &Config, address: SocketAddr) -> bool {
    config.sandbox.enabled || (config.sandbox.offer && config.public_url.is_empty() && address.ip().is_loopback())
}

impl Beside {
    pub(crate) fn new(config: Config, db: Db) -> Self {
        Self(Arc::new(Inner { config, db, running: OnceCell::new(), stop: watch::Sender::new(false) }))
    }

    /// Starts it if it is configured, or was chosen before.
    ///
    /// # Errors
    /// When it cannot listen, and the configuration asks for it.
    pub(crate) async fn start_if_wanted(&self) -> anyhow::Result<()> {
        if self.0.config.sandbox.enabled {
            return self.start().await.map(drop);
        }
        let chosen: Option<String> = self.0.db.read(|tx| meta::get(tx, CHOSEN)).await.map_err(|e: Error| e)?;
        if chosen.is_some()
            && let Err(error) = self.start().await
        {
            tracing::warn!("the sandbox that was chosen before cannot be started: {error:#}");
        }
        Ok(())
    }

    async fn start(&self) -> anyhow::Result<&Running> {
        self.0.running.get_or_try_init(|| self.open()).await
    }

    async fn open(&self) -> anyhow::Result<Running> {
        let playground = Playground::open(&self.0.config, &self.0.config.sandbox.listen).await?;
        let (sandbox, url) = (playground.sandbox.clone(), playground.url());
        println!("{}", playground.announcement()?);
        let mut stop = self.0.stop.subscribe();
        let serving = tokio::spawn(playground.sandbox.serve(playground.listener, async move {
            // An error means that the sender is gone, which is a stop as well.
            drop(stop.wait_for(|stop| *stop).await);
        }));
        Ok(Running { sandbox, url, serving: std::sync::Mutex::new(Some(serving)) })
    }

    async fn remember(&self) -> Result<(), Error> {
        self.0.db.write(SYSTEM_WORKSPACE, |tx| meta::set(tx, CHOSEN, "chosen")).await
    }

    /// Stops it, when nothing that is under way can still need it.
    pub(crate) async fn stop(&self) -> anyhow::Result<()> {
        self.0.stop.send_replace(true);
        let Some(running) = self.0.running.get() else { return Ok(()) };
        let serving = running.serving.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        match serving {
            Some(serving) => Ok(serving.await??),
            None => Ok(()),
        }
    }
}

impl SandboxControl for Beside {
    fn create_bot(&self, name: String) -> BoxFuture<'_, Result<SandboxBot, String>> {
        Box::pin(async move {
            let running = self.start().await.map_err(|error| format!("{error:#}"))?;
            self.remember().await.map_err(|error| error.to_string())?;
            let bot = running.sandbox.create_bot(&name, None).map_err(|error| error.to_string())?;
            Ok(SandboxBot { token: Secret::new(bot.token) })
        })
    }

    fn api_url(&self) -> Option<String> {
        self.0.running.get().map(|running| running.url.clone())
    }

    fn play_url(&self, username: &str) -> String {
        let base = self.api_url().unwrap_or_else(|| format!("http://{}", self.0.config.sandbox.listen));
        format!("{base}/play/{username}")
    }
}
