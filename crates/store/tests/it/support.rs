//! Databases that last as long as a test, on a clock that the test moves.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use model::{ActorRef, Audience, Clock, Entropy, Event, NewEvent, Sleep, Timestamp, WorkspaceId, World};
use serde_json::value::RawValue;
use store::{Committed, Db, DbConfig, Driver, Error, Tx, args, log};
use tempfile::TempDir;
use uuid::Uuid;

/// A clock that stands still until it is moved.
pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    pub(crate) fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).expect("a short time");
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000 + self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.load(Ordering::SeqCst)).expect("it only goes forward"))
    }

    fn sleep(&self, _: Duration) -> Sleep {
        Box::pin(std::future::ready(()))
    }
}

/// A seeded generator (SplitMix64); good enough for ids that must differ.
struct Seeded(AtomicU64);

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut z = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

pub(crate) fn world(seed: u64) -> (Arc<HandClock>, World) {
    let clock = Arc::new(HandClock(AtomicI64::new(0)));
    let world = World::new(Arc::clone(&clock) as Arc<dyn Clock>, Arc::new(Seeded(AtomicU64::new(seed))));
    (clock, world)
}

/// The server that tests may make databases on.
pub(crate) fn postgres_server() -> Option<String> {
    std::env::var("SWITCHBOARD_TEST_POSTGRES").ok().filter(|url| !url.is_empty())
}

/// A fresh PostgreSQL database, dropped with this value.
pub(crate) struct PgDatabase {
    server: String,
    name: String,
}

impl PgDatabase {
    pub(crate) async fn create(server: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("store_test_{}_{number}", std::process::id());
        admin(server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        admin(server, &format!("CREATE DATABASE {name}")).await;
        Self { server: server.to_owned(), name }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn url(&self) -> String {
        self.url_at(None)
    }

    /// The URL, or the same through another port of this machine.
    pub(crate) fn url_at(&self, port: Option<u16>) -> String {
        let config: tokio_postgres::Config = self.server.parse().expect("a PostgreSQL URL");
        let host = match config.get_hosts().first() {
            Some(tokio_postgres::config::Host::Tcp(host)) if port.is_none() => host.clone(),
            _ => "127.0.0.1".to_owned(),
        };
        let port = port.or(config.get_ports().first().copied()).unwrap_or(5432);
        let user = config.get_user().unwrap_or("postgres");
        let password = config.get_password().map(|it| format!(":{}", String::from_utf8_lossy(it))).unwrap_or_default();
        format!("postgres://{user}{password}@{host}:{port}/{}", self.name)
    }
}

impl Drop for PgDatabase {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(admin(&server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")));
        });
        assert!(dropped.join().is_ok() || std::thread::panicking(), "the test database could not be dropped");
    }
}

/// Runs a statement on the server.
pub(crate) async fn admin(server: &str, sql: &str) {
    let (client, connection) =
        tokio_postgres::connect(server, tokio_postgres::NoTls).await.expect("the server answers");
    let connection = tokio::spawn(connection);
    client.batch_execute(sql).await.expect("the server obeys");
    drop(client);
    drop(connection.await);
}

/// An open database with everything that it needs.
pub(crate) struct Place {
    pub(crate) db: Db,
    pub(crate) config: DbConfig,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) world: World,
    pub(crate) postgres: Option<PgDatabase>,
    pub(crate) folder: TempDir,
}

impl Place {
    pub(crate) async fn sqlite() -> Self {
        Self::sqlite_with(|_| {}).await
    }

    pub(crate) async fn sqlite_with(change: impl FnOnce(&mut DbConfig)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = DbConfig::sqlite(folder.path().join("data"));
        change(&mut config);
        Self::open(config, folder, None).await
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let postgres = PgDatabase::create(&postgres_server()?).await;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = DbConfig::postgres(folder.path().join("data"), postgres.url());
        Some(Self::open(config, folder, Some(postgres)).await)
    }

    pub(crate) async fn open(config: DbConfig, folder: TempDir, postgres: Option<PgDatabase>) -> Self {
        let (clock, world) = world(42);
        let db = Db::open(config.clone(), world.clone()).await.expect("a fresh database opens");
        Self { db, config, clock, world, postgres, folder }
    }

    pub(crate) fn workspace(&self) -> WorkspaceId {
        self.world.id()
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        workspace: WorkspaceId,
        body: impl FnMut(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> T {
        self.db.write(workspace, body).await.expect("the command succeeds")
    }

    pub(crate) async fn read<T: Send + 'static>(
        &self,
        body: impl FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> T {
        self.db.read(body).await.expect("the read succeeds")
    }

    /// Makes a table of the test's own. Use `BLOB` and `DOUBLE` as migrations do.
    pub(crate) async fn table(&self, sql: &str) {
        let sql = match self.db.driver() {
            Driver::Sqlite => sql.to_owned(),
            Driver::Postgres => sql.replace(" BLOB", " BYTEA").replace(" DOUBLE", " DOUBLE PRECISION"),
        };
        self.write(self.workspace(), move |tx| tx.exec(&sql, &[])).await;
    }

    pub(crate) async fn log(&self, workspace: WorkspaceId) -> Vec<Event> {
        self.read(move |tx| log::after(tx, workspace, 0, i64::MAX)).await
    }

    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        self.read(move |tx| tx.one(sql, &[], |row| row.get(0))).await
    }
}

/// Runs a test on every database that there is.
pub(crate) async fn on_each(test: impl AsyncFn(&Place)) {
    let sqlite = Place::sqlite().await;
    test(&sqlite).await;
    sqlite.db.close().await;
    if let Some(postgres) = Place::postgres().await {
        println!("on PostgreSQL:");
        test(&postgres).await;
        postgres.db.close().await;
    }
}

/// Remembers what the hooks were told.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<Committed>>>);

impl Told {
    pub(crate) fn listen(db: &Db) -> Self {
        let told = Self::default();
        let here = told.clone();
        db.on_commit(Arc::new(move |committed| here.0.lock().expect("not poisoned").push(committed.clone())));
        told
    }

    /// The places of a workspace's events in the order in which they were told.
    pub(crate) fn seqs(&self, workspace: WorkspaceId) -> Vec<i64> {
        let all = self.0.lock().expect("not poisoned");
        all.iter()
            .filter(|it| it.workspace == workspace)
            .flat_map(|it| it.events.iter().map(|event| event.seq))
            .collect()
    }
}

pub(crate) fn json(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("JSON")
}

pub(crate) fn fact(kind: &'static str, entity: Option<Uuid>) -> NewEvent {
    NewEvent {
        kind,
        version: 1,
        actor: ActorRef::SYSTEM,
        audience: Audience::Internal,
        chat: None,
        entity,
        body: json("{\"n\":1}"),
    }
}

/// Asserts that these are 1, 2, 3… without gaps.
pub(crate) fn assert_gapless(seqs: &[i64]) {
    let count = i64::try_from(seqs.len()).expect("few");
    assert_eq!(seqs, (1..=count).collect::<Vec<i64>>());
}

/// A count of rows, in a transaction.
pub(crate) fn count(tx: &mut Tx<'_>, sql: &str) -> Result<i64, Error> {
    tx.one(sql, args![], |row| row.get(0))
}
