//! One keep-alive connection, with as little between request and socket as a load generator should have.

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, StatusCode,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The connection.
pub struct Wire {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    headers: Vec<(String, String)>,
}

impl Wire {
    /// Connects to `base`; `headers` go with every request.
    ///
    /// # Panics
    /// When nobody listens.
    pub async fn connect(base: &str, headers: &[(&str, &str)]) -> Self {
        let host = base.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let stream = TcpStream::connect(&host).await.expect("somebody listens");
        stream.set_nodelay(true).expect("a socket takes options");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP/1.1 is spoken");
        tokio::spawn(connection);
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { sender, host, headers }
    }

    /// Sends a request and reads its answer.
    ///
    /// # Panics
    /// When no answer comes.
    pub async fn call(&mut self, method: &str, path: &str, key: Option<&str>, body: String) -> (StatusCode, Bytes) {
        let mut request = Request::builder().method(method).uri(path).header("host", &self.host);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Full::new(Bytes::from(body))).expect("a sound request");
        self.sender.ready().await.expect("the connection is open");
        let answer = self.sender.send_request(request).await.expect("an answer");
        let status = answer.status();
        (status, answer.into_body().collect().await.expect("a whole answer").to_bytes())
    }
}
