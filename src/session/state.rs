//! The states of a session.

use super::body::BodyReader;
use super::fetching::Fetching;
use super::follower::Follower;
use super::head::IncomingHead;
use super::inbound::Inbound;
use super::pending::PendingAuthorization;
use super::publisher::Publisher;
use super::recall::Recall;
use super::relaying::Relaying;
use super::viewer::Viewer;
use crate::http::RequestHead;
use crate::stream_name::StreamName;
use bytes::BytesMut;
use std::time::Instant;

/// Where one accepted socket is in its life.
#[derive(Debug)]
pub enum State {
    /// Waiting for a whole HTTP request head.
    Requesting(IncomingHead),
    /// The request waits for the web hook. The session is not read until the verdict.
    Pending(Box<PendingAuthorization>),
    /// Sending a whole answer. Then another request may follow: these bytes came behind the last
    /// one.
    Responding { keep_alive: bool, rest: BytesMut },
    /// Reading an unwanted body to its end; the next request may come behind it. The answer is in
    /// the outbox, or written.
    Draining(Box<Draining>),
    /// Being sent a recording, or waiting for what the archive thread finds. The session is not read.
    Recalling(Box<Recall>),
    /// Sending us a poster.
    Posting(Box<Posting>),
    /// Feeding one stream, by WebSocket or request body.
    Publishing(Box<Publisher>),
    /// Reading one stream at its own pace. `inbound` is made when the first bytes come from a
    /// WebSocket.
    Viewing {
        viewer: Viewer,
        inbound: Option<Box<Inbound>>,
    },
    /// Being sent a segment, or waiting for it. The session is not read.
    Fetching(Box<Fetching>),
    /// Getting events, one after another.
    Following(Box<Follower>),
    /// Speaking the old protocol of node-videostream.
    Relaying(Box<Relaying>),
    /// Our last bytes are in the outbox; the peer has until `deadline` to hang up.
    Closing { deadline: Instant, is_shut: bool },
    /// Nothing more to do with it: `Hub::free_slots` frees its slot.
    Gone,
}

impl State {
    /// As tests name it.
    #[cfg(feature = "testing")]
    pub fn name(&self) -> &'static str {
        match self {
            State::Requesting(_) => "requesting",
            State::Pending(_) => "pending",
            State::Responding { .. } => "responding",
            State::Draining(_) => "draining",
            State::Recalling(_) => "recalling",
            State::Posting(_) => "posting",
            State::Publishing(_) => "publishing",
            State::Viewing { .. } => "viewing",
            State::Fetching(_) => "fetching",
            State::Following(_) => "following",
            State::Relaying(_) => "relaying",
            State::Closing { .. } => "closing",
            State::Gone => "gone",
        }
    }
}

/// An unwanted body that is coming in.
#[derive(Debug)]
pub struct Draining {
    pub body: BodyReader,
    /// When the last bytes of it came.
    pub active_at: Instant,
}

/// A poster that is coming in.
#[derive(Debug)]
pub struct Posting {
    pub name: StreamName,
    /// Of the stream, when the poster began to come in.
    pub publication: u64,
    pub head: RequestHead,
    pub body: BodyReader,
    pub jpeg: BytesMut,
}
