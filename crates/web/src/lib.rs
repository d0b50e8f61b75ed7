#![doc = include_str!("../README.md")]

use std::{borrow::Cow, fmt::Write as _};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct App;

/// A file of the app and the SHA-256 of its content.
struct Asset {
    bytes: Cow<'static, [u8]>,
    hash: [u8; 32],
}

fn embedded(path: &str) -> Option<Asset> {
    App::get(path).map(|file| Asset { hash: file.metadata.sha256_hash(), bytes: file.data })
}

const PLACEHOLDER: &str = include_str!("placeholder.html");
/// Files below this folder carry a hash of their content in their name.
const HASHED: &str = "assets/";

/// Answers every path that nothing else answered.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().fallback(async |request: Request| answer(&request, embedded))
}

/// Whether the app is there, or only the placeholder.
#[must_use]
pub fn is_built() -> bool {
    App::get("index.html").is_some()
}

fn answer(request: &Request, find: impl Fn(&str) -> Option<Asset>) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = request.uri().path().trim_start_matches('/');
    if let Some(found) = find(path).filter(|_| !path.is_empty()) {
        return file(request.headers(), path, found);
    }
    // A missing file is a 404; a page of the app is the app.
    if path.starts_with(HASHED) || path.rsplit('/').next().is_some_and(|name| name.contains('.')) {
        return StatusCode::NOT_FOUND.into_response();
    }
    match find("index.html") {
        Some(index) => file(request.headers(), "index.html", index),
        None => typed(StatusCode::OK, "text/html; charset=utf-8", "no-store", Body::from(PLACEHOLDER)),
    }
}

fn file(headers: &HeaderMap, path: &str, found: Asset) -> Response {
    let tag = entity_tag(&found);
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    let caching = if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = typed(StatusCode::OK, media_type(path), caching, Body::from(found.bytes));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

fn entity_tag(asset: &Asset) -> String {
    let mut tag = String::from("\"");
    for byte in &asset.hash[..16] {
        write!(tag, "{byte:02x}").expect("writing to a string cannot fail");
    }
    tag + "\""
}

fn typed(status: StatusCode, media_type: &'static str, caching: &'static str, body: Body) -> Response {
    let headers: [(HeaderName, &str); 2] = [(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, caching)];
    (status, headers, body).into_response()
}

/// The types that a Vite build makes.
fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn built(path: &str) -> Option<Asset> {
        let data: &'static [u8] = match path {
            "index.html" => b"<!doctype html>app",
            "assets/app-1a2b.js" => b"run()",
            _ => return None,
        };
        Some(Asset { bytes: Cow::Borrowed(data), hash: [7; 32] })
    }

    fn ask(path: &str) -> Request {
        Request::get(path).body(Body::empty()).expect("a valid request")
    }

    async fn text(response: Response) -> String {
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    #[tokio::test]
    async fn pages_of_the_app_are_the_app_and_missing_files_are_not() {
        for page in ["/", "/inbox", "/inbox/0190-abc", "/setup"] {
            let response = answer(&ask(page), built);
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache", "{page}");
            assert_eq!(text(response).await, "<!doctype html>app", "{page}");
        }
        for missing in ["/assets/old.js", "/favicon.ico", "/../secret.key"] {
            assert_eq!(answer(&ask(missing), built).status(), StatusCode::NOT_FOUND, "{missing}");
        }
    }

    #[tokio::test]
    async fn hashed_files_never_change_and_known_ones_are_not_sent_again() {
        let response = answer(&ask("/assets/app-1a2b.js"), built);
        assert!(response.headers()[header::CACHE_CONTROL].to_str().expect("ascii").contains("immutable"));
        let mut again = ask("/assets/app-1a2b.js");
        again.headers_mut().insert(header::IF_NONE_MATCH, response.headers()[header::ETAG].clone());
        assert_eq!(answer(&again, built).status(), StatusCode::NOT_MODIFIED);
    }

    #[tokio::test]
    async fn without_a_build_a_page_says_how_to_get_one() {
        let response = answer(&ask("/inbox"), |_| None);
        assert!(text(response).await.contains("make run"));
    }
}
