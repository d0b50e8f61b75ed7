//! A server that treats each connection as it is told.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What happens to a connection.
#[derive(Clone)]
pub(crate) enum Play {
    /// Read a request, give this answer, keep the connection.
    Answer(String),
    /// Read a request and close.
    CloseAfterRead,
    /// Read a request, announce a body and close before its end.
    CutBody,
    /// Read a request and never answer.
    Hang,
}

/// Plays `play` for every connection and counts requests.
pub(crate) async fn serve(play: Play) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(handle(stream, play.clone(), Arc::clone(&counter)));
        }
    });
    (address, requests)
}

async fn handle(mut stream: TcpStream, play: Play, requests: Arc<AtomicUsize>) {
    while read_request(&mut stream).await {
        requests.fetch_add(1, Ordering::SeqCst);
        match &play {
            Play::Answer(text) => stream.write_all(text.as_bytes()).await.expect("the client reads"),
            Play::CloseAfterRead => return,
            Play::CutBody => {
                let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf";
                stream.write_all(head).await.expect("the client reads");
                return;
            }
            Play::Hang => std::future::pending().await,
        }
    }
}

/// Reads one request with its body; false at the end of the stream.
async fn read_request(stream: &mut TcpStream) -> bool {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return false,
            Ok(n) => seen.extend_from_slice(&buffer[..n]),
        }
        let text = String::from_utf8_lossy(&seen).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.trim().parse().expect("a number"));
        if body.len() >= length {
            return true;
        }
    }
}

/// A complete answer of this status with this body.
pub(crate) fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}
