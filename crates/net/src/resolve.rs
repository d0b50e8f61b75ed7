//! Name resolution that drops what the guard forbids, so that the connection goes to an address that was checked.

use std::{fmt, net::IpAddr};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};

use crate::Guard;

/// Redirects that the guarded client follows.
const MOST_REDIRECTS: usize = 5;

/// Travels through the HTTP library as the source of its error and is found again there.
#[derive(Debug)]
pub(crate) struct Forbidden;

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the address is private or reserved; the operator can allow it with net.allow")
    }
}

impl std::error::Error for Forbidden {}

/// Whether the URL may be asked for: http or https, and if its host is written as an address, one that is permitted.
/// Names are judged when they are resolved.
pub(crate) fn check(guard: &Guard, url: &Url) -> Result<(), Forbidden> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Forbidden);
    }
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(address) if !guard.permits(address) => Err(Forbidden),
        _ => Ok(()),
    }
}

/// Follows a few redirects, each to a permitted address.
pub(crate) fn redirects(guard: Guard) -> Policy {
    Policy::custom(move |attempt| {
        if attempt.previous().len() > MOST_REDIRECTS {
            return attempt.stop();
        }
        match check(&guard, attempt.url()) {
            Ok(()) => attempt.follow(),
            Err(forbidden) => attempt.error(forbidden),
        }
    })
}

/// The system's resolver behind a guard.
pub(crate) struct Guarded(pub(crate) Guard);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let known = !found.is_empty();
            let permitted: Vec<_> = found.into_iter().filter(|address| guard.permits(address.ip())).collect();
            if known && permitted.is_empty() {
                return Err(Forbidden.into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}
