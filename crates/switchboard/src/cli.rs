//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config, Flags};

/// The self-hosted conversation hub.
#[derive(Debug, Parser)]
#[command(name = "switchboard", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Where settings come from, besides the environment.
#[derive(Debug, Clone, Args)]
pub(crate) struct Settings {
    /// Configuration file (default: ./switchboard.toml if it exists).
    #[arg(long, global = true, value_name = "FILE", env = "SWITCHBOARD_CONFIG")]
    config: Option<PathBuf>,
    /// Any setting, such as telegram.poll_seconds=10; may be repeated.
    #[arg(long = "set", global = true, value_name = "SETTING=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
    /// Folder of everything that is kept.
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<String>,
    /// postgres://… instead of the embedded database.
    #[arg(long, global = true, value_name = "URL")]
    database: Option<String>,
}

/// What to do; without a command: serve.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    Serve(Serve),
    /// Run a Telegram sandbox alone.
    Sandbox {
        /// Address and port.
        #[arg(long, value_name = "ADDR")]
        listen: Option<String>,
    },
    /// Write a backup and verify it.
    Backup {
        /// The file to write (default: a dated one in the backup folder).
        file: Option<PathBuf>,
    },
    /// Fill an empty installation from a backup.
    Restore {
        /// The backup.
        file: PathBuf,
    },
    /// Copy this installation into another, empty database.
    Migrate {
        /// postgres://… or a folder for an embedded database.
        #[arg(long, value_name = "URL")]
        to: String,
    },
    /// Show or check the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Check that this machine and this configuration can run the server.
    Doctor,
    /// Master keys.
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// People who log in.
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Print the description of the API (OpenAPI 3.1).
    Openapi,
}

/// Flags of `serve`.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Serve {
    /// Address and port to listen on.
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// One-time code for the first sign-up; prefer SWITCHBOARD_SETUP_CODE.
    #[arg(long, value_name = "CODE")]
    setup_code: Option<String>,
    /// Run a Telegram sandbox beside the server.
    #[arg(long)]
    sandbox: bool,
    /// Address and port of the sandbox.
    #[arg(long, value_name = "ADDR")]
    sandbox_listen: Option<String>,
    /// Let other machines reach the sandbox, by a link that is printed.
    #[arg(long)]
    sandbox_public: bool,
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every setting with its explanation and default.
    Default,
    /// Read the configuration and say what is wrong with it.
    Check,
    /// Print what is in force, without secrets.
    Show,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Add a new master key; the server reseals every secret with it at its next start.
    Rotate,
}

/// What to do with people.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Print a one-time link to set a new password, and end all sessions.
    ResetPassword {
        /// The person's e-mail address.
        email: String,
    },
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (path, value) = text.split_once('=').ok_or("SETTING=VALUE is expected")?;
    Ok((path.to_owned(), value.to_owned()))
}

impl Settings {
    /// The configuration in force.
    pub(crate) fn load(&self, serve: &Serve) -> anyhow::Result<Config> {
        let mut flags: Flags = self.set.clone();
        let named = [
            ("data", &self.data),
            ("database", &self.database),
            ("listen", &serve.listen),
            ("setup_code", &serve.setup_code),
            ("sandbox.listen", &serve.sandbox_listen),
        ];
        flags.extend(named.into_iter().filter_map(|(path, value)| Some((path.to_owned(), value.clone()?))));
        let switches = [("sandbox.enabled", serve.sandbox), ("sandbox.public", serve.sandbox_public)];
        flags.extend(switches.into_iter().filter(|(_, on)| *on).map(|(path, _)| (path.to_owned(), "true".to_owned())));
        config::load(self.config.as_deref(), environment, &flags)
    }
}

/// The environment, with the short name that the documentation promises for the sandbox.
fn environment(name: &str) -> Option<String> {
    let found = config::process_environment(name);
    if name == "SWITCHBOARD_SANDBOX_ENABLED" {
        return found.or_else(|| config::process_environment("SWITCHBOARD_SANDBOX"));
    }
    found
}
