//! A measuring stand: a server with a sandbox in another process, an API key, one bot.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    http::Client,
    product::{Launch, Product},
    scene::{self, Bot, Sandbox},
    stats,
};

/// What every benchmark can be told.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The binary.
    #[arg(long, default_value = "target/release/switchboard")]
    pub binary: PathBuf,
    /// An empty PostgreSQL database instead of the embedded one.
    #[arg(long)]
    pub database: Option<String>,
    /// Where the data goes; it is removed at the end.
    #[arg(long, default_value = "target")]
    pub folder: PathBuf,
}

/// What runs.
pub struct Stand {
    /// The server.
    pub product: Product,
    /// Telegram.
    pub sandbox: Sandbox,
    /// Somebody with every right, who does not expire.
    pub operator: Client,
    /// The bot at Telegram.
    pub bot: Bot,
    /// The bot's id here.
    pub bot_id: String,
    _sandbox_process: Product,
    _folder: TempDir,
}

impl Stand {
    /// Builds it up and prints what it stands on. Limits that are made for people are raised; `settings` come on top.
    ///
    /// # Panics
    /// When the product cannot be started.
    pub async fn new(options: &Options, settings: &[(&str, &str)]) -> Self {
        let binary = options.binary.canonicalize().expect("the binary is built");
        let folder = tempfile::tempdir_in(&options.folder).expect("a folder to write in");
        let database = if options.database.is_some() { "PostgreSQL" } else { "SQLite" };
        println!("{}, {database}", stats::machine(folder.path()));
        let process = Launch::new(&binary, folder.path(), &["sandbox"])
            .set("sandbox.listen", "127.0.0.1:0")
            .set("data", "sandbox-data")
            .start_sandbox()
            .await;
        let raised = [
            ("limits.per_key", "100000000"),
            ("limits.per_address", "100000000"),
            ("limits.streams_per_user", "100000"),
        ];
        let mut launch = Launch::serve(&binary, folder.path()).database(options.database.as_deref());
        launch = launch.set("telegram.api_url", &process.url).set("log.level", "warn");
        for (path, value) in raised.iter().chain(settings) {
            launch = launch.set(path, value);
        }
        let product = launch.start().await;
        let sandbox = Sandbox::at(&process.url);
        let owner = scene::set_up(&product).await;
        let bot = sandbox.bot("Corner Shop").await;
        let bot_id = scene::connect(&owner, &bot).await;
        let operator = scene::key_with_every_right(&owner).await;
        Self { product, sandbox, operator, bot, bot_id, _sandbox_process: process, _folder: folder }
    }

    /// Conversations with this many customers.
    ///
    /// # Panics
    /// When they do not come to be.
    pub async fn conversations(&self, count: usize) -> Vec<String> {
        for number in 0..count {
            let person = self.sandbox.person(&format!("Customer {number}")).await;
            self.sandbox.say(&self.bot.username, person, "/start").await;
        }
        let items: Vec<Value> = crate::eventually("every customer has a conversation", async || {
            let items = scene::all_items(&self.operator, "/api/v1/conversations?status=all").await;
            (items.len() == count).then_some(items)
        })
        .await;
        items.iter().map(|it| it["id"].as_str().expect("an id").to_owned()).collect()
    }
}

/// Sets the number of open files as high as it may be; children inherit it.
///
/// # Errors
/// When fewer than `wanted` are allowed, with what is.
pub fn raise_open_files(wanted: u64) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    if most < wanted {
        return Err(format!("{wanted} open files are needed, {most} are allowed"));
    }
    let raised = Rlimit { current: Some(wanted.max(limit.current.unwrap_or(wanted))), maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).map_err(|e| e.to_string())
}

/// The path of the server's binary, made absolute.
///
/// # Panics
/// When it is not built.
#[must_use]
pub fn built(binary: &Path) -> PathBuf {
    binary.canonicalize().expect("the binary is built")
}
