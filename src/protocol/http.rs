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

use base64::prelude::{BASE64_STANDARD, Engine as _};

pub use super::target::{Query, RawQuery};
use super::{host, target::Target};
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
    /// Whether `Accept` names OpenMetrics: Prometheus does.
    pub accepts_openmetrics: bool,
    pub if_none_match: Option<String>,
    /// Which part of a file is wanted, and of which version (RFC 9110, 14.2 and 13.1.5).
    pub range: Option<String>,
    pub if_range: Option<String>,
    /// What `X-Forwarded-For` says, all of it. Any client can send any value: see
    /// [`super::forwarded`].
    pub forwarded_for: Option<String>,
    /// What `X-Forwarded-Prefix` says. Any client can send any value here, too.
    pub forwarded_prefix: Option<String>,
    /// Whether a script or an element of a page asks, and not the person in front of it or a
    /// program: a browser's login box would open over the page.
    pub is_from_page: bool,
    /// Which site's page, if any, led a browser here.
    pub led_by: Option<LedBy>,
    /// Present when the request asks to become a WebSocket; not yet checked: see [`super::route`].
    pub upgrade: Option<UpgradeRequest>,
}

/// The relation of the page that asks to this server, as browsers tell it in `Sec-Fetch-Site` (W3C
/// Fetch Metadata Request Headers, section 2.3). Pages cannot change or hide it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedBy {
    /// An address that a person typed, or a bookmark.
    None,
    SameOrigin,
    SameSite,
    CrossSite,
}

impl LedBy {
    const ALL: [LedBy; 4] = [
        LedBy::None,
        LedBy::SameOrigin,
        LedBy::SameSite,
        LedBy::CrossSite,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            LedBy::None => "none",
            LedBy::SameOrigin => "same-origin",
            LedBy::SameSite => "same-site",
            LedBy::CrossSite => "cross-site",
        }
    }

    fn read(value: &str) -> Option<LedBy> {
        LedBy::ALL
            .into_iter()
            .find(|led_by| led_by.as_str() == value)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Put,
    Post,
    /// Icecast 1 and 2's own method in place of PUT.
    Source,
    Delete,
    Options,
    Other,
}

impl Method {
    fn from_token(token: &str) -> Self {
        // Method names are case-sensitive (RFC 9110, 9.1).
        match token {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "PUT" => Self::Put,
            "POST" => Self::Post,
            "SOURCE" => Self::Source,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }

    /// Whether this method brings something to keep: a stream or a poster.
    pub fn is_upload(self) -> bool {
        matches!(self, Self::Put | Self::Post | Self::Source)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    Http10,
    Http11,
}

/// How the end of the request body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// There is none, or its length is 0.
    None,
    Length(u64),
    Chunked,
    /// It lasts as long as the connection.
    UntilClose,
}

/// The WebSocket fields of a request, as they came (RFC 6455, 4.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpgradeRequest {
    pub key: Option<String>,
    pub version: Option<String>,
    /// Subprotocols offered, the client's favourite first.
    pub protocols: Vec<String>,
}

/// Why bytes are not a request that we can serve. The connection is closed after any of these:
/// there is no way to know where a next request would begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    #[error("not an HTTP request: {0}")]
    Malformed(httparse::Error),
    #[error("the HTTP version must be 1.1 or 1.0")]
    Version,
    #[error("request head over {limit} bytes")]
    HeadTooLarge { limit: usize },
    #[error("more than {limit} header fields")]
    TooManyFields { limit: usize },
    #[error("request target {0}")]
    Target(&'static str),
    #[error("{name} {problem}")]
    Field {
        name: &'static str,
        problem: &'static str,
    },
    #[error("both Content-Length and Transfer-Encoding")]
    LengthAndChunked,
    #[error("transfer coding {0:?} is not supported: use chunked")]
    UnknownCoding(String),
    #[error("chunked body: {0}")]
    Chunk(&'static str),
}

impl HttpError {
    pub fn status(&self) -> u16 {
        match self {
            Self::HeadTooLarge { .. } | Self::TooManyFields { .. } => 431,
            Self::UnknownCoding(_) => 501,
            Self::Malformed(_)
            | Self::Version
            | Self::Target(_)
            | Self::Field { .. }
            | Self::LengthAndChunked
            | Self::Chunk(_) => 400,
        }
    }
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
    let body = body(&fields, method, version)?;
    let expects = fields.single("Expect")?;
    let (user, key) = authorization(&fields)?;
    let upgrade = upgrade(&fields)?;
    Ok(RequestHead {
        method,
        path: target.path,
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
        accepts_gzip: accepts_gzip(&fields.list("Accept-Encoding")?),
        // An unreadable field names no type.
        accepts_openmetrics: accepts_openmetrics(&fields.list("Accept").unwrap_or_default()),
        if_none_match: joined(&fields.list("If-None-Match")?),
        // An unreadable field asks for no part.
        range: fields.single("Range").ok().flatten().map(str::to_owned),
        if_range: fields.single("If-Range").ok().flatten().map(str::to_owned),
        forwarded_for: fields.joined_as_far_as_readable("X-Forwarded-For"),
        forwarded_prefix: fields.joined_as_far_as_readable("X-Forwarded-Prefix"),
        upgrade,
    })
}

/// The field lines, by name.
struct Fields<'a>(&'a [httparse::Header<'a>]);

impl<'a> Fields<'a> {
    fn lines(&self, name: &'static str) -> impl Iterator<Item = Result<&'a str, HttpError>> {
        let lines = self
            .0
            .iter()
            .filter(move |line| line.name.eq_ignore_ascii_case(name));
        lines.map(move |line| match std::str::from_utf8(line.value) {
            Ok(value) => Ok(value.trim_matches([' ', '\t'])),
            Err(_) => Err(HttpError::Field {
                name,
                problem: "is not UTF-8",
            }),
        })
    }

    /// All lines of a field that any client may fill with any bytes. Unreadable bytes are marked
    /// and kept: the entry of a trusted proxy may stand behind them.
    fn joined_as_far_as_readable(&self, name: &str) -> Option<String> {
        let lines = self.0.iter();
        let lines = lines.filter(|line| line.name.eq_ignore_ascii_case(name));
        let lines: Vec<_> = lines
            .map(|line| String::from_utf8_lossy(line.value))
            .collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }

    /// A field that may come once (RFC 9110, 5.3).
    fn single(&self, name: &'static str) -> Result<Option<&'a str>, HttpError> {
        let mut lines = self.lines(name);
        let first = lines.next().transpose()?;
        match lines.next() {
            None => Ok(first),
            Some(_) => Err(HttpError::Field {
                name,
                problem: "comes more than once",
            }),
        }
    }

    /// The members of a list, over all its lines (RFC 9110, 5.6.1); empty ones do not count.
    fn list(&self, name: &'static str) -> Result<Vec<&'a str>, HttpError> {
        let mut members = Vec::new();
        for line in self.lines(name) {
            let split = line?
                .split(',')
                .map(|member| member.trim_matches([' ', '\t']));
            members.extend(split.filter(|member| !member.is_empty()));
        }
        Ok(members)
    }

    fn list_has(&self, name: &'static str, member: &str) -> Result<bool, HttpError> {
        Ok(self
            .list(name)?
            .iter()
            .any(|found| found.eq_ignore_ascii_case(member)))
    }
}

/// RFC 9112, 6.3. What two readers could understand differently is refused: that is how requests
/// are smuggled past a proxy (RFC 9112, 11.2).
fn body(fields: &Fields<'_>, method: Method, version: Version) -> Result<Body, HttpError> {
    const LENGTH: &str = "Content-Length";
    const CODING: &str = "Transfer-Encoding";
    // Even the same one twice, which RFC 9112, 6.3 would let pass.
    let length = fields.single(LENGTH)?;
    let codings = fields.list(CODING)?;
    // Present but empty is not the same as absent.
    let has_coding = fields.lines(CODING).next().is_some();
    match (length, has_coding) {
        (Some(_), true) => Err(HttpError::LengthAndChunked),
        (Some(length), false) => {
            // Digits only: `parse` alone would take a sign.
            let digits = length.bytes().all(|byte| byte.is_ascii_digit());
            match digits.then(|| length.parse().ok()).flatten() {
                Some(0) => Ok(Body::None),
                Some(length) => Ok(Body::Length(length)),
                None => Err(HttpError::Field {
                    name: LENGTH,
                    problem: "is not a number of bytes",
                }),
            }
        }
        // RFC 9112, 6.1: 1.0 has no codings, so a proxy may have passed it on unread.
        (None, true) if version == Version::Http10 => Err(HttpError::Field {
            name: CODING,
            problem: "is not for HTTP/1.0",
        }),
        (None, true) => match codings[..] {
            [coding] if coding.eq_ignore_ascii_case("chunked") => Ok(Body::Chunked),
            [] => Err(HttpError::Field {
                name: CODING,
                problem: "is empty",
            }),
            _ => match codings
                .iter()
                .find(|coding| !coding.eq_ignore_ascii_case("chunked"))
            {
                Some(other) => Err(HttpError::UnknownCoding(other.chars().take(40).collect())),
                None => Err(HttpError::Field {
                    name: CODING,
                    problem: "says chunked twice",
                }),
            },
        },
        (None, false) if method.is_upload() => Ok(Body::UntilClose),
        (None, false) => Ok(Body::None),
    }
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

/// User and key. A key that cannot be read counts as none: then publishing says 401, and pages work.
fn authorization(fields: &Fields<'_>) -> Result<(Option<String>, Option<Secret>), HttpError> {
    let value = fields.single("Authorization")?.unwrap_or_default();
    let (scheme, credentials) = value.split_once(' ').unwrap_or((value, ""));
    let credentials = credentials.trim_matches(' ');
    let (user, key) = if scheme.eq_ignore_ascii_case("bearer") {
        (None, Some(credentials.to_owned()))
    } else if scheme.eq_ignore_ascii_case("basic") {
        let decoded = BASE64_STANDARD.decode(credentials).ok();
        let user_and_password = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let pair = user_and_password
            .as_deref()
            .and_then(|pair| pair.split_once(':'));
        pair.map(|(user, password)| (user.to_owned(), password.to_owned()))
            .unzip()
    } else {
        (None, None)
    };
    let key = key.filter(|key| !key.is_empty());
    Ok((user, key.map(Secret::new)))
}

/// Browsers report on secure pages, and on pages of their own machine, what makes the request
/// (`Sec-Fetch-Mode`). On others our pages mark their requests: a script by
/// `Accept: application/json`, an element by `?page`. Pictures, uploads and sockets are known
/// without that.
fn is_from_page(fields: &Fields<'_>, query: &Query) -> bool {
    let field = |name| fields.joined_as_far_as_readable(name);
    if let Some(mode) = field("Sec-Fetch-Mode") {
        return !mode.trim().eq_ignore_ascii_case("navigate");
    }
    // No program sends an origin.
    if query.has("page") || field("Origin").is_some() {
        return true;
    }
    let accept = field("Accept").unwrap_or_default().to_ascii_lowercase();
    let has = |kind: &str| {
        accept
            .split(',')
            .any(|range| range.trim().starts_with(kind))
    };
    let is_element = has("image/") || has("video/") || has("audio/");
    has("application/json") || (is_element && !has("text/html"))
}

fn accepts_gzip(codings: &[&str]) -> bool {
    let weight = weight(codings, "gzip").or_else(|| weight(codings, "*"));
    weight.is_some_and(|weight| weight > 0.0)
}

fn accepts_openmetrics(types: &[&str]) -> bool {
    let wanted = weight(types, "application/openmetrics-text").unwrap_or(0.0);
    wanted > 0.0 && wanted >= weight(types, "text/plain").unwrap_or(0.0)
}

/// How much a client wants what it offers by this name (RFC 9110, 12.4.2); `None` when it does not
/// name it.
fn weight(offers: &[&str], name: &str) -> Option<f32> {
    offers.iter().find_map(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        let is_named = parts
            .next()
            .is_some_and(|found| found.eq_ignore_ascii_case(name));
        let q = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        is_named.then(|| q.map_or(1.0, |q| q.parse().unwrap_or(0.0)))
    })
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

    fn parse(text: &str) -> Result<Option<(RequestHead, usize)>, HttpError> {
        parse_request(text.as_bytes(), HEAD_BYTES_DEFAULT)
    }

    fn head(text: &str) -> RequestHead {
        let (head, length) = parse(text).expect("a valid head").expect("a whole head");
        assert_eq!(length, text.len());
        head
    }

    /// A head with these field lines, each given without its line end.
    fn with(start: &str, lines: &[&str]) -> String {
        format!(
            "{start}\r\nHost: a\r\n{}\r\n",
            lines.iter().map(|l| format!("{l}\r\n")).collect::<String>()
        )
    }

    fn status(text: &str) -> u16 {
        parse(text).expect_err("a refusal").status()
    }

    const CHROMIUM_SOCKET: &str = "GET /live/demo?embed&key=s%2Bt HTTP/1.1\r\n\
        Host: localhost:8080\r\nConnection: keep-alive, Upgrade\r\nPragma: no-cache\r\n\
        Upgrade: websocket\r\nOrigin: http://localhost:8080\r\nSec-WebSocket-Version: 13\r\n\
        Accept-Encoding: gzip, deflate, br, zstd\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Protocol: videostream.v1, other\r\n\r\n";

    #[test]
    fn requests_from_pages_differ_from_navigation_and_programs() {
        let asks = |lines: &[&str]| head(&with("GET /live/a.webm HTTP/1.1", lines)).is_from_page;
        for page in [
            "Sec-Fetch-Mode: cors",
            "Sec-Fetch-Mode: no-cors",
            "Sec-Fetch-Mode: same-origin",
            "Sec-Fetch-Mode: websocket",
            "Origin: http://192.168.0.7:8080",
            "Accept: application/json",
            "Accept: image/avif,image/webp,image/*,*/*;q=0.8",
            "Accept: video/webm,video/ogg,video/*;q=0.9,*/*;q=0.5",
        ] {
            assert!(asks(&[page]), "{page}");
        }
        for other in [
            "Sec-Fetch-Mode: navigate",
            "Accept: text/html,application/xhtml+xml,image/avif,image/webp,*/*;q=0.8",
            "Accept: */*",
            "Icy-MetaData: 1",
        ] {
            assert!(!asks(&[other]), "{other}");
        }
        // Fields that the browser sets itself count before fields that any client can set.
        assert!(!asks(&[
            "Sec-Fetch-Mode: navigate",
            "Accept: application/json"
        ]));
        assert!(head(&with("GET /live/a.webm?key=k&page HTTP/1.1", &[])).is_from_page);
    }

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
    fn icecast_put_waits_for_continue() {
        let lines = ["Expect: 100-continue", "Connection: close"];
        let put = head(&with("PUT /live/a.webm HTTP/1.1", &lines));
        assert!(put.expect_continue && !put.keep_alive);
        assert_eq!(put.body, Body::UntilClose);
        assert!(!head(&with("PUT /a HTTP/1.0", &lines)).expect_continue);
        assert!(!head(&with("GET /a HTTP/1.1", &lines)).expect_continue);
    }

    #[test]
    fn ffmpeg_post_is_chunked() {
        let lines = [
            "Transfer-Encoding: Chunked",
            "User-Agent: Lavf/61",
            "Icy-MetaData: 1",
        ];
        let post = head(&with("POST /publish/a HTTP/1.1", &lines));
        assert_eq!((post.method, post.body), (Method::Post, Body::Chunked));
    }

    #[test]
    fn a_length_is_digits_and_comes_once() {
        let body = |line: &str| parse(&with("PUT /a HTTP/1.1", &[line])).map(|h| h.unwrap().0.body);
        assert_eq!(body("Content-Length: 12"), Ok(Body::Length(12)));
        assert_eq!(body("Content-Length: 0"), Ok(Body::None));
        for bad in [
            "+1",
            "-1",
            "0x1",
            "1 2",
            "1, 2",
            "12, 12",
            "12,",
            "",
            "1.0",
            "18446744073709551616",
            "+0",
        ] {
            let error = body(&format!("Content-Length: {bad}")).expect_err(bad);
            assert_eq!(error.status(), 400, "{bad}");
        }
    }

    #[test]
    fn doubtful_framing_is_refused() {
        let put = |lines: &[&str]| status(&with("PUT /a HTTP/1.1", lines));
        assert_eq!(
            put(&["Content-Length: 3", "Transfer-Encoding: chunked"]),
            400
        );
        assert_eq!(put(&["Content-Length: 3", "Content-Length: 4"]), 400);
        assert_eq!(put(&["Content-Length: 3", "Content-Length: 3"]), 400);
        assert_eq!(put(&["Transfer-Encoding: chunked, chunked"]), 400);
        assert_eq!(put(&["Transfer-Encoding:"]), 400);
        assert_eq!(put(&["Transfer-Encoding: gzip, chunked"]), 501);
        assert_eq!(
            put(&["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"]),
            501
        );
        assert_eq!(
            status(&with("PUT /a HTTP/1.0", &["Transfer-Encoding: chunked"])),
            400
        );
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
    fn keys_of_authorization_and_query_are_both_read_and_never_printed() {
        let get = |line: &str| head(&with("GET /?a=b&key=third HTTP/1.1", &[line]));
        let keys = |keys: &[&str]| -> Vec<Secret> { keys.iter().map(|&key| key.into()).collect() };
        for (line, expected) in [
            ("Authorization: bearer  first", &["first", "third"][..]),
            ("Authorization: BASIC Onh4", &["xx", "third"]),
            ("Authorization: Basic !!", &["third"]),
            ("Authorization: Bearer", &["third"]),
            ("A: b", &["third"]),
        ] {
            assert_eq!(get(line).keys, keys(expected), "{line}");
        }
        assert_eq!((get("A: b").token, get("A: b").user), (None, None));
        assert!(!format!("{:?}", get("A: b")).contains("third"));
        let token = head(&with("GET /?token=fourth HTTP/1.1", &[]));
        assert_eq!(token.token, Some(Secret::new("fourth")));
        assert!(!format!("{token:?}").contains("fourth"));
    }

    #[test]
    fn key_may_hold_any_characters_in_each_of_its_forms() {
        for key in [
            "correct horse",
            "a:b: c",
            "Größe №5 🐎",
            "a+b",
            "100%25",
            "=&?#/\\\"",
        ] {
            let basic = BASE64_STANDARD.encode(format!("source:{key}"));
            let escaped = percent_encoding::NON_ALPHANUMERIC;
            let escaped = percent_encoding::utf8_percent_encode(key, escaped);
            let form: String = form_urlencoded::byte_serialize(key.as_bytes()).collect();
            for (start, line) in [
                (
                    "GET / HTTP/1.1".to_owned(),
                    format!("Authorization: Bearer {key}"),
                ),
                (
                    "GET / HTTP/1.1".to_owned(),
                    format!("Authorization: Basic {basic}"),
                ),
                (format!("GET /?key={escaped} HTTP/1.1"), "A: b".to_owned()),
                (format!("GET /?key={form}&a HTTP/1.1"), "A: b".to_owned()),
            ] {
                let keys = head(&with(&start, &[&line])).keys;
                assert!(keys.contains(&key.into()), "{key} in {start}, {line}");
            }
        }
        // A plus sign that is not escaped may be one, or a space.
        let keys = head(&with("GET /?key=a+b%2B HTTP/1.1", &[])).keys;
        assert_eq!(keys, ["a b+".into(), "a+b+".into()]);
    }

    #[test]
    fn connection_lives_on_by_version_and_wish() {
        let keeps = |start, line| head(&with(start, &[line])).keep_alive;
        assert!(keeps("GET / HTTP/1.1", "A: b"));
        assert!(!keeps("GET / HTTP/1.1", "Connection: Close"));
        assert!(!keeps("GET / HTTP/1.0", "A: b"));
        assert!(keeps("GET / HTTP/1.0", "Connection: Keep-Alive"));
    }

    #[test]
    fn gzip_is_accepted_only_with_a_weight_above_zero() {
        assert!(accepts_gzip(&["br", "gzip;q=0.5"]));
        assert!(accepts_gzip(&["*"]));
        assert!(!accepts_gzip(&[]));
        assert!(!accepts_gzip(&["gzip; q=0", "*"]));
        assert!(!accepts_gzip(&["br"]));
    }

    #[test]
    fn openmetrics_is_for_clients_that_name_it() {
        let prometheus = "Accept: application/openmetrics-text;version=1.0.0;q=0.5,\
                          application/openmetrics-text;version=0.0.1;q=0.4,\
                          text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (line, is_wanted) in [
            ("A: b", false),
            ("Accept: */*", false),
            ("Accept: text/html,application/xml;q=0.9,*/*;q=0.8", false),
            ("Accept: application/openmetrics-text", true),
            (prometheus, true),
            (
                "Accept: text/plain, application/openmetrics-text;q=0.5",
                false,
            ),
            ("Accept: application/openmetrics-text;q=0", false),
        ] {
            let head = head(&with("GET /metrics HTTP/1.1", &[line]));
            assert_eq!(head.accepts_openmetrics, is_wanted, "{line}");
        }
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
