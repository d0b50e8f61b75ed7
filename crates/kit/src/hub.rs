//! The hub: what every part of a running server shares. It is the axum state, and cloning it is cheap.

use std::{fmt, sync::Arc};

use model::{SYSTEM_WORKSPACE, Seq, WorkspaceId, World};
use store::{Db, meta};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    Authenticator, HttpConfig, KeyRing,
    cursor::Cursors,
    limits::Limits,
    live::Live,
    metrics::{Metrics, Readiness},
    page::List,
    subscribe::Subscriptions,
    work::Workers,
};

/// See the module.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    db: Db,
    world: World,
    keys: KeyRing,
    config: HttpConfig,
    auth: Arc<dyn Authenticator>,
    limits: Limits,
    metrics: Metrics,
    readiness: Readiness,
    cursors: Cursors,
    live: Live,
    subscriptions: Subscriptions,
    workers: Workers,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    instance: Uuid,
}

/// Builds a [`Hub`].
pub struct HubBuilder {
    db: Db,
    world: World,
    keys: KeyRing,
    auth: Arc<dyn Authenticator>,
    config: HttpConfig,
}

impl HubBuilder {
    /// A hub on this database. The authenticator must have registered its commit hook already; see [`crate::auth`].
    #[must_use]
    pub fn new(db: Db, world: World, keys: KeyRing, auth: Arc<dyn Authenticator>) -> Self {
        Self { db, world, keys, auth, config: HttpConfig::default() }
    }

    /// Sets the configuration.
    #[must_use]
    pub fn config(mut self, config: HttpConfig) -> Self {
        self.config = config;
        self
    }

    /// Builds it and hangs it into the database's commits. Nothing runs until [`crate::serve`].
    ///
    /// # Errors
    /// What the database says.
    pub async fn build(self) -> Result<Hub, store::Error> {
        let Self { db, world, keys, auth, config } = self;
        let cursors = Cursors::new(keys.clone(), epoch(&db).await?);
        let live = Live::new(&db, &world, cursors.clone(), auth.clone(), config.streams_per_user).await?;
        let inner = Inner {
            limits: Limits::new(world.clone(), config.rates),
            metrics: Metrics::new(),
            readiness: Readiness::default(),
            subscriptions: Subscriptions::default(),
            workers: Workers::default(),
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
            instance: world.id::<()>().uuid(),
            cursors,
            live,
            db,
            world,
            keys,
            config,
            auth,
        };
        let hub = Hub(Arc::new(inner));
        hub.hook();
        Ok(hub)
    }
}

impl fmt::Debug for HubBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The installation's epoch: random, made with the database and made anew by a restore.
async fn epoch(db: &Db) -> Result<[u8; 16], store::Error> {
    let hex = db.write_essential(SYSTEM_WORKSPACE, |tx| {
        if let Some(epoch) = meta::get(tx, meta::EPOCH)? {
            return Ok(epoch);
        }
        let epoch = Uuid::from_bytes(tx.world().random()).simple().to_string();
        meta::set(tx, meta::EPOCH, &epoch)?;
        Ok::<_, store::Error>(epoch)
    });
    let epoch = Uuid::try_parse(&hex.await?).map_err(|_| store::Error::Corrupt("meta epoch".to_owned()))?;
    Ok(*epoch.as_bytes())
}

impl Hub {
    /// The commit hook: live streams first (revocation must be seen before anything else moves), then who follows the log.
    fn hook(&self) {
        let weak = Arc::downgrade(&self.0);
        self.0.db.on_commit(Arc::new(move |committed| {
            if let Some(inner) = weak.upgrade() {
                inner.live.absorb(committed.workspace, &committed.events);
                inner.subscriptions.absorb(committed.workspace, &committed.events);
                if committed.jobs {
                    inner.workers.wake();
                }
            }
        }));
    }

    /// The database.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// Clock, ids and randomness.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.0.world
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &KeyRing {
        &self.0.keys
    }

    /// The configuration of the HTTP side.
    #[must_use]
    pub fn config(&self) -> &HttpConfig {
        &self.0.config
    }

    /// Who knows tokens.
    #[must_use]
    pub fn auth(&self) -> &dyn Authenticator {
        &*self.0.auth
    }

    /// Rate cells.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Numbers for operators.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// What has to answer for the server to be ready.
    #[must_use]
    pub fn readiness(&self) -> &Readiness {
        &self.0.readiness
    }

    /// The live streams.
    #[must_use]
    pub fn live(&self) -> &Live {
        &self.0.live
    }

    /// Who follows the log, and whether they are up to date.
    #[must_use]
    pub fn subscriptions(&self) -> &Subscriptions {
        &self.0.subscriptions
    }

    /// Who runs jobs.
    pub(crate) fn workers(&self) -> &Workers {
        &self.0.workers
    }

    /// Cancelled when background work has to stop; requests in flight are finished by then.
    #[must_use]
    pub fn shutdown(&self) -> &CancellationToken {
        &self.0.shutdown
    }

    /// Tasks that a stop waits for: spawn background work here, and let it watch [`Self::shutdown`].
    #[must_use]
    pub fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    /// Names this process as the owner of leases.
    #[must_use]
    pub fn instance(&self) -> Uuid {
        self.0.instance
    }

    /// The live cursor of a place in a workspace's log, for answers of a shape of their own.
    #[must_use]
    pub fn live_cursor(&self, workspace: WorkspaceId, head: Seq) -> String {
        self.0.cursors.make(workspace, head)
    }

    /// Names a list for [`crate::Paging`].
    #[must_use]
    pub fn list(&self, workspace: WorkspaceId, name: &'static str) -> List {
        List::new(self.0.keys.clone(), self.0.cursors.clone(), workspace, name)
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("instance", &self.0.instance).finish_non_exhaustive()
    }
}
