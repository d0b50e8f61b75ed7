//! A sandbox on a port of its own, and an HTTP client so small that nothing is hidden: one request per connection.

use sandbox::{BotInfo, Person, Sandbox, SandboxConfig};
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<io::Result<()>>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(SandboxConfig::default()).await
    }

    pub(crate) async fn with(config: SandboxConfig) -> Self {
        let sandbox = Sandbox::new(config).expect("the sandbox opens");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        let (stop, stopped) = oneshot::channel();
        let serving = sandbox.clone().serve(listener, async {
            let _ = stopped.await;
        });
        let served = tokio::spawn(serving);
        Self { sandbox, address, stop, served }
    }

    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        tokio::time::timeout(PATIENCE, self.served)
            .await
            .expect("it stops in time")
            .expect("it does not panic")
            .expect("it stops well");
    }

    /// A bot and a person who has written `/start` to it; the update is taken already.
    pub(crate) async fn met(&self) -> (BotInfo, Person) {
        let bot = self.sandbox.create_bot("Shop", None).expect("a bot");
        let person = self.sandbox.person("Ann Lee", Some("annlee"), Some("en"));
        let person = person.expect("a person");
        let said = self.sandbox.say(bot.id, person.id, "/start");
        let update = said.expect("said").update_id.expect("wanted");
        self.ok(&bot, "getUpdates", json!({ "offset": update + 1 })).await;
        (bot, person)
    }

    pub(crate) async fn request(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> io::Result<Answer> {
        request(self.address, method, path, headers, body).await
    }

    /// A Bot API call with a JSON body; an error when the connection ends without an answer.
    pub(crate) async fn call(&self, bot: &BotInfo, method: &str, params: Value) -> io::Result<Answer> {
        let path = format!("/bot{}/{method}", bot.token);
        let headers = "Content-Type: application/json\r\n";
        self.request("POST", &path, headers, params.to_string().as_bytes()).await
    }

    /// A call that must succeed; gives the result.
    pub(crate) async fn ok(&self, bot: &BotInfo, method: &str, params: Value) -> Value {
        let answer = self.call(bot, method, params).await.expect("an answer");
        let mut body = answer.json();
        assert_eq!(body["ok"], true, "{method}: {body}");
        assert_eq!(answer.status, 200);
        body["result"].take()
    }

    /// A call that must be refused; gives code and description.
    pub(crate) async fn refused(&self, bot: &BotInfo, method: &str, params: Value) -> String {
        let answer = self.call(bot, method, params).await.expect("an answer");
        let body = answer.json();
        assert_eq!(body["ok"], false, "{method}: {body}");
        assert_eq!(body["error_code"], answer.status);
        let description = body["description"].as_str().expect("a description");
        format!("{} {description}", answer.status)
    }

    pub(crate) async fn send(&self, bot: &BotInfo, chat: i64, text: &str) -> Value {
        self.ok(bot, "sendMessage", json!({ "chat_id": chat, "text": text })).await
    }

    /// A control call; gives status and body.
    pub(crate) async fn control(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let headers = "Content-Type: application/json\r\n";
        let path = format!("/control/{path}");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.request(method, &path, headers, body.as_bytes()).await.expect("an answer");
        (answer.status, answer.json())
    }
}

pub(crate) async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> io::Result<Answer> {
    let exchange = async {
        let mut stream = open(address, method, path, headers, body).await?;
        let mut raw = Vec::new();
        stream.read_to_end(&mut raw).await?;
        parse(&raw)
    };
    tokio::time::timeout(PATIENCE, exchange).await.expect("an answer or an end in time")
}

/// Sends a request and leaves the answer to be read.
pub(crate) async fn open(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    let host = if headers.contains("Host:") { String::new() } else { format!("Host: {address}\r\n") };
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    Ok(stream)
}

fn parse(raw: &[u8]) -> io::Result<Answer> {
    let text = String::from_utf8_lossy(raw);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
    Ok(Answer { status: status.expect("a status line"), head: head.to_owned(), body: body.to_owned() })
}

/// Ids of a list of updates.
pub(crate) fn ids(updates: &Value) -> Vec<i64> {
    let updates = updates.as_array().expect("a list of updates");
    updates.iter().map(|u| u["update_id"].as_i64().expect("an update id")).collect()
}
