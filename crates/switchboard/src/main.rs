//! Switchboard: the binary. What it runs is in `features.rs`; what it can be told is in `config.default.toml`.

mod beside;
mod cli;
mod config;
mod doctor;
mod features;
mod logging;
mod ops;
mod playground;
mod schedule;
mod serve;

use clap::Parser as _;

use crate::cli::{Cli, Command, ConfigCommand, KeysCommand, Serve, UserCommand};

/// Faster than the C library's under many small allocations from several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("switchboard: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let Cli { settings, command } = cli;
    let flags = match &command {
        Some(Command::Serve(serve)) => serve.clone(),
        _ => Serve::default(),
    };
    if let Some(Command::Config { command: ConfigCommand::Default }) = command {
        print!("{}", config::DEFAULTS);
        return Ok(());
    }
    let config = settings.load(&flags)?;
    match command.unwrap_or_else(|| Command::Serve(Serve::default())) {
        Command::Serve(_) => wait(serve::run(config)),
        Command::Sandbox { listen } => wait(playground::run_alone(config, listen)),
        Command::Backup { file } => wait(ops::backup(config, file)),
        Command::Restore { file } => wait(ops::restore(config, file)),
        Command::Migrate { to } => wait(ops::migrate(config, to)),
        Command::Config { command } => config_command(&command, &config),
        Command::Doctor => wait(doctor::run(config)),
        Command::Keys { command: KeysCommand::Rotate } => ops::rotate_keys(&config),
        Command::User { command: UserCommand::ResetPassword { email } } => wait(ops::reset_password(config, email)),
        Command::Openapi => wait(features::print_openapi(config)),
    }
}

fn config_command(command: &ConfigCommand, config: &config::Config) -> anyhow::Result<()> {
    match command {
        ConfigCommand::Check => println!("The configuration is valid."),
        ConfigCommand::Show | ConfigCommand::Default => println!("{config:#?}"),
    }
    Ok(())
}

/// Runs `work` on a runtime of its own.
fn wait(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}
