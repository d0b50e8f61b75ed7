use std::sync::atomic::Ordering;

use net::{Guard, Http, Outcome, Request, Settings};

use crate::server::{Play, answer, serve};

fn guarded(allow: &[&str]) -> Http {
    let allow = allow.iter().map(|network| network.parse().expect("a network")).collect();
    Http::guarded(&Settings::default(), Guard::new(allow)).expect("valid settings")
}

#[tokio::test]
async fn a_private_address_is_refused_before_anything_is_sent() {
    let (base, requests) = serve(Play::Answer(answer("200 OK", ""))).await;
    let port = base.rsplit(':').next().expect("a port");
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433"] {
        let outcome = guarded(&[]).send(Request::get(&format!("http://{host}:{port}/"))).await;
        assert!(matches!(outcome, Outcome::Refused(_)), "{host}: {outcome:?}");
    }
    assert_eq!(requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn only_http_is_spoken() {
    for url in ["file:///etc/passwd", "ftp://example.com/"] {
        assert!(matches!(guarded(&[]).send(Request::get(url)).await, Outcome::Refused(_)), "{url}");
    }
}

#[tokio::test]
async fn an_allowed_network_is_reached_by_name_and_by_address() {
    let (base, requests) = serve(Play::Answer(answer("200 OK", ""))).await;
    let port = base.rsplit(':').next().expect("a port");
    for host in ["127.0.0.1", "localhost"] {
        let outcome = guarded(&["127.0.0.0/8"]).send(Request::get(&format!("http://{host}:{port}/"))).await;
        assert!(matches!(outcome, Outcome::Answer(_)), "{host}: {outcome:?}");
    }
    assert_eq!(requests.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_refused() {
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest\r\ncontent-length: 0\r\n\r\n";
    let (base, _) = serve(Play::Answer(moved.to_owned())).await;
    let outcome = guarded(&["127.0.0.0/8"]).send(Request::get(&base)).await;
    assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_circle_of_redirects_ends() {
    let moved = "HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n";
    let (base, requests) = serve(Play::Answer(moved.to_owned())).await;
    let outcome = guarded(&["127.0.0.0/8"]).send(Request::get(&base)).await;
    let Outcome::Answer(answer) = outcome else { panic!("the last redirect is the answer: {outcome:?}") };
    assert_eq!(answer.status, 302);
    assert_eq!(requests.load(Ordering::SeqCst), 6);
}
