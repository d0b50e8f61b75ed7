//! Runs a sandbox of its own on 127.0.0.1:8081 with one bot: `cargo run -p sandbox --example serve`.
//! The first argument names another address, the second a folder that keeps the conversation.

use sandbox::{Sandbox, SandboxConfig};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:8081".to_owned());
    let config = SandboxConfig { data: arguments.next().map(Into::into), ..SandboxConfig::default() };
    let sandbox = Sandbox::new(config)?;
    if sandbox.bots().is_empty() {
        let made = sandbox.create_bot("Corner Shop", None);
        made.map_err(std::io::Error::other)?;
    }
    let listener = TcpListener::bind(address).await?;
    println!("sandbox on http://{}", listener.local_addr()?);
    for bot in sandbox.bots() {
        println!("@{} {}", bot.username, bot.token);
    }
    let stop = async {
        // Without a signal handler the process is simply killed.
        let _ = tokio::signal::ctrl_c().await;
    };
    sandbox.serve(listener, stop).await
}
