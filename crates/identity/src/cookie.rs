//! The cookie of the refresh token, and the check that a request that uses it comes from our own page.
//!
//! The value is base64url, so neither side needs escaping.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header, uri::Authority};
use kit::{HttpConfig, Problem};

use crate::{rows::sessions::LIFETIME, tokens::Refresh};

const NAME: &str = "sb_refresh";

/// The header that sets the cookie.
pub(crate) fn set(token: &Refresh, config: &HttpConfig) -> [(header::HeaderName, HeaderValue); 1] {
    header_of(&token.text(), LIFETIME.as_secs(), config)
}

/// The header that removes the cookie.
pub(crate) fn clear(config: &HttpConfig) -> [(header::HeaderName, HeaderValue); 1] {
    header_of("", 0, config)
}

fn header_of(value: &str, max_age: u64, config: &HttpConfig) -> [(header::HeaderName, HeaderValue); 1] {
    let secure = if config.is_https() { "; Secure" } else { "" };
    let text = format!("{NAME}={value}; Path=/api/v1/auth; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}");
    [(header::SET_COOKIE, HeaderValue::from_str(&text).expect("a cookie of ours is ASCII"))]
}

/// The refresh token that came with a request.
pub(crate) fn read(headers: &HeaderMap) -> Option<Refresh> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == NAME).and_then(|(_, value)| Refresh::read(value.trim_matches('"')))
}

/// Refuses what another site may have sent with our cookie: the browser has to say that the request comes from our own origin,
/// which is the public URL's or that of the host it was sent to.
///
/// # Errors
/// 403 `origin_refused`.
pub(crate) fn check_origin(headers: &HeaderMap, config: &HttpConfig) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
    let own = match (text("origin"), text("sec-fetch-site")) {
        (_, Some(site)) => site == "same-origin",
        (Some(origin), None) => is_own(origin, text("host"), config),
        (None, None) => false,
    };
    if own {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "origin_refused", "Not allowed")
        .detail("This may only be called by the server's own pages: send an Origin header with the server's address."))
}

fn is_own(origin: &str, host: Option<&str>, config: &HttpConfig) -> bool {
    let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    let (public, host) = (authority(&config.public_url), host.unwrap_or_default());
    let scheme = |url: &str| url.split("://").next().unwrap_or_default().to_owned();
    let published =
        same(&scheme(origin), &scheme(&config.public_url)) && authority(origin) == public && public.is_some();
    published || authority(origin).is_some_and(|it| same(it.as_str(), host))
}

fn authority(url: &str) -> Option<Authority> {
    let rest = url.split_once("://")?.1;
    rest.split('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().expect("ASCII")))
            .collect()
    }

    fn config(public_url: &str) -> HttpConfig {
        HttpConfig { public_url: public_url.to_owned(), ..HttpConfig::default() }
    }

    #[test]
    fn only_our_own_pages_may_use_the_cookie() {
        let config = config("https://desk.example");
        let allowed = |pairs: &[(&'static str, &str)]| check_origin(&headers(pairs), &config).is_ok();
        assert!(allowed(&[("sec-fetch-site", "same-origin")]));
        assert!(allowed(&[("origin", "https://desk.example")]) && allowed(&[("origin", "https://DESK.example")]));
        assert!(allowed(&[("origin", "http://10.0.0.5:8080"), ("host", "10.0.0.5:8080")]));
        assert!(!allowed(&[]) && !allowed(&[("host", "desk.example")]));
        for origin in [
            "null",
            "",
            "https://evil.example",
            "http://desk.example",
            "https://desk.example.evil.example",
            "https://desk.example:444",
        ] {
            assert!(!allowed(&[("origin", origin), ("host", "10.0.0.5:8080")]), "{origin}");
        }
        for site in ["same-site", "cross-site", "none"] {
            assert!(!allowed(&[("sec-fetch-site", site), ("origin", "https://desk.example")]), "{site}");
        }
    }

    #[test]
    fn the_cookie_is_hidden_from_scripts_and_other_sites() {
        let token = Refresh::read(&"A".repeat(75)).expect("the right length");
        let [(_, plain)] = set(&token, &config("http://127.0.0.1:1"));
        let text = plain.to_str().expect("ASCII");
        let want =
            format!("sb_refresh={}; Path=/api/v1/auth; Max-Age=604800; HttpOnly; SameSite=Strict", "A".repeat(75));
        assert_eq!(text, want);
        let [(_, secure)] = set(&token, &config("https://desk.example"));
        assert!(secure.to_str().expect("ASCII").ends_with("; Secure"));
        let sent = headers(&[("cookie", &format!("other=1; sb_refresh={}; x=y", "A".repeat(75)))]);
        assert_eq!(read(&sent), Some(token));
        assert_eq!(read(&headers(&[("cookie", "sb_refresh=short; sb_refreshed=1")])), None);
    }
}
