//! Kills the server at random moments under load and judges what is left; exits with 1 when something is not as it has to be.

use std::{path::PathBuf, process::ExitCode, time::Instant};

use bench::crash::{Plan, run};
use clap::Parser;

/// Kill the server again and again, and judge by outside records.
#[derive(Debug, Parser)]
struct Options {
    /// How often to kill.
    #[arg(long, default_value_t = 200)]
    kills: usize,
    /// Chooses moments, people and faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// An empty PostgreSQL database instead of the embedded one.
    #[arg(long)]
    database: Option<String>,
    /// The binary.
    #[arg(long, default_value = "target/debug/switchboard")]
    binary: PathBuf,
    /// Connected bots.
    #[arg(long, default_value_t = 4)]
    bots: usize,
    /// Customers of each bot.
    #[arg(long, default_value_t = 25)]
    customers: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plan = Plan {
        binary: options.binary.canonicalize().expect("the binary is built"),
        folder: folder.path().to_owned(),
        database: options.database,
        kills: options.kills,
        seed: options.seed,
        bots: options.bots,
        customers: options.customers,
    };
    println!("seed {}, {} kills, {}", plan.seed, plan.kills, bench::stats::machine(&plan.folder));
    let begun = Instant::now();
    let report = run(&plan).await;
    println!("{report}\n{:.0} s", begun.elapsed().as_secs_f64());
    if report.faults.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("data and journals are kept in {}", folder.keep().display());
    ExitCode::FAILURE
}
