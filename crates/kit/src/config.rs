//! What the HTTP side of the server is told by its operator.

use std::{fmt, net::IpAddr, str::FromStr, time::Duration};

use model::Secret;

/// Settings of the HTTP side; the binary fills them from its configuration.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Where people reach the server, without a slash at the end: origin checks, links and cookies depend on it.
    pub public_url: String,
    /// Proxies whose `X-Forwarded-For` is believed; none by default.
    pub trusted_proxies: Vec<Cidr>,
    /// Origins that may call the API from a browser, besides the server's own.
    pub cors_origins: Vec<String>,
    /// Requests per minute.
    pub rates: Rates,
    /// Live streams that one user or key may have open at a time.
    pub streams_per_user: usize,
    /// Largest request body in bytes, unless a route says otherwise.
    pub body_limit: usize,
    /// Who presents it as a Bearer token may read `/metrics` and the detail of `/ready` from anywhere; loopback always may.
    pub metrics_token: Option<Secret>,
    /// How long a stop waits for requests in flight.
    pub drain: Duration,
    /// How long events stay in the log, and how old a live cursor can be.
    pub log_retention: Duration,
    /// Shown in the API description.
    pub version: String,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            public_url: "http://127.0.0.1:8080".to_owned(),
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            rates: Rates::default(),
            streams_per_user: 10,
            body_limit: 1 << 20,
            metrics_token: None,
            drain: Duration::from_secs(10),
            log_retention: Duration::from_secs(30 * 24 * 3600),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

impl HttpConfig {
    /// Whether people reach the server over TLS, so that cookies must be `Secure`: unless the public URL says plain HTTP.
    #[must_use]
    pub fn is_https(&self) -> bool {
        !self.public_url.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"))
    }

    /// Whether a page of `origin` is one of ours or of the configured ones.
    #[must_use]
    pub fn allows_origin(&self, origin: &str) -> bool {
        origin_of(&self.public_url).is_some_and(|own| own.eq_ignore_ascii_case(origin))
            || self.cors_origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
    }
}

/// `scheme://host[:port]` of a URL.
fn origin_of(url: &str) -> Option<&str> {
    let host = url.find("://")? + 3;
    let end = url.get(host..)?.find('/').map_or(url.len(), |slash| host + slash);
    url.get(..end)
}

/// Requests per minute.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// Unauthenticated requests of one address (IPv6: one /64).
    pub per_address: u32,
    /// Requests of one user.
    pub per_user: u32,
    /// Requests of one API key that sets no rate of its own.
    pub per_key: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self { per_address: 100, per_user: 1_000, per_key: 120 }
    }
}

/// A block of addresses, such as `10.0.0.0/8`; a bare address is a block of one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    address: IpAddr,
    prefix: u32,
}

/// The text is no address block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address or address block such as 10.0.0.0/8")]
pub struct NotACidr(String);

impl Cidr {
    /// Whether `address` lies in the block; an IPv4-mapped IPv6 address counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (own, own_width) = bits(self.address);
        let (other, width) = bits(address.to_canonical());
        own_width == width && (self.prefix == 0 || (own ^ other) >> (width - self.prefix) == 0)
    }
}

fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    }
}

impl FromStr for Cidr {
    type Err = NotACidr;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = || NotACidr(text.to_owned());
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| fail())?;
        let width = bits(address).1;
        let prefix = prefix.map_or(Ok(width), str::parse).map_err(|_| fail())?;
        if prefix > width { Err(fail()) } else { Ok(Self { address, prefix }) }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(block: &str, address: &str) -> bool {
        block.parse::<Cidr>().expect("a block").contains(address.parse().expect("an address"))
    }

    #[test]
    fn a_block_contains_its_addresses_and_no_others() {
        assert!(within("10.0.0.0/8", "10.255.0.1") && !within("10.0.0.0/8", "11.0.0.1"));
        assert!(within("0.0.0.0/0", "8.8.8.8") && !within("0.0.0.0/0", "::1"));
        assert!(within("127.0.0.1", "::ffff:127.0.0.1"));
        assert!(within("2001:db8::/32", "2001:db8:1::1") && !within("2001:db8::/32", "2001:db9::1"));
        for text in ["10.0.0.0/33", "ten", "10.0.0.0/", "::/129", "10.0.0.0/-1"] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_a_public_url_of_plain_http_makes_insecure_cookies() {
        let is_https = |url: &str| HttpConfig { public_url: url.to_owned(), ..HttpConfig::default() }.is_https();
        assert!(is_https("https://desk.example") && is_https("HTTPS://desk.example") && is_https("desk.example"));
        assert!(!is_https("http://127.0.0.1:8080") && !is_https("HTTP://desk.example"));
    }

    #[test]
    fn only_our_own_and_configured_origins_are_allowed() {
        let config = HttpConfig {
            public_url: "https://desk.example:8443/app".to_owned(),
            cors_origins: vec!["https://other.example".to_owned()],
            ..HttpConfig::default()
        };
        assert!(config.allows_origin("https://desk.example:8443") && config.allows_origin("https://other.example"));
        for origin in
            ["https://desk.example", "http://desk.example:8443", "null", "", "https://other.example.evil.test"]
        {
            assert!(!config.allows_origin(origin), "{origin}");
        }
    }
}
