//! The one list of what runs.

use std::sync::Arc;

use chats::Chats;
use desk::Desk;
use identity::{Identity, SandboxStarter};
use kit::{Feature, HttpConfig, Hub, HubBuilder, KeyRing, Rates, clock};
use model::World;
use store::Db;
use telegram::{SandboxControl, Telegram, TelegramConfig};

use crate::{config::Config, schedule};

/// What the features need besides the configuration.
pub(crate) struct Parts {
    pub(crate) db: Db,
    pub(crate) world: World,
    pub(crate) keys: KeyRing,
    pub(crate) public_url: String,
    pub(crate) setup_code: identity::SetupCode,
    pub(crate) sandbox: Option<Arc<dyn SandboxControl>>,
}

/// The system's clock and randomness.
pub(crate) fn system_world() -> World {
    World::new(Arc::new(clock::SystemClock::default()), Arc::new(clock::SystemEntropy))
}

/// Builds the hub and every feature.
///
/// # Errors
/// What the database says.
pub(crate) async fn build(config: &Config, parts: Parts) -> anyhow::Result<(Hub, Vec<Feature>, Identity)> {
    let Parts { db, world, keys, public_url, setup_code, sandbox } = parts;
    let chats = Chats::new(Arc::new(Desk)).with_courier(Arc::new(telegram::Courier));
    let has_sandbox = sandbox.is_some();
    let telegram = Telegram::new(telegram_config(config, &public_url), chats.clone(), sandbox)?;
    let identity = Identity::new(
        db.clone(),
        keys.clone(),
        world.clone(),
        identity::Config {
            hashing: identity::Hashing::default(),
            setup_code,
            sandbox: has_sandbox.then(|| sandbox_starter(telegram.clone())),
        },
    );
    let hub = HubBuilder::new(db, world, keys, identity.authenticator())
        .config(http_config(config, public_url)?)
        .build()
        .await?;
    let features = vec![
        identity.feature(),
        desk::feature(chats, hub.db().clone()),
        telegram.feature(),
        schedule::feature(config),
        Feature::new("web").fallback(web::router()),
    ];
    Ok((hub, features, identity))
}

fn sandbox_starter(telegram: Telegram) -> SandboxStarter {
    Arc::new(move |hub, principal| {
        let telegram = telegram.clone();
        Box::pin(async move {
            let (actor, name) = (principal.actor(), principal.name.clone());
            telegram.connect_sandbox_bot(&hub, principal.workspace, actor, name, None).await.map(drop)
        })
    })
}

fn telegram_config(config: &Config, public_url: &str) -> TelegramConfig {
    let seconds = std::time::Duration::from_secs;
    let Config { telegram: set, .. } = config;
    // Longer than a poll or a send with its margin (RULES 8.3) even when a third of it is over, which is when it is renewed.
    let lease = (set.poll_seconds + set.request_seconds).max(2 * (set.request_seconds + 5));
    let mut telegram = TelegramConfig {
        api_url: config.telegram.api_url.trim_end_matches('/').to_owned(),
        // Telegram only calls HTTPS addresses; the sandbox calls any.
        webhook_base: Some(public_url.to_owned()),
        poll_timeout: seconds(config.telegram.poll_seconds),
        in_flight: config.telegram.in_flight,
        lease: seconds(lease),
        ..TelegramConfig::default()
    };
    telegram.http.request_timeout = seconds(config.telegram.request_seconds);
    telegram
}

fn http_config(config: &Config, public_url: String) -> anyhow::Result<HttpConfig> {
    let proxies = config.http.trusted_proxies.iter().map(|it| it.parse()).collect::<Result<_, _>>()?;
    let limits = &config.limits;
    Ok(HttpConfig {
        public_url,
        trusted_proxies: proxies,
        cors_origins: config.http.cors_origins.clone(),
        rates: Rates { per_address: limits.per_address, per_user: limits.per_user, per_key: limits.per_key },
        streams_per_user: limits.streams_per_user,
        body_limit: config.http.body_limit_kb << 10,
        metrics_token: Some(config.http.metrics_token.clone()).filter(|token| !token.expose().is_empty()),
        drain: std::time::Duration::from_secs(config.http.drain_seconds),
        log_retention: std::time::Duration::from_secs(24 * 3600 * config.retention.log_days),
        ..HttpConfig::default()
    })
}

/// Prints the API description; needs a database for nothing but to build the features.
pub(crate) async fn print_openapi(config: Config) -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("switchboard-openapi-{}", std::process::id()));
    let world = system_world();
    let db = Db::open(store::DbConfig::sqlite(&folder), world.clone()).await?;
    let parts = Parts {
        keys: KeyRing::random(world.clone()),
        public_url: "http://127.0.0.1:8080".to_owned(),
        setup_code: identity::SetupCode::random(&world).0,
        sandbox: None,
        db: db.clone(),
        world,
    };
    let (hub, features, _) = build(&config, parts).await?;
    let description = kit::assemble(&hub, features).openapi().to_pretty_json()?;
    println!("{description}");
    db.close().await;
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
