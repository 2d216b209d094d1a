//! From plain HTTP to the same place by https.

use super::RequestHead;
use super::host;
use super::refusal::Refusal;

const HTTPS_PORT: u16 = 443;

/// Sends a request on to the same host, path and query, at `port` and encrypted. `head_bytes` is
/// what `head` was made of: there the path and query stand as they were written.
///
/// 308 has clients keep their method and body (RFC 9110, 15.4.9): a publisher is sent on as well.
pub fn to_https(head: &RequestHead, head_bytes: &[u8], port: u16) -> Refusal {
    let host = head.host.as_deref();
    let Some((host, _)) = host.and_then(|host| host::split(host, HTTPS_PORT)) else {
        return Refusal::new(400, "Host names no address to redirect to");
    };
    let port = match port {
        HTTPS_PORT => String::new(),
        port => format!(":{port}"),
    };
    let place = path_and_query(head_bytes);
    let url = format!("https://{host}{port}{place}");
    Refusal::new(308, format!("go on at {url}")).with("Location", url)
}

fn path_and_query(head_bytes: &[u8]) -> &str {
    let line = head_bytes.trim_ascii_start();
    let target = line.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
    let target = std::str::from_utf8(target).unwrap_or_default();
    match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') => {
            let begin = rest.find(['/', '?']);
            begin.map_or("", |begin| &rest[begin..])
        }
        _ if target == "*" => "",
        _ => target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::parse_request;

    fn sent_on(request: &str, port: u16) -> (u16, Option<String>) {
        let bytes = request.as_bytes();
        let (head, _) = parse_request(bytes, 4096).unwrap().unwrap();
        let refusal = to_https(&head, bytes, port);
        let location = refusal.headers.into_iter().next().map(|(name, value)| {
            assert_eq!(name, "Location");
            value
        });
        (refusal.status, location)
    }

    #[test]
    fn redirect_keeps_host_path_and_query() {
        for (target, host, port, url) in [
            ("/", "h", 443, "https://h/"),
            (
                "/live/a%20b?key=k%2B&x",
                "h:8080",
                8443,
                "https://h:8443/live/a%20b?key=k%2B&x",
            ),
            ("/a", "[::1]:80", 443, "https://[::1]/a"),
            ("/a", "192.0.2.1", 8443, "https://192.0.2.1:8443/a"),
            ("/a?u=http://b/c", "h", 443, "https://h/a?u=http://b/c"),
            ("http://b:1/a?x", "h", 443, "https://b/a?x"),
            ("http://b", "h", 443, "https://b"),
            ("*", "h", 443, "https://h"),
        ] {
            let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert_eq!(
                sent_on(&request, port),
                (308, Some(url.to_owned())),
                "{target}"
            );
        }
    }

    #[test]
    fn request_without_a_host_is_not_redirected() {
        assert_eq!(sent_on("GET / HTTP/1.0\r\n\r\n", 443), (400, None));
        assert_eq!(sent_on("GET / HTTP/1.1\r\nHost:\r\n\r\n", 443), (400, None));
    }
}
