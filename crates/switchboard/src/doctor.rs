//! `switchboard doctor`: can this machine, with this configuration, run the server?

use std::time::Duration;

use anyhow::bail;
use store::{Db, Error};
use tokio::net::TcpListener;

use crate::{config::Config, features, serve};

/// One thing that was looked at.
enum Finding {
    Good(String),
    Warning(String),
    Bad(String),
}

/// Looks at everything and fails when something is bad.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    let findings = [
        data_folder(&config),
        disk(&config),
        keys(&config),
        database(&config).await,
        port(&config).await,
        telegram(&config).await,
        web_app(),
    ];
    let mut bad = 0;
    for finding in findings {
        match finding {
            Finding::Good(text) => println!("ok       {text}"),
            Finding::Warning(text) => println!("warning  {text}"),
            Finding::Bad(text) => {
                bad += 1;
                println!("problem  {text}");
            }
        }
    }
    if bad > 0 {
        bail!("{bad} problem(s) found");
    }
    Ok(())
}

fn data_folder(config: &Config) -> Finding {
    let folder = config.data.display();
    if serve::is_writable(&config.data) {
        Finding::Good(format!("data folder {folder} is writable"))
    } else {
        Finding::Bad(format!("data folder {folder} cannot be written: create it or change its owner"))
    }
}

fn disk(config: &Config) -> Finding {
    let reserve = config.store.disk_reserve_mb;
    match store::free_bytes(&config.data) {
        None => Finding::Warning("free disk space cannot be read".to_owned()),
        Some(free) if free >> 20 < reserve => {
            Finding::Bad(format!("{} MB of disk are free, the reserve is {reserve} MB: free some", free >> 20))
        }
        Some(free) => Finding::Good(format!("{} MB of disk are free", free >> 20)),
    }
}

fn keys(config: &Config) -> Finding {
    if !config.keys.master.expose().is_empty() {
        return match kit::KeyRing::parse(config.keys.master.expose(), features::system_world()) {
            Ok(_) => Finding::Good("master key from the configuration".to_owned()),
            Err(error) => Finding::Bad(format!("setting `keys.master`: {error}")),
        };
    }
    let file = config.key_file();
    if !file.exists() {
        return Finding::Good(format!("key file {} will be made at the first start", file.display()));
    }
    match kit::KeyRing::load(&file, features::system_world()) {
        Ok(_) => Finding::Good(format!("key file {}", file.display())),
        Err(error) => Finding::Bad(format!("key file {}: {error}", file.display())),
    }
}

async fn database(config: &Config) -> Finding {
    match Db::open(config.db(), features::system_world()).await {
        Ok(db) => {
            db.close().await;
            Finding::Good(format!("database opens, schema version {}", store::LATEST_SCHEMA))
        }
        Err(Error::Locked) => Finding::Warning("the server is running on this data folder".to_owned()),
        Err(error) => Finding::Bad(format!("database: {error}")),
    }
}

async fn port(config: &Config) -> Finding {
    match TcpListener::bind(&config.listen).await {
        Ok(_) => Finding::Good(format!("{} can be listened on", config.listen)),
        Err(error) => Finding::Warning(format!("{} cannot be listened on now: {error}", config.listen)),
    }
}

async fn telegram(config: &Config) -> Finding {
    let url = &config.telegram.api_url;
    let http = match net::Http::new(&net::Settings::default()) {
        Ok(http) => http,
        Err(error) => return Finding::Bad(error.to_string()),
    };
    match http.send(net::Request::get(url).timeout(Duration::from_secs(5))).await {
        net::Outcome::Answer(_) => Finding::Good(format!("{url} answers")),
        net::Outcome::NotSent(reason) | net::Outcome::Unclear(reason) | net::Outcome::Refused(reason) => {
            Finding::Warning(format!("{url} does not answer: {reason}"))
        }
    }
}

fn web_app() -> Finding {
    if web::is_built() {
        Finding::Good("the web app is built in".to_owned())
    } else {
        Finding::Warning("the web app is not built into this binary: `make run` builds it".to_owned())
    }
}
