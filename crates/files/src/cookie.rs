//! The cookie by which a browser shows who asks for a file, because `<img>` and `<video>` cannot send a token.
//!
//! It holds the access token that it was asked for with, sealed, so that it opens nothing but `/files`. It is as good as the token:
//! session and membership are checked on each request, and it ends when the token does. There is one for each workspace, so that
//! tabs of several workspaces do not take it from each other.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kit::{Hub, Principal};
use model::WorkspaceId;

/// Before the workspace's id.
const NAME: &str = "sb_files_";
/// Cookies of one request that are looked at.
const MOST: usize = 8;

/// The header that gives the principal, who showed `token`, his cookie.
pub(crate) fn set(hub: &Hub, principal: &Principal, token: &str) -> [(HeaderName, HeaderValue); 1] {
    let workspace = principal.workspace;
    let sealed = hub.keys().seal("cookies", workspace.as_bytes(), "files", token.as_bytes());
    let (name, value) = (workspace.uuid().simple(), URL_SAFE_NO_PAD.encode(sealed));
    let age = principal.expires_at.map_or(0, |end| end.since(hub.world().now()).as_secs());
    let secure = if hub.config().is_https() { "; Secure" } else { "" };
    let text = format!("{NAME}{name}={value}; Path=/files; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    [(header::SET_COOKIE, HeaderValue::from_str(&text).expect("a cookie of ours is ASCII"))]
}

/// The tokens in the cookies of a request. They are as yet unchecked.
pub(crate) fn tokens(hub: &Hub, headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let ours = pairs.filter_map(|(name, value)| Some((name.strip_prefix(NAME)?, value)));
    ours.take(MOST).filter_map(|(workspace, value)| open(hub, workspace, value)).collect()
}

fn open(hub: &Hub, workspace: &str, value: &str) -> Option<String> {
    let workspace: WorkspaceId = workspace.parse().ok()?;
    let sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
    let token = hub.keys().open("cookies", workspace.as_bytes(), "files", &sealed).ok()?;
    String::from_utf8(token).ok()
}

/// The token of an `Authorization: Bearer` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ').map(|(_, token)| token.trim())
}
