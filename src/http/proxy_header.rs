//! The PROXY protocol: what a proxy says about a connection before the client's first byte.
//!
//! Both versions, text and binary, as haproxy's `send-proxy` and `send-proxy-v2` write them. Where a
//! header ends is found here, what is in it by `ppp`.

use ppp::{v1, v2};
use std::net::IpAddr;

/// Bytes of the longest header that is looked at. What it must hold are 107 of text, or 52; a proxy
/// may add what it knows about TLS.
pub const HEADER_BYTES_MAX: usize = 4096;

/// The longest text (PROXY protocol, 2.1).
const LINE_BYTES_MAX: usize = 107;

/// What a text begins with.
const WORD: &[u8] = b"PROXY ";

/// What a binary header begins with, and how long it is at least: the last two of these bytes tell
/// how many follow.
const SIGNATURE: &[u8] = v2::PROTOCOL_PREFIX;
const FIXED_BYTES: usize = 16;

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyHeader {
    /// `None` when the proxy connects for itself (`LOCAL`, a health check) or does not know the
    /// client (`UNKNOWN`).
    pub source: Option<IpAddr>,
    /// Its bytes: the client's begin behind them.
    pub length: usize,
}

/// The bytes are no PROXY header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection must begin with a PROXY protocol header")]
pub struct NoProxyHeader;

/// The header at the front of `bytes`, which are all that came so far; `None` when more of it has
/// to come.
pub fn parse(bytes: &[u8]) -> Result<Option<ProxyHeader>, NoProxyHeader> {
    let begins_with = |start: &[u8]| {
        let length = start.len().min(bytes.len());
        bytes[..length] == start[..length]
    };
    let length = if begins_with(SIGNATURE) {
        match bytes.get(FIXED_BYTES - 2..FIXED_BYTES) {
            Some(&[high, low]) => FIXED_BYTES + usize::from(u16::from_be_bytes([high, low])),
            _ => return Ok(None),
        }
    } else if begins_with(WORD) {
        match bytes.iter().position(|&byte| byte == b'\n') {
            Some(end) => end + 1,
            None if bytes.len() < LINE_BYTES_MAX => return Ok(None),
            None => return Err(NoProxyHeader),
        }
    } else {
        return Err(NoProxyHeader);
    };
    if length > HEADER_BYTES_MAX {
        return Err(NoProxyHeader);
    }
    let Some(header) = bytes.get(..length) else {
        return Ok(None);
    };
    let source = if header.starts_with(WORD) {
        source_of_text(header)?
    } else {
        source_of_binary(header)?
    };
    Ok(Some(ProxyHeader { source, length }))
}

fn source_of_text(header: &[u8]) -> Result<Option<IpAddr>, NoProxyHeader> {
    let header = v1::Header::try_from(header).map_err(|_| NoProxyHeader)?;
    Ok(match header.addresses {
        v1::Addresses::Tcp4(pair) => Some(pair.source_address.into()),
        v1::Addresses::Tcp6(pair) => Some(pair.source_address.into()),
        v1::Addresses::Unknown => None,
    })
}

fn source_of_binary(header: &[u8]) -> Result<Option<IpAddr>, NoProxyHeader> {
    let header = v2::Header::try_from(header).map_err(|_| NoProxyHeader)?;
    Ok(match (header.command, header.addresses) {
        (v2::Command::Local, _) => None,
        (v2::Command::Proxy, v2::Addresses::IPv4(pair)) => Some(pair.source_address.into()),
        (v2::Command::Proxy, v2::Addresses::IPv6(pair)) => Some(pair.source_address.into()),
        (v2::Command::Proxy, v2::Addresses::Unix(_) | v2::Addresses::Unspecified) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A header of version 2: command, family and protocol, and what follows its length.
    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = (rest.len() as u16).to_be_bytes();
        [SIGNATURE, &[command, family], &length, rest].concat()
    }

    fn ipv4() -> Vec<u8> {
        binary(
            0x21,
            0x11,
            &[203, 0, 113, 9, 10, 0, 0, 1, 0x12, 0x34, 0, 80],
        )
    }

    fn source(bytes: &[u8]) -> Option<IpAddr> {
        let header = parse(bytes).unwrap().unwrap();
        assert_eq!(header.length, bytes.len());
        header.source
    }

    #[test]
    fn both_versions_have_the_client_address() {
        let client: IpAddr = "203.0.113.9".parse().unwrap();
        assert_eq!(
            source(b"PROXY TCP4 203.0.113.9 10.0.0.1 4660 80\r\n"),
            Some(client)
        );
        assert_eq!(source(&ipv4()), Some(client));
        let client: IpAddr = "2001:db8::7".parse().unwrap();
        assert_eq!(
            source(b"PROXY TCP6 2001:db8::7 ::1 4660 80\r\n"),
            Some(client)
        );
        let IpAddr::V6(bits) = client else {
            unreachable!("an IPv6 address")
        };
        let addresses = [&bits.octets()[..], &[0; 16], &[0x12, 0x34, 0, 80]].concat();
        assert_eq!(source(&binary(0x21, 0x21, &addresses)), Some(client));
        // Something more, of a kind that we do not know.
        let more = [&addresses[..], &[0xe0, 0, 2, b'h', b'i']].concat();
        assert_eq!(source(&binary(0x21, 0x21, &more)), Some(client));
    }

    #[test]
    fn local_and_unknown_headers_have_no_client_address() {
        assert_eq!(source(b"PROXY UNKNOWN\r\n"), None);
        assert_eq!(source(&binary(0x20, 0x00, &[])), None);
        assert_eq!(source(&binary(0x21, 0x31, &[b'/'; 216])), None);
    }

    #[test]
    fn header_parses_the_same_at_any_cut_and_with_a_request_behind_it() {
        for header in [
            b"PROXY TCP4 203.0.113.9 10.0.0.1 4660 80\r\n".to_vec(),
            b"PROXY UNKNOWN\r\n".to_vec(),
            ipv4(),
        ] {
            for length in 0..header.len() {
                assert_eq!(parse(&header[..length]), Ok(None), "{length}");
            }
            let request = [&header[..], b"GET / HTTP/1.1\r\n\r\n"].concat();
            assert_eq!(parse(&request), parse(&header));
        }
    }

    #[test]
    fn invalid_header_is_refused_within_its_length_limit() {
        for bytes in [
            &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
            b"G",
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc",
            b"PROXY TCP4 nowhere 10.0.0.1 1 2\r\n",
            b"PROXY TCP5 203.0.113.9 10.0.0.1 1 2\r\n",
            &binary(0x31, 0x11, &[0; 12]),
            &binary(0x21, 0x11, &[0; 3]),
        ] {
            assert_eq!(parse(bytes), Err(NoProxyHeader), "{bytes:?}");
        }
        assert_eq!(
            parse(&[b"PROXY ", &[b'1'; 200][..]].concat()),
            Err(NoProxyHeader)
        );
        let endless = binary(0x21, 0x11, &[0; 5000]);
        assert_eq!(parse(&endless[..FIXED_BYTES]), Err(NoProxyHeader));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(
            start in prop_oneof![Just(SIGNATURE), Just(WORD), Just(&b"PROXY TCP4 "[..])],
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            cut in 0..300_usize,
        ) {
            let bytes = [start, &bytes].concat();
            let whole = parse(&bytes);
            let part = parse(&bytes[..cut.min(bytes.len())]);
            prop_assert!(part == Ok(None) || part == whole, "{part:?}, {whole:?}");
        }
    }
}
