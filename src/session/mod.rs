//! One connection, over any socket: what it reads, what it writes, and the state that it is in.
//!
//! ```text
//! socket ─► inbound, body ─► Publisher ─► Ingest        (crate::stream)
//! socket ◄── outbox ◄─────── Viewer ◄──── Cursor, Ring
//! ```
//!
//! - `turn`: what one session reads and writes in a turn.
//! - `publisher`, `viewer`: the two roles; `plea`: what publishers are asked for; `pending`: a request
//!   that waits for the web hook.
//! - `due`: what a session's deadlines ask for; `socket`: what it needs of its socket.
//! - `inbound`, `body`: WebSocket frames and request bodies that come in; `outbox`: bytes that wait to
//!   go out; `bucket`: how fast a publisher may send.
//!
//! No session knows of another one. Time is passed in.

pub(crate) mod body;
pub(crate) mod bucket;
mod due;
pub(crate) mod inbound;
pub(crate) mod outbox;
mod pending;
pub(crate) mod plea;
pub(crate) mod publisher;
mod socket;
pub(crate) mod turn;
pub(crate) mod viewer;

pub use due::Due;
pub use pending::{PendingAuthorization, QuestionId, Request, Verdict};
pub use socket::Socket;

use crate::protocol::http::RequestHead;
use crate::stream_name::StreamName;
use body::BodyReader;
use bytes::BytesMut;
use inbound::Inbound;
use outbox::Outbox;
use publisher::Publisher;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use viewer::Viewer;

/// How long a peer has to take our last bytes and to hang up.
pub const CLOSING_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a peer may go on with a body that was refused. Many read no answer before they have sent
/// all, and a reset would take it from them: on a slow link 1 MB takes this long.
pub const REFUSED_BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Replies that may wait for one peer. A peer that sends pings and does not read the pongs would
/// fill memory otherwise. Counted in replies, not in bytes: the rest of a chunk may wait among
/// them.
pub const OUTBOX_SLICES_MAX: usize = 64;

/// Where one accepted socket is in its life.
#[derive(Debug)]
pub enum State {
    /// Waiting for a whole HTTP request head; these bytes of it are here.
    Requesting(BytesMut),
    /// The request waits for the web hook. The session is not read until the verdict.
    Pending(Box<PendingAuthorization>),
    /// Sending a whole answer. Then another request may follow: these bytes came behind the last
    /// one.
    Responding { keep_alive: bool, rest: BytesMut },
    /// Reading an unwanted body to its end; the next request may come behind it. The answer is in
    /// the outbox, or written.
    Draining(Box<BodyReader>),
    /// Being sent a recording, or waiting for what the archive thread finds. The session is not read.
    Recalling,
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
            State::Recalling => "recalling",
            State::Posting(_) => "posting",
            State::Publishing(_) => "publishing",
            State::Viewing { .. } => "viewing",
            State::Closing { .. } => "closing",
            State::Gone => "gone",
        }
    }
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

/// Names one session: its slot in the hub's slab, and a number that the next session in that slot does
/// not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    slot: u32,
    serial: u32,
}

impl SessionId {
    /// # Panics
    ///
    /// When `slot` is above four billion: no process has so many descriptors.
    pub fn new(slot: usize, serial: u32) -> SessionId {
        SessionId {
            slot: u32::try_from(slot).expect("descriptors are numbered by i32"),
            serial,
        }
    }

    pub fn slot(self) -> usize {
        self.slot as usize
    }
}

#[derive(Debug)]
pub struct Session<S> {
    id: SessionId,
    pub socket: S,
    pub state: State,
    pub outbox: Outbox,
    /// What epoll reported last, until the kernel says "would block". Edge-triggered: a socket left
    /// before that gets no second event.
    pub can_read: bool,
    pub can_write: bool,
    /// Whether it is on the list of the next phase.
    pub is_read_queued: bool,
    pub is_write_queued: bool,
    /// The port of https, on a listener that only redirects there.
    pub redirects_to: Option<u16>,
    /// The client address: the peer's, until a trusted proxy has reported another.
    pub client: IpAddr,
    /// Whether it is among that client's connections.
    pub is_counted: bool,
    /// Whether its PROXY header has been read, or none is expected.
    pub is_introduced: bool,
    /// When the session came, or its last request came or was answered. For a viewer: when it began
    /// to take the chunk whose rest waits in the outbox.
    pub since: Instant,
    /// Requests it has made.
    pub requests: u32,
    /// When the last bytes came from it.
    pub heard_at: Instant,
    pub pinged_at: Option<Instant>,
    /// Since when it has taken nothing of what waits for it.
    pub blocked_since: Option<Instant>,
}

impl<S> Session<S> {
    pub fn new(id: SessionId, socket: S, peer: IpAddr, now: Instant) -> Session<S> {
        Session {
            id,
            socket,
            state: State::Requesting(BytesMut::new()),
            outbox: Outbox::default(),
            can_read: true,
            can_write: true,
            is_read_queued: false,
            is_write_queued: false,
            redirects_to: None,
            client: peer.to_canonical(),
            is_counted: false,
            is_introduced: true,
            since: now,
            requests: 0,
            heard_at: now,
            pinged_at: None,
            blocked_since: None,
        }
    }

    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Whether a publisher's bytes that have been read wait for more work.
    pub fn has_input(&self) -> bool {
        matches!(&self.state, State::Publishing(publisher) if publisher.has_input())
    }

    /// Whether there is something to do for it in a turn's reading half.
    pub fn wants_turn(&self) -> bool {
        self.can_read || self.has_input()
    }

    /// Bytes of memory for input that is not processed yet: incomplete requests, media and
    /// messages.
    pub fn coming_bytes(&self) -> usize {
        match &self.state {
            State::Requesting(bytes) => bytes.capacity(),
            State::Pending(pending) => pending.held_bytes(),
            State::Responding { rest, .. } => rest.capacity(),
            State::Posting(posting) => posting.jpeg.capacity(),
            State::Publishing(publisher) => publisher.held_bytes(),
            State::Viewing { inbound, .. } => {
                inbound.as_ref().map_or(0, |inbound| inbound.held_bytes())
            }
            State::Recalling | State::Draining(_) | State::Closing { .. } | State::Gone => 0,
        }
    }

    /// Notes that bytes came from its peer.
    pub fn heard(&mut self, now: Instant) {
        self.heard_at = now;
        self.pinged_at = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A viewer costs this in the slab, and its WebSocket reader once it has sent bytes.
    #[test]
    fn a_viewer_costs_a_few_hundred_bytes() {
        let length = size_of::<Session<crate::net::TcpSocket>>();
        assert!(length <= 256, "{length}");
        assert!(size_of::<Inbound>() <= 320, "{}", size_of::<Inbound>());
    }
}
