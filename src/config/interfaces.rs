//! The addresses of this machine.

use std::net::IpAddr;

/// The addresses that reach a listener on `address`: that one, or, if it listens on all
/// addresses, at each that this machine has now, this machine's own first. Empty when the system
/// does not tell.
pub fn reachable(address: IpAddr) -> Vec<IpAddr> {
    let address = address.to_canonical();
    if !address.is_unspecified() {
        return vec![address];
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    among(address, interfaces.iter().map(|one| one.ip()))
}

/// Those of `interfaces` that a listener on all addresses has.
fn among(all: IpAddr, interfaces: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    // On "::" IPv4 comes, too, unless the system was told to keep them apart (`bindv6only`).
    let is_reached = |one: &IpAddr| match one {
        IpAddr::V4(_) => true,
        // An address of one link alone says nothing without the name of the link.
        IpAddr::V6(one) => all.is_ipv6() && !one.is_unicast_link_local(),
    };
    let mut found: Vec<IpAddr> = interfaces.filter(is_reached).collect();
    found.sort_by_key(|one| (!one.is_loopback(), *one));
    found.dedup();
    // One way to this machine is enough.
    let mut is_first = true;
    found.retain(|one| !one.is_loopback() || std::mem::take(&mut is_first));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn all_addresses_are_those_of_the_interfaces() {
        let interfaces = ["10.0.0.7", "127.0.0.1", "::1", "fe80::1", "2001:db8::7"].map(ip);
        let found = |all| among(ip(all), interfaces.into_iter());
        assert_eq!(found("0.0.0.0"), ["127.0.0.1", "10.0.0.7"].map(ip));
        let both = ["127.0.0.1", "10.0.0.7", "2001:db8::7"].map(ip);
        assert_eq!(found("::"), both);
    }

    #[test]
    fn one_address_is_that_one() {
        assert_eq!(reachable(ip("192.0.2.7")), [ip("192.0.2.7")]);
        assert_eq!(reachable(ip("::ffff:192.0.2.7")), [ip("192.0.2.7")]);
        assert!(reachable(ip("0.0.0.0")).contains(&ip("127.0.0.1")));
    }
}
