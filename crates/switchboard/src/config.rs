//! Configuration: one commented file compiled in as the defaults, overlaid by a file, the environment and flags.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use model::Secret;
use serde::Deserialize;
use toml::{Table, Value};

/// The defaults, with their explanations.
pub(crate) const DEFAULTS: &str = include_str!("config.default.toml");
/// Read when it exists and no other file is named.
const USUAL_FILE: &str = "switchboard.toml";
const PREFIX: &str = "SWITCHBOARD";

macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name { $(pub(crate) $field: $type,)* }
    )*};
}

sections! {
    /// Everything that an operator can set; what each value means is said in the defaults.
    Config {
        data: PathBuf,
        listen: String,
        database: Secret,
        public_url: String,
        setup_code: Secret,
        store: Store,
        keys: Keys,
        http: Http,
        limits: Limits,
        telegram: Telegram,
        sandbox: Sandbox,
        backup: Backup,
        retention: Retention,
        log: Log,
    }
    Store { readers: usize, writers: usize, disk_reserve_mb: u64, }
    Keys { master: Secret, file: PathBuf, }
    Http {
        trusted_proxies: Vec<String>,
        cors_origins: Vec<String>,
        body_limit_kb: usize,
        metrics_token: Secret,
        drain_seconds: u64,
    }
    Limits { per_address: u32, per_user: u32, per_key: u32, streams_per_user: usize, }
    Telegram { api_url: String, poll_seconds: u64, request_seconds: u64, in_flight: usize, }
    Sandbox { enabled: bool, offer: bool, listen: String, public: bool, journal: PathBuf, }
    Backup { every_hours: u64, keep: usize, folder: PathBuf, }
    Retention { log_days: u64, }
    Log { level: String, format: LogFormat, }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Values from the command line, as `path=value`.
pub(crate) type Flags = Vec<(String, String)>;

/// Reads the configuration. `environment` gives a variable's value.
///
/// # Errors
/// With the path of the setting and where its value came from.
pub(crate) fn load(
    file: Option<&Path>,
    environment: impl Fn(&str) -> Option<String>,
    flags: &Flags,
) -> anyhow::Result<Config> {
    let mut table: Table = DEFAULTS.parse().context("the defaults are malformed")?;
    if let Some(path) = file.map(Path::to_path_buf).or_else(|| Some(PathBuf::from(USUAL_FILE)).filter(|it| it.exists()))
    {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let own: Table = text.parse().with_context(|| format!("{} is no valid TOML", path.display()))?;
        overlay(&mut table, own, "").with_context(|| format!("in {}", path.display()))?;
    }
    from_environment(&mut table, PREFIX, &environment)?;
    for (path, value) in flags {
        set(&mut table, path, value).with_context(|| format!("--set {path}"))?;
    }
    let config: Config = serde_path_to_error::deserialize(table).map_err(|e| {
        let path = e.path().to_string();
        anyhow::anyhow!("setting `{path}`: {}", e.into_inner())
    })?;
    check(&config)?;
    Ok(config)
}

/// Reads the process's environment.
pub(crate) fn process_environment(name: &str) -> Option<String> {
    env::var(name).ok()
}

fn overlay(table: &mut Table, own: Table, prefix: &str) -> anyhow::Result<()> {
    for (key, value) in own {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match (table.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(own)) => overlay(inner, own, &path)?,
            (Some(known), value) if known.same_type(&value) => *known = value,
            (Some(known), value) => bail!("`{path}` has to be a {}, it is a {}", known.type_str(), value.type_str()),
            (None, _) => bail!("there is no setting `{path}`"),
        }
    }
    Ok(())
}

fn from_environment(
    table: &mut Table,
    prefix: &str,
    environment: &impl Fn(&str) -> Option<String>,
) -> anyhow::Result<()> {
    for (key, value) in table.iter_mut() {
        let name = format!("{prefix}_{}", key.to_uppercase());
        if let Value::Table(inner) = value {
            from_environment(inner, &name, environment)?;
        } else if let Some(text) = variable(&name, environment)? {
            *value = parse(value, &text).with_context(|| format!("environment variable {name}"))?;
        }
    }
    Ok(())
}

fn variable(name: &str, environment: &impl Fn(&str) -> Option<String>) -> anyhow::Result<Option<String>> {
    if let Some(text) = environment(name) {
        return Ok(Some(text));
    }
    let Some(path) = environment(&format!("{name}_FILE")) else { return Ok(None) };
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}, named by {name}_FILE"))?;
    Ok(Some(text.trim().to_owned()))
}

fn set(table: &mut Table, path: &str, text: &str) -> anyhow::Result<()> {
    let missing = || anyhow::anyhow!("there is no setting `{path}`");
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    match (table.get_mut(head).ok_or_else(missing)?, rest) {
        (Value::Table(inner), Some(rest)) => set(inner, rest, text),
        (Value::Table(_), None) | (_, Some(_)) => Err(missing()),
        (value, None) => {
            *value = parse(value, text)?;
            Ok(())
        }
    }
}

/// Reads a text as a value of the same type as `like`.
fn parse(like: &Value, text: &str) -> anyhow::Result<Value> {
    Ok(match like {
        Value::String(_) => Value::String(text.to_owned()),
        Value::Integer(_) => Value::Integer(text.parse().context("a whole number is expected")?),
        Value::Boolean(_) => Value::Boolean(match text {
            "1" | "true" | "yes" | "on" => true,
            "" | "0" | "false" | "no" | "off" => false,
            _ => bail!("true or false is expected"),
        }),
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|it| !it.is_empty());
            Value::Array(items.map(|it| Value::String(it.to_owned())).collect())
        }
        other => bail!("a {} cannot be set this way", other.type_str()),
    })
}

/// What the types do not say.
fn check(config: &Config) -> anyhow::Result<()> {
    let code = config.setup_code.expose();
    if !code.is_empty() && code.chars().count() < 16 {
        bail!("setting `setup_code`: at least 16 characters are needed");
    }
    let urls = [("public_url", config.public_url.as_str()), ("telegram.api_url", config.telegram.api_url.as_str())];
    for (name, url) in urls {
        if !url.is_empty() && !url.starts_with("http://") && !url.starts_with("https://") {
            bail!("setting `{name}`: an http:// or https:// address is expected");
        }
    }
    let database = config.database.expose();
    if !database.is_empty() && !database.starts_with("postgres://") && !database.starts_with("postgresql://") {
        bail!("setting `database`: a postgres:// address is expected");
    }
    for proxy in &config.http.trusted_proxies {
        proxy.parse::<kit::Cidr>().context("setting `http.trusted_proxies`")?;
    }
    Ok(())
}

impl Config {
    /// The key file.
    pub(crate) fn key_file(&self) -> PathBuf {
        if self.keys.file.as_os_str().is_empty() { self.data.join("switchboard.key") } else { self.keys.file.clone() }
    }

    /// The folder of the backups.
    pub(crate) fn backup_folder(&self) -> PathBuf {
        if self.backup.folder.as_os_str().is_empty() { self.data.join("backups") } else { self.backup.folder.clone() }
    }

    /// How the store is opened.
    pub(crate) fn db(&self) -> store::DbConfig {
        let url = Some(self.database.expose().clone()).filter(|url| !url.is_empty());
        store::DbConfig {
            url,
            readers: self.store.readers,
            writers: self.store.writers,
            disk_reserve: self.store.disk_reserve_mb << 20,
            ..store::DbConfig::sqlite(&self.data)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)], flags: &[(&str, &str)]) -> anyhow::Result<Config> {
        let empty = tempfile::NamedTempFile::new().expect("a temporary file");
        let flags = flags.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
        let environment =
            |name: &str| variables.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned());
        load(Some(empty.path()), environment, &flags)
    }

    fn refused(variables: &[(&str, &str)], flags: &[(&str, &str)]) -> String {
        format!("{:#}", with(variables, flags).expect_err("refused"))
    }

    #[test]
    fn the_defaults_are_valid() {
        let config = with(&[], &[]).expect("valid");
        assert_eq!(config.listen, "127.0.0.1:8080");
        assert_eq!(config.store.disk_reserve_mb, 512);
    }

    #[test]
    fn the_environment_and_then_flags_win() {
        let variables = [("SWITCHBOARD_TELEGRAM_API_URL", "http://127.0.0.1:9"), ("SWITCHBOARD_LIMITS_PER_USER", "7")];
        let config =
            with(&variables, &[("limits.per_user", "9"), ("http.cors_origins", "https://a.test, https://b.test")]);
        let config = config.expect("valid");
        assert_eq!(config.telegram.api_url, "http://127.0.0.1:9");
        assert_eq!(config.limits.per_user, 9);
        assert_eq!(config.http.cors_origins, ["https://a.test", "https://b.test"]);
    }

    #[test]
    fn a_secret_can_come_from_a_file_and_is_never_printed() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(file.path(), "postgres://user:hunter2@db/it\n").expect("writable");
        let path = file.path().to_str().expect("a plain path");
        let config = with(&[("SWITCHBOARD_DATABASE_FILE", path)], &[]).expect("valid");
        assert_eq!(config.database.expose(), "postgres://user:hunter2@db/it");
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        assert!(refused(&[], &[("limits.per_usr", "9")]).contains("limits.per_usr"));
        assert!(refused(&[("SWITCHBOARD_STORE_READERS", "many")], &[]).contains("SWITCHBOARD_STORE_READERS"));
        assert!(refused(&[], &[("store.readers", "-1")]).contains("store.readers"));
        assert!(refused(&[], &[("setup_code", "short")]).contains("setup_code"));
        assert!(refused(&[], &[("log.format", "xml")]).contains("log.format"));
        assert!(refused(&[], &[("http.trusted_proxies", "10.0.0.0/99")]).contains("trusted_proxies"));
    }

    #[test]
    fn an_unknown_setting_in_a_file_is_refused() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(file.path(), "[limits]\nper_planet = 1\n").expect("writable");
        let error = load(Some(file.path()), |_| None, &Vec::new()).expect_err("refused");
        assert!(format!("{error:#}").contains("limits.per_planet"));
    }
}
