//! The client address of a request that comes through a proxy.
//!
//! `X-Forwarded-For` counts only from a `--trusted-proxy`: any client can send it. Each proxy
//! appends the address of its own peer, so the list is read from its end, for as long as the
//! address that sent the entry is trusted:
//!
//! ```text
//! peer 10.0.0.1    X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.0.0.2
//!      trusted ◄───────────────────────────  ▲ client     trusted
//!                  sent by the client, not trusted
//! ```

use ipnet::IpNet;
use serde::Deserialize;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// An address, or all that begin with the same bits: `10.0.0.1`, `10.0.0.0/8`, `fd00::/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(IpNet);

/// Why a text is no [`Network`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an address or a network, such as 127.0.0.1 or 10.0.0.0/8")]
pub struct BadNetwork;

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Network, BadNetwork> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address.to_canonical()),
            Err(_) => text.parse().map_err(|_| BadNetwork)?,
        };
        Ok(Network(canonical(network)))
    }
}

/// Peers' IPv4 addresses are looked at as such, also where they come as IPv6 (`::ffff:10.0.0.0/104`).
fn canonical(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V6(network) => network
            .addr()
            .to_ipv4_mapped()
            .zip(network.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    let mapped = mapped.and_then(|(address, bits)| IpNet::new(address.into(), bits).ok());
    mapped.unwrap_or(network)
}

impl TryFrom<String> for Network {
    type Error = BadNetwork;

    fn try_from(text: String) -> Result<Network, BadNetwork> {
        text.parse()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Proxies whose client addresses are trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    pub fn new(networks: Vec<Network>) -> TrustedProxies {
        TrustedProxies(networks)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.0.contains(&address))
    }

    /// The client address behind `peer`: its own, unless it is a trusted proxy. An unreadable entry
    /// ends the list: then the proxy that wrote it is the client.
    pub fn client(&self, peer: IpAddr, forwarded_for: Option<&str>) -> IpAddr {
        let mut client = peer.to_canonical();
        for hop in forwarded_for.unwrap_or_default().rsplit(',') {
            if !self.trusts(client) {
                break;
            }
            match address(hop.trim()) {
                Some(before) => client = before,
                None => break,
            }
        }
        client
    }
}

/// Some proxies add a port, and some write brackets around IPv6 without one.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = match text.parse::<SocketAddr>() {
        Ok(address) => address.ip(),
        Err(_) => bare.unwrap_or(text).parse().ok()?,
    };
    Some(address.to_canonical())
}

/// The address under which a client is counted: of IPv6, the network of 64 bits, which is what one
/// household or one server gets.
pub fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn proxies(networks: &[&str]) -> TrustedProxies {
        TrustedProxies::new(networks.iter().map(|text| text.parse().unwrap()).collect())
    }

    #[test]
    fn the_client_is_the_last_address_that_no_trusted_proxy_has() {
        let proxies = proxies(&["10.0.0.0/8", "fd00::1"]);
        for (peer, forwarded_for, client) in [
            ("10.0.0.1", Some("203.0.113.9"), "203.0.113.9"),
            (
                "10.0.0.1",
                Some("6.6.6.6, 203.0.113.9,10.0.0.2"),
                "203.0.113.9",
            ),
            ("::ffff:10.0.0.1", Some("203.0.113.9"), "203.0.113.9"),
            ("fd00::1", Some("2001:db8::7"), "2001:db8::7"),
            ("10.0.0.1", Some("[2001:db8::7]:4711"), "2001:db8::7"),
            ("10.0.0.1", Some("[2001:db8::7]"), "2001:db8::7"),
            ("10.0.0.1", Some("203.0.113.9:80"), "203.0.113.9"),
            ("10.0.0.1", Some("::ffff:203.0.113.9"), "203.0.113.9"),
            // Only proxies: the one that is furthest away.
            ("10.0.0.1", Some("10.9.9.9, 10.0.0.2"), "10.9.9.9"),
            // No entry, or none that means anything.
            ("10.0.0.1", None, "10.0.0.1"),
            ("10.0.0.1", Some(""), "10.0.0.1"),
            ("10.0.0.1", Some("unknown"), "10.0.0.1"),
            (
                "10.0.0.1",
                Some("203.0.113.9, _hidden, 10.0.0.2"),
                "10.0.0.2",
            ),
        ] {
            assert_eq!(
                proxies.client(ip(peer), forwarded_for),
                ip(client),
                "{peer}: {forwarded_for:?}"
            );
        }
    }

    #[test]
    fn forwarded_field_of_an_untrusted_peer_is_ignored() {
        for proxies in [proxies(&[]), proxies(&["10.0.0.1"])] {
            let client = proxies.client(ip("10.0.0.2"), Some("203.0.113.9"));
            assert_eq!(client, ip("10.0.0.2"));
        }
    }

    #[test]
    fn a_network_is_an_address_or_a_prefix() {
        for text in ["127.0.0.1", "10.0.0.0/8", "::1", "fd00::/8", "0.0.0.0/0"] {
            assert!(text.parse::<Network>().is_ok(), "{text}");
        }
        for text in ["", "localhost", "10.0.0.0/33", "10.0.0", "1.2.3.4:80"] {
            assert_eq!(text.parse::<Network>(), Err(BadNetwork), "{text}");
        }
        for text in ["::ffff:10.0.0.1", "::ffff:10.0.0.0/104"] {
            assert!(proxies(&[text]).trusts(ip("10.0.0.1")), "{text}");
        }
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        assert_eq!(counted_as(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
        assert_eq!(counted_as(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
        assert_eq!(counted_as(ip("192.0.2.1")), ip("192.0.2.1"));
    }

    proptest! {
        #[test]
        fn client_is_the_peer_or_a_named_address_for_any_field(
            said in "[0-9a-f.:, \\[\\]x]{0,60}",
            trusted in any::<bool>(),
        ) {
            let proxies = if trusted { proxies(&["0.0.0.0/0", "::/0"]) } else { proxies(&[]) };
            let peer = ip("192.0.2.1");
            let client = proxies.client(peer, Some(&said));
            let named: Vec<IpAddr> = said.split(',').filter_map(|hop| address(hop.trim())).collect();
            prop_assert!(client == peer || (trusted && named.contains(&client)));
        }
    }
}
