//! The sandbox beside the server, or alone.

use std::net::SocketAddr;

use anyhow::Context as _;
use kit::BoxFuture;
use model::Secret;
use sandbox::{Sandbox, SandboxConfig};
use telegram::{SandboxBot, SandboxControl};
use tokio::net::TcpListener;

use crate::config::Config;

/// A sandbox that listens.
pub(crate) struct Playground {
    pub(crate) sandbox: Sandbox,
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
    public: bool,
}

impl Playground {
    /// Opens the sandbox and its listener.
    pub(crate) async fn open(config: &Config, listen: &str) -> anyhow::Result<Self> {
        let journal = Some(config.sandbox.journal.clone()).filter(|path| !path.as_os_str().is_empty());
        std::fs::create_dir_all(&config.data).context("data folder")?;
        let settings = SandboxConfig {
            data: Some(config.data.join("sandbox")),
            public: config.sandbox.public,
            enforce_limits: true,
            journal,
            ..SandboxConfig::default()
        };
        let sandbox = Sandbox::new(settings).context("the sandbox's data")?;
        let listener =
            TcpListener::bind(listen).await.with_context(|| format!("the sandbox cannot listen on {listen}"))?;
        let address = listener.local_addr()?;
        Ok(Self { sandbox, listener, address, public: config.sandbox.public })
    }

    /// Where people reach it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The line that tells people where to go; a public sandbox opens by a link of its own only.
    pub(crate) fn announcement(&self) -> std::io::Result<String> {
        if !self.public {
            return Ok(format!("sandbox on {}", self.url()));
        }
        Ok(format!("sandbox on {}/play?key={}", self.url(), self.sandbox.play_key()?))
    }

    /// What the Telegram feature needs of it.
    pub(crate) fn control(&self) -> Control {
        Control { sandbox: self.sandbox.clone(), url: self.url() }
    }
}

/// Makes bots in the sandbox.
pub(crate) struct Control {
    sandbox: Sandbox,
    url: String,
}

impl SandboxControl for Control {
    fn create_bot(&self, name: String) -> BoxFuture<'_, Result<SandboxBot, String>> {
        let made = self.sandbox.create_bot(&name, None).map_err(|e| e.to_string());
        Box::pin(std::future::ready(made.map(|bot| SandboxBot { token: Secret::new(bot.token) })))
    }

    fn play_url(&self, username: &str) -> String {
        format!("{}/play/{username}", self.url)
    }
}

/// `switchboard sandbox`: a sandbox without a server, for tests and other bots.
pub(crate) async fn run_alone(config: Config, listen: Option<String>) -> anyhow::Result<()> {
    crate::logging::start(&config.log)?;
    let listen = listen.unwrap_or_else(|| config.sandbox.listen.clone());
    let playground = Playground::open(&config, &listen).await?;
    println!("{}", playground.announcement()?);
    Ok(playground.sandbox.serve(playground.listener, crate::serve::asked_to_stop()).await?)
}
