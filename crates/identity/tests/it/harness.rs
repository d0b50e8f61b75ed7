//! The test kit with identity in it, and the people of these tests.

use std::{
    future::IntoFuture,
    sync::{Arc, Mutex},
};

use hyper::{HeaderMap, Method, StatusCode};
use identity::{Config, Hashing, Identity, SandboxStarter, SetupCode};
use kit::{HttpConfig, Hub};
use model::Secret;
use serde_json::{Value, json};
use store::DbConfig;
use testkit::{ManualClock, Parts, Plan, Request, SETUP_CODE, TestHub};

pub(crate) const CODE: &str = SETUP_CODE;
pub(crate) const PASSWORD: &str = "a long enough password";
/// Where the server says it is; its own address otherwise differs from run to run.
pub(crate) const ORIGIN: &str = "http://desk.example:8080";

type Sandboxes = Arc<Mutex<Vec<String>>>;

/// A running server with identity. Call [`Server::stop`] at the end of a test.
pub(crate) struct Server {
    pub(crate) kit: TestHub,
    pub(crate) hub: Hub,
    pub(crate) clock: ManualClock,
    /// Who asked for a sandbox bot.
    pub(crate) sandboxes: Sandboxes,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(configure: impl Fn(&mut HttpConfig) + Send + Sync + 'static) -> Self {
        Self::on(|_| (), configure).await
    }

    /// A server whose database and HTTP side are configured.
    pub(crate) async fn on(
        store: impl Fn(&mut DbConfig) + Send + Sync + 'static,
        configure: impl Fn(&mut HttpConfig) + Send + Sync + 'static,
    ) -> Self {
        let sandboxes = Sandboxes::default();
        let seen = sandboxes.clone();
        let builder = TestHub::builder().features(move |parts| plan(parts, seen.clone())).config(move |config| {
            config.public_url = ORIGIN.to_owned();
            configure(config);
        });
        let kit = builder.store(store).start().await;
        Self { hub: kit.hub().clone(), clock: kit.clock().clone(), kit, sandboxes }
    }

    /// Stops it and starts it again on the same data, at the same time.
    pub(crate) async fn restart(self) -> Self {
        drop(self.hub);
        let kit = self.kit.restart().await;
        Self { hub: kit.hub().clone(), clock: kit.clock().clone(), kit, sandboxes: self.sandboxes }
    }

    /// Stops it; whatever is left undone or went wrong on the way fails the test.
    pub(crate) async fn stop(self) {
        drop(self.hub);
        self.kit.finish().await;
    }

    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        Call(self.kit.stranger().request(method, &format!("/api/v1{path}")))
    }

    pub(crate) fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> Call {
        self.call(Method::POST, path).raw(body.to_string())
    }

    pub(crate) fn patch(&self, path: &str, body: Value) -> Call {
        self.call(Method::PATCH, path).raw(body.to_string())
    }

    pub(crate) fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    /// Sets the installation up; its owner is Ada.
    pub(crate) async fn owner(&self) -> Person {
        let body = json!({
            "code": CODE, "workspace": "Analytical", "name": "Ada", "email": "ada@example.org", "password": PASSWORD,
        });
        Person::of(self.post("/setup", body).send().await.expect(201))
    }

    /// Somebody with this role, who came by an invitation.
    pub(crate) async fn member(&self, owner: &Person, role: &str) -> Person {
        let token = self.invite(owner, &format!("{role}@example.org"), role).await;
        let body = json!({ "token": token, "name": format!("The {role}"), "password": PASSWORD });
        Person::of(self.post("/invitations/accept", body).send().await.expect(201))
    }

    /// The token of a new invitation.
    pub(crate) async fn invite(&self, by: &Person, email: &str, role: &str) -> String {
        let reply = self.post("/invitations", json!({ "email": email, "role": role })).by(by).send().await.expect(201);
        let link = reply.json["link"].as_str().unwrap();
        link.strip_prefix(&format!("{ORIGIN}/join#")).expect("a link to the page").to_owned()
    }

    /// Ada's other workspace, where she is the only member, and she in it.
    pub(crate) async fn second_workspace(&self, ada: &Person) -> Person {
        let made = identity::create_workspace(self.hub.db(), self.hub.world(), "Second", &ada.email).await.unwrap();
        let workspace = made.expect("she exists").to_string();
        let there = self.post("/auth/workspace", json!({ "workspace": workspace })).by(ada).send().await.expect(200);
        Person { access: there.json["access_token"].as_str().unwrap().to_owned(), workspace, ..ada.clone() }
    }

    pub(crate) async fn login(&self, email: &str) -> Person {
        Person::of(self.post("/auth/login", json!({ "email": email, "password": PASSWORD })).send().await.expect(200))
    }

    pub(crate) async fn refresh(&self, cookie: &str) -> Reply {
        self.call(Method::POST, "/auth/refresh").cookie(cookie).header("origin", ORIGIN).send().await
    }
}

fn plan(parts: &Parts, sandboxes: Sandboxes) -> Plan {
    let sandbox: SandboxStarter = Arc::new(move |_, owner| {
        let sandboxes = sandboxes.clone();
        Box::pin(async move {
            sandboxes.lock().unwrap().push(owner.name.clone());
            Ok(())
        })
    });
    let setup_code = SetupCode::given(&Secret::new(CODE.to_owned())).unwrap();
    let config = Config { hashing: Hashing::cheapest(), setup_code, sandbox: Some(sandbox) };
    let identity = Identity::new(parts.db.clone(), parts.keys.clone(), parts.world.clone(), config);
    Plan::new(identity.authenticator()).feature(identity.feature())
}

/// A request in the making.
pub(crate) struct Call(Request);

impl Call {
    pub(crate) fn by(self, person: &Person) -> Self {
        self.bearer(&person.access)
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn cookie(self, value: &str) -> Self {
        self.header("cookie", &format!("sb_refresh={value}"))
    }

    /// As if it came from this address, through a proxy.
    pub(crate) fn through(self, address: &str) -> Self {
        self.header("x-forwarded-for", address)
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    pub(crate) fn raw(self, body: impl Into<String>) -> Self {
        Self(self.0.text("application/json", body.into()))
    }

    pub(crate) async fn send(self) -> Reply {
        let reply = self.0.into_future().await;
        Reply { status: reply.status, headers: reply.headers.clone(), json: reply.json.clone(), reply }
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
    reply: testkit::Reply,
}

impl Reply {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        Self { reply: self.reply.expect(status), ..self }
    }

    /// Asserts a problem with this status and code, and a sentence for a person.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        let reply = self.reply.expect_problem(status, code);
        assert!(self.json["detail"].as_str().is_some_and(|it| !it.is_empty()), "a sentence: {}", self.json);
        Self { reply, ..self }
    }

    pub(crate) fn code(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }

    /// The refresh token that it sets; empty when the cookie is taken away.
    pub(crate) fn cookie(&self) -> Option<String> {
        self.reply.cookie("sb_refresh")
    }

    pub(crate) fn items(&self) -> &[Value] {
        self.reply.items()
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
        let text = |pointer: &str| reply.reply.str(pointer).to_owned();
        Self {
            id: text("/user/id"),
            email: text("/user/email"),
            access: text("/access_token"),
            workspace: text("/workspace/id"),
            cookie: reply.cookie().expect("signing in sets the cookie"),
            body: reply.json,
        }
    }
}
