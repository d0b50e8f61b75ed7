//! Commands in process: what the writer alone can do.

use std::path::PathBuf;

use bench::store::{Load, run};
use clap::Parser;

/// Callers that each wait for their command to be durable before they send the next.
#[derive(Debug, Parser)]
struct Arguments {
    /// Callers.
    #[arg(long, default_value_t = 64)]
    callers: usize,
    /// Commands of each caller.
    #[arg(long, default_value_t = 4000)]
    commands: usize,
    /// An empty PostgreSQL database instead of the embedded one.
    #[arg(long)]
    database: Option<String>,
    /// Where the data goes; it is removed at the end.
    #[arg(long, default_value = "target")]
    folder: PathBuf,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir_in(&arguments.folder).expect("a folder to write in");
    let load = Load {
        folder: folder.path().to_owned(),
        url: arguments.database,
        callers: arguments.callers,
        commands: arguments.commands,
    };
    println!("{}", run(&load).await.expect("the database takes it"));
}
