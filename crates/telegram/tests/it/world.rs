//! A server with the feature and the Desk, a sandbox as its Telegram, and a few people with fixed tokens.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use chats::{CaseKeeper, Chat, Chats, Contact, Message};
use kit::{AuthError, Authenticator, BoxFuture, Principal, Who};
use model::{BotId, Clock as _, ConversationId, Id, Role, Secret, UserId, WorkspaceId};
use net::Settings;
use sandbox::{BotInfo, Call, Person, Sandbox, SandboxConfig};
use serde_json::{Value, json};
use store::{DbConfig, Tx};
use telegram::{SandboxBot, SandboxControl, Telegram, TelegramConfig};
use testkit::{Actor, ManualClock, Plan, TestHub, eventually};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use uuid::Uuid;

/// Knows a token for each role in one workspace, and `foreign`, the owner of another.
struct Tokens;

impl Authenticator for Tokens {
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Arc<Principal>, AuthError>> {
        let (role, workspace) = match token {
            "foreign" => (Some(Role::Owner), 2),
            name => (name.parse().ok(), 1),
        };
        let principal = role.map(|role| principal(role, workspace)).ok_or(AuthError::Invalid);
        Box::pin(std::future::ready(principal))
    }
}

fn principal(role: Role, workspace: u128) -> Arc<Principal> {
    let user = UserId::from_uuid(Uuid::from_u128(workspace * 100 + role as u128));
    let session = Id::from_uuid(user.uuid());
    Arc::new(Principal {
        workspace: WorkspaceId::from_uuid(Uuid::from_u128(workspace)),
        who: Who::Member { user, session, role },
        name: role.to_string(),
        rights: role.rights(),
        rate: None,
        expires_at: None,
    })
}

/// The Desk, but for two texts that it cannot bear.
struct Fragile;

impl CaseKeeper for Fragile {
    fn conversation_for(
        &self,
        tx: &mut Tx<'_>,
        chat: &Chat,
        contact: &Contact,
    ) -> Result<ConversationId, store::Error> {
        desk::Desk.conversation_for(tx, chat, contact)
    }

    fn recorded(&self, tx: &mut Tx<'_>, chat: &Chat, message: &Message) -> Result<(), store::Error> {
        match message.text.as_str() {
            "poison" => Err(store::Error::Corrupt("poison".to_owned())),
            "dynamite" => panic!("dynamite"),
            _ => desk::Desk.recorded(tx, chat, message),
        }
    }
}

struct Control {
    sandbox: Sandbox,
    url: String,
}

impl SandboxControl for Control {
    fn create_bot(&self, name: String) -> BoxFuture<'_, Result<SandboxBot, String>> {
        let made = self.sandbox.create_bot(&name, None);
        let made = made.map(|bot| SandboxBot { token: Secret::new(bot.token) }).map_err(|error| error.to_string());
        Box::pin(std::future::ready(made))
    }

    fn play_url(&self, username: &str) -> String {
        format!("{}/play/{username}", self.url)
    }
}

/// A running sandbox.
pub(crate) struct FakeTelegram {
    pub(crate) sandbox: Sandbox,
    pub(crate) address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl FakeTelegram {
    pub(crate) async fn start(address: &str) -> Self {
        Self::start_with(address, SandboxConfig::default()).await
    }

    async fn start_with(address: &str, config: SandboxConfig) -> Self {
        let sandbox = Sandbox::new(config).expect("in memory");
        // The port of a server that has just stopped may not be free at once.
        let listener = eventually(|| async { TcpListener::bind(address).await.ok() }).await;
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(sandbox.clone().serve(listener, async { drop(stopped.await) }));
        Self { sandbox, address, stop, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.serving.await.expect("no panic").expect("it stops well");
    }
}

/// See the module.
pub(crate) struct World {
    pub(crate) hub: TestHub,
    pub(crate) telegram: FakeTelegram,
}

type Configure = Arc<dyn Fn(&mut TelegramConfig) + Send + Sync>;

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(configure: impl Fn(&mut TelegramConfig) + Send + Sync + 'static) -> Self {
        Self::with_store(configure, |_| {}).await
    }

    pub(crate) async fn with_store(
        configure: impl Fn(&mut TelegramConfig) + Send + Sync + 'static,
        store: impl Fn(&mut DbConfig) + Send + Sync + 'static,
    ) -> Self {
        Self::against(FakeTelegram::start("127.0.0.1:0").await, configure, store).await
    }

    /// Against a Telegram that enforces its limits by the clock of the test.
    pub(crate) async fn strict() -> Self {
        let clock = Arc::new(OnceLock::<ManualClock>::new());
        let read = Arc::clone(&clock);
        let config = SandboxConfig {
            enforce_limits: true,
            clock: Arc::new(move || read.get().map_or(0, |clock| clock.now().micros())),
            ..SandboxConfig::default()
        };
        let world = Self::against(FakeTelegram::start_with("127.0.0.1:0", config).await, |_| {}, |_| {}).await;
        assert!(clock.set(world.hub.clock().clone()).is_ok(), "it is set once");
        world
    }

    async fn against(
        telegram: FakeTelegram,
        configure: impl Fn(&mut TelegramConfig) + Send + Sync + 'static,
        store: impl Fn(&mut DbConfig) + Send + Sync + 'static,
    ) -> Self {
        let (url, sandbox) = (telegram.url(), telegram.sandbox.clone());
        let configure: Configure = Arc::new(configure);
        let hub = TestHub::builder().store(store).features(move |parts| {
            let http = Settings { request_timeout: Duration::from_secs(2), ..Settings::default() };
            let mut config = TelegramConfig {
                api_url: url.clone(),
                sandbox_url: Some(url.clone()),
                webhook_base: Some(parts.config.public_url.clone()),
                http,
                ..TelegramConfig::default()
            };
            configure(&mut config);
            let chats = Chats::new(Arc::new(Fragile));
            let control = Arc::new(Control { sandbox: sandbox.clone(), url: url.clone() });
            let telegram = Telegram::new(config, chats.clone(), Some(control)).expect("valid settings");
            Plan::new(Arc::new(Tokens)).feature(desk::feature(chats, parts.db.clone())).feature(telegram.feature())
        });
        Self { hub: hub.start().await, telegram }
    }

    pub(crate) async fn restart(self) -> Self {
        Self { hub: self.hub.restart().await, telegram: self.telegram }
    }

    /// Ends the test: nothing may be left to do.
    pub(crate) async fn finish(self) {
        self.hub.finish().await;
        self.telegram.stop().await;
    }

    /// Ends a test that leaves something undelivered on purpose.
    pub(crate) async fn leave(mut self) {
        self.hub.allow_undelivered();
        self.finish().await;
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.telegram.sandbox
    }

    pub(crate) fn owner(&self) -> Actor {
        self.hub.with_token("owner")
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.hub.clock().advance(Duration::from_secs(seconds));
    }

    /// A bot of the sandbox that is connected and polls.
    pub(crate) async fn bot(&self) -> Bot {
        self.bot_in("polling").await
    }

    /// A bot of the sandbox that is connected in this mode.
    pub(crate) async fn bot_in(&self, mode: &str) -> Bot {
        let made = self.sandbox().create_bot("Corner Shop", None).expect("a bot");
        let reply = self.owner().post("/api/v1/bots", json!({ "token": made.token, "mode": mode })).await.expect(201);
        let bot = Bot { made, id: reply.str("/id").to_owned() };
        self.status(&bot, "connected").await;
        bot
    }

    /// Waits until the bot stands so, and gives it.
    #[track_caller]
    pub(crate) fn status<'a>(&'a self, bot: &'a Bot, status: &'a str) -> impl Future<Output = Value> + 'a {
        eventually(move || async move {
            let reply = self.owner().get(&format!("/api/v1/bots/{}", bot.id)).await.expect(200);
            (reply.json["status"] == status).then_some(reply.json)
        })
    }

    /// A person who wrote to the bot, whose message has arrived.
    pub(crate) async fn customer(&self, bot: &Bot, name: &str) -> Customer {
        let person = self.sandbox().person(name, None, Some("en")).expect("a person");
        self.sandbox().say(bot.made.id, person.id, "hello").expect("said");
        let conversation = self.conversation(name).await;
        Customer { person, conversation }
    }

    /// Waits for the conversation with the contact of this name and gives its id.
    #[track_caller]
    pub(crate) fn conversation<'a>(&'a self, name: &'a str) -> impl Future<Output = String> + 'a {
        eventually(move || async move {
            let reply = self.owner().get("/api/v1/conversations?limit=200").await.expect(200);
            let found = reply.items().iter().find(|it| it["contact"]["name"] == name).cloned();
            found.map(|it| it["id"].as_str().expect("an id").to_owned())
        })
    }

    pub(crate) async fn messages(&self, customer: &Customer) -> Vec<Value> {
        let path = format!("/api/v1/conversations/{}/messages?limit=200", customer.conversation);
        self.owner().get(&path).await.expect(200).items().to_vec()
    }

    /// Waits until the conversation holds exactly these texts.
    #[track_caller]
    pub(crate) fn texts<'a>(&'a self, customer: &'a Customer, texts: &'a [&'a str]) -> impl Future<Output = ()> + 'a {
        eventually(move || async move {
            let messages = self.messages(customer).await;
            let found: Vec<_> = messages.iter().map(|it| it["text"].as_str().unwrap_or_default()).collect();
            (found == texts).then_some(())
        })
    }

    /// An operator answers.
    pub(crate) async fn reply(&self, customer: &Customer, text: &str) -> Reply {
        let path = format!("/api/v1/conversations/{}/messages", customer.conversation);
        let operator = self.hub.with_token("operator");
        let reply = operator.post(&path, json!({ "text": text })).await.expect(201);
        Reply { message: reply.str("/id").to_owned(), delivery: reply.str("/delivery/id").to_owned() }
    }

    /// The delivery as the list shows it.
    pub(crate) async fn delivery(&self, reply: &Reply) -> Value {
        let list = self.owner().get("/api/v1/deliveries?limit=200").await.expect(200);
        list.items().iter().find(|it| it["id"] == reply.delivery.as_str()).expect("it is in the list").clone()
    }

    /// Waits until the delivery is in this state, and gives it.
    #[track_caller]
    pub(crate) fn state<'a>(&'a self, reply: &'a Reply, state: &'a str) -> impl Future<Output = Value> + 'a {
        eventually(move || async move {
            let found = self.delivery(reply).await;
            (found["state"] == state).then_some(found)
        })
    }

    /// Waits until the sandbox has received so many calls of sendMessage in all, and gives them.
    #[track_caller]
    pub(crate) fn sends(&self, count: usize) -> impl Future<Output = Vec<Call>> + '_ {
        eventually(move || async move {
            let calls = self.sandbox().journal_page(0, Some("sendMessage"), 10_000).calls;
            assert!(calls.len() <= count, "more calls than expected: {calls:?}");
            (calls.len() == count).then_some(calls)
        })
    }

    /// What the person sees of the bot.
    pub(crate) fn received(&self, bot: &Bot, customer: &Customer) -> Vec<String> {
        let messages = self.sandbox().messages(bot.made.id, customer.person.id).expect("a chat");
        let from_bot = messages.iter().filter(|it| it["from"]["is_bot"] == true);
        from_bot.map(|it| it["text"].as_str().expect("a text").to_owned()).collect()
    }

    /// The contact of a conversation.
    pub(crate) async fn contact(&self, customer: &Customer) -> Value {
        let path = format!("/api/v1/conversations/{}", customer.conversation);
        self.owner().get(&path).await.expect(200).json["contact"].clone()
    }

    /// How many updates were kept as they came, with their reasons.
    pub(crate) async fn raw(&self) -> Vec<String> {
        let sql = "SELECT reason FROM telegram_raw_updates ORDER BY id";
        let rows = self.hub.db().read(move |tx| tx.query(sql, &[], |row| row.get::<String>(0))).await;
        rows.expect("readable")
    }

    /// The fence of the bot's sender, once there was one.
    pub(crate) async fn fence(&self, bot: &Bot) -> Option<i64> {
        let name = format!("telegram:send:{}", bot.id);
        let sql = "SELECT fence FROM leases WHERE name = $1";
        let read = self.hub.db().read(move |tx| tx.first(sql, store::args![name], |row| row.get::<i64>(0)));
        read.await.expect("readable")
    }

    /// The secret of a bot's webhook.
    pub(crate) async fn secret(&self, bot: &Bot) -> String {
        let id: BotId = bot.id.parse().expect("an id");
        let sql = "SELECT webhook_secret FROM bots WHERE id = $1";
        let sealed = self.hub.db().read(move |tx| tx.one(sql, store::args![id], |row| row.get::<Vec<u8>>(0))).await;
        let keys = self.hub.hub().keys();
        let plain = keys.open("bots", id.as_bytes(), "webhook_secret", &sealed.expect("a row")).expect("it opens");
        String::from_utf8(plain).expect("text")
    }
}

/// A connected bot.
pub(crate) struct Bot {
    pub(crate) made: BotInfo,
    pub(crate) id: String,
}

/// A person with a conversation.
pub(crate) struct Customer {
    pub(crate) person: Person,
    pub(crate) conversation: String,
}

/// A reply on its way.
pub(crate) struct Reply {
    pub(crate) message: String,
    pub(crate) delivery: String,
}

/// Waits for a condition without a value.
#[track_caller]
pub(crate) fn until(mut condition: impl FnMut() -> bool) -> impl Future<Output = ()> {
    eventually(move || std::future::ready(condition().then_some(())))
}
