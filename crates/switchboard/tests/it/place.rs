//! A folder and, when the environment names a PostgreSQL server, a schema: where one test's server lives.

use std::{
    env,
    path::Path,
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use bench::{
    http::Client,
    product::{Finished, Launch, Product},
    scene::{self, Bot, Sandbox},
};
use tempfile::TempDir;

/// The binary under test.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_switchboard"))
}

/// Where one server lives. Everything goes when it is dropped.
pub(crate) struct Place {
    folder: TempDir,
    schema: Option<Schema>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let server = env::var("SWITCHBOARD_TEST_POSTGRES").ok().filter(|url| !url.is_empty());
        Self { folder, schema: server.map(Schema::new) }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The database's address, when it is not the embedded one.
    pub(crate) fn database(&self) -> Option<String> {
        self.schema.as_ref().map(Schema::url)
    }

    /// `switchboard serve` here, with rates that no test reaches.
    pub(crate) fn serve(&self) -> Launch {
        Launch::serve(binary(), self.folder())
            .database(self.database().as_deref())
            .set("limits.per_address", "100000")
            .set("limits.per_user", "100000")
            .set("store.disk_reserve_mb", "0")
    }

    /// Another command, on the same data.
    pub(crate) async fn command(&self, words: &[&str]) -> Finished {
        let launch = Launch::new(binary(), self.folder(), words).argument("--data").argument("data");
        launch.database(self.database().as_deref()).run().await
    }

    /// A server with a sandbox beside it, a signed-in owner and a connected bot.
    pub(crate) async fn shop(&self) -> Shop {
        let product = self.serve().argument("--sandbox").start().await;
        let sandbox = Sandbox::at(&product.line("sandbox on ").await);
        let owner = scene::set_up(&product).await;
        let made = owner.post("/api/v1/bots/sandbox", &serde_json::json!({ "name": "Corner Shop" })).await.expect(201);
        let bot = made["username"].as_str().expect("a username").to_owned();
        Shop { product, sandbox, owner, bot }
    }
}

/// A running server in its usual surroundings.
pub(crate) struct Shop {
    pub(crate) product: Product,
    pub(crate) sandbox: Sandbox,
    pub(crate) owner: Client,
    /// The bot's username.
    pub(crate) bot: String,
}

impl Shop {
    /// Somebody new writes; gives his Telegram id and his conversation.
    pub(crate) async fn customer(&self, name: &str, text: &str) -> (i64, String) {
        let person = self.sandbox.person(name).await;
        self.sandbox.say(&self.bot, person, text).await;
        let conversation = scene::conversation_of(&self.owner, name).await;
        (person, conversation["id"].as_str().expect("an id").to_owned())
    }
}

/// A sandbox of its own process, for tests in which the server dies.
pub(crate) async fn sandbox_alone(place: &Place) -> (Product, Sandbox, Bot) {
    let process = Launch::new(binary(), place.folder(), &["sandbox"])
        .set("sandbox.listen", "127.0.0.1:0")
        .set("data", "sandbox-data")
        .start_sandbox()
        .await;
    let sandbox = Sandbox::at(&process.url);
    let bot = sandbox.bot("Corner Shop").await;
    (process, sandbox, bot)
}

/// A schema of its own in the server's database.
struct Schema {
    server: String,
    name: String,
}

impl Schema {
    fn new(server: String) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("sb_product_{}_{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let schema = Self { server, name };
        schema.run(format!("DROP SCHEMA IF EXISTS {0} CASCADE; CREATE SCHEMA {0}", schema.name));
        schema
    }

    fn url(&self) -> String {
        let joint = if self.server.contains('?') { '&' } else { '?' };
        format!("{}{joint}options=-csearch_path%3D{}", self.server, self.name)
    }

    /// On a thread of its own, because it is called from inside and outside a runtime.
    fn run(&self, sql: String) {
        let server = self.server.clone();
        let work = async move {
            let (client, connection) = tokio_postgres::connect(&server, tokio_postgres::NoTls).await?;
            let connection = tokio::spawn(connection);
            client.batch_execute(&sql).await?;
            drop(client);
            connection.await.expect("the connection's task ends")
        };
        let run =
            || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work);
        let done = std::thread::scope(|scope| scope.spawn(run).join().expect("no panic"));
        done.expect("the PostgreSQL server of the environment answers");
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        self.run(format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name));
    }
}
