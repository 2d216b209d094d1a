//! Which address means what, and what is refused there.
//!
//! [`route`] looks at one request head and says what it asks for, or why not. It knows the names of
//! things, not whether they exist: whether a stream is on air, or an asset is there, is found out by
//! whoever serves the [`Route`]. Keys and origins are [`access`](super::access)'s business.
//!
//! The surprise: `/live/NAME` and `/publish/NAME` are each a page and a WebSocket. `HEAD` routes as
//! `GET` does, and the one who answers leaves the body out.

use std::{borrow::Cow, fmt, sync::Arc};

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::{
    http::{Body, Method, RequestHead, Version},
    websocket,
};

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    Home,
    PublishPage(StreamName),
    WatchPage {
        name: StreamName,
        /// The bare player, for an iframe.
        embed: bool,
    },
    /// Send a stream: as WebSocket messages or as the request's body.
    Publish {
        name: StreamName,
        via: Via,
    },
    /// Receive a stream: as WebSocket messages or as the response's body.
    Watch {
        name: StreamName,
        via: Via,
    },
    Poster(StreamName),
    PutPoster(StreamName),
    Streams,
    Stream(StreamName),
    EndPublisher(StreamName),
    Dashboard,
    Metrics,
    Health,
    /// The path below `/assets/`.
    Asset(String),
}

/// What leave a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need<'a> {
    /// To publish this stream, and with it to send its poster and to end it.
    Publish(&'a StreamName),
    /// To watch this stream, and with it to know of it.
    Watch(&'a StreamName),
    /// To know which streams there are.
    List,
}

impl Route {
    /// What leave it takes to be served; `None` for what anybody may have.
    pub fn need(&self) -> Option<Need<'_>> {
        match self {
            Self::PublishPage(name)
            | Self::Publish { name, .. }
            | Self::PutPoster(name)
            | Self::EndPublisher(name) => Some(Need::Publish(name)),
            Self::WatchPage { name, .. }
            | Self::Watch { name, .. }
            | Self::Poster(name)
            | Self::Stream(name) => Some(Need::Watch(name)),
            Self::Streams | Self::Metrics => Some(Need::List),
            Self::Home | Self::Dashboard | Self::Health | Self::Asset(_) => None,
        }
    }

    /// Whether a page could have a browser do this without having it read the answer: the origin of
    /// such a page matters. What is only read, browsers keep from pages elsewhere by themselves.
    pub fn acts_for_a_page(&self) -> bool {
        match self {
            Self::Publish { .. } | Self::PutPoster(_) | Self::EndPublisher(_) => true,
            Self::Watch { via, .. } => matches!(via, Via::WebSocket(_)),
            Self::Home
            | Self::PublishPage(_)
            | Self::WatchPage { .. }
            | Self::Poster(_)
            | Self::Streams
            | Self::Stream(_)
            | Self::Dashboard
            | Self::Metrics
            | Self::Health
            | Self::Asset(_) => false,
        }
    }
}

/// How the media travel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    WebSocket(Handshake),
    /// The body of the request (publishing) or of the response (viewing).
    Http,
}

/// What goes into our `101 Switching Protocols`: the request was a valid WebSocket upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    pub accept: String,
    /// The subprotocol chosen from those offered: `videostream.v1`, or none.
    pub subprotocol: Option<&'static str>,
}

/// A stream's name: 1 to 64 of `A-Z a-z 0-9 . _ -`, not starting with a dot, and not ending as the
/// addresses of its files do.
///
/// So it can stand in a path, a file name, a metric's label and a log line as it is. Cloning bumps a
/// count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName(Arc<str>);

/// Why a text is no [`StreamName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    #[error("a stream's name is 1 to 64 of A-Z a-z 0-9 . _ -, not starting with a dot")]
    Letters,
    #[error(
        "a stream's name does not end in .webm, .mkv, .jpg or .webp: so do the addresses of its \
         files"
    )]
    Ending,
}

impl StreamName {
    pub const BYTES_MAX: usize = 64;

    /// `/live/NAME.jpg` is a poster: it could be no stream's page.
    const FILE_ENDINGS: [&str; 4] = [".webm", ".mkv", ".jpg", ".webp"];

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for StreamName {
    type Error = BadName;

    fn try_from(name: &str) -> Result<Self, BadName> {
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_name = (1..=Self::BYTES_MAX).contains(&name.len())
            && !name.starts_with('.')
            && name.bytes().all(is_name_byte);
        if !is_name {
            Err(BadName::Letters)
        } else if Self::FILE_ENDINGS.iter().any(|end| name.ends_with(end)) {
            Err(BadName::Ending)
        } else {
            Ok(Self(name.into()))
        }
    }
}

impl std::str::FromStr for StreamName {
    type Err = BadName;

    fn from_str(name: &str) -> Result<Self, BadName> {
        Self::try_from(name)
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// "No", as an HTTP response says it. [`super::response::refuse`] makes its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    /// One sentence for a person; it is the response's body.
    pub reason: Cow<'static, str>,
    pub headers: Vec<(&'static str, String)>,
}

impl Refusal {
    /// Seconds after which a client may try a full server again: viewers come and go in minutes,
    /// and a client in a loop should not be felt.
    const RETRY_AFTER_S: u32 = 5;

    pub fn new(status: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            reason: reason.into(),
            headers: Vec::new(),
        }
    }

    pub fn with(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((header, value.into()));
        self
    }

    /// 401. Basic comes first: it is what makes a browser ask for the key.
    pub fn unauthorized() -> Self {
        Self::new(
            401,
            "a key or a token is needed here, and no right one was given",
        )
        .with(
            "WWW-Authenticate",
            "Basic realm=\"videostream\", charset=\"UTF-8\"",
        )
        .with("WWW-Authenticate", "Bearer realm=\"videostream\"")
    }

    pub fn forbidden(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(403, reason)
    }

    /// 503, for any of the server's limits: connections, streams, memory.
    pub fn full() -> Self {
        Self::new(503, "the server is full, try again soon")
            .with("Retry-After", Self::RETRY_AFTER_S.to_string())
    }

    /// 503, for who has too many connections.
    pub fn too_many_connections() -> Self {
        Self {
            reason: "too many connections from your address, try again soon".into(),
            ..Self::full()
        }
    }

    /// 503, when those who decide cannot be asked.
    pub fn undecided() -> Self {
        Self::new(503, "whether you may cannot be told now, try again soon")
            .with("Retry-After", Self::RETRY_AFTER_S.to_string())
    }

    fn not_found() -> Self {
        Self::new(404, "there is nothing at this address")
    }

    fn not_allowed(allow: &'static str) -> Self {
        Self::new(405, format!("this address takes {allow}")).with("Allow", allow)
    }
}

impl From<BadName> for Refusal {
    fn from(error: BadName) -> Self {
        Self::new(400, error.to_string())
    }
}

impl From<super::http::HttpError> for Refusal {
    fn from(error: super::http::HttpError) -> Self {
        Self::new(error.status(), error.to_string())
    }
}

/// Says what this request asks for.
pub fn route(head: &RequestHead) -> Result<Route, Refusal> {
    let only_get = |route| match head.method {
        Method::Get | Method::Head => Ok(route),
        _ => Err(Refusal::not_allowed("GET, HEAD")),
    };
    match head.path.as_str() {
        "/" => only_get(Route::Home),
        "/dashboard" => only_get(Route::Dashboard),
        "/metrics" => only_get(Route::Metrics),
        "/healthz" => only_get(Route::Health),
        "/api/streams" => only_get(Route::Streams),
        // Browsers ask for it unasked.
        "/favicon.ico" => only_get(Route::Asset("favicon.svg".to_owned())),
        path => {
            let (room, rest) = split_room(path).ok_or_else(Refusal::not_found)?;
            match room {
                "/assets/" => only_get(Route::Asset(rest.to_owned())),
                // No name has a slash, so this is no bad name but an address that we do not have.
                _ if rest.is_empty() || rest.contains('/') => Err(Refusal::not_found()),
                "/publish/" => route_publish(head, rest),
                "/live/" => route_live(head, rest),
                "/api/streams/" => {
                    let name = StreamName::try_from(rest)?;
                    match head.method {
                        Method::Get | Method::Head => Ok(Route::Stream(name)),
                        Method::Delete => Ok(Route::EndPublisher(name)),
                        _ => Err(Refusal::not_allowed("GET, HEAD, DELETE")),
                    }
                }
                _ => Err(Refusal::not_found()),
            }
        }
    }
}

fn split_room(path: &str) -> Option<(&'static str, &str)> {
    let rooms = ["/assets/", "/publish/", "/live/", "/api/streams/"];
    rooms
        .into_iter()
        .find_map(|room| Some((room, path.strip_prefix(room)?)))
}

/// `/publish/NAME.webm` is the stream NAME, as `/live/NAME.webm` is: otherwise one could publish a
/// stream that no viewer's address means.
fn route_publish(head: &RequestHead, last: &str) -> Result<Route, Refusal> {
    let name = StreamName::try_from(last.strip_suffix(".webm").unwrap_or(last))?;
    if let Some(handshake) = handshake(head)? {
        return Ok(Route::Publish {
            name,
            via: Via::WebSocket(handshake),
        });
    }
    match head.method {
        Method::Get | Method::Head => Ok(Route::PublishPage(name)),
        Method::Put | Method::Post | Method::Source => Ok(Route::Publish {
            name,
            via: Via::Http,
        }),
        _ => Err(Refusal::not_allowed("GET, HEAD, PUT, POST, SOURCE")),
    }
}

/// The page and its socket at `/live/NAME`, the stream at `.webm`, the poster at `.jpg`.
fn route_live(head: &RequestHead, last: &str) -> Result<Route, Refusal> {
    const FILES_ALLOW: &str = "GET, HEAD, PUT, POST, SOURCE";
    if let Some(name) = last.strip_suffix(".webm") {
        let name = StreamName::try_from(name)?;
        return match head.method {
            Method::Get | Method::Head => Ok(Route::Watch {
                name,
                via: Via::Http,
            }),
            method if method.is_upload() => Ok(Route::Publish {
                name,
                via: Via::Http,
            }),
            _ => Err(Refusal::not_allowed(FILES_ALLOW)),
        };
    }
    if let Some(name) = last.strip_suffix(".jpg") {
        let name = StreamName::try_from(name)?;
        return match head.method {
            Method::Get | Method::Head => Ok(Route::Poster(name)),
            method if method.is_upload() => Ok(Route::PutPoster(name)),
            _ => Err(Refusal::not_allowed(FILES_ALLOW)),
        };
    }
    let name = StreamName::try_from(last)?;
    if let Some(handshake) = handshake(head)? {
        return Ok(Route::Watch {
            name,
            via: Via::WebSocket(handshake),
        });
    }
    match head.method {
        Method::Get | Method::Head => Ok(Route::WatchPage {
            name,
            embed: head.query.has("embed"),
        }),
        _ => Err(Refusal::not_allowed("GET, HEAD")),
    }
}

/// RFC 6455, 4.2.1 and 4.2.2: `None` when no upgrade is asked for, a refusal when it is asked for
/// wrongly.
fn handshake(head: &RequestHead) -> Result<Option<Handshake>, Refusal> {
    let Some(upgrade) = &head.upgrade else {
        return Ok(None);
    };
    if head.method != Method::Get || head.body != Body::None {
        return Err(Refusal::new(
            400,
            "a WebSocket begins with a GET that has no body",
        ));
    }
    if head.version != Version::Http11 {
        // What a proxy does that was not told to speak 1.1 to us.
        return Err(Refusal::new(
            400,
            "a WebSocket needs HTTP/1.1, and this request came as 1.0",
        ));
    }
    match upgrade.version.as_deref() {
        Some("13") => {}
        Some(_) => {
            return Err(Refusal::new(426, "the WebSocket version here is 13")
                .with("Sec-WebSocket-Version", "13")
                .with("Upgrade", "websocket"));
        }
        None => return Err(Refusal::new(400, "Sec-WebSocket-Version is missing")),
    }
    let key = upgrade.key.as_deref().filter(|key| is_nonce(key));
    let Some(key) = key else {
        return Err(Refusal::new(
            400,
            "Sec-WebSocket-Key must be 16 bytes in base64",
        ));
    };
    Ok(Some(Handshake {
        accept: websocket::accept_key(key),
        subprotocol: websocket::pick_subprotocol(&upgrade.protocols),
    }))
}

fn is_nonce(key: &str) -> bool {
    // 24 characters: so that a long field is not decoded only to be refused.
    key.len() == 24
        && BASE64_STANDARD
            .decode(key)
            .is_ok_and(|bytes| bytes.len() == 16)
}

#[cfg(test)]
mod tests {
    use super::{super::http::parse_request, *};

    const SOCKET: &str = "Connection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    fn ask(start: &str, lines: &str) -> Result<Route, Refusal> {
        let version = if start.contains(" HTTP/") {
            ""
        } else {
            " HTTP/1.1"
        };
        let text = format!("{start}{version}\r\nHost: a\r\n{lines}\r\n");
        let parsed = parse_request(text.as_bytes(), 4096).expect("a valid head");
        route(&parsed.expect("a whole head").0)
    }

    fn name(name: &str) -> StreamName {
        StreamName::try_from(name).expect("a valid name")
    }

    fn status(start: &str, lines: &str) -> u16 {
        ask(start, lines).expect_err(start).status
    }

    fn allow(start: &str) -> String {
        let refusal = ask(start, "").expect_err(start);
        assert_eq!(
            (refusal.status, refusal.headers[0].0),
            (405, "Allow"),
            "{start}"
        );
        refusal.headers[0].1.clone()
    }

    #[test]
    fn every_address_of_the_contract_has_its_route() {
        let http = || Via::Http;
        for (start, route) in [
            ("GET /", Route::Home),
            ("HEAD /?x", Route::Home),
            (
                "GET /publish/a?source=test&auto",
                Route::PublishPage(name("a")),
            ),
            (
                "PUT /publish/a",
                Route::Publish {
                    name: name("a"),
                    via: http(),
                },
            ),
            (
                "POST /publish/a.webm",
                Route::Publish {
                    name: name("a"),
                    via: http(),
                },
            ),
            (
                "GET /live/a",
                Route::WatchPage {
                    name: name("a"),
                    embed: false,
                },
            ),
            (
                "HEAD /live/a.b?embed",
                Route::WatchPage {
                    name: name("a.b"),
                    embed: true,
                },
            ),
            (
                "GET /live/a.webm",
                Route::Watch {
                    name: name("a"),
                    via: http(),
                },
            ),
            (
                "SOURCE /live/a.webm",
                Route::Publish {
                    name: name("a"),
                    via: http(),
                },
            ),
            ("GET /live/a.jpg", Route::Poster(name("a"))),
            ("PUT /live/a.jpg", Route::PutPoster(name("a"))),
            ("POST /live/a.jpg", Route::PutPoster(name("a"))),
            ("GET /dashboard", Route::Dashboard),
            ("GET /api/streams", Route::Streams),
            ("GET /api/streams/a.b", Route::Stream(name("a.b"))),
            ("DELETE /api/streams/%61", Route::EndPublisher(name("a"))),
            ("GET /metrics", Route::Metrics),
            ("HEAD /healthz", Route::Health),
            ("GET /assets/watch.js", Route::Asset("watch.js".to_owned())),
            ("GET /favicon.ico", Route::Asset("favicon.svg".to_owned())),
        ] {
            assert_eq!(ask(start, ""), Ok(route), "{start}");
        }
    }

    #[test]
    fn page_address_opened_as_a_websocket_is_the_stream() {
        let handshake = Handshake {
            accept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned(),
            subprotocol: Some("videostream.v1"),
        };
        let offer = format!("{SOCKET}Sec-WebSocket-Protocol: x, videostream.v1\r\n");
        let via = Via::WebSocket(handshake.clone());
        let watch = Route::Watch {
            name: name("a"),
            via,
        };
        assert_eq!(ask("GET /live/a", &offer), Ok(watch));
        let via = Via::WebSocket(Handshake {
            subprotocol: None,
            ..handshake
        });
        assert_eq!(
            ask("GET /publish/a", SOCKET),
            Ok(Route::Publish {
                name: name("a"),
                via
            })
        );
    }

    #[test]
    fn upgrade_elsewhere_is_a_plain_get() {
        assert_eq!(ask("GET /", SOCKET), Ok(Route::Home));
        let watch = Route::Watch {
            name: name("a"),
            via: Via::Http,
        };
        assert_eq!(ask("GET /live/a.webm", SOCKET), Ok(watch));
    }

    #[test]
    fn wrong_upgrades_are_refused() {
        let refused = |from, to| status("GET /live/a", &SOCKET.replace(from, to));
        assert_eq!(refused("Version: 13", "Version: 8"), 426);
        assert_eq!(refused("Sec-WebSocket-Version: 13\r\n", ""), 400);
        assert_eq!(refused("Sec-WebSocket-Key", "X"), 400);
        assert_eq!(refused("dGhl", "dGh"), 400);
        assert_eq!(
            refused("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZTEy"),
            400
        );
        assert_eq!(status("PUT /live/a", SOCKET), 400);
        assert_eq!(status("HEAD /live/a", SOCKET), 400);
        assert_eq!(status("GET /live/a HTTP/1.0", SOCKET), 400);
        assert_eq!(
            status("GET /live/a", &format!("{SOCKET}Content-Length: 2\r\n")),
            400
        );
        let version = ask("GET /live/a", &SOCKET.replace("13", "12")).expect_err("426");
        assert!(
            version
                .headers
                .contains(&("Sec-WebSocket-Version", "13".to_owned()))
        );
    }

    #[test]
    fn wrong_methods_are_told_the_right_ones() {
        assert_eq!(allow("POST /"), "GET, HEAD");
        assert_eq!(allow("PUT /live/a"), "GET, HEAD");
        assert_eq!(allow("get /live/a"), "GET, HEAD");
        assert_eq!(allow("DELETE /publish/a"), "GET, HEAD, PUT, POST, SOURCE");
        assert_eq!(allow("DELETE /live/a.webm"), "GET, HEAD, PUT, POST, SOURCE");
        assert_eq!(allow("OPTIONS /live/a.jpg"), "GET, HEAD, PUT, POST, SOURCE");
        assert_eq!(allow("PUT /api/streams/a"), "GET, HEAD, DELETE");
        assert_eq!(allow("DELETE /assets/a.js"), "GET, HEAD");
    }

    #[test]
    fn unknown_addresses_get_404_and_bad_names_400() {
        for path in [
            "/x",
            "/live",
            "/live/",
            "/live/a/",
            "/live/a/b",
            "/live/a%2Fb",
            "/publish",
            "//",
            "/api",
            "/api/streams/",
            "/LIVE/a",
            "*",
        ] {
            assert_eq!(status(&format!("GET {path}"), ""), 404, "{path}");
        }
        let long = format!("/live/{}", "a".repeat(65));
        for path in [
            "/live/.a",
            "/live/.webm",
            "/live/a%20b",
            "/live/..",
            "/publish/%C3%A9",
            &long,
            "/api/streams/a!",
            "/publish/a.jpg",
            "/publish/a.jpg.webm",
            "/publish/a.webm.webm",
            "/live/a.jpg.webm",
            "/live/a.webm.webm",
            "/live/a.webm.jpg",
            "/live/a.mkv",
            "/api/streams/a.webm",
            "/live/.jpg",
        ] {
            assert_eq!(status(&format!("GET {path}"), ""), 400, "{path}");
        }
    }

    #[test]
    fn names_have_1_to_64_plain_characters() {
        let longest = "a".repeat(64);
        for good in ["a", "A-b_c.9", "-", "_", "a..", &longest] {
            assert_eq!(
                StreamName::try_from(good).map(|name| name.to_string()),
                Ok(good.to_owned())
            );
        }
        for bad in [
            "",
            ".",
            ".a",
            "a b",
            "a/b",
            "é",
            "a\0",
            "a\n",
            &"a".repeat(65),
        ] {
            assert_eq!(StreamName::try_from(bad), Err(BadName::Letters), "{bad:?}");
        }
        for bad in ["a.webm", "a.mkv", "a.jpg", "a.webp", "a.jpg.webm", "-.webp"] {
            assert_eq!(StreamName::try_from(bad), Err(BadName::Ending), "{bad:?}");
        }
        for good in ["webm", "a.webm.b", "a.jpeg", "a-jpg", "jpg."] {
            assert!(StreamName::try_from(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn unauthorized_makes_browsers_ask() {
        let refusal = Refusal::unauthorized();
        assert_eq!(refusal.status, 401);
        assert!(
            refusal.headers[0]
                .1
                .starts_with("Basic realm=\"videostream\"")
        );
        assert_eq!(Refusal::full().headers, [("Retry-After", "5".to_owned())]);
    }
}
