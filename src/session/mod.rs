//! One connection, over any socket: what it reads, what it writes, and the state that it is in.
//!
//! ```text
//! socket ─► inbound, body ─► Publisher ─► Ingest        (crate::stream)
//! socket ◄── outbox ◄─────── Viewer ◄──── Cursor, Ring
//! ```
//!
//! - `state`: the states, and what belongs to each; `head`: a request head that is coming in.
//! - `turn`: what one session reads and writes in a turn; `requesting`: the same before it has a role.
//! - `publisher`, `viewer`: the two roles; `time_shift`: what a viewer behind live has besides;
//!   `batch`: what one write offers to a viewer; `keyframes`: the messages to publishers without a keyframe;
//!   `pending`: a request that waits for the web hook; `recall`: a recording that is being sent;
//!   `fetching`: a reader of a segment; `follower`: a client of `/api/events`.
//! - `relaying`: a publisher or a listener of the old protocol.
//! - `client`, `readiness`, `liveness`, `due`: the client address, what the socket can do, signs of
//!   life, and what deadlines ask for; `socket`: what a session needs of its socket.
//! - `inbound`, `body`: WebSocket frames and request bodies that come in; `outbox`: bytes that wait to
//!   go out; `bucket`: how fast a publisher may send.
//!
//! No session knows of another one. Time is passed in. The hub sees a session's state, and changes it
//! by [`Session::enter`] and by the methods of the roles alone.

pub(crate) mod batch;
pub(crate) mod body;
pub(crate) mod bucket;
mod client;
mod due;
pub(crate) mod fetching;
pub(crate) mod follower;
mod head;
mod id;
pub(crate) mod inbound;
pub(crate) mod keyframes;
mod liveness;
pub(crate) mod outbox;
mod pending;
pub(crate) mod publisher;
mod readiness;
mod recall;
pub(crate) mod relaying;
pub(crate) mod requesting;
mod socket;
mod state;
mod time_shift;
pub(crate) mod turn;
pub(crate) mod viewer;

pub use client::Client;
pub use due::Due;
pub use head::{IncomingHead, ParsedHead};
pub use id::SessionId;
pub use pending::{PendingAuthorization, QuestionId, Request, Verdict};
pub use readiness::Readiness;
pub use recall::Recall;
pub use socket::Socket;
pub use state::{Draining, Posting, State};
pub use time_shift::TimeShift;

use crate::compat::Port;
use bytes::{Bytes, BytesMut};
use fetching::Fetching;
use follower::Follower;
use outbox::Outbox;
use publisher::Publisher;
use relaying::OldPublisher;
use std::mem;
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

#[derive(Debug)]
pub struct Session<S> {
    id: SessionId,
    socket: S,
    state: State,
    /// When it came into this state, or the answer that it is in began.
    since: Instant,
    outbox: Outbox,
    readiness: Readiness,
    client: Client,
    /// On a port of the old protocol, which one. `None` elsewhere.
    port: Option<Port>,
}

impl<S> Session<S> {
    pub fn new(
        id: SessionId,
        socket: S,
        client: Client,
        head: IncomingHead,
        now: Instant,
    ) -> Session<S> {
        Session {
            id,
            socket,
            state: State::Requesting(head),
            since: now,
            outbox: Outbox::default(),
            readiness: Readiness::of_new_socket(),
            client,
            port: None,
        }
    }

    /// The port of the old protocol that it came to.
    pub fn port(&self) -> Option<Port> {
        self.port
    }

    pub fn set_port(&mut self, port: Port) {
        self.port = Some(port);
    }

    pub fn id(&self) -> SessionId {
        self.id
    }

    pub fn socket(&self) -> &S {
        &self.socket
    }

    pub fn socket_mut(&mut self) -> &mut S {
        &mut self.socket
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// When it came into its state.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Changes its state. Returns the one before.
    pub fn enter(&mut self, state: State, now: Instant) -> State {
        if matches!(state, State::Gone) {
            self.readiness.read_blocked();
        }
        self.since = now;
        mem::replace(&mut self.state, state)
    }

    pub fn is_gone(&self) -> bool {
        matches!(self.state, State::Gone)
    }

    pub fn publisher(&self) -> Option<&Publisher> {
        match &self.state {
            State::Publishing(publisher) => Some(publisher),
            State::Relaying(relaying) => relaying.publisher(),
            _ => None,
        }
    }

    pub fn publisher_mut(&mut self) -> Option<&mut Publisher> {
        match &mut self.state {
            State::Publishing(publisher) => Some(publisher),
            State::Relaying(relaying) => relaying.publisher_mut(),
            _ => None,
        }
    }

    /// Whether it speaks the old protocol.
    pub fn is_relaying(&self) -> bool {
        matches!(self.state, State::Relaying(_))
    }

    /// What belongs to a publisher of the old protocol.
    pub fn old_publisher_mut(&mut self) -> Option<&mut OldPublisher> {
        match &mut self.state {
            State::Relaying(relaying) => relaying.old_publisher_mut(),
            _ => None,
        }
    }

    pub fn viewer(&self) -> Option<&Viewer> {
        match &self.state {
            State::Viewing { viewer, .. } => Some(viewer),
            _ => None,
        }
    }

    pub fn viewer_mut(&mut self) -> Option<&mut Viewer> {
        match &mut self.state {
            State::Viewing { viewer, .. } => Some(viewer),
            _ => None,
        }
    }

    pub fn posting_mut(&mut self) -> Option<&mut Posting> {
        match &mut self.state {
            State::Posting(posting) => Some(posting),
            _ => None,
        }
    }

    /// Takes out the recording that is being sent. The session needs its next state at once.
    pub fn take_recall(&mut self) -> Option<Box<Recall>> {
        if !matches!(self.state, State::Recalling(_)) {
            return None;
        }
        let answered = State::Responding {
            keep_alive: false,
            rest: BytesMut::new(),
        };
        match mem::replace(&mut self.state, answered) {
            State::Recalling(recall) => Some(recall),
            _ => None,
        }
    }

    pub fn fetching(&self) -> Option<&Fetching> {
        match &self.state {
            State::Fetching(fetching) => Some(fetching),
            _ => None,
        }
    }

    pub fn fetching_mut(&mut self) -> Option<&mut Fetching> {
        match &mut self.state {
            State::Fetching(fetching) => Some(fetching),
            _ => None,
        }
    }

    pub fn follower(&self) -> Option<&Follower> {
        match &self.state {
            State::Following(follower) => Some(follower),
            _ => None,
        }
    }

    pub fn follower_mut(&mut self) -> Option<&mut Follower> {
        match &mut self.state {
            State::Following(follower) => Some(follower),
            _ => None,
        }
    }

    pub fn pending(&self) -> Option<&PendingAuthorization> {
        match &self.state {
            State::Pending(pending) => Some(pending),
            _ => None,
        }
    }

    /// What waits to be written.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Puts bytes behind what waits to be written.
    pub fn send(&mut self, bytes: impl Into<Bytes>) {
        self.outbox.push(bytes);
    }

    /// Drops what waits to be written: nothing takes it any more.
    pub fn discard_output(&mut self) {
        self.outbox = Outbox::default();
    }

    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    pub fn readiness_mut(&mut self) -> &mut Readiness {
        &mut self.readiness
    }

    pub fn client(&self) -> Client {
        self.client
    }

    pub fn set_client(&mut self, client: Client) {
        self.client = client;
    }

    /// The client address.
    pub fn address(&self) -> IpAddr {
        self.client.address()
    }

    /// Whether a publisher's bytes that have been read wait for more work.
    pub fn has_input(&self) -> bool {
        self.publisher().is_some_and(Publisher::has_input)
    }

    /// Whether there is something to do for it in a turn's reading half.
    pub fn wants_turn(&self) -> bool {
        self.readiness.can_read() || self.has_input()
    }

    /// Bytes of memory for input that is not processed yet: incomplete requests, media and
    /// messages.
    pub fn coming_bytes(&self) -> usize {
        match &self.state {
            State::Requesting(head) => head.held_bytes(),
            State::Pending(pending) => pending.held_bytes(),
            State::Responding { rest, .. } => rest.capacity(),
            State::Posting(posting) => posting.jpeg.capacity(),
            State::Publishing(publisher) => publisher.held_bytes(),
            State::Viewing { viewer, inbound } => {
                let held = inbound.as_ref().map_or(0, |inbound| inbound.held_bytes());
                held + viewer.time_shift().map_or(0, TimeShift::held_bytes)
            }
            State::Relaying(relaying) => relaying.held_bytes(),
            State::Recalling(recall) => recall.held_bytes(),
            State::Fetching(fetching) => fetching.held_bytes(),
            State::Draining(_) | State::Following(_) | State::Closing { .. } | State::Gone => 0,
        }
    }

    /// Notes a sign of life of its peer.
    fn peer_active(&mut self, now: Instant) {
        match &mut self.state {
            State::Draining(draining) => draining.active_at = now,
            State::Publishing(publisher) => publisher.liveness_mut().peer_active(now),
            State::Viewing { viewer, .. } => viewer.liveness_mut().peer_active(now),
            State::Relaying(relaying) => relaying.liveness_mut().peer_active(now),
            State::Requesting(_)
            | State::Pending(_)
            | State::Responding { .. }
            | State::Recalling(_)
            | State::Posting(_)
            | State::Fetching(_)
            | State::Following(_)
            | State::Closing { .. }
            | State::Gone => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::inbound::Inbound;
    use super::*;

    /// A viewer costs this in the slab, and its WebSocket reader once it has sent bytes.
    #[test]
    fn a_viewer_costs_a_few_hundred_bytes() {
        let length = size_of::<Session<crate::net::TcpSocket>>();
        assert!(length <= 256, "{length}");
        assert!(size_of::<Inbound>() <= 328, "{}", size_of::<Inbound>());
    }
}
