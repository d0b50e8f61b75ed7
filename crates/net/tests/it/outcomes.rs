use std::{sync::atomic::Ordering, time::Duration};

use net::{Http, Outcome, Request, Settings};
use tokio::net::TcpListener;

use crate::server::{Play, answer, serve};

/// A token as it stands in Telegram's URLs; no outcome may show it.
const SECRET: &str = "/bot12345:SECRET/sendMessage";

fn client() -> Http {
    let settings = Settings { request_timeout: Duration::from_millis(500), ..Settings::default() };
    Http::new(&settings).expect("valid settings")
}

async fn post(base: &str) -> Outcome {
    client().send(Request::post_json(&format!("{base}{SECRET}"), "{}")).await
}

#[tokio::test]
async fn an_answer_is_an_answer_whatever_its_status() {
    for (line, status) in [("200 OK", 200), ("429 Too Many Requests", 429), ("502 Bad Gateway", 502)] {
        let (base, _) = serve(Play::Answer(answer(line, "body"))).await;
        let Outcome::Answer(answer) = post(&base).await else { panic!("{line} is an answer") };
        assert_eq!((answer.status, &answer.body[..]), (status, &b"body"[..]));
    }
}

#[tokio::test]
async fn a_refused_connection_was_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let base = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    let Outcome::NotSent(reason) = post(&base).await else { panic!("nobody listens") };
    assert!(reason.to_string().to_lowercase().contains("refused"), "{reason}");
    assert!(!reason.to_string().contains("SECRET"));
}

#[tokio::test]
async fn an_unknown_name_was_not_sent() {
    let Outcome::NotSent(reason) = post("http://nowhere.invalid").await else { panic!("no such host") };
    assert!(!reason.to_string().contains("SECRET"), "{reason}");
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_is_unclear_and_not_repeated() {
    for play in [Play::CloseAfterRead, Play::CutBody] {
        let (base, requests) = serve(play).await;
        let Outcome::Unclear(reason) = post(&base).await else { panic!("the server had it") };
        assert!(!reason.to_string().contains("SECRET"), "{reason}");
        assert_eq!(requests.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_time_out_after_the_request_is_unclear() {
    let (base, requests) = serve(Play::Hang).await;
    let Outcome::Unclear(reason) = post(&base).await else { panic!("the server had it") };
    assert!(reason.to_string().contains("timed out"), "{reason}");
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_request_may_wait_longer_than_the_client_does() {
    let (base, _) = serve(Play::Hang).await;
    let client =
        Http::new(&Settings { request_timeout: Duration::from_secs(60), ..Settings::default() }).expect("valid");
    let url = format!("{base}{SECRET}");
    let request = Request::get(&url).timeout(Duration::from_millis(50));
    assert!(matches!(client.send(request).await, Outcome::Unclear(_)));
}

#[tokio::test]
async fn a_redirect_of_a_configured_address_is_an_answer_and_not_followed() {
    let (target, requests) = serve(Play::Answer(answer("200 OK", ""))).await;
    let moved = format!("HTTP/1.1 307 Moved\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n");
    let (base, _) = serve(Play::Answer(moved)).await;
    let Outcome::Answer(answer) = post(&base).await else { panic!("an answer") };
    assert_eq!(answer.status, 307);
    assert_eq!(requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_over_the_limit_is_not_read_to_its_end() {
    let (base, _) = serve(Play::Answer(answer("200 OK", &"x".repeat(5000)))).await;
    let client = Http::new(&Settings { largest_answer: 4096, ..Settings::default() }).expect("valid settings");
    let Outcome::Unclear(reason) = client.send(Request::get(&base)).await else { panic!("too large") };
    assert!(reason.to_string().contains("4096"), "{reason}");
}

#[tokio::test]
async fn what_is_no_url_is_refused_without_being_repeated_in_the_reason() {
    let Outcome::Refused(reason) = client().send(Request::get("no url/SECRET")).await else { panic!("no URL") };
    assert!(!reason.to_string().contains("SECRET"));
}

#[test]
fn a_proxy_that_is_no_url_is_told() {
    let settings = Settings { proxy: Some("::".to_owned()), ..Settings::default() };
    assert!(Http::new(&settings).is_err());
}
