//! Which address means what, and what is refused there.
//!
//! [`route`] looks at one request head and says what it asks for, or why not. It knows the names of
//! things, not whether they exist: the code that serves the [`Route`] finds out whether a stream is
//! on air, or an asset is there. Keys and origins are [`access`](crate::access)'s business.
//!
//! The surprise: `/live/NAME` and `/publish/NAME` are each a page and a WebSocket. `HEAD` routes as
//! `GET` does, and the response leaves the body out.

mod other_servers;
mod refusals;
mod segments;
mod time_shift;

use crate::compat::Port;
use crate::http::base_path::BasePath;
use crate::http::refusal::Refusal;
use crate::http::{Method, RequestHead};
use crate::picture::Words;
use crate::stream_name::StreamName;
use crate::websocket::{Handshake, handshake};
use other_servers::{foreign_file, refuse_foreign_file, refuse_unfit_upload};
use refusals::refuse_socket_to_file;
pub use segments::SegmentFile;
use segments::{is_segment_file, route_segment};
use std::time::Duration;
use time_shift::how_far_back;

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
        /// How far behind live. Zero: live.
        back: Duration,
    },
    /// To speak the old protocol of node-videostream on one of its ports.
    Old {
        name: StreamName,
        port: Port,
        handshake: Handshake,
    },
    Poster(StreamName),
    PutPoster(StreamName),
    /// A stream's newest keyframe as a picture.
    Keyframe(StreamName),
    /// The best picture that there is of a stream.
    Picture {
        name: StreamName,
        /// On a picture of its name.
        words: Words,
    },
    /// What caches keep of a stream.
    Segment {
        name: StreamName,
        file: SegmentFile,
    },
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
    Recordings(AskedRecordings),
    /// One file.
    Recording {
        name: StreamName,
        file: String,
    },
    DeleteRecording {
        name: StreamName,
        file: String,
    },
    /// The best picture that there is of a recording.
    RecordingPicture {
        name: StreamName,
        file: String,
    },
    Dashboard,
    /// What happens to the streams, second by second.
    Events,
    Metrics,
    Health,
    /// What other sites show of a link to a stream (oembed.com).
    Oembed,
    /// The path below `/assets/`.
    Asset(String),
    /// Which methods an address takes: what a browser asks before a page elsewhere may use them.
    Options {
        allow: &'static str,
    },
}

/// Which recordings a list is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedRecordings {
    /// `None` for those of all streams.
    pub stream: Option<StreamName>,
    pub limit: usize,
    /// Only those that began before, in milliseconds since 1970.
    pub before_ms: Option<u64>,
}

/// The permission that a route requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission<'a> {
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
    pub fn permission(&self) -> Option<Permission<'_>> {
        match self {
            Self::Publish { name, .. }
            | Self::PutPoster(name)
            | Self::EndPublisher(name)
            | Self::SetRecording { name, .. }
            | Self::DeleteRecording { name, .. } => Some(Permission::Publish(name)),
            Self::Old { name, port, .. } if port.publishes() => Some(Permission::Publish(name)),
            Self::Old { name, .. }
            | Self::Watch { name, .. }
            | Self::Poster(name)
            | Self::Keyframe(name)
            | Self::Picture { name, .. }
            | Self::Segment { name, .. }
            | Self::Recording { name, .. }
            | Self::RecordingPicture { name, .. }
            | Self::Stream(name) => Some(Permission::Watch(name)),
            Self::Streams | Self::Recordings(_) | Self::Events | Self::Metrics => {
                Some(Permission::List)
            }
            Self::Home
            | Self::PublishPage(_)
            | Self::WatchPage { .. }
            | Self::RecordingsPage(_)
            | Self::Dashboard
            | Self::Health
            | Self::Oembed
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
            | Self::DeleteRecording { .. }
            | Self::Old { .. } => true,
            Self::Watch { via, .. } => matches!(via, Via::WebSocket(_)),
            Self::Home
            | Self::PublishPage(_)
            | Self::WatchPage { .. }
            | Self::Poster(_)
            | Self::Keyframe(_)
            | Self::Picture { .. }
            | Self::Segment { .. }
            | Self::Streams
            | Self::Stream(_)
            | Self::RecordingsPage(_)
            | Self::Recordings(_)
            | Self::Recording { .. }
            | Self::RecordingPicture { .. }
            | Self::Dashboard
            | Self::Events
            | Self::Metrics
            | Self::Health
            | Self::Oembed
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

/// What a request to a port of the old protocol asks for. The old relay looked at no path, and so does this.
pub fn route_old(head: &RequestHead, port: Port, name: &StreamName) -> Result<Route, Refusal> {
    match handshake(head)? {
        Some(handshake) => Ok(Route::Old {
            name: name.clone(),
            port,
            handshake,
        }),
        // As the old relay answered.
        None => Err(Refusal::new(
            426,
            "this port speaks WebSocket: see /live/ on the main port",
        )
        .with("Upgrade", "websocket")),
    }
}

const READ: &str = "GET, HEAD";
const READ_AND_UPLOAD: &str = "GET, HEAD, PUT, POST, SOURCE";
const READ_AND_DELETE: &str = "GET, HEAD, DELETE";
const PUT_AND_DELETE: &str = "PUT, DELETE";

/// Below the address of a stream in the API: whether it is recorded.
const RECORDING: &str = "/recording";

/// Below the page of a stream, or the file of a recording: the best picture that there is.
const POSTER: &str = "/poster";

/// The methods that an address takes, beside OPTIONS; `None` where there is no such address.
fn methods(path: &str) -> Option<&'static str> {
    let is_name = |last: &str| StreamName::try_from(last).is_ok() && foreign_file(last).is_none();
    match path {
        "/" | "/dashboard" | "/metrics" | "/healthz" | "/oembed" | "/player.js"
        | "/api/streams" | "/favicon.ico" | "/recordings" | "/api/recordings" | "/api/events" => {
            Some(READ)
        }
        path => match split_room(path)? {
            ("/assets/", _) => Some(READ),
            ("/recordings/", last) => match last.split_once('/') {
                Some((name, file)) => {
                    StreamName::try_from(name).ok()?;
                    Some(if file.ends_with(POSTER) {
                        READ
                    } else {
                        READ_AND_DELETE
                    })
                }
                None => StreamName::try_from(last).ok().map(|_| READ),
            },
            ("/publish/", last) => {
                is_name(last.strip_suffix(".webm").unwrap_or(last)).then_some(READ_AND_UPLOAD)
            }
            ("/live/", path) if is_segment_file(path) => Some(READ),
            ("/live/", last) => {
                let upload = [".webm", ".jpg"];
                if let Some(name) = upload.iter().find_map(|end| last.strip_suffix(end)) {
                    return is_name(name).then_some(READ_AND_UPLOAD);
                }
                let picture = [".webp", POSTER];
                let name = picture.iter().find_map(|end| last.strip_suffix(end));
                is_name(name.unwrap_or(last)).then_some(READ)
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
        "/oembed" => only_get(Route::Oembed),
        "/api/streams" => only_get(Route::Streams),
        "/api/events" => only_get(Route::Events),
        "/recordings" => only_get(Route::RecordingsPage(None)),
        "/api/recordings" => only_get(list_of_recordings(head)?),
        "/player.js" => only_get(Route::Asset("player.js".to_owned())),
        // Browsers ask for it unasked.
        "/favicon.ico" => only_get(Route::Asset("favicon.svg".to_owned())),
        path => {
            let nowhere = || {
                if head.method.is_upload() {
                    Refusal::not_found().and_publish_at(path)
                } else {
                    Refusal::not_found().and_watch_at(path)
                }
            };
            let (room, rest) = split_room(path).ok_or_else(nowhere)?;
            match room {
                "/assets/" => only_get(Route::Asset(rest.to_owned())),
                "/recordings/" => {
                    let Some((name, file)) = rest.split_once('/') else {
                        let name = StreamName::try_from(rest)?;
                        return only_get(Route::RecordingsPage(Some(name)));
                    };
                    let name = StreamName::try_from(name)?;
                    if let Some(file) = file.strip_suffix(POSTER) {
                        let file = file.to_owned();
                        return only_get(Route::RecordingPicture { name, file });
                    }
                    let file = file.to_owned();
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
                "/live/" if rest.ends_with(POSTER) => {
                    let name = rest.strip_suffix(POSTER).unwrap_or(rest);
                    let name = StreamName::try_from(name)?;
                    refuse_socket_to_file(head, &name)?;
                    let words = if head.query.has("bare") {
                        Words::None
                    } else {
                        Words::Name
                    };
                    only_get(Route::Picture { name, words })
                }
                "/live/" if let Some(route) = route_segment(head, rest) => route,
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
    Ok(Route::Recordings(AskedRecordings {
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
    }))
}

/// Milliseconds since 1970.
fn before_ms(text: &str) -> Option<u64> {
    let time = humantime::parse_rfc3339(text).ok()?;
    let since = time
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .ok()?;
    u64::try_from(since.as_millis()).ok()
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
        Method::Put | Method::Post | Method::Source => {
            refuse_unfit_upload(head)?;
            Ok(Route::Publish {
                name,
                via: Via::Http,
            })
        }
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
                back: how_far_back(head)?,
            }),
            method if method.is_upload() => {
                refuse_unfit_upload(head)?;
                Ok(Route::Publish {
                    name,
                    via: Via::Http,
                })
            }
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
            back: how_far_back(head)?,
        });
    }
    match head.method {
        Method::Get | Method::Head => how_far_back(head).map(|_| Route::WatchPage {
            name,
            embed: head.query.has("embed"),
        }),
        method if method.is_upload() => Err(Refusal::not_allowed(READ).and_publish_at(last)),
        _ => Err(Refusal::not_allowed(READ)),
    }
}

#[cfg(test)]
mod tests;
