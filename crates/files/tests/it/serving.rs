use axum::http::Method;
use testkit::{Actor, Reply};

use crate::place::{PNG, Place, upload};

/// Begins as a page of HTML, so it is none of what is shown in place.
const HTML: &[u8] = b"<!doctype html><script>alert(document.cookie)</script>";

async fn served(by: &Actor, name: &str, content: &[u8]) -> Reply {
    let file = upload(by, name, content).await.expect(201);
    by.get(file.str("/url")).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_forbids_what_a_file_could_do() {
    let place = Place::open().await;
    let owner = place.hub.owner().await;
    let replies = [served(&owner, "a.png", PNG).await, served(&owner, "a.png", HTML).await];
    for reply in &replies {
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("content-security-policy"), "sandbox; default-src 'none'");
        assert_eq!(reply.header("cross-origin-resource-policy"), "same-origin");
        assert_eq!(reply.header("cache-control"), "private, no-cache");
        assert_eq!(reply.headers.get_all("content-security-policy").iter().count(), 1);
    }
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_sniffed_as_harmless_is_shown_in_place_whatever_was_claimed() {
    let place = Place::open().await;
    let owner = place.hub.owner().await;
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>".as_slice();
    let cases: [(&[u8], &str, &str); 5] = [
        (PNG, "image/png", "inline"),
        (b"ID3\x04\0\0\0\0\0\0", "audio/mpeg", "inline"),
        (HTML, "text/plain", "attachment"),
        (svg, "text/plain", "attachment"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "application/pdf", "attachment"),
    ];
    for (content, kind, place) in cases {
        // Claimed to be a PNG by name and type, each of them.
        let reply = served(&owner, "x.png", content).await;
        assert_eq!(reply.header("content-type"), kind);
        assert_eq!(reply.header("content-disposition"), format!("{place}; filename=\"x.png\"; filename*=UTF-8''x.png"));
    }
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_name_reaches_no_header_and_no_folder() {
    let place = Place::open().await;
    let owner = place.hub.owner().await;
    let cases = [
        ("a%0D%0ASet-Cookie:%20evil=1", "aSet-Cookie_ evil=1"),
        ("..%2F..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("..%5C..%5Cboot.ini", "boot.ini"),
        ("invoice%E2%80%AEgpj.exe", "invoicegpj.exe"),
        ("a%22;%20filename=%22b.html", "a_; filename=_b.html"),
        ("%00", "file"),
        ("", "file"),
    ];
    for (sent, kept) in cases {
        let file = upload(&owner, sent, b"content").await.expect(201);
        assert_eq!(file.json["name"], kept, "{sent}");
        let reply = owner.get(file.str("/url")).await.expect(200);
        assert!(!reply.headers.contains_key("set-cookie"), "{sent}");
        assert_eq!(reply.headers.get_all("content-disposition").iter().count(), 1);
        assert_eq!(reply.header("content-disposition").matches("filename=").count(), 1);
        // What the address says is only for people.
        let other = file.str("/url").rsplit_once('/').expect("a path").0.to_owned() + "/x%0D%0Ay.html";
        assert_eq!(
            owner.get(&other).await.expect(200).header("content-disposition"),
            reply.header("content-disposition")
        );
    }
    let by_header = owner.request(Method::POST, "/api/v1/files").header("x-file-name", "Gr%C3%BC%C3%9Fe.txt");
    let file = by_header.text("text/plain", "Hallo").await.expect(201);
    assert_eq!(file.json["name"], "Grüße.txt");
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_file_can_be_asked_for() {
    let place = Place::open().await;
    let owner = place.hub.owner().await;
    let file = upload(&owner, "a.txt", b"0123456789").await.expect(201);
    let url = file.str("/url");
    let whole = owner.get(url).await.expect(200);
    assert_eq!((whole.text.as_str(), whole.header("accept-ranges")), ("0123456789", "bytes"));
    let tag = whole.header("etag").to_owned();
    for (range, text, content_range) in
        [("bytes=2-4", "234", "bytes 2-4/10"), ("bytes=7-", "789", "bytes 7-9/10"), ("bytes=-1", "9", "bytes 9-9/10")]
    {
        let part = owner.get(url).header("range", range).await.expect(206);
        assert_eq!((part.text.as_str(), part.header("content-range")), (text, content_range));
        assert_eq!(part.header("content-length"), text.len().to_string());
        assert_eq!(part.header("content-security-policy"), "sandbox; default-src 'none'");
    }
    let beyond = owner.get(url).header("range", "bytes=10-").await.expect_problem(416, "range_not_satisfiable");
    assert_eq!(beyond.header("content-range"), "bytes */10");
    let same = owner.get(url).header("range", "bytes=0-0").header("if-range", &tag).await.expect(206);
    assert_eq!(same.text, "0");
    owner.get(url).header("range", "bytes=0-0").header("if-range", "\"other\"").await.expect(200);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_has_the_file_is_told_so_as_long_as_it_may_have_it() {
    let place = Place::open().await;
    let owner = place.hub.owner().await;
    let file = upload(&owner, "a.png", PNG).await.expect(201);
    let url = file.str("/url");
    let tag = owner.get(url).await.expect(200).header("etag").to_owned();
    let same = owner.get(url).header("if-none-match", &format!("\"x\", W/{tag}")).await.expect(304);
    assert_eq!((same.text.as_str(), same.header("etag")), ("", tag.as_str()));
    owner.get(url).header("if-none-match", "\"x\"").await.expect(200);
    let nobody = place.hub.stranger().get(url).header("if-none-match", &tag).await;
    nobody.expect_problem(401, "unauthenticated");
    let head = owner.request(Method::HEAD, url).await.expect(200);
    assert_eq!((head.text.as_str(), head.header("content-length")), ("", "29"));
    place.close().await;
}
