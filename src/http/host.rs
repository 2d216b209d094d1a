//! A host and its port, as Host fields, targets and origins write them.

use std::net::Ipv6Addr;

/// The host of `authority`, and its port, or `default` where none is written (RFC 3986, 3.2.2 and
/// 3.2.3). `None` for what is no host and port, or has a user before it.
pub fn split(authority: &str, default: u16) -> Option<(&str, u16)> {
    let end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, port) = authority.split_at(end);
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => default,
        None => return None,
        Some("") => default,
        // A number may have a sign elsewhere.
        Some(port) if !port.bytes().all(|byte| byte.is_ascii_digit()) => return None,
        Some(port) => port.parse().ok()?,
    };
    is_host(host).then_some((host, port))
}

/// A URL as an error may show it: without user, password and query, where keys stand.
pub fn without_secrets(url: &str) -> String {
    let (scheme, rest) = match url.find("://") {
        Some(at) => url.split_at(at + 3),
        None => ("", url),
    };
    let end = rest.find(['?', '#', '&']).unwrap_or(rest.len());
    let (rest, query) = (&rest[..end], if end < rest.len() { "?…" } else { "" });
    match rest.rsplit_once('@') {
        Some((_, rest)) => format!("{scheme}…@{rest}{query}"),
        None => format!("{scheme}{rest}{query}"),
    }
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[') {
        None => !host.is_empty() && host.bytes().all(is_of_a_name),
        Some(rest) => rest.strip_suffix(']').is_some_and(is_address),
    }
}

/// Of version 6, perhaps with the sender's own name for a link behind a percent sign.
fn is_address(text: &str) -> bool {
    let (address, zone) = text.split_once('%').unwrap_or((text, ""));
    address.parse::<Ipv6Addr>().is_ok()
        && zone.bytes().all(|byte| is_of_a_name(byte) || byte == b'%')
}

/// RFC 3986's `reg-name` without the comma, which would make a list of hosts, and without escapes,
/// which no name has that can be looked up.
fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_may_have_a_port() {
        for (text, host, port) in [
            ("a", "a", 7),
            ("a:", "a", 7),
            ("a:0080", "a", 80),
            ("under_score.example.", "under_score.example.", 7),
            ("192.0.2.1:65535", "192.0.2.1", 65535),
            ("[::1]", "[::1]", 7),
            ("[::1]:", "[::1]", 7),
            ("[2001:db8::1]:80", "[2001:db8::1]", 80),
            ("[fe80::1%eth0]:80", "[fe80::1%eth0]", 80),
            ("[fe80::1%25eth0]", "[fe80::1%25eth0]", 7),
        ] {
            assert_eq!(split(text, 7), Some((host, port)), "{text}");
        }
    }

    #[test]
    fn shown_url_has_no_secret() {
        for (url, shown) in [
            ("http://h:1/a", "http://h:1/a"),
            ("http://u:secret@h/a?key=secret", "http://…@h/a?…"),
            ("http://u:s@secret@h/a#secret", "http://…@h/a?…"),
            ("h/a?key=secret", "h/a?…"),
            ("http://h/?next=http://u:secret@x", "http://h/?…"),
            ("ws//h/a&key=secret", "ws//h/a?…"),
            ("u:secret@h", "…@h"),
            ("", ""),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }

    #[test]
    fn invalid_authority_is_none() {
        for text in [
            "",
            ":80",
            "a:b",
            "a:+80",
            "a:-1",
            "a:65536",
            "a:80:81",
            "::1",
            "[",
            "[]",
            "[]:80",
            "[::1",
            "[::1]x",
            "[::1]x:80",
            "[::1].evil.example:80",
            "[a]:80",
            "[::1%/]",
            "a[:]b:80",
            "a:1[b]:80",
            "u@a",
            "a,b",
            "a b",
            "a/b",
            "a%41",
            "caf\u{e9}",
        ] {
            assert_eq!(split(text, 7), None, "{text}");
        }
    }
}
