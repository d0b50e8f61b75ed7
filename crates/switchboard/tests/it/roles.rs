//! Who may do what: every operation of the API against every role, a key with one scope, a stranger and the owner of another
//! workspace. An operation that is missing from the table fails the test.

use std::{collections::BTreeSet, fs, sync::Arc};

use chats::Chats;
use desk::Desk;
use hyper::Method;
use identity::{Hashing, Identity, SetupCode};
use model::{Right, Role, Secret};
use sandbox::{Sandbox, SandboxConfig};
use serde_json::{Value, json};
use telegram::{Telegram, TelegramConfig};
use testkit::{Actor, NewWorkspace, Parts, Plan, Reply, SETUP_CODE, TestHub, eventually};
use tokio::net::TcpListener;

/// The rights of each role, as the documentation promises them.
fn rights(role: Role) -> &'static str {
    match role {
        Role::Owner | Role::Admin => {
            "workspace.manage members.read members.manage keys.manage audit.read bots.read bots.manage conversations.read \
             conversations.reply deliveries.read deliveries.manage system.read live.read"
        }
        Role::Moderator => "members.read bots.read conversations.read deliveries.read live.read",
        Role::Operator => {
            "members.read bots.read conversations.read conversations.reply deliveries.read deliveries.manage live.read"
        }
        Role::Member => "members.read live.read",
        Role::Guest => "live.read",
    }
}

/// All that the key of this table may do.
const KEY_SCOPE: &str = "live.read";

/// One operation and what is to be expected of it.
struct Row {
    method: Method,
    /// Below `/api/v1`.
    path: &'static str,
    /// `public`, `signed_in` or a right.
    need: &'static str,
    /// The body that everybody sends; one that changes nothing.
    body: Value,
    /// What whoever may do it gets; nobody else gets that.
    granted: u16,
    /// Whether the granted ask about something that exists; what would destroy it is asked about something that does not.
    real: bool,
    /// The body of the owner of another workspace, who asks about what exists here.
    foreign: Value,
    /// What a key gets where no right is needed.
    by_key: u16,
}

impl Row {
    fn body(mut self, body: Value) -> Self {
        self.foreign = body.clone();
        self.body = body;
        self
    }

    fn foreign(mut self, body: Value) -> Self {
        self.foreign = body;
        self
    }

    fn on_nothing(mut self) -> Self {
        self.real = false;
        self
    }

    fn by_key(mut self, status: u16) -> Self {
        self.by_key = status;
        self
    }
}

fn row(method: Method, path: &'static str, need: &'static str, granted: u16) -> Row {
    let body = json!({});
    Row { method, path, need, foreign: body.clone(), body, granted, real: true, by_key: granted }
}

fn get(path: &'static str, need: &'static str) -> Row {
    row(Method::GET, path, need, 200)
}

/// An empty object lacks a field, so it is refused, but only after the rights were looked at.
fn post(path: &'static str, need: &'static str) -> Row {
    row(Method::POST, path, need, 422)
}

fn patch(path: &'static str, need: &'static str) -> Row {
    row(Method::PATCH, path, need, 422)
}

fn delete(path: &'static str, need: &'static str) -> Row {
    row(Method::DELETE, path, need, 404).on_nothing()
}

fn table() -> Vec<Row> {
    let mut rows = public();
    rows.extend(people());
    rows.extend(work());
    rows
}

fn public() -> Vec<Row> {
    vec![
        get("/setup", "public"),
        post("/setup", "public"),
        post("/auth/login", "public"),
        // These two are about a cookie and look at where the request comes from.
        row(Method::POST, "/auth/refresh", "public", 403),
        row(Method::POST, "/auth/logout", "public", 403),
        post("/auth/reset", "public"),
        post("/invitations/preview", "public"),
        post("/invitations/accept", "public"),
        // No WebSocket is asked for; its own first frame carries the token.
        row(Method::GET, "/live", "public", 426),
    ]
}

fn people() -> Vec<Row> {
    vec![
        get("/me", "signed_in"),
        patch("/me", "signed_in"),
        post("/auth/workspace", "signed_in"),
        post("/auth/password", "signed_in"),
        get("/auth/sessions", "signed_in").by_key(403),
        delete("/auth/sessions/{id}", "signed_in").by_key(403),
        get("/members", "members.read"),
        patch("/members/{user_id}", "members.manage").foreign(json!({ "role": "guest" })),
        delete("/members/{user_id}", "members.manage"),
        get("/invitations", "members.manage"),
        post("/invitations", "members.manage"),
        delete("/invitations/{id}", "members.manage"),
        get("/keys", "keys.manage"),
        post("/keys", "keys.manage"),
        delete("/keys/{id}", "keys.manage"),
        get("/audit", "audit.read"),
    ]
}

fn work() -> Vec<Row> {
    let unknown = |path, need| row(Method::POST, path, need, 404).on_nothing();
    vec![
        get("/bots", "bots.read"),
        get("/bots/{id}", "bots.read"),
        post("/bots", "bots.manage"),
        row(Method::POST, "/bots/sandbox", "bots.manage", 409).body(json!({ "name": "Shop" })),
        row(Method::PATCH, "/bots/{id}", "bots.manage", 422)
            .body(json!({ "mode": "by pigeon" }))
            .foreign(json!({ "purpose": "Mine now" })),
        delete("/bots/{id}", "bots.manage"),
        unknown("/bots/{id}/check", "bots.manage"),
        get("/conversations", "conversations.read"),
        get("/conversations/counts", "conversations.read"),
        get("/conversations/{id}", "conversations.read"),
        patch("/conversations/{id}", "conversations.reply").foreign(json!({ "status": "resolved" })),
        get("/conversations/{id}/messages", "conversations.read"),
        post("/conversations/{id}/messages", "conversations.reply").foreign(json!({ "text": "Hello" })),
        post("/conversations/{id}/read", "conversations.read").foreign(json!({ "seq": 1 })),
        get("/deliveries", "deliveries.read"),
        unknown("/deliveries/{id}/retry", "deliveries.manage"),
        unknown("/deliveries/{id}/discard", "deliveries.manage"),
        get("/dead-letters", "system.read"),
        unknown("/dead-letters/{id}/replay", "system.read"),
        get("/events", "live.read"),
    ]
}

fn plan(parts: &Parts, sandbox: &str) -> Plan {
    let code = SetupCode::given(&Secret::new(SETUP_CODE.to_owned())).expect("it is long enough");
    let config = identity::Config { hashing: Hashing::cheapest(), setup_code: code, sandbox: None };
    let identity = Identity::new(parts.db.clone(), parts.keys.clone(), parts.world.clone(), config);
    let chats = Chats::new(Arc::new(Desk));
    let config = TelegramConfig { api_url: sandbox.to_owned(), ..TelegramConfig::default() };
    let telegram = Telegram::new(config, chats.clone(), None).expect("an HTTP client");
    Plan::new(identity.authenticator())
        .feature(identity.feature())
        .feature(desk::feature(chats, parts.db.clone()))
        .feature(telegram.feature())
        .founder(Arc::new(|hub, new| Box::pin(found(hub, new))))
}

/// A second workspace of somebody who is in no other.
async fn found(hub: kit::Hub, new: NewWorkspace) {
    let made = identity::create_workspace(hub.db(), hub.world(), &new.workspace, &new.email).await;
    made.expect("the database answers").expect("he has an account");
}

/// Everybody and everything that the table is about.
struct World {
    hub: TestHub,
    members: Vec<(Role, Actor)>,
    key: Actor,
    foreign: Actor,
    user: String,
    invitation: String,
    api_key: String,
    session: String,
    bot: String,
    conversation: String,
    delivery: String,
}

async fn sandbox() -> (Sandbox, String) {
    let sandbox = Sandbox::new(SandboxConfig::default()).expect("a sandbox in memory");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(sandbox.clone().serve(listener, std::future::pending()));
    (sandbox, url)
}

impl World {
    async fn new() -> Self {
        let (sandbox, url) = sandbox().await;
        let hub = TestHub::builder().features(move |parts| plan(parts, &url)).start().await;
        let owner = hub.owner().await;
        let id = |reply: &Reply| reply.str("/id").to_owned();
        let invite = json!({ "email": "foreign@elsewhere.test", "role": "guest" });
        let foreign = Self::foreigner(&hub, &owner, invite).await;
        let mut members = vec![(Role::Owner, owner.clone())];
        for role in [Role::Admin, Role::Moderator, Role::Operator, Role::Member, Role::Guest] {
            members.push((role, hub.member(role).await));
        }
        let spare = hub.member(Role::Guest).await;
        let sessions = spare.get("/api/v1/auth/sessions").await.expect(200);
        let invite = json!({ "email": "late@acme.test", "role": "guest" });
        let invitation = owner.post("/api/v1/invitations", invite).await.expect(201);
        let api_key = owner.post("/api/v1/keys", json!({ "name": "spare", "scopes": ["live.read"] })).await.expect(201);
        let (bot, conversation, delivery) = Self::talk(&sandbox, &owner).await;
        Self {
            key: hub.key(&[Right::LiveRead]).await,
            foreign,
            user: spare.know("/user/id"),
            session: sessions.str("/items/0/id").to_owned(),
            invitation: id(&invitation),
            api_key: id(&api_key),
            members,
            bot,
            conversation,
            delivery,
            hub,
        }
    }

    /// Gets an account by an invitation, leaves, and owns a workspace of his own.
    async fn foreigner(hub: &TestHub, owner: &Actor, invite: Value) -> Actor {
        let invited = owner.post("/api/v1/invitations", invite).await.expect(201);
        let token = invited.str("/link").split_once('#').expect("the token is in the fragment").1.to_owned();
        let body = json!({ "token": token, "name": "Felix Foreign", "password": "correct horse battery staple" });
        let joined = hub.stranger().post("/api/v1/invitations/accept", body).await.expect(201);
        let _ = owner.delete(&format!("/api/v1/members/{}", joined.str("/user/id"))).await.expect(204);
        hub.foreign().await
    }

    /// Bot, conversation and a sent delivery.
    async fn talk(sandbox: &Sandbox, owner: &Actor) -> (String, String, String) {
        let made = sandbox.create_bot("Corner Shop", None).expect("a bot");
        let person = sandbox.person("Ann Lee", None, None).expect("a person");
        let bot = owner.post("/api/v1/bots", json!({ "token": made.token })).await.expect(201);
        sandbox.say(made.id, person.id, "Hello").expect("she may write");
        let conversation = eventually(|| async {
            let page = owner.get("/api/v1/conversations").await.expect(200);
            page.json["items"][0]["id"].as_str().map(str::to_owned)
        })
        .await;
        let messages = format!("/api/v1/conversations/{conversation}/messages");
        let reply = owner.post(&messages, json!({ "text": "Hello Ann" })).await.expect(201);
        (bot.str("/id").to_owned(), conversation, reply.str("/delivery/id").to_owned())
    }

    /// The path with an id that exists, or with one that does not.
    fn path(&self, row: &Row, real: bool) -> String {
        let nothing = "019a0000-0000-7000-8000-000000000000";
        let area = row.path.trim_start_matches('/');
        let id = match area {
            _ if !real => nothing,
            _ if area.starts_with("members") => &self.user,
            _ if area.starts_with("invitations") => &self.invitation,
            _ if area.starts_with("keys") => &self.api_key,
            _ if area.starts_with("auth/sessions") => &self.session,
            _ if area.starts_with("bots") => &self.bot,
            _ if area.starts_with("conversations") => &self.conversation,
            _ if area.starts_with("deliveries") => &self.delivery,
            _ => nothing,
        };
        format!("/api/v1{}", row.path.replace("{id}", id).replace("{user_id}", id))
    }

    async fn ask(&self, who: &Actor, row: &Row) -> u16 {
        let request = who.request(row.method.clone(), &self.path(row, row.real));
        status(&row.method, request, &row.body).await
    }
}

async fn status(method: &Method, request: testkit::Request, body: &Value) -> u16 {
    let takes_body = [Method::POST, Method::PATCH].contains(method);
    let request = if takes_body { request.json(body) } else { request };
    request.await.status.as_u16()
}

/// What is in the description of the API: method, path below `/api/v1`, and `x-right`.
fn operations(description: &Value) -> BTreeSet<(String, String, String)> {
    let mut found = BTreeSet::new();
    for (path, item) in description["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let path = path.strip_prefix("/api/v1").expect("everything is below it").to_owned();
            let right = operation["x-right"].as_str().unwrap_or_default().to_owned();
            found.insert((method.to_uppercase(), path, right));
        }
    }
    found
}

#[test]
fn every_operation_is_in_the_table_with_the_right_that_it_needs() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let text = fs::read_to_string(path).expect("docs/openapi.json");
    let described = operations(&serde_json::from_str(&text).expect("JSON"));
    let entry = |row: &Row| (row.method.to_string(), row.path.to_owned(), row.need.to_owned());
    let table: BTreeSet<_> = table().iter().map(entry).collect();
    let (missing, gone): (Vec<_>, Vec<_>) =
        (described.difference(&table).collect(), table.difference(&described).collect());
    assert!(missing.is_empty() && gone.is_empty(), "not in the table: {missing:?}; not in the API: {gone:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_may_do_what_it_should_and_nothing_else() {
    let world = World::new().await;
    let mut wrong = Vec::new();
    for row in &table() {
        let mut check = |who: &str, status: u16, wanted: u16| {
            if status != wanted {
                wrong.push(format!("{} {} by {who}: {status}, not {wanted}", row.method, row.path));
            }
        };
        let free = row.need == "public";
        for (role, member) in &world.members {
            let may = free || row.need == "signed_in" || rights(*role).split_whitespace().any(|it| it == row.need);
            check(role.as_str(), world.ask(member, row).await, if may { row.granted } else { 403 });
        }
        let by_key = match row.need {
            "public" | "signed_in" | KEY_SCOPE => row.by_key,
            _ => 403,
        };
        check("a key for the live stream", world.ask(&world.key, row).await, by_key);
        check("a stranger", world.ask(&world.hub.stranger(), row).await, if free { row.granted } else { 401 });
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    world.hub.finish().await;
}

/// A malformed key is refused by whatever looks at the key, and before the body is looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_write_of_a_principal_looks_at_its_idempotency_key() {
    let world = World::new().await;
    let owner = &world.members[0].1;
    let exempt = |row: &Row| row.method == Method::GET || row.need == "public" || row.path.starts_with("/auth/");
    for row in table().iter().filter(|row| !exempt(row)) {
        let request = owner.request(row.method.clone(), &world.path(row, false)).key("two words").json(&row.body);
        let reply = request.await;
        assert_eq!(reply.json["code"], "idempotency_key_invalid", "{} {}: {}", row.method, row.path, reply.text);
    }
    world.hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_no_person() {
    let world = World::new().await;
    let workspace = world.members[0].1.know("/workspace/id");
    let requests = [
        world.key.patch("/api/v1/me", json!({ "name": "A machine" })),
        world.key.post("/api/v1/auth/workspace", json!({ "workspace": workspace })),
        world.key.post(
            "/api/v1/auth/password",
            json!({ "current": "correct horse battery staple", "new": "a longer password" }),
        ),
    ];
    for request in requests {
        let _ = request.await.expect(403);
    }
    world.hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_belongs_to_another_workspace_does_not_exist() {
    let world = World::new().await;
    let owner = &world.members[0].1;
    let of = |it: &Reply| it.json.clone();
    let bot = format!("/api/v1/bots/{}", world.bot);
    let conversation = format!("/api/v1/conversations/{}", world.conversation);
    let before =
        (of(&owner.get(&bot).await), of(&owner.get(&conversation).await), of(&owner.get("/api/v1/members").await));
    let mut wrong = Vec::new();
    for row in table().iter().filter(|row| row.path.contains('{')) {
        let request = world.foreign.request(row.method.clone(), &world.path(row, true));
        let status = status(&row.method, request, &row.foreign).await;
        if status != 404 {
            wrong.push(format!("{} {}: {status}", row.method, row.path));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for list in ["conversations?status=all", "bots", "deliveries", "keys", "invitations"] {
        let page = world.foreign.get(&format!("/api/v1/{list}")).await.expect(200);
        assert_eq!(page.json["items"], json!([]), "{list}");
    }
    let members = world.foreign.get("/api/v1/members").await.expect(200);
    assert_eq!(members.json["items"].as_array().map(Vec::len), Some(1), "only himself");
    let after =
        (of(&owner.get(&bot).await), of(&owner.get(&conversation).await), of(&owner.get("/api/v1/members").await));
    let without_cursor = |mut it: (Value, Value, Value)| {
        it.2["live_cursor"] = Value::Null;
        it
    };
    assert_eq!(without_cursor(before), without_cursor(after), "nothing changed");
    world.hub.finish().await;
}
