//! Limits on guessing passwords.
//!
//! Per account and address five attempts a minute; a right password clears that. Per account, over all addresses, ten at once
//! and then one a minute, which keeps many machines from guessing together; an address from which this person has signed in
//! before is never refused by that, so nobody can lock him out. Accounts that do not exist are counted alike.

use std::{net::IpAddr, time::Duration};

use kit::{Hub, KeyRing, Problem, limits::network};
use model::{Limit, UserId};

const MINUTE: Duration = Duration::from_secs(60);

/// One attempt to prove to be the person with this address.
pub(crate) struct Attempt<'h> {
    hub: &'h Hub,
    account: String,
    network: IpAddr,
}

impl<'h> Attempt<'h> {
    /// Counts an attempt from this address.
    ///
    /// # Errors
    /// 429 `rate_limited`.
    pub(crate) fn begin(hub: &'h Hub, email: &str, address: IpAddr) -> Result<Self, Problem> {
        let attempt = Self { hub, account: pseudonym(hub.keys(), email), network: network(address) };
        hub.limits().check("login", (&attempt.account, attempt.network), Limit::per(5, MINUTE))?;
        Ok(attempt)
    }

    /// Counts an attempt from an address that the account has never been used from.
    ///
    /// # Errors
    /// 429 `rate_limited`.
    pub(crate) fn count_as_unknown(&self) -> Result<(), Problem> {
        self.hub.limits().check("login account", &self.account, Limit::per(10, 10 * MINUTE))?;
        Ok(())
    }

    /// The password was right.
    pub(crate) fn succeeded(self) {
        self.hub.limits().forget("login", (&self.account, self.network));
    }

    /// The password was wrong: one line in the log, without the address itself.
    pub(crate) fn failed(self) {
        tracing::info!(account = self.account, "a password was wrong");
    }
}

/// A keyed hash that stands for an e-mail address in logs and in memory.
pub(crate) fn pseudonym(keys: &KeyRing, email: &str) -> String {
    let hash = keys.mac("pseudonyms", email.as_bytes());
    blake3::Hash::from_bytes(hash).to_hex().chars().take(16).collect()
}

/// A keyed hash of a person's network, which the database remembers him by.
pub(crate) fn network_mark(keys: &KeyRing, user: UserId, address: IpAddr) -> [u8; 16] {
    let text = format!("{user} {}", network(address));
    let mut mark = [0; 16];
    mark.copy_from_slice(&keys.mac("networks", text.as_bytes())[..16]);
    mark
}
