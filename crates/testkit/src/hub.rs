//! A running server.

use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use kit::{Authenticator, BoxFuture, Feature, HttpConfig, Hub, HubBuilder, KeyRing, Rates};
use model::{Right, Role, World};
use serde_json::json;
use store::{Db, DbConfig, Driver};
use tokio::{net::TcpListener, sync::OnceCell, sync::oneshot, task::JoinHandle};

use crate::{Actor, ManualClock, SeededEntropy, clean, database::Database, log, soon, wire::Wire};

/// The setup code that a plan has to configure for [`TestHub::owner`] to work.
pub const SETUP_CODE: &str = "setup-code-of-the-tests";
/// Everybody's password.
const PASSWORD: &str = "correct horse battery staple";

/// What exists before the hub: features and the authenticator are made from it.
pub struct Parts {
    /// The database.
    pub db: Db,
    /// Clock, ids, randomness.
    pub world: World,
    /// The keys.
    pub keys: KeyRing,
    /// The configuration.
    pub config: HttpConfig,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Makes a second workspace with an owner, for [`TestHub::foreign`]; there is no route that does.
pub type Founder = Arc<dyn Fn(Hub, NewWorkspace) -> BoxFuture<'static, ()> + Send + Sync>;

/// What a [`Founder`] makes.
#[derive(Debug, Clone)]
pub struct NewWorkspace {
    /// The workspace's name.
    pub workspace: String,
    /// The owner's name.
    pub name: String,
    /// His e-mail.
    pub email: String,
    /// His password.
    pub password: String,
}

/// What runs: an authenticator and features.
pub struct Plan {
    authenticator: Arc<dyn Authenticator>,
    features: Vec<Feature>,
    founder: Option<Founder>,
}

impl Plan {
    /// Only the platform.
    #[must_use]
    pub fn new(authenticator: Arc<dyn Authenticator>) -> Self {
        Self { authenticator, features: Vec::new(), founder: None }
    }

    /// Adds a feature.
    #[must_use]
    pub fn feature(mut self, feature: Feature) -> Self {
        self.features.push(feature);
        self
    }

    /// Says how a second workspace is made.
    #[must_use]
    pub fn founder(mut self, founder: Founder) -> Self {
        self.founder = Some(founder);
        self
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("features", &self.features).finish_non_exhaustive()
    }
}

type MakePlan = Arc<dyn Fn(&Parts) -> Plan + Send + Sync>;

/// Builds a [`TestHub`].
#[derive(Clone)]
pub struct Builder {
    plan: Option<MakePlan>,
    configure: Arc<dyn Fn(&mut HttpConfig) + Send + Sync>,
    store: Arc<dyn Fn(&mut DbConfig) + Send + Sync>,
    seed: u64,
}

impl Builder {
    /// Sets what runs. It is called again when the hub is restarted.
    #[must_use]
    pub fn features(mut self, plan: impl Fn(&Parts) -> Plan + Send + Sync + 'static) -> Self {
        self.plan = Some(Arc::new(plan));
        self
    }

    /// Changes the configuration. Rates are far away by default, because the clock stands still.
    #[must_use]
    pub fn config(mut self, configure: impl Fn(&mut HttpConfig) + Send + Sync + 'static) -> Self {
        self.configure = Arc::new(configure);
        self
    }

    /// Changes the database's configuration.
    #[must_use]
    pub fn store(mut self, configure: impl Fn(&mut DbConfig) + Send + Sync + 'static) -> Self {
        self.store = Arc::new(configure);
        self
    }

    /// Sets the seed of randomness.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Starts the server.
    ///
    /// # Panics
    /// When it does not start, or nothing was said about what runs.
    pub async fn start(self) -> TestHub {
        log::install();
        let database = Arc::new(Database::make().await);
        let kept = Kept { database, clock: ManualClock::default(), lives: Arc::new(AtomicU64::new(0)) };
        TestHub::boot(self, kept).await
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Builder")
    }
}

/// What outlives a restart, and what the nodes of one installation share.
#[derive(Clone)]
struct Kept {
    database: Arc<Database>,
    clock: ManualClock,
    /// A server that starts again has other random numbers.
    lives: Arc<AtomicU64>,
}

/// A running server with a database of its own. It has to be [finished](Self::finish).
pub struct TestHub {
    hub: Hub,
    wire: Wire,
    builder: Builder,
    kept: Option<Kept>,
    founder: Option<Founder>,
    running: Option<(oneshot::Sender<()>, JoinHandle<std::io::Result<()>>)>,
    owner: OnceCell<Actor>,
    foreign: OnceCell<Actor>,
    next_person: AtomicU64,
    pub(crate) undelivered_allowed: bool,
}

impl TestHub {
    /// A hub in the making.
    #[must_use]
    pub fn builder() -> Builder {
        Builder { plan: None, configure: Arc::new(|_| ()), store: Arc::new(|_| ()), seed: 1 }
    }

    async fn boot(builder: Builder, kept: Kept) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("it is bound"));
        let seed = builder.seed * 1000 + kept.lives.fetch_add(1, Ordering::Relaxed);
        let world = World::new(Arc::new(kept.clock.clone()), Arc::new(SeededEntropy::new(seed)));
        let mut store = kept.database.config();
        (builder.store)(&mut store);
        let db = Db::open(store, world.clone()).await.expect("the database opens");
        let keys = KeyRing::load(&kept.database.folder().join("keys"), world.clone()).expect("a key file");
        let far = Rates { per_address: 100_000, per_user: 100_000, per_key: 100_000 };
        let mut config = HttpConfig { public_url: base.clone(), rates: far, ..HttpConfig::default() };
        (builder.configure)(&mut config);
        let plan = builder.plan.clone().expect("a test says what runs: .features(…)");
        let parts = Parts { db, world, keys, config };
        let plan = plan(&parts);
        let Parts { db, world, keys, config } = parts;
        let hub = HubBuilder::new(db, world, keys, plan.authenticator).config(config).build().await.expect("a hub");
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(kit::serve(hub.clone(), plan.features, listener, async {
            // Whoever drops the sender wants the server to stop as well.
            drop(stopped.await);
        }));
        Self {
            wire: Wire::new(base),
            hub,
            builder,
            kept: Some(kept),
            founder: plan.founder,
            running: Some((stop, serving)),
            owner: OnceCell::new(),
            foreign: OnceCell::new(),
            next_person: AtomicU64::new(1),
            undelivered_allowed: false,
        }
    }

    /// The hub itself, for looking inside.
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// The database, for looking inside.
    #[must_use]
    pub fn db(&self) -> &Db {
        self.hub.db()
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &ManualClock {
        &self.kept().clock
    }

    /// The folder of its data.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.kept().database.folder()
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        self.wire.base()
    }

    fn kept(&self) -> &Kept {
        self.kept.as_ref().expect("it is only taken at the end")
    }

    /// Somebody without a token.
    #[must_use]
    pub fn stranger(&self) -> Actor {
        Actor::new(self.wire.clone(), None)
    }

    /// Somebody with this token.
    #[must_use]
    pub fn with_token(&self, token: impl Into<String>) -> Actor {
        Actor::new(self.wire.clone(), Some(token.into()))
    }

    /// The owner of the first workspace, who sets the server up when he is first asked for.
    pub async fn owner(&self) -> Actor {
        let set_up = || async {
            let body = json!({
                "code": SETUP_CODE, "workspace": "Acme", "name": "Olga Owner", "email": "owner@acme.test", "password": PASSWORD,
            });
            let reply = self.stranger().post("/api/v1/setup", body).await.expect(201);
            Actor::signed_in(self.wire.clone(), &reply)
        };
        self.owner.get_or_init(set_up).await.clone()
    }

    /// A new member of the first workspace with this role.
    pub async fn member(&self, role: Role) -> Actor {
        let number = self.next_person.fetch_add(1, Ordering::Relaxed);
        let email = format!("{role}{number}@acme.test");
        let body = json!({ "email": email, "role": role });
        let invited = self.owner().await.post("/api/v1/invitations", body).await.expect(201);
        let token = invited.str("/link").split_once('#').expect("the token is in the fragment").1.to_owned();
        let body = json!({ "token": token, "name": format!("{role} {number}"), "password": PASSWORD });
        let reply = self.stranger().post("/api/v1/invitations/accept", body).await.expect(201);
        Actor::signed_in(self.wire.clone(), &reply)
    }

    /// Somebody signs in with his e-mail and everybody's password, on another device.
    pub async fn login(&self, email: &str) -> Actor {
        let body = json!({ "email": email, "password": PASSWORD });
        let reply = self.stranger().post("/api/v1/auth/login", body).await.expect(200);
        Actor::signed_in(self.wire.clone(), &reply)
    }

    /// A new API key of the first workspace.
    pub async fn key(&self, scopes: &[Right]) -> Actor {
        let body = json!({ "name": "a key of the tests", "scopes": scopes });
        let made = self.owner().await.post("/api/v1/keys", body).await.expect(201);
        self.with_token(made.str("/secret"))
    }

    /// The owner of another workspace.
    ///
    /// # Panics
    /// When the plan has no [`Founder`].
    pub async fn foreign(&self) -> Actor {
        let found = || async {
            let new = NewWorkspace {
                workspace: "Elsewhere".to_owned(),
                name: "Felix Foreign".to_owned(),
                email: "foreign@elsewhere.test".to_owned(),
                password: PASSWORD.to_owned(),
            };
            let founder = self.founder.clone().expect("the plan says how a second workspace is made");
            founder(self.hub.clone(), new.clone()).await;
            self.login(&new.email).await
        };
        self.foreign.get_or_init(found).await.clone()
    }

    /// Says that deliveries may be left undelivered at the end.
    pub fn allow_undelivered(&mut self) {
        self.undelivered_allowed = true;
    }

    async fn stop(&mut self) {
        let (stop, serving) = self.running.take().expect("it runs");
        drop(stop);
        let served = soon("the server's stop", serving).await;
        served.expect("the server does not panic").expect("the server ends well");
    }

    /// Stops the server gracefully and starts it again on the same data, at the same time, on another port.
    pub async fn restart(mut self) -> Self {
        self.stop().await;
        let kept = self.kept.take().expect("it is only taken at the end");
        Self::boot(self.builder.clone(), kept).await
    }

    /// Starts another node on the same database, with the same clock; `None` on SQLite, which serves one process. Every node
    /// has to be finished; the database goes with the last one.
    pub async fn another_node(&self) -> Option<Self> {
        match self.db().driver() {
            Driver::Sqlite => None,
            Driver::Postgres => Some(Self::boot(self.builder.clone(), self.kept().clone()).await),
        }
    }

    /// Asserts that the world is clean, stops the server and removes its database.
    pub async fn finish(mut self) {
        clean::assert_clean(&self).await;
        self.stop().await;
        let kept = self.kept.take().expect("it is only taken at the end");
        if let Some(database) = Arc::into_inner(kept.database) {
            database.remove().await;
        }
        assert_eq!(log::panics(), Vec::<String>::new(), "something panicked; the log says what");
    }
}

impl fmt::Debug for TestHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestHub").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl Drop for TestHub {
    fn drop(&mut self) {
        let finished = self.kept.is_none();
        assert!(finished || std::thread::panicking(), "a TestHub has to be finished: hub.finish().await");
    }
}
