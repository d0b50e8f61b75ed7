//! Commands for the people who run the server: backup, restore, migrate, keys, lost passwords.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use kit::KeyRing;
use model::{Timestamp, World};
use store::{Db, DbConfig, backup};

use crate::{config::Config, features, serve};

/// Writes a backup of a database into `folder` under the name of the moment, and verifies it.
pub(crate) async fn write_backup(db: &Db, folder: &Path, now: Timestamp) -> anyhow::Result<PathBuf> {
    let file = folder.join(backup::file_name(now));
    backup::create(db, &file).await?;
    Ok(file)
}

/// `switchboard backup`. The embedded database is read beside a running server.
pub(crate) async fn backup(config: Config, file: Option<PathBuf>) -> anyhow::Result<()> {
    let world = features::system_world();
    let file = file.unwrap_or_else(|| config.backup_folder().join(backup::file_name(world.now())));
    let summary = backup::create_beside(&config.db(), &world, &file).await?;
    println!("{} written and verified: {}", file.display(), said(&summary));
    Ok(())
}

fn said(summary: &backup::Summary) -> String {
    let backup::Summary { schema, workspaces, messages, events, .. } = summary;
    format!("{workspaces} workspace(s), {messages} message(s), {events} event(s), schema version {schema}")
}

/// `switchboard restore`.
pub(crate) async fn restore(config: Config, file: PathBuf) -> anyhow::Result<()> {
    let world = features::system_world();
    let keys = existing_keys(&config, world.clone())?;
    let fits = move |value: Option<&str>| value.is_none_or(|value| keys.knows(value));
    let summary = backup::restore(&file, &config.db(), &world, fits).await?;
    println!("{} restored: {}", file.display(), said(&summary));
    Ok(())
}

/// `switchboard migrate`: everything into another, empty database. The server has to be stopped, so that nothing is left behind.
pub(crate) async fn migrate(config: Config, to: String) -> anyhow::Result<()> {
    let is_postgres = to.starts_with("postgres://") || to.starts_with("postgresql://");
    let target = if is_postgres { DbConfig::postgres(&config.data, to) } else { DbConfig::sqlite(to) };
    let db = serve::open_database(&config, features::system_world()).await?;
    let moved = backup::transfer(&db, &target).await;
    db.close().await;
    println!("copied: {}", said(&moved?));
    println!("Give the server the new database, and the same key file, from now on.");
    Ok(())
}

/// Keys that exist already: a restore must not make a new key file.
fn existing_keys(config: &Config, world: World) -> anyhow::Result<KeyRing> {
    if !config.keys.master.expose().is_empty() {
        return Ok(KeyRing::parse(config.keys.master.expose(), world)?);
    }
    let file = config.key_file();
    if !file.exists() {
        bail!(
            "there is no key file {}: put the installation's key file there first, or set `keys.master`",
            file.display()
        );
    }
    Ok(KeyRing::load(&file, world)?)
}

/// `switchboard keys rotate`.
pub(crate) fn rotate_keys(config: &Config) -> anyhow::Result<()> {
    if !config.keys.master.expose().is_empty() {
        bail!("the master key comes from `keys.master`: put a new key in front of the old one there");
    }
    let file = config.key_file();
    KeyRing::rotate(&file, features::system_world()).with_context(|| format!("key file {}", file.display()))?;
    println!("A new key was added to {}. Restart the server: it seals every secret anew.", file.display());
    Ok(())
}

/// `switchboard user reset-password`.
pub(crate) async fn reset_password(config: Config, email: String) -> anyhow::Result<()> {
    let world = features::system_world();
    let db = serve::open_database(&config, world).await?;
    let public_url =
        if config.public_url.is_empty() { format!("http://{}", config.listen) } else { config.public_url.clone() };
    let link = identity::issue_reset_link(&db, &public_url, &email).await?;
    db.close().await;
    match link {
        Some(link) => println!("{link}"),
        None => bail!("nobody has the address {email}"),
    }
    Ok(())
}
