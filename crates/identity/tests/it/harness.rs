//! A hub on port 0 with a clock that is moved by hand, and the people who talk to it.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, StatusCode, body::Bytes, header};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use identity::{Config, Hashing, Identity, SandboxStarter, SetupCode};
use kit::{HttpConfig, Hub, HubBuilder, KeyRing, Rates};
use model::{Clock, Entropy, Secret, Sleep, Timestamp, World};
use serde_json::{Value, json};
use store::{Db, DbConfig};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};

pub(crate) const CODE: &str = "the-setup-code-of-tests";
pub(crate) const PASSWORD: &str = "a long enough password";
pub(crate) const ORIGIN: &str = "http://127.0.0.1:8080";

pub(crate) struct ManualClock {
    now: AtomicI64,
    elapsed: watch::Sender<Duration>,
}

impl ManualClock {
    fn new() -> Arc<Self> {
        Arc::new(Self { now: AtomicI64::new(1_700_000_000_000_000), elapsed: watch::Sender::new(Duration::ZERO) })
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.now.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
        self.elapsed.send_modify(|elapsed| *elapsed += by);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        *self.elapsed.borrow()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let (mut elapsed, until) = (self.elapsed.subscribe(), self.monotonic().saturating_add(duration));
        Box::pin(async move {
            if elapsed.wait_for(|now| *now >= until).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

#[derive(Default)]
struct Counted(AtomicU64);

impl Entropy for Counted {
    fn fill(&self, bytes: &mut [u8]) {
        let number = self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        blake3::Hasher::new().update(&number).finalize_xof().fill(bytes);
    }
}

/// A running server. Call [`Server::stop`] at the end of a test.
pub(crate) struct Server {
    pub(crate) hub: Hub,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) sandboxes: Arc<Mutex<Vec<String>>>,
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
    database: Option<String>,
    _folder: tempfile::TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(HttpConfig::default()).await
    }

    /// Rates are raised unless the configuration sets them: most tests ask more than one address may.
    pub(crate) async fn with(config: HttpConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::new();
        let world = World::new(clock.clone(), Arc::new(Counted::default()));
        let database = fresh_database().await;
        let place = match &database {
            Some(name) => DbConfig { writers: 2, readers: 2, ..DbConfig::postgres(folder.path(), postgres_url(name)) },
            None => DbConfig::sqlite(folder.path()),
        };
        let db = Db::open(place, world.clone()).await.unwrap();
        let (sandboxes, keys) = (Arc::<Mutex<Vec<String>>>::default(), KeyRing::random(world.clone()));
        let identity = Identity::new(db.clone(), keys.clone(), world.clone(), settings(sandboxes.clone()));
        let default = Rates { per_address: 100_000, per_user: 100_000, per_key: 120 };
        let rates = if config.rates.per_address == Rates::default().per_address { default } else { config.rates };
        let config = HttpConfig { public_url: ORIGIN.to_owned(), rates, ..config };
        let hub = HubBuilder::new(db, world, keys, identity.authenticator()).config(config).build().await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, (stop, stopped)) = (listener.local_addr().unwrap(), oneshot::channel());
        let served = tokio::spawn(kit::serve(hub.clone(), vec![identity.feature()], listener, async {
            let _stopped_or_dropped = stopped.await;
        }));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { hub, clock, sandboxes, address, client, stop, served, database, _folder: folder }
    }

    /// Stops it and removes its database; whatever went wrong on the way out fails the test.
    pub(crate) async fn stop(self) {
        self.stop.send(()).expect("it still runs");
        drop(self.client);
        // The drain time is the clock's: nothing else moves it.
        let done = tokio::time::timeout(Duration::from_secs(20), self.served).await.expect("it stops");
        done.unwrap().unwrap();
        if let Some(name) = self.database {
            admin(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn call(&self, method: Method, path: &str) -> Call<'_> {
        let request = Request::builder().method(method).uri(format!("http://{}/api/v1{path}", self.address));
        Call { server: self, request, body: None }
    }

    pub(crate) fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> Call<'_> {
        self.call(Method::POST, path).json(&body)
    }

    pub(crate) fn patch(&self, path: &str, body: Value) -> Call<'_> {
        self.call(Method::PATCH, path).json(&body)
    }

    pub(crate) fn delete(&self, path: &str) -> Call<'_> {
        self.call(Method::DELETE, path)
    }

    /// Sets the installation up; its owner is Ada.
    pub(crate) async fn owner(&self) -> Person {
        let body = json!({ "code": CODE, "workspace": "Analytical", "name": "Ada", "email": "ada@example.org", "password": PASSWORD });
        Person::of(self.post("/setup", body).send().await.expect(201))
    }

    /// Somebody with this role, who came by an invitation.
    pub(crate) async fn member(&self, owner: &Person, role: &str) -> Person {
        let email = format!("{role}@example.org");
        let token = self.invite(owner, &email, role).await;
        let body = json!({ "token": token, "name": format!("The {role}"), "password": PASSWORD });
        Person::of(self.post("/invitations/accept", body).send().await.expect(201))
    }

    /// The token of a new invitation.
    pub(crate) async fn invite(&self, by: &Person, email: &str, role: &str) -> String {
        let reply = self.post("/invitations", json!({ "email": email, "role": role })).by(by).send().await.expect(201);
        let link = reply.json["link"].as_str().unwrap().to_owned();
        link.strip_prefix(&format!("{ORIGIN}/join#")).expect("a link to the page").to_owned()
    }

    pub(crate) async fn login(&self, email: &str) -> Person {
        Person::of(self.post("/auth/login", json!({ "email": email, "password": PASSWORD })).send().await.expect(200))
    }

    pub(crate) async fn refresh(&self, cookie: &str) -> Reply {
        self.call(Method::POST, "/auth/refresh").cookie(cookie).header("origin", ORIGIN).send().await
    }
}

fn settings(sandboxes: Arc<Mutex<Vec<String>>>) -> Config {
    let sandbox: SandboxStarter = Arc::new(move |_, owner| {
        let sandboxes = sandboxes.clone();
        Box::pin(async move {
            sandboxes.lock().unwrap().push(owner.name.clone());
            Ok(())
        })
    });
    let setup_code = SetupCode::given(&Secret::new(CODE.to_owned())).unwrap();
    Config { hashing: Hashing::cheapest(), setup_code, sandbox: Some(sandbox) }
}

fn postgres_url(database: &str) -> String {
    let url = std::env::var("SWITCHBOARD_TEST_POSTGRES").unwrap_or_default();
    let (server, _) = url.rsplit_once('/').expect("a URL with a database");
    format!("{server}/{database}")
}

async fn fresh_database() -> Option<String> {
    std::env::var("SWITCHBOARD_TEST_POSTGRES").ok().filter(|url| !url.is_empty())?;
    let name = format!("identity_{}", uuid::Uuid::from_bytes(random()).simple());
    admin(&format!("CREATE DATABASE {name}")).await;
    Some(name)
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    kit::clock::SystemEntropy.fill(&mut bytes);
    bytes
}

async fn admin(sql: &str) {
    let url = std::env::var("SWITCHBOARD_TEST_POSTGRES").unwrap();
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    let running = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    running.await.unwrap().unwrap();
}

/// A request in the making.
pub(crate) struct Call<'s> {
    server: &'s Server,
    request: hyper::http::request::Builder,
    body: Option<Bytes>,
}

impl Call<'_> {
    pub(crate) fn by(self, person: &Person) -> Self {
        self.bearer(&person.access)
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn cookie(self, value: &str) -> Self {
        self.header("cookie", &format!("sb_refresh={value}"))
    }

    pub(crate) fn from(self, address: &str) -> Self {
        self.header("x-forwarded-for", address)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.raw(body.to_string())
    }

    pub(crate) fn raw(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self.header("content-type", "application/json")
    }

    pub(crate) async fn send(self) -> Reply {
        let request = self.request.body(Full::new(self.body.unwrap_or_default())).unwrap();
        let response = self.server.client.request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let json = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
        Reply { status: parts.status, headers: parts.headers, json }
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) json: Value,
}

impl Reply {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.json);
        self
    }

    /// Asserts a problem with this status and code.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status.as_u16(), self.code()), (status, code), "{}", self.json);
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        assert!(self.json["detail"].as_str().is_some_and(|it| !it.is_empty()), "a sentence: {}", self.json);
        self
    }

    pub(crate) fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }

    /// The refresh token that it sets; empty when the cookie is taken away.
    pub(crate) fn cookie(&self) -> Option<String> {
        let line = self.headers.get(header::SET_COOKIE)?.to_str().unwrap();
        let value = line.strip_prefix("sb_refresh=").expect("only this cookie");
        Some(value.split(';').next().unwrap().to_owned())
    }

    pub(crate) fn items(&self) -> &[Value] {
        self.json["items"].as_array().expect("a list")
    }
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) access: String,
    pub(crate) cookie: String,
    pub(crate) workspace: String,
    pub(crate) body: Value,
}

impl Person {
    pub(crate) fn of(reply: Reply) -> Self {
        let cookie = reply.cookie().expect("signing in sets the cookie");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let body = reply.json;
        Self {
            id: text(&body["user"]["id"]),
            email: text(&body["user"]["email"]),
            access: text(&body["access_token"]),
            workspace: text(&body["workspace"]["id"]),
            cookie,
            body,
        }
    }
}

/// Asks again and again until `condition` holds; fails the test after 20 seconds.
pub(crate) async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let holds = async {
        while !condition().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), holds).await.unwrap_or_else(|_| panic!("{what}"));
}
