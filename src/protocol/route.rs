//! Which address means what, and what is refused there.
//!
//! [`route`] looks at one request head and says what it asks for, or why not. It knows the names of
//! things, not whether they exist: the code that serves the [`Route`] finds out whether a stream is
//! on air, or an asset is there. Keys and origins are [`access`](super::access)'s business.
//!
//! The surprise: `/live/NAME` and `/publish/NAME` are each a page and a WebSocket. `HEAD` routes as
//! `GET` does, and the response leaves the body out.

use std::borrow::Cow;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::{
    base_path::BasePath,
    http::{Body, Method, RawQuery, RequestHead, Version},
    refusal::{Cause, Refusal},
    websocket::{self, Handshake},
};
use crate::stream_name::StreamName;

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
    /// A stream's newest keyframe as a picture.
    Keyframe(StreamName),
    Streams,
    Stream(StreamName),
    EndPublisher(StreamName),
    /// Record a stream from now on, or no longer.
    SetRecording {
        name: StreamName,
        on: bool,
    },
    /// The page of all recordings, or of one stream's.
    RecordingsPage(Option<StreamName>),
    /// The list of recordings.
    Recordings {
        stream: Option<StreamName>,
        limit: usize,
        before_ms: Option<u64>,
    },
    /// One file.
    Recording {
        name: StreamName,
        file: String,
    },
    DeleteRecording {
        name: StreamName,
        file: String,
    },
    Dashboard,
    Metrics,
    Health,
    /// The path below `/assets/`.
    Asset(String),
    /// Which methods an address takes: what a browser asks before a page elsewhere may use them.
    Options {
        allow: &'static str,
    },
}

/// The permission that a route requires.
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
    /// The permission that the route requires; `None` if it requires none.
    ///
    /// Pages hold no secret: every client may have them, and they ask for the key themselves.
    pub fn need(&self) -> Option<Need<'_>> {
        match self {
            Self::Publish { name, .. }
            | Self::PutPoster(name)
            | Self::EndPublisher(name)
            | Self::SetRecording { name, .. }
            | Self::DeleteRecording { name, .. } => Some(Need::Publish(name)),
            Self::Watch { name, .. }
            | Self::Poster(name)
            | Self::Keyframe(name)
            | Self::Recording { name, .. }
            | Self::Stream(name) => Some(Need::Watch(name)),
            Self::Streams | Self::Recordings { .. } | Self::Metrics => Some(Need::List),
            Self::Home
            | Self::PublishPage(_)
            | Self::WatchPage { .. }
            | Self::RecordingsPage(_)
            | Self::Dashboard
            | Self::Health
            | Self::Asset(_)
            | Self::Options { .. } => None,
        }
    }

    /// Whether a page could have a browser do this without having it read the answer: the origin of
    /// such a page matters. What is only read, browsers keep from pages elsewhere by themselves.
    pub fn acts_for_a_page(&self) -> bool {
        match self {
            Self::Publish { .. }
            | Self::PutPoster(_)
            | Self::EndPublisher(_)
            | Self::SetRecording { .. }
            | Self::DeleteRecording { .. } => true,
            Self::Watch { via, .. } => matches!(via, Via::WebSocket(_)),
            Self::Home
            | Self::PublishPage(_)
            | Self::WatchPage { .. }
            | Self::Poster(_)
            | Self::Keyframe(_)
            | Self::Streams
            | Self::Stream(_)
            | Self::RecordingsPage(_)
            | Self::Recordings { .. }
            | Self::Recording { .. }
            | Self::Dashboard
            | Self::Metrics
            | Self::Health
            | Self::Asset(_)
            | Self::Options { .. } => false,
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

impl Refusal {
    fn not_found() -> Self {
        Self::no_address("there is nothing at this address")
    }

    fn no_address(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(404, reason).because(Cause::Address)
    }

    fn not_allowed(allow: &'static str) -> Self {
        Self::new(405, format!("this address accepts {allow}"))
            .with("Allow", allow)
            .because(Cause::Method)
    }

    /// 308 to the same address without the slash at its end. The new one is written relative to the
    /// old one, so that it is right below any path prefix.
    fn without_slash(path: &str, query: &RawQuery) -> Self {
        // "/live/a/" is three levels down, of which its own end is one.
        let levels = path.matches('/').count() - 1;
        let location = "../".repeat(levels) + path.trim_matches('/') + &query.behind_mark();
        let reason = format!(
            "the address is {}, without the slash",
            path.trim_end_matches('/')
        );
        Self::new(308, reason).with("Location", location)
    }

    /// 308 from a path prefix to the page that is right below it.
    fn with_slash(path: &str, query: &RawQuery) -> Self {
        let last = path.rsplit('/').next().unwrap_or_default();
        let location = format!("{last}/{}", query.behind_mark());
        Self::new(308, format!("the address is {path}/, with the slash")).with("Location", location)
    }
}

/// The result of [`route`] for a request that may have been sent below one of these path prefixes
/// ([`BasePath`]): with and without it, an address is the same.
///
/// Below it goes first: `/live/live/a` is the page `/live/a` of a server below `/live`.
pub fn route_below(head: &RequestHead, prefixes: &[&BasePath]) -> Result<Route, Refusal> {
    for prefix in prefixes {
        match prefix.strip(&head.path) {
            None => {}
            Some("") => return Err(Refusal::with_slash(&head.path, &head.raw_query)),
            Some(path) => match route_path(head, path) {
                Err(refusal) if refusal.status == 404 => {}
                found => return found,
            },
        }
    }
    route(head)
}

/// The route that this request asks for.
pub fn route(head: &RequestHead) -> Result<Route, Refusal> {
    route_path(head, &head.path)
}

fn route_path(head: &RequestHead, path: &str) -> Result<Route, Refusal> {
    let is_address = |path: &str| !path.ends_with('/') && methods(path).is_some();
    match route_exact(head, path) {
        // For every method: a program that follows the redirect learns there what it may do.
        Err(refusal) if refusal.status == 404 && path.strip_suffix('/').is_some_and(is_address) => {
            Err(Refusal::without_slash(path, &head.raw_query))
        }
        found => found,
    }
}

const READ: &str = "GET, HEAD";
const READ_AND_UPLOAD: &str = "GET, HEAD, PUT, POST, SOURCE";
const READ_AND_DELETE: &str = "GET, HEAD, DELETE";
const PUT_AND_DELETE: &str = "PUT, DELETE";

/// Below the address of a stream in the API: whether it is recorded.
const RECORDING: &str = "/recording";

/// The methods that an address takes, beside OPTIONS; `None` where there is no such address.
fn methods(path: &str) -> Option<&'static str> {
    let is_name = |last: &str| StreamName::try_from(last).is_ok() && foreign_file(last).is_none();
    match path {
        "/" | "/dashboard" | "/metrics" | "/healthz" | "/api/streams" | "/favicon.ico"
        | "/recordings" | "/api/recordings" => Some(READ),
        path => match split_room(path)? {
            ("/assets/", _) => Some(READ),
            ("/recordings/", last) => match last.split_once('/') {
                Some((name, _)) => StreamName::try_from(name).ok().map(|_| READ_AND_DELETE),
                None => StreamName::try_from(last).ok().map(|_| READ),
            },
            ("/publish/", last) => {
                is_name(last.strip_suffix(".webm").unwrap_or(last)).then_some(READ_AND_UPLOAD)
            }
            ("/live/", last) => {
                let upload = [".webm", ".jpg"];
                if let Some(name) = upload.iter().find_map(|end| last.strip_suffix(end)) {
                    return is_name(name).then_some(READ_AND_UPLOAD);
                }
                is_name(last.strip_suffix(".webp").unwrap_or(last)).then_some(READ)
            }
            (_, last) => match last.strip_suffix(RECORDING) {
                Some(name) => StreamName::try_from(name).ok().map(|_| PUT_AND_DELETE),
                None => StreamName::try_from(last).ok().map(|_| READ_AND_DELETE),
            },
        },
    }
}

fn route_exact(head: &RequestHead, path: &str) -> Result<Route, Refusal> {
    if head.method == Method::Options {
        // Of the server as a whole, it is what any of its addresses may take (RFC 9110, 9.3.7).
        let allow = match path {
            "*" => Some("GET, HEAD, PUT, POST, SOURCE, DELETE"),
            path => methods(path),
        };
        return match allow {
            Some(allow) => Ok(Route::Options { allow }),
            None => Err(Refusal::not_found()),
        };
    }
    let only_get = |route| match head.method {
        Method::Get | Method::Head => Ok(route),
        _ => Err(Refusal::not_allowed(READ)),
    };
    match path {
        // An Icecast source's mount may be this.
        "/" if head.method.is_upload() => Err(Refusal::not_allowed(READ).and_publish_at("")),
        "/" => only_get(Route::Home),
        "/dashboard" => only_get(Route::Dashboard),
        "/metrics" => only_get(Route::Metrics),
        "/healthz" => only_get(Route::Health),
        "/api/streams" => only_get(Route::Streams),
        "/recordings" => only_get(Route::RecordingsPage(None)),
        "/api/recordings" => only_get(list_of_recordings(head)?),
        // Browsers ask for it unasked.
        "/favicon.ico" => only_get(Route::Asset("favicon.svg".to_owned())),
        path => {
            let nowhere = || match head.method.is_upload() {
                true => Refusal::not_found().and_publish_at(path),
                false => Refusal::not_found().and_watch_at(path),
            };
            let (room, rest) = split_room(path).ok_or_else(nowhere)?;
            match room {
                "/assets/" => only_get(Route::Asset(rest.to_owned())),
                "/recordings/" => {
                    let Some((name, file)) = rest.split_once('/') else {
                        let name = StreamName::try_from(rest)?;
                        return only_get(Route::RecordingsPage(Some(name)));
                    };
                    let (name, file) = (StreamName::try_from(name)?, file.to_owned());
                    match head.method {
                        Method::Get | Method::Head => Ok(Route::Recording { name, file }),
                        Method::Delete => Ok(Route::DeleteRecording { name, file }),
                        _ => Err(Refusal::not_allowed(READ_AND_DELETE)),
                    }
                }
                "/api/streams/" if rest.ends_with(RECORDING) => {
                    let name = rest.strip_suffix(RECORDING).unwrap_or(rest);
                    let name = StreamName::try_from(name)?;
                    match head.method {
                        Method::Put => Ok(Route::SetRecording { name, on: true }),
                        Method::Delete => Ok(Route::SetRecording { name, on: false }),
                        _ => Err(Refusal::not_allowed(PUT_AND_DELETE)),
                    }
                }
                // No name has a slash, so this is no bad name but an address that we do not have.
                _ if rest.is_empty() || rest.contains('/') => Err(nowhere()),
                "/publish/" => route_publish(head, rest),
                "/live/" => route_live(head, rest),
                "/api/streams/" => {
                    let name = StreamName::try_from(rest)?;
                    match head.method {
                        Method::Get | Method::Head => Ok(Route::Stream(name)),
                        Method::Delete => Ok(Route::EndPublisher(name)),
                        _ => Err(Refusal::not_allowed(READ_AND_DELETE)),
                    }
                }
                _ => Err(nowhere()),
            }
        }
    }
}

fn split_room(path: &str) -> Option<(&'static str, &str)> {
    let rooms = [
        "/assets/",
        "/publish/",
        "/live/",
        "/recordings/",
        "/api/streams/",
    ];
    rooms
        .into_iter()
        .find_map(|room| Some((room, path.strip_prefix(room)?)))
}

/// What a list of recordings is asked for: `?stream=NAME`, `?limit=N`, `?before=STARTED_AT`.
fn list_of_recordings(head: &RequestHead) -> Result<Route, Refusal> {
    /// Recordings in a list that asks for no number.
    const LIMIT_DEFAULT: usize = 100;

    let stream = head.query.value("stream").map(StreamName::try_from);
    let limit = head.query.value("limit").map(str::parse::<usize>);
    let before = head.query.value("before").map(before_ms);
    Ok(Route::Recordings {
        stream: stream.transpose()?,
        limit: match limit {
            Some(Ok(limit)) => limit,
            Some(Err(_)) => return Err(Refusal::new(400, "limit is a whole number")),
            None => LIMIT_DEFAULT,
        },
        before_ms: match before {
            Some(None) => {
                let reason = "before is a time such as 2026-11-22T19:32:05.250Z";
                return Err(Refusal::new(400, reason));
            }
            before => before.flatten(),
        },
    })
}

/// Milliseconds since 1970.
fn before_ms(text: &str) -> Option<u64> {
    let time = humantime::parse_rfc3339(text).ok()?;
    let since = time
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .ok()?;
    u64::try_from(since.as_millis()).ok()
}

/// Endings of files that other servers have for a stream, and we have not.
const FOREIGN_ENDINGS: [&str; 14] = [
    ".mkv", ".mp4", ".m4s", ".m4v", ".mov", ".m3u8", ".mpd", ".ts", ".flv", ".avi", ".ogg", ".ogv",
    ".oga", ".mp3",
];

/// The stream's name in a file name that other servers have for a stream, such as `demo.mp4`.
fn foreign_file(last: &str) -> Option<&str> {
    FOREIGN_ENDINGS.into_iter().find_map(|ending| {
        let at = last.len().checked_sub(ending.len())?;
        let (name, found) = last.split_at_checked(at)?;
        found.eq_ignore_ascii_case(ending).then_some(name)
    })
}

/// Refuses a file that other servers would have, and names ours.
fn refuse_foreign_file(last: &str) -> Result<(), Refusal> {
    let Some(name) = foreign_file(last) else {
        return Ok(());
    };
    let name = StreamName::try_from(name).map_or("NAME".to_owned(), |name| name.to_string());
    let reason = format!("there is no such file: the stream is at /live/{name}.webm");
    Err(Refusal::no_address(reason))
}

/// `/publish/NAME.webm` is the stream NAME, as `/live/NAME.webm` is: otherwise one could publish a
/// stream that no viewer's address means.
fn route_publish(head: &RequestHead, last: &str) -> Result<Route, Refusal> {
    refuse_foreign_file(last)?;
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
        _ => Err(Refusal::not_allowed(READ_AND_UPLOAD)),
    }
}

/// The page and its socket at `/live/NAME`, the stream at `.webm`, its pictures at `.jpg` and `.webp`.
fn route_live(head: &RequestHead, last: &str) -> Result<Route, Refusal> {
    refuse_foreign_file(last)?;
    if let Some(name) = last.strip_suffix(".webm") {
        let name = StreamName::try_from(name)?;
        refuse_socket_to_file(head, &name)?;
        return match head.method {
            Method::Get | Method::Head => Ok(Route::Watch {
                name,
                via: Via::Http,
            }),
            method if method.is_upload() => Ok(Route::Publish {
                name,
                via: Via::Http,
            }),
            _ => Err(Refusal::not_allowed(READ_AND_UPLOAD)),
        };
    }
    if let Some(name) = last.strip_suffix(".jpg") {
        let name = StreamName::try_from(name)?;
        refuse_socket_to_file(head, &name)?;
        return match head.method {
            Method::Get | Method::Head => Ok(Route::Poster(name)),
            method if method.is_upload() => Ok(Route::PutPoster(name)),
            _ => Err(Refusal::not_allowed(READ_AND_UPLOAD)),
        };
    }
    if let Some(name) = last.strip_suffix(".webp") {
        let name = StreamName::try_from(name)?;
        refuse_socket_to_file(head, &name)?;
        return match head.method {
            Method::Get | Method::Head => Ok(Route::Keyframe(name)),
            _ => Err(Refusal::not_allowed(READ)),
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
        method if method.is_upload() => Err(Refusal::not_allowed(READ).and_publish_at(last)),
        _ => Err(Refusal::not_allowed(READ)),
    }
}

/// A file is no WebSocket: a client that waits there for a `101` would wait for ever.
fn refuse_socket_to_file(head: &RequestHead, name: &StreamName) -> Result<(), Refusal> {
    if head.upgrade.is_none() {
        return Ok(());
    }
    let reason = format!(
        "this address is no WebSocket: watch the stream at /live/{name}, publish it at /publish/{name}"
    );
    Err(Refusal::new(400, reason).because(Cause::Address))
}

impl Refusal {
    /// Names the address to publish at, for a publisher that used another server's kind of address.
    fn and_publish_at(mut self, path: &str) -> Self {
        let name = mount_name(path).map_or("NAME".to_owned(), |name| name.to_string());
        self.reason = format!("{}: publish to /live/{name}.webm", self.reason).into();
        self
    }

    /// The same for a listener, where the address looks like a mount of Icecast's: `/NAME.webm`.
    fn and_watch_at(mut self, path: &str) -> Self {
        let is_media = path.ends_with(".webm") || foreign_file(path).is_some();
        if let Some(name) = mount_name(path).filter(|_| is_media) {
            self.reason = format!("{}: the stream is at /live/{name}.webm", self.reason).into();
        }
        self
    }
}

/// The stream that a mount of another server's names: the last part of the path without its ending.
fn mount_name(path: &str) -> Option<StreamName> {
    let last = path.rsplit('/').next()?;
    let stem = last
        .strip_suffix(".webm")
        .or(foreign_file(last))
        .unwrap_or(last);
    StreamName::try_from(stem).ok()
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
        // A proxy does this if it is not set up to speak 1.1 to us.
        return Err(Refusal::new(
            400,
            "a WebSocket needs HTTP/1.1, and this request came as 1.0",
        ));
    }
    match upgrade.version.as_deref() {
        Some("13") => {}
        Some(_) => {
            return Err(Refusal::new(426, "only WebSocket version 13 is supported")
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
            ("GET /live/a.webp", Route::Keyframe(name("a"))),
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
    }

    #[test]
    fn websocket_to_a_file_gets_the_right_address() {
        for file in ["/live/a.webm", "/live/a.jpg", "/live/a.webp"] {
            let refusal = ask(&format!("GET {file}"), SOCKET).expect_err(file);
            assert_eq!((refusal.status, refusal.cause), (400, Some(Cause::Address)));
            assert!(refusal.reason.contains(" /live/a,"), "{}", refusal.reason);
        }
    }

    #[test]
    fn closing_slash_is_taken_off_by_a_redirect() {
        for (start, location) in [
            ("GET /live/a/", "../../live/a"),
            (
                "GET /live/a.webm/?key=k%20&embed",
                "../../live/a.webm?key=k%20&embed",
            ),
            ("PUT /publish/a/", "../../publish/a"),
            ("GET /dashboard/", "../dashboard"),
            ("GET /api/streams/", "../../api/streams"),
            ("GET /api/streams/a/", "../../../api/streams/a"),
        ] {
            let refusal = ask(start, "").expect_err(start);
            let header = ("Location", location.to_owned());
            assert_eq!((refusal.status, &refusal.headers[..]), (308, &[header][..]));
            assert!(!refusal.reason.contains("key"), "{}", refusal.reason);
        }
        let socket = ask("GET /live/a/", SOCKET).expect_err("308");
        assert_eq!(socket.status, 308);
    }

    #[test]
    fn files_of_other_servers_are_refused_by_the_name_of_ours() {
        for file in ["mkv", "mp4", "m3u8", "mpd", "ts", "flv", "ogg", "MP4"] {
            for method in ["GET", "PUT"] {
                let start = format!("{method} /live/a.{file}");
                let refusal = ask(&start, "").expect_err(&start);
                assert_eq!(refusal.status, 404, "{start}");
                assert!(
                    refusal.reason.contains("/live/a.webm"),
                    "{}",
                    refusal.reason
                );
            }
        }
        assert_eq!(status("GET /live/.mp4", ""), 404);
        assert!(ask("GET /live/mp4", "").is_ok() && ask("GET /live/a.mp4s", "").is_ok());
    }

    #[test]
    fn publisher_at_an_icecast_address_gets_the_right_address() {
        for (start, status, address) in [
            ("PUT /live/e", 405, "/live/e.webm"),
            ("SOURCE /e", 404, "/live/e.webm"),
            ("SOURCE /e.webm", 404, "/live/e.webm"),
            ("PUT /e.ogg", 404, "/live/e.webm"),
            ("POST /radio/e", 404, "/live/e.webm"),
            ("SOURCE /", 405, "/live/NAME.webm"),
            ("PUT /live/", 404, "/live/NAME.webm"),
            ("PUT /\u{e9}", 404, "/live/NAME.webm"),
        ] {
            let refusal = ask(start, "").expect_err(start);
            assert_eq!(refusal.status, status, "{start}");
            assert!(
                refusal.reason.ends_with(address),
                "{start}: {}",
                refusal.reason
            );
        }
    }

    #[test]
    fn options_lists_the_methods_of_an_address() {
        let options = |path: &str| match ask(&format!("OPTIONS {path}"), "") {
            Ok(Route::Options { allow }) => Some(allow),
            Ok(other) => panic!("{other:?}"),
            Err(refusal) => {
                assert_eq!(refusal.status, 404, "{path}");
                None
            }
        };
        for path in ["/", "/live/a", "/live/a.webp", "/metrics", "/assets/a.js"] {
            assert_eq!(options(path), Some("GET, HEAD"), "{path}");
        }
        for path in [
            "/publish/a",
            "/publish/a.webm",
            "/live/a.webm",
            "/live/a.jpg",
        ] {
            assert_eq!(
                options(path),
                Some("GET, HEAD, PUT, POST, SOURCE"),
                "{path}"
            );
        }
        assert_eq!(options("/api/streams/a"), Some("GET, HEAD, DELETE"));
        assert_eq!(options("*"), Some("GET, HEAD, PUT, POST, SOURCE, DELETE"));
        for path in ["/x", "/live/", "/live/a/b", "/live/a.mp4", "/live/.a"] {
            assert_eq!(options(path), None, "{path}");
        }
        // An address takes exactly the methods that OPTIONS lists.
        let methods = ["GET", "HEAD", "PUT", "POST", "SOURCE", "DELETE"];
        for path in [
            "/",
            "/live/a",
            "/live/a.webm",
            "/live/a.jpg",
            "/publish/a",
            "/api/streams/a",
        ] {
            let allow = options(path).expect("an address");
            for method in methods {
                let is_taken = ask(&format!("{method} {path}"), "").is_ok();
                assert_eq!(
                    is_taken,
                    allow.split(", ").any(|it| it == method),
                    "{method} {path}"
                );
            }
        }
    }

    #[test]
    fn addresses_are_taken_with_a_path_prefix_and_without() {
        let route = |path: &str, prefix: &str| {
            let text = format!("GET {path} HTTP/1.0\r\n\r\n");
            let parsed = parse_request(text.as_bytes(), 4096).expect("a valid head");
            let head = parsed.expect("a whole head").0;
            route_below(&head, &[&prefix.parse().expect("a prefix")])
        };
        let page = |text: &str| {
            Ok(Route::WatchPage {
                name: name(text),
                embed: false,
            })
        };
        for (path, prefix, expected) in [
            ("/video/live/a", "/video", page("a")),
            ("/live/a", "/video", page("a")),
            ("/video/", "/video", Ok(Route::Home)),
            ("/", "/video", Ok(Route::Home)),
            ("/a/b/live/a", "/a/b", page("a")),
            ("/live/live/a", "/live", page("a")),
            ("/live/a", "/live", page("a")),
            ("/assets/live/a", "/assets", page("a")),
            (
                "/assets/x.js",
                "/assets",
                Ok(Route::Asset("x.js".to_owned())),
            ),
        ] {
            assert_eq!(route(path, prefix), expected, "{path} {prefix}");
        }
        let refused = |path: &str| route(path, "/video").expect_err(path);
        assert_eq!(refused("/videos/live/a").status, 404);
        assert_eq!(refused("/video/live/.a").status, 400);
        let location = |path: &str| refused(path).headers[0].1.clone();
        assert_eq!(location("/video"), "video/");
        assert_eq!(location("/video?x"), "video/?x");
        assert_eq!(location("/video/live/a/"), "../../live/a");
    }

    #[test]
    fn pages_need_no_permission_and_every_other_route_of_a_stream_does() {
        for start in [
            "GET /",
            "GET /live/a",
            "GET /live/a?embed",
            "GET /publish/a",
            "GET /dashboard",
        ] {
            assert_eq!(ask(start, "").expect(start).need(), None, "{start}");
        }
        for start in [
            "GET /live/a.webm",
            "GET /live/a.jpg",
            "GET /live/a.webp",
            "GET /api/streams/a",
        ] {
            let route = ask(start, "").expect(start);
            assert_eq!(route.need(), Some(Need::Watch(&name("a"))), "{start}");
        }
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
    fn wrong_method_gets_the_allowed_methods() {
        assert_eq!(allow("POST /"), "GET, HEAD");
        assert_eq!(allow("PUT /live/a"), "GET, HEAD");
        assert_eq!(allow("get /live/a"), "GET, HEAD");
        assert_eq!(allow("DELETE /publish/a"), "GET, HEAD, PUT, POST, SOURCE");
        assert_eq!(allow("DELETE /live/a.webm"), "GET, HEAD, PUT, POST, SOURCE");
        assert_eq!(allow("DELETE /live/a.jpg"), "GET, HEAD, PUT, POST, SOURCE");
        assert_eq!(allow("PUT /api/streams/a"), "GET, HEAD, DELETE");
        assert_eq!(allow("DELETE /assets/a.js"), "GET, HEAD");
    }

    #[test]
    fn unknown_addresses_get_404_and_bad_names_400() {
        for path in [
            "/x",
            "/live",
            "/live/",
            "/live/a//",
            "/live/a/b",
            "/live/a%2Fb",
            "/publish",
            "//",
            "/api",
            "/publish/",
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
            "/api/streams/a.webm",
            "/live/.jpg",
        ] {
            assert_eq!(status(&format!("GET {path}"), ""), 400, "{path}");
        }
    }

    #[test]
    fn causes_are_numbered_in_their_order() {
        let numbers = Cause::ALL.map(|cause| cause as usize);
        assert!(numbers.into_iter().eq(0..Cause::ALL.len()));
    }

    #[test]
    fn unauthorized_challenges_browsers() {
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
