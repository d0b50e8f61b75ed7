//! Requests that no proper client makes, byte by byte.

use testkit::soon;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::place::Place;

/// An upload of which only the head, which promises `length` bytes, and `content` are sent.
pub(crate) async fn begin_upload(place: &Place, length: u64, content: &[u8]) -> TcpStream {
    let address = place.hub.url().strip_prefix("http://").expect("its own address");
    let token = place.hub.owner().await.token().expect("he is signed in");
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let head = format!(
        "POST /api/v1/files?name=a HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
         content-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("it reads");
    stream.write_all(content).await.expect("it reads");
    stream
}

/// The answer's first bytes, up to the end of its body or what has come when the server closes.
pub(crate) async fn answer(stream: &mut TcpStream, until: &str) -> String {
    let mut all = Vec::new();
    soon("the answer", async {
        let mut part = [0; 4096];
        while !String::from_utf8_lossy(&all).contains(until) {
            match stream.read(&mut part).await {
                Ok(0) | Err(_) => break,
                Ok(read) => all.extend_from_slice(&part[..read]),
            }
        }
    })
    .await;
    String::from_utf8_lossy(&all).into_owned()
}
