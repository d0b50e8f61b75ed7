//! Which addresses a user may make the server talk to: public ones and those that the operator allowed.

use std::{net::IpAddr, net::Ipv4Addr, net::Ipv6Addr, str::FromStr};

/// A network, such as `10.1.0.0/16` or `fd00::/8`; a single address stands for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    base: IpAddr,
    bits: u32,
}

/// The text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a network such as 10.0.0.0/8 or fd00::/8")]
pub struct CidrError(String);

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || CidrError(text.to_owned());
        let (base, bits) = text.split_once('/').map_or((text, None), |(base, bits)| (base, Some(bits)));
        let base: IpAddr = base.trim().parse().map_err(|_| wrong())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.trim().parse()).map_err(|_| wrong())?;
        if bits > most { Err(wrong()) } else { Ok(Self { base, bits }) }
    }
}

impl Cidr {
    /// Whether `address` lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                same_prefix(u128::from(base.to_bits()) << 96, u128::from(address.to_bits()) << 96, self.bits)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => same_prefix(base.to_bits(), address.to_bits(), self.bits),
            _ => false,
        }
    }
}

fn same_prefix(a: u128, b: u128, bits: u32) -> bool {
    bits == 0 || (a ^ b) >> (128 - bits) == 0
}

/// Decides about addresses; see the crate's documentation.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allow: Vec<Cidr>,
}

impl Guard {
    /// Public addresses and those in `allow`.
    #[must_use]
    pub fn new(allow: Vec<Cidr>) -> Self {
        Self { allow }
    }

    /// Whether a connection to this address may be opened.
    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = plain(address);
        self.allow.iter().any(|network| network.contains(address)) || is_public(address)
    }
}

/// IPv4 that is written as IPv6 (mapped, NAT64, 6to4), as the IPv4 address that is reached.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let s = v6.segments();
    let last = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            last(high, low)
        }
        _ => address,
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// The IANA special-purpose registry, read as "not reachable for the whole world".
fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let special = v4.is_loopback()
        || v4.is_private()
        || v4.is_link_local()
        || v4.is_multicast()
        || v4.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && b & 0xc0 == 64)
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && b & 0xfe == 18);
    !special
}

/// Only global unicast (2000::/3), without the parts of it that are documentation, tunnels or benchmarks.
fn is_public_v6(v6: Ipv6Addr) -> bool {
    let s = v6.segments();
    let special = match s[0] {
        0x2001 => s[1] < 0x0200 || s[1] == 0x0db8,
        0x3fff => s[1] < 0x1000,
        _ => false,
    };
    s[0] & 0xe000 == 0x2000 && !special
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn permitted(guard: &Guard, address: &str) -> bool {
        guard.permits(address.parse().expect("an address"))
    }

    #[test]
    fn private_addresses_are_refused_in_every_spelling() {
        let refused = [
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "0.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "::7f00:1",
            "3fff::1",
        ];
        for address in refused {
            assert!(!permitted(&Guard::default(), address), "{address}");
        }
    }

    #[test]
    fn public_addresses_pass() {
        let passed = [
            "1.1.1.1",
            "149.154.167.220",
            "100.63.255.255",
            "100.128.0.1",
            "172.32.0.1",
            "198.20.0.1",
            "2606:4700::1111",
            "2001:67c:4e8:f004::9",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
        ];
        for address in passed {
            assert!(permitted(&Guard::default(), address), "{address}");
        }
    }

    #[test]
    fn the_operator_can_allow_a_network() {
        let guard = Guard::new(vec!["10.1.0.0/16".parse().expect("valid"), "fd00::/8".parse().expect("valid")]);
        assert!(permitted(&guard, "10.1.2.3"));
        assert!(permitted(&guard, "::ffff:10.1.2.3"), "the same address as IPv6");
        assert!(!permitted(&guard, "10.2.0.1"));
        assert!(permitted(&guard, "fd77::1"));
        assert!(!permitted(&guard, "fc00::1"));
    }

    #[test]
    fn what_is_no_network_is_told() {
        for text in ["", "10.0.0.0/33", "fd00::/129", "ten/8", "10.0.0.0/", "10.0.0.0/-1"] {
            assert_eq!(text.parse::<Cidr>(), Err(CidrError(text.to_owned())));
        }
        assert!("0.0.0.0/0".parse::<Cidr>().expect("everything").contains("9.9.9.9".parse().expect("an address")));
    }

    proptest! {
        #[test]
        fn a_mapped_address_is_judged_like_the_address_itself(bits in any::<u32>()) {
            let v4 = Ipv4Addr::from_bits(bits);
            let guard = Guard::default();
            prop_assert_eq!(guard.permits(v4.to_ipv6_mapped().into()), guard.permits(v4.into()));
        }
    }
}
