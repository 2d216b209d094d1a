//! Request heads: from bytes to what the other rooms need to know (RFC 9112, RFC 9110).
//!
//! [`parse_request`] looks at all bytes that have come in so far, and says "not yet" with `None`.
//! The syntax is httparse's work; what the fields mean together is decided here, strictly where two
//! readers of the same bytes could disagree about where the request ends (RFC 9112, 6.3 and 11.2).
//!
//! The surprise: a PUT, POST or SOURCE with neither `Content-Length` nor `Transfer-Encoding` has no
//! body by RFC 9112, 6.3. Icecast sources send such requests and then stream until they hang up, so
//! here it is [`Body::UntilClose`].
//!
//! Cutting the bytes anywhere never changes the answer, only how soon it comes.

use super::credentials::authorization;
use super::fetch_metadata::{LedBy, is_from_page};
use super::fields::Fields;
use super::target::{Query, RawQuery, Target};
use super::{Body, HttpError, Method, Version, accept, body, host};
use crate::secret::Secret;

/// Bytes of one request head.
///
/// Browsers send about 1 KiB, with long cookies of other services on the same host perhaps 8. A
/// cost per connection that is still asking.
pub const HEAD_BYTES_DEFAULT: usize = 16 * 1024;

/// Field lines of one head. Browsers send about 20, Icecast sources 15.
pub const FIELDS_MAX: usize = 64;

/// What a request head says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHead {
    pub method: Method,
    /// Percent-decoded. Invariant: begins with `/` (or is `*`), and has no control characters.
    pub path: String,
    /// Slashes of the path as it was written: what leads to a page's neighbours depends on them.
    pub levels: usize,
    pub query: Query,
    pub raw_query: RawQuery,
    pub version: Version,
    /// Whether the connection may serve another request after this one (RFC 9112, 9.3).
    pub keep_alive: bool,
    pub body: Body,
    /// The body waits for our `100 Continue` (RFC 9110, 10.1.1).
    pub expect_continue: bool,
    pub host: Option<String>,
    pub origin: Option<String>,
    /// From `Authorization` (Bearer, or Basic's password), then from `?key=`: any right one opens.
    pub keys: Vec<Secret>,
    /// From `?token=`.
    pub token: Option<Secret>,
    /// Basic's user, which means nothing to us. May be empty.
    pub user: Option<String>,
    pub content_type: Option<String>,
    pub accepts_gzip: bool,
    /// For a person to read: a browser goes to an address.
    pub accepts_html: bool,
    /// Whether `Accept` names OpenMetrics: Prometheus does.
    pub accepts_openmetrics: bool,
    pub if_none_match: Option<String>,
    /// Which part of a file is wanted, and of which version (RFC 9110, 14.2 and 13.1.5).
    pub range: Option<String>,
    pub if_range: Option<String>,
    /// Whether the body is a part of something larger (RFC 9110, 14.5), as when a client resumes an upload.
    pub is_partial: bool,
    /// What `X-Forwarded-For` says, all of it. Any client can send any value: see
    /// [`super::forwarded`].
    pub forwarded_for: Option<String>,
    /// What `X-Forwarded-Prefix` says. Any client can send any value here, too.
    pub forwarded_prefix: Option<String>,
    /// Whether `X-Forwarded-Proto` says that the client came by https. Any client can say so, too.
    pub is_forwarded_https: bool,
    /// Whether a script or an element of a page asks, and not the person in front of it or a
    /// program: a browser's login box would open over the page.
    pub is_from_page: bool,
    /// Which site's page, if any, led a browser here.
    pub led_by: Option<LedBy>,
    /// Present when the request asks to become a WebSocket; not yet checked: see
    /// [`handshake`](crate::websocket::handshake()).
    pub upgrade: Option<UpgradeRequest>,
}

impl RequestHead {
    /// Whether the client has this version already (RFC 9110, section 13.1.2).
    pub fn has_etag(&self, etag: &str) -> bool {
        self.if_none_match.as_ref().is_some_and(|offered| {
            offered.split(',').any(|one| {
                let one = one.trim();
                one == "*" || one.trim_start_matches("W/") == etag
            })
        })
    }
}

/// The WebSocket fields of a request, as they came (RFC 6455, 4.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpgradeRequest {
    pub key: Option<String>,
    pub version: Option<String>,
    /// Subprotocols offered, the client's favourite first.
    pub protocols: Vec<String>,
}

/// Parses the request head at the start of `bytes`, which are all that came in so far.
///
/// `None`: nothing wrong yet, more bytes, please. Otherwise the head and its length: the body, or
/// the next request, begins there. Bytes that can become no request are refused at once, however
/// few they are.
pub fn parse_request(
    bytes: &[u8],
    limit: usize,
) -> Result<Option<(RequestHead, usize)>, HttpError> {
    let mut lines = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut lines);
    // Never looking past the limit makes the answer the same however the bytes were cut.
    let within = &bytes[..bytes.len().min(limit)];
    // A lone LF would do for a line end (RFC 9112, 2.2), but what a proxy took for a part of a
    // field would be a field of its own here. So nothing is read beyond it.
    let lone_lf = lone_line_feed(within);
    let status = match request.parse(&within[..lone_lf.unwrap_or(within.len())]) {
        Ok(status) => status,
        Err(httparse::Error::Version) => return Err(HttpError::Version),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(HttpError::TooManyFields { limit: FIELDS_MAX });
        }
        Err(error) => return Err(HttpError::Malformed(error)),
    };
    match status {
        httparse::Status::Complete(length) => Ok(Some((understand(&request)?, length))),
        httparse::Status::Partial if lone_lf.is_some() => {
            Err(HttpError::Malformed(httparse::Error::NewLine))
        }
        httparse::Status::Partial if bytes.len() >= limit => Err(HttpError::HeadTooLarge { limit }),
        httparse::Status::Partial => Ok(None),
    }
}

/// Where the first LF is that no CR comes before.
fn lone_line_feed(bytes: &[u8]) -> Option<usize> {
    let is_lone = |&at: &usize| bytes[at] == b'\n' && (at == 0 || bytes[at - 1] != b'\r');
    (0..bytes.len()).find(is_lone)
}

fn understand(request: &httparse::Request<'_, '_>) -> Result<RequestHead, HttpError> {
    let fields = Fields(request.headers);
    let method = Method::from_token(request.method.unwrap_or_default());
    let version = match request.version {
        Some(1) => Version::Http11,
        Some(0) => Version::Http10,
        _ => return Err(HttpError::Version),
    };
    let target = Target::parse(request.path.unwrap_or_default())?;
    let body = body::body(&fields, method, version)?;
    let expects = fields.single("Expect")?;
    let (user, key) = authorization(&fields)?;
    let upgrade = upgrade(&fields)?;
    Ok(RequestHead {
        method,
        path: target.path,
        levels: target.levels,
        is_from_page: is_from_page(&fields, &target.query),
        led_by: fields
            .single("Sec-Fetch-Site")
            .ok()
            .flatten()
            .and_then(LedBy::read),
        query: target.query,
        raw_query: target.raw_query,
        version,
        keep_alive: keep_alive(&fields, version)? && body != Body::UntilClose,
        body,
        // A 1.0 client must not be answered with 100 (RFC 9110, 10.1.1).
        expect_continue: body != Body::None
            && version == Version::Http11
            && expects.is_some_and(|value| value.eq_ignore_ascii_case("100-continue")),
        host: host(&fields, target.authority, version)?,
        origin: fields.single("Origin")?.map(str::to_owned),
        keys: key.into_iter().chain(target.keys).collect(),
        token: target.token,
        user,
        content_type: fields.single("Content-Type")?.map(str::to_owned),
        accepts_gzip: accept::accepts_gzip(&fields.list("Accept-Encoding")?),
        accepts_html: accept::accepts_html(&fields.list("Accept").unwrap_or_default()),
        // An unreadable field names no type.
        accepts_openmetrics: accept::accepts_openmetrics(
            &fields.list("Accept").unwrap_or_default(),
        ),
        if_none_match: joined(&fields.list("If-None-Match")?),
        // An unreadable field asks for no part.
        range: fields.single("Range").ok().flatten().map(str::to_owned),
        if_range: fields.single("If-Range").ok().flatten().map(str::to_owned),
        is_partial: fields.lines("Content-Range").next().is_some(),
        forwarded_for: fields.joined_as_far_as_readable("X-Forwarded-For"),
        forwarded_prefix: fields.joined_as_far_as_readable("X-Forwarded-Prefix"),
        is_forwarded_https: fields
            .joined_as_far_as_readable("X-Forwarded-Proto")
            .is_some_and(|schemes| is_https(&schemes)),
        upgrade,
    })
}

/// Of several proxies, the first is the one that the client came to.
fn is_https(schemes: &str) -> bool {
    let first = schemes.split(',').next().unwrap_or_default();
    first.trim().eq_ignore_ascii_case("https")
}

fn keep_alive(fields: &Fields<'_>, version: Version) -> Result<bool, HttpError> {
    if fields.list_has("Connection", "close")? {
        return Ok(false);
    }
    Ok(version == Version::Http11 || fields.list_has("Connection", "keep-alive")?)
}

/// RFC 9112, 3.2: one Host, valid, and not absent in 1.1; a target's own authority goes before it.
///
/// In 1.0 it need not be there, and what is no host counts as none: Icecast's library writes an IPv6
/// address without its brackets.
fn host(
    fields: &Fields<'_>,
    authority: Option<&str>,
    version: Version,
) -> Result<Option<String>, HttpError> {
    const NAME: &str = "Host";
    let wrong = |problem| HttpError::Field {
        name: NAME,
        problem,
    };
    let is_host = |text: &str| host::split(text, 0).is_some();
    let host = match (fields.single(NAME)?, version) {
        (None, Version::Http11) => return Err(wrong("is missing")),
        // Of an address that has no authority it is empty.
        (Some(host), Version::Http11) if !host.is_empty() && !is_host(host) => {
            return Err(wrong("is not a host name and port"));
        }
        (host, Version::Http11) => host,
        (host, Version::Http10) => host.filter(|host| is_host(host)),
    };
    if authority.is_some_and(|authority| !is_host(authority)) {
        return Err(wrong("is not a host name and port in the request target"));
    }
    Ok(authority.or(host).map(str::to_owned))
}

fn joined(members: &[&str]) -> Option<String> {
    (!members.is_empty()).then(|| members.join(", "))
}

fn upgrade(fields: &Fields<'_>) -> Result<Option<UpgradeRequest>, HttpError> {
    // Upgrade without the connection option was meant for a proxy before us (RFC 9110, 7.8).
    let asked =
        fields.list_has("Upgrade", "websocket")? && fields.list_has("Connection", "upgrade")?;
    if !asked {
        return Ok(None);
    }
    let protocols = fields.list("Sec-WebSocket-Protocol")?;
    Ok(Some(UpgradeRequest {
        key: fields.single("Sec-WebSocket-Key")?.map(str::to_owned),
        version: fields.single("Sec-WebSocket-Version")?.map(str::to_owned),
        protocols: protocols.into_iter().map(str::to_owned).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::sample::{head, parse, status, with};

    const CHROMIUM_SOCKET: &str = "GET /live/demo?embed&key=s%2Bt HTTP/1.1\r\n\
        Host: localhost:8080\r\nConnection: keep-alive, Upgrade\r\nPragma: no-cache\r\n\
        Upgrade: websocket\r\nOrigin: http://localhost:8080\r\nSec-WebSocket-Version: 13\r\n\
        Accept-Encoding: gzip, deflate, br, zstd\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Protocol: videostream.v1, other\r\n\r\n";

    #[test]
    fn browser_socket_request_is_understood() {
        let head = head(CHROMIUM_SOCKET);
        assert_eq!((head.method, head.version), (Method::Get, Version::Http11));
        assert_eq!(head.path, "/live/demo");
        assert_eq!(head.query.value("embed"), Some(""));
        assert_eq!(head.keys, [Secret::new("s+t")]);
        assert_eq!(head.origin.as_deref(), Some("http://localhost:8080"));
        assert!(head.keep_alive && head.accepts_gzip);
        let upgrade = head.upgrade.expect("an upgrade");
        assert_eq!(upgrade.version.as_deref(), Some("13"));
        assert_eq!(upgrade.protocols, ["videostream.v1", "other"]);
    }

    #[test]
    fn icecast_source_has_a_body_until_it_closes() {
        let head = head(
            "SOURCE /live/a.webm HTTP/1.0\r\nAuthorization: Basic c291cmNlOmhhY2s6bWU=\r\n\
             Content-Type: video/webm\r\nIce-Public: 1\r\n\r\n",
        );
        assert_eq!((head.method, head.body), (Method::Source, Body::UntilClose));
        assert_eq!(head.keys, [Secret::new("hack:me")]);
        assert_eq!(head.user.as_deref(), Some("source"));
        assert_eq!(head.content_type.as_deref(), Some("video/webm"));
        assert!(!head.keep_alive && head.host.is_none());
    }

    #[test]
    fn heads_that_no_client_should_send_get_400() {
        for text in [
            "GET / HTTP/1.1\r\n\r\n",                          // no Host
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",    // two
            "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",             // not a host
            "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n", // obsolete folding
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",              // space before colon
            "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",            // bare CR
            "GET / HTTP/1.1\r\nHost: a\nA: b\r\n\r\n",         // bare LF
            "GET / HTTP/1.1\r\nHost: a\r\n\n",                 // the same at the end
            "\nGET / HTTP/1.0\r\n\r\n",                        // and before the beginning
            "GET / HTTP/2.0\r\nHost: a\r\n\r\n",               // other versions
            "GET / HTTP/1.2\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "GET /\r\n", // HTTP/0.9
            "GET live HTTP/1.0\r\n\r\n",
            "GET /%zz HTTP/1.0\r\n\r\n",
            "GET /% HTTP/1.0\r\n\r\n",
            "GET /%00 HTTP/1.0\r\n\r\n",
            "GET /%0d%0a HTTP/1.0\r\n\r\n",
            "GET /%ff HTTP/1.0\r\n\r\n",
            "GET /#a HTTP/1.0\r\n\r\n",
        ] {
            assert_eq!(status(text), 400, "{text:?}");
        }
    }

    #[test]
    fn bytes_that_cannot_become_a_head_are_refused_at_once() {
        for bytes in [&b"\x16\x03\x01"[..], b"\x1a\x45\xdf\xa3", b"GET\0", b"GE{T"] {
            assert_eq!(
                parse_request(bytes, 1000).map_err(|e| e.status()),
                Err(400),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn head_at_the_limit_passes_and_over_it_gets_431() {
        let text = with("GET / HTTP/1.1", &["A: bcdefghijklmnop"]);
        let at = |limit| parse_request(text.as_bytes(), limit).map(|head| head.is_some());
        assert_eq!(at(text.len()), Ok(true));
        assert_eq!(at(text.len() - 1).map_err(|e| e.status()), Err(431));
        assert_eq!(
            parse_request(&text.as_bytes()[..20], 20).map_err(|e| e.status()),
            Err(431)
        );
    }

    #[test]
    fn sixty_four_fields_pass_and_one_more_gets_431() {
        assert!(parse(&with("GET / HTTP/1.1", &["A: b"; FIELDS_MAX - 1])).is_ok());
        assert_eq!(status(&with("GET / HTTP/1.1", &["A: b"; FIELDS_MAX])), 431);
    }

    #[test]
    fn absolute_target_brings_its_own_host() {
        let absolute = head("GET HTTP://b:1?x=y HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(
            (absolute.path.as_str(), absolute.host.as_deref()),
            ("/", Some("b:1"))
        );
        assert_eq!(absolute.query.value("x"), Some("y"));
        assert_eq!(status("GET http://u@b/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    }

    #[test]
    fn connection_lives_on_by_version_and_wish() {
        let keeps = |start, line| head(&with(start, &[line])).keep_alive;
        assert!(keeps("GET / HTTP/1.1", "A: b"));
        assert!(!keeps("GET / HTTP/1.1", "Connection: Close"));
        assert!(!keeps("GET / HTTP/1.0", "A: b"));
        assert!(keeps("GET / HTTP/1.0", "Connection: Keep-Alive"));
    }

    /// Heads close enough to real ones to come past the first byte.
    fn nearly_http() -> impl Strategy<Value = Vec<u8>> {
        let line = prop_oneof![
            Just("Host: a".to_owned()),
            Just("Content-Length: 5".to_owned()),
            Just("Transfer-Encoding: chunked".to_owned()),
            Just("Connection: upgrade\r\nUpgrade: websocket".to_owned()),
            Just("Authorization: Basic YTpi".to_owned()),
            "[A-Za-z-]{1,8}:[ -~]{0,12}",
            "[ -~\\t\\r\\n]{0,12}",
        ];
        let start = "(GET|PUT|SOURCE|[A-Z]{1,3}) (/|\\*|http:)[a-z/%0-9?=&:]{0,12} HTTP/1.[0-2]";
        (start, prop::collection::vec(line, 0..5))
            .prop_map(|(start, lines)| format!("{start}\r\n{}\r\n\r\nrest", lines.join("\r\n")))
            .prop_map(String::into_bytes)
    }

    proptest! {
        #[test]
        fn head_cut_anywhere_gives_the_same_answer(bytes in nearly_http(), limit in 16_usize..200) {
            let whole = parse_request(&bytes, limit);
            for cut in 0..bytes.len() {
                let part = parse_request(&bytes[..cut], limit);
                prop_assert!(part == Ok(None) || part == whole, "cut {cut}: {part:?}, {whole:?}");
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_request(&bytes, 100);
            let _ = parse_request(&[b"GET /", &bytes[..]].concat(), 150);
        }
    }
}
