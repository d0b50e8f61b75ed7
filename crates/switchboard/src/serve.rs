//! `switchboard serve`: opens everything, says where it is, and runs until it is asked to stop.

use std::{net::SocketAddr, path::Path, sync::Arc};

use anyhow::Context as _;
use identity::{Identity, SetupCode};
use kit::KeyRing;
use model::{SYSTEM_WORKSPACE, Secret, World};
use store::{Db, Error};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};

use crate::{
    beside::{Beside, is_offered},
    config::Config,
    features::{self, Parts},
};

/// Where the database remembers which master key it was made with; a backup carries it.
const KEY_CHECK: &str = "key_check";

/// Runs the server.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    crate::logging::start(&config.log)?;
    let stop = Stop::listen()?;
    let world = features::system_world();
    let db = open_database(&config, world.clone()).await?;
    let keys = open_keys(&config, &db, world.clone()).await?;
    let listener = bind(&config.listen).await?;
    let address = listener.local_addr()?;
    let public_url = public_url(&config, address);
    let beside = is_offered(&config, address).then(|| Beside::new(config.clone(), db.clone()));
    let (setup_code, shown_code) = setup_code(&config, &world)?;
    let parts = Parts {
        sandbox: beside.clone().map(|it| Arc::new(it) as _),
        public_url: public_url.clone(),
        setup_code,
        keys,
        world,
        db: db.clone(),
    };
    let (hub, features, identity) = features::build(&config, parts).await?;

    if let Some(beside) = &beside {
        beside.start_if_wanted().await?;
    }
    announce(address, &public_url, &identity, &shown_code).await?;
    kit::serve(hub, features, listener, stop.asked()).await?;
    // Only now: what was in flight could still reach the sandbox.
    if let Some(beside) = &beside {
        beside.stop().await?;
    }
    db.close().await;
    Ok(())
}

/// Opens the database, with a sentence for the errors that a person can do something about.
pub(crate) async fn open_database(config: &Config, world: World) -> anyhow::Result<Db> {
    let opened = Db::open(config.db(), world).await;
    opened.map_err(|error| match error {
        Error::Locked => anyhow::anyhow!(
            "the data folder {} is in use by another process; stop it or choose another folder with --data",
            config.data.display()
        ),
        other => anyhow::anyhow!("cannot open the database: {other}"),
    })
}

/// Opens the master keys and makes sure that they are those of this database.
pub(crate) async fn open_keys(config: &Config, db: &Db, world: World) -> anyhow::Result<KeyRing> {
    let ring = if config.keys.master.expose().is_empty() {
        let file = config.key_file();
        KeyRing::load(&file, world).with_context(|| format!("key file {}", file.display()))?
    } else {
        KeyRing::parse(config.keys.master.expose(), world).context("setting `keys.master`")?
    };
    let value = ring.check_value();
    let known: Result<Option<String>, Error> = db
        .write_essential(SYSTEM_WORKSPACE, move |tx| {
            let known = store::meta::get(tx, KEY_CHECK)?;
            if known.is_none() {
                store::meta::set(tx, KEY_CHECK, &value)?;
            }
            Ok(known)
        })
        .await;
    match known? {
        Some(known) if !ring.knows(&known) => anyhow::bail!(
            "the master key is not the one that this database was made with; give the right key file or `keys.master`"
        ),
        _ => Ok(ring),
    }
}

async fn bind(listen: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}; choose another address with --listen"))
}

fn public_url(config: &Config, address: SocketAddr) -> String {
    let configured = config.public_url.trim_end_matches('/');
    if configured.is_empty() { format!("http://{address}") } else { configured.to_owned() }
}

fn setup_code(config: &Config, world: &World) -> anyhow::Result<(SetupCode, Secret)> {
    let given = &config.setup_code;
    if given.expose().is_empty() {
        return Ok(SetupCode::random(world));
    }
    Ok((SetupCode::given(given)?, given.clone()))
}

/// The lines that a person, or a script, reads. The setup link goes to the terminal only, never to the log.
async fn announce(address: SocketAddr, public_url: &str, identity: &Identity, code: &Secret) -> anyhow::Result<()> {
    println!("listening on http://{address}");
    if identity.needs_setup().await? {
        println!("setup: {}", SetupCode::link(public_url, code));
    }
    if !web::is_built() {
        println!("the web app is not built into this binary: `make run` builds it");
    }
    Ok(())
}

/// What asks the process to end. It listens from the moment that it is made, so a stop during the start is orderly too.
pub(crate) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Resolves when the process is asked to end.
    pub(crate) async fn asked(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Whether a path can be written below `folder`.
pub(crate) fn is_writable(folder: &Path) -> bool {
    let probe = folder.join(".write-probe");
    std::fs::create_dir_all(folder).is_ok()
        && std::fs::write(&probe, b"").is_ok()
        && std::fs::remove_file(probe).is_ok()
}
