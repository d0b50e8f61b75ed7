//! A sandbox that listens, and `switchboard sandbox`, which runs one alone.

use std::net::SocketAddr;

use anyhow::Context as _;
use sandbox::{Sandbox, SandboxConfig};
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
        // Whoever reaches an open sandbox plays its people and reads its bots' tokens.
        anyhow::ensure!(
            config.sandbox.public || address.ip().is_loopback(),
            "the sandbox would be open to everybody who reaches {address}; choose a loopback address such as \
             127.0.0.1:8081, or set `sandbox.public` (--sandbox-public), which puts it behind a link"
        );
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
}

/// `switchboard sandbox`: a sandbox without a server, for tests and other bots.
pub(crate) async fn run_alone(config: Config, listen: Option<String>) -> anyhow::Result<()> {
    crate::logging::start(&config.log)?;
    let stop = crate::serve::Stop::listen()?;
    let listen = listen.unwrap_or_else(|| config.sandbox.listen.clone());
    let playground = Playground::open(&config, &listen).await?;
    println!("{}", playground.announcement()?);
    Ok(playground.sandbox.serve(playground.listener, stop.asked()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn open(listen: &str, public: bool) -> anyhow::Result<String> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().display().to_string();
        let flags = vec![("data".to_owned(), data), ("sandbox.public".to_owned(), public.to_string())];
        let config = crate::config::load(None, |_| None, &flags)?;
        Playground::open(&config, listen).await?.announcement().map_err(Into::into)
    }

    #[tokio::test]
    async fn a_sandbox_that_other_machines_reach_is_behind_a_link() {
        for listen in ["0.0.0.0:0", "[::]:0"] {
            let refused = open(listen, false).await.expect_err(listen).to_string();
            assert!(refused.contains("--sandbox-public"), "{refused}");
        }
        assert!(open("0.0.0.0:0", true).await.expect("it may").contains("/play?key="));
        assert!(!open("127.0.0.1:0", false).await.expect("it may").contains("key="));
    }
}
