//! The old protocol of node-videostream: four ports beside the stream that they are about.
//!
//! ```text
//! PORT, PORT+1 ─► messages ─┬─► Kept ─► listeners at PORT+2, PORT+3      as they came
//!                           └─► the feeder's Publisher ─► the stream     as any publisher's
//! the stream's ring ──────────► Kept                     while an ordinary publisher is on air
//! ```
//!
//! The newest blob decides whose media listeners get. What a blob's publisher sends on either port goes to
//! the [`Publisher`] of the connection that the blob came by, the *feeder*. Bytes that are no WebM reach
//! listeners all the same; the stream knows nothing of them.
//!
//! Without `--compat-node-videostream` nothing here costs anything.

use super::Hub;
use super::broadcast::Broadcast;
use super::requests::Exchange;
use super::settings::CompatSettings;
use crate::compat::{Kept, Port};
use crate::http::refusal::{Cause, Refusal};
use crate::offline_reason::OfflineReason;
use crate::session::bucket::RateLimit;
use crate::session::inbound::{Inbound, Received};
use crate::session::outbox::Outbox;
use crate::session::publisher::{Fed, FeedResult, FeedTurn, Publisher, PublisherEnd};
use crate::session::relaying::Relaying;
use crate::session::viewer::WriteProgress;
use crate::session::{OUTBOX_SLICES_MAX, SessionId, Socket, State};
use crate::stream::{ChunkKind, Ingest, StreamId};
use crate::stream_name::StreamName;
use crate::webm::WebmError;
use crate::websocket::{CloseCode, Handshake, close_frame, switching_protocols};
use crate::work::{self, Work};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::io;

/// Bytes taken from one publisher before viewers are written to.
const TURN_BYTES: u64 = 1 << 20;

/// Replies to pings in one turn.
const TURN_CONTROLS: usize = OUTBOX_SLICES_MAX / 2;

/// Bytes that the kernel may hold for a listener and not have sent.
const UNSENT_BYTES: u32 = 256 << 10;

const SEND_BINARY: &str = "send binary messages";
const TAKEN_OVER: &str = "a newer publisher took the stream over";
const TOO_SLOW: &str = "too slow for the stream: connect again";

/// What the four ports share.
#[derive(Debug)]
pub struct Compat {
    name: StreamName,
    kept: Kept,
    blob_listeners: BTreeSet<SessionId>,
    chunk_listeners: BTreeSet<SessionId>,
    publishers: BTreeSet<SessionId>,
    /// The connection whose blob is the current one.
    feeder: Option<SessionId>,
    /// The ordinary publishers' chunks, while the newest blob is one of theirs.
    ring: Option<RingPlace>,
}

/// How far the ring has been passed on.
#[derive(Debug, Clone)]
struct RingPlace {
    /// Sequence of the next chunk.
    next: u64,
    /// The recording that the current blob is of; 0 before the first.
    recording: u64,
    /// Whether what comes next has no blob before it.
    needs_blob: bool,
    /// The newest init segment that has passed, and its generation.
    init: Option<(u32, Bytes)>,
}

impl RingPlace {
    fn at(next: u64, recording: u64) -> RingPlace {
        RingPlace {
            next,
            recording,
            needs_blob: true,
            init: None,
        }
    }
}

impl Compat {
    pub fn new(settings: &CompatSettings, init_bytes_max: usize) -> Compat {
        Compat {
            name: settings.stream.clone(),
            kept: Kept::new(settings.bytes, init_bytes_max),
            blob_listeners: BTreeSet::new(),
            chunk_listeners: BTreeSet::new(),
            publishers: BTreeSet::new(),
            feeder: None,
            ring: None,
        }
    }

    pub fn name(&self) -> &StreamName {
        &self.name
    }

    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    pub fn listeners(&self) -> usize {
        self.blob_listeners.len() + self.chunk_listeners.len()
    }

    fn list_of(&mut self, port: Port) -> &mut BTreeSet<SessionId> {
        match port {
            Port::BlobsIn | Port::ChunksIn => &mut self.publishers,
            Port::BlobsOut => &mut self.blob_listeners,
            Port::ChunksOut => &mut self.chunk_listeners,
        }
    }
}

impl<S: Socket> Hub<S> {
    /// Takes a new connection to a port of the old protocol: see [`Hub::admit`].
    pub fn admit_old(
        &mut self,
        socket: S,
        peer: std::net::IpAddr,
        port: Port,
    ) -> Option<SessionId> {
        let id = self.admit(socket, peer, None)?;
        self.sessions[id].set_port(port);
        Some(id)
    }

    /// The stream that the old protocol is about, if it is spoken.
    pub(super) fn compat_name(&self) -> Option<&StreamName> {
        self.compat.as_ref().map(|compat| compat.name())
    }

    /// Makes a connection a publisher or a listener of the old protocol.
    pub(super) fn open_old(
        &mut self,
        exchange: Exchange<'_>,
        port: Port,
        handshake: &Handshake,
    ) -> Result<(), Refusal> {
        let Exchange { id, head, rest } = exchange;
        self.check_room(id)?;
        self.count_client(id, head)?;
        let now = self.clock.now();
        let limits = &self.settings.limits;
        let Some(compat) = &mut self.compat else {
            return Ok(());
        };
        let relaying = if port.publishes() {
            let inbound = Inbound::publisher(&rest, limits.publisher_message_bytes);
            let rate = limits.max_publish_bits_per_s;
            let rate = rate.map(|bits_per_s| RateLimit::new(bits_per_s, now));
            Relaying::publisher_of(port, inbound, rate, now)
        } else {
            let inbound =
                (!rest.is_empty()).then(|| Inbound::viewer(&rest, limits.viewer_message_bytes));
            Relaying::listener(port, compat.kept(), inbound, now)
        };
        compat.list_of(port).insert(id);
        let session = &mut self.sessions[id];
        // The old pages offer no subprotocol, and the old relay spoke none.
        session.send(switching_protocols(&Handshake {
            subprotocol: None,
            ..handshake.clone()
        }));
        if !port.publishes() {
            session.socket_mut().limit_unsent(UNSENT_BYTES);
        }
        self.enter(id, State::Relaying(Box::new(relaying)));
        self.queue_read(id);
        self.queue_write(id);
        Ok(())
    }

    /// A connection of the old protocol has left.
    pub(super) fn old_left(&mut self, id: SessionId, mut relaying: Relaying) {
        let mut was_feeder = false;
        if let Some(compat) = &mut self.compat {
            compat.list_of(relaying.port()).remove(&id);
            was_feeder = compat.feeder.take_if(|feeder| *feeder == id).is_some();
        }
        let closed_well = relaying.closed_well();
        let old = relaying.old_publisher_mut();
        if let Some(mut publisher) = old.and_then(|old| old.publisher.take()) {
            if closed_well && publisher.offline_reason() == OfflineReason::Lost {
                publisher.set_offline_reason(OfflineReason::Ended);
            }
            self.publisher_left(id, *publisher);
        }
        if was_feeder {
            self.return_to_ordinary();
        }
    }

    // --- Reading

    pub(super) fn read_old(&mut self, id: SessionId) -> bool {
        let is_publisher = matches!(
            self.sessions[id].state(),
            State::Relaying(relaying) if relaying.publishes()
        );
        if is_publisher {
            return self.read_old_publisher(id);
        }
        let message_bytes = self.settings.limits.viewer_message_bytes;
        let after = self.sessions[id].read_listener(message_bytes, self.clock.now());
        self.go_on(id, after)
    }

    /// Reads one turn's messages. Returns whether there may be more now.
    fn read_old_publisher(&mut self, id: SessionId) -> bool {
        if self.throttle_old(id) {
            return false;
        }
        let is_encrypted = self.sessions[id].socket().is_encrypted();
        let Some(old) = self.sessions[id].old_publisher_mut() else {
            return false;
        };
        let Some(mut work) = old.debt.draw(&self.turn.budget) else {
            return true;
        };
        if is_encrypted {
            work.spend(work::READ_ENCRYPTED);
        }
        let more = self.read_old_messages(id, &mut work);
        if let Some(old) = self.sessions[id].old_publisher_mut() {
            old.debt.settle(&work, &mut self.turn.budget);
        } else {
            self.turn.budget.spend(work.done());
        }
        if !self.sessions[id].outbox().is_empty() {
            self.queue_write(id);
        }
        more || self.sessions[id].wants_turn()
    }

    fn read_old_messages(&mut self, id: SessionId, work: &mut Work) -> bool {
        let now = self.clock.now();
        let old = self.sessions[id].old_publisher_mut();
        let rate = old.and_then(|old| old.rate);
        let turn_bytes = rate.map_or(TURN_BYTES, |rate| TURN_BYTES.min(rate.allowance(now)));
        let (mut received, mut controls) = (0, 0);
        loop {
            // Bytes read earlier, from either port, enter the stream first.
            if self.feed_stream(work) {
                return true;
            }
            if work.is_spent() || received >= turn_bytes || controls >= TURN_CONTROLS {
                return true;
            }
            let Some((message, came, frames)) = self.sessions[id].read_old_message(now) else {
                return false;
            };
            received += came;
            work.spend(work::MESSAGE + frames * work::FRAME);
            if came > 0 || matches!(message, Received::Blocked) {
                work.spend(work::READ + came * work::BYTE);
            }
            self.books.counters.received_bytes += came;
            if let Some(old) = self.sessions[id].old_publisher_mut()
                && let Some(rate) = &mut old.rate
            {
                rate.take(came, now);
            }
            match message {
                Received::Binary(bytes) => self.take_old_message(id, bytes),
                Received::Control if self.sessions[id].outbox().len() > OUTBOX_SLICES_MAX => {
                    self.drop_session(id);
                }
                Received::Control => controls += 1,
                Received::Unfinished | Received::Blocked => {
                    if came > 0 && controls == 0 {
                        self.note_old_part();
                    }
                    if matches!(message, Received::Blocked) {
                        return false;
                    }
                }
                Received::Closed => self.close_when_written(id),
                Received::Gone => self.drop_session(id),
                Received::Text => {
                    self.refuse_old(id, CloseCode::Unsupported, SEND_BINARY);
                }
                Received::Bad(code, reason) => self.refuse_old(id, code, &reason),
            }
            if !self.sessions[id].is_relaying() {
                return false;
            }
        }
    }

    /// Whether this publisher is over its rate limit.
    fn throttle_old(&mut self, id: SessionId) -> bool {
        let now = self.clock.now();
        let old = self.sessions[id].old_publisher_mut();
        let Some(rate) = old.and_then(|old| old.rate.as_mut()) else {
            return false;
        };
        // Then it is in the queue.
        if rate.is_throttled(now) {
            return true;
        }
        let until = rate.throttle(now);
        if let Some(until) = until {
            self.queues.throttle(id, until);
        }
        until.is_some()
    }

    /// A part of a large message has come, perhaps on a slow link.
    fn note_old_part(&mut self) {
        let now = self.clock.now();
        if let Some(publisher) = self.feeder_mut() {
            publisher.note_part(now);
        }
    }

    fn feeder_mut(&mut self) -> Option<&mut Publisher> {
        let feeder = self.compat.as_ref()?.feeder?;
        self.sessions.get_mut(feeder)?.publisher_mut()
    }

    /// A publisher sent what this protocol does not know.
    fn refuse_old(&mut self, id: SessionId, code: CloseCode, reason: &str) {
        let client = self.sessions[id].address();
        self.books.counters.publishers_rejected += 1;
        if self.count_refusal(Cause::Media, client) {
            tracing::warn!(%client, reason = "media", "publisher of the old protocol closed: {reason}");
        }
        self.sessions[id].send(close_frame(code, reason));
        self.close_when_written(id);
    }

    /// A message of a publisher: to listeners as it came, and to the stream.
    fn take_old_message(&mut self, id: SessionId, bytes: Bytes) {
        let Some(port) = self.sessions[id].port() else {
            return;
        };
        if port == Port::ChunksIn && self.has_ordinary_publisher() {
            // It belongs to a blob that another publisher has replaced.
            let end = PublisherEnd {
                code: CloseCode::Normal,
                status: 409,
                reason: TAKEN_OVER,
            };
            self.close_publisher(id, end);
            return;
        }
        self.books.counters.compat_messages += 1;
        if let Some(old) = self.sessions[id].old_publisher_mut() {
            old.has_sent = true;
        }
        let Some(compat) = &mut self.compat else {
            return;
        };
        match port {
            Port::BlobsIn => {
                compat.ring = None;
                compat.feeder = Some(id);
                compat.kept.begin(bytes.clone());
                self.books.counters.compat_blobs += 1;
                if self.sessions[id].publisher().is_none() && !bytes.is_empty() {
                    self.add_old_candidate(id);
                }
            }
            _ => compat.kept.go_on(bytes.clone()),
        }
        let (limits, now) = (self.streams.limits(), self.clock.now());
        let begins = (port == Port::BlobsIn).then_some(limits);
        let received = bytes.len() as u64;
        let on_air = self.feeder_mut().and_then(|publisher| {
            publisher.hand(bytes, begins, now);
            if publisher.is_candidate() {
                publisher.receive_before_air(received);
                return None;
            }
            Some(publisher.stream())
        });
        if let Some(stream_id) = on_air {
            self.streams.note_media(stream_id, received, now);
        }
        self.queue_listeners();
    }

    /// Whether what listeners get is an ordinary publisher's, and it is on air.
    fn has_ordinary_publisher(&self) -> bool {
        let Some(compat) = self.compat.as_ref().filter(|compat| compat.ring.is_some()) else {
            return false;
        };
        let stream = self.streams.find(compat.name.as_str());
        let broadcast = stream.and_then(|id| self.streams.broadcast(id));
        broadcast.is_some_and(|broadcast| broadcast.publisher().is_some())
    }

    /// A connection that sends a blob publishes the stream, if there is room for one more.
    fn add_old_candidate(&mut self, id: SessionId) {
        let Some(name) = self.compat_name().cloned() else {
            return;
        };
        let known = self.streams.find(name.as_str());
        let known = known.and_then(|id| self.streams.broadcast(id));
        if !known.is_some_and(Broadcast::has_publisher) && self.is_full_of_streams() {
            let client = self.sessions[id].address();
            if self.count_refusal(Cause::Limit, client) {
                tracing::warn!(stream = %name, %client, reason = "limit", "refused: --max-streams is reached");
            }
            return;
        }
        let now = self.clock.now();
        let stream_id = self.streams.open(&name, now);
        self.add_candidate(id, stream_id);
        let ingest = Ingest::candidate(self.streams.limits()).with_trail();
        let publisher = Publisher::handed(stream_id, ingest, now);
        if let Some(old) = self.sessions[id].old_publisher_mut() {
            old.publisher = Some(Box::new(publisher));
        }
    }

    /// Works on what the feeder was handed. Returns whether some of it is left.
    fn feed_stream(&mut self, work: &mut Work) -> bool {
        loop {
            let Some(feeder) = self.compat.as_ref().and_then(|compat| compat.feeder) else {
                return false;
            };
            let session = self.sessions.get_mut(feeder);
            let Some(publisher) = session.and_then(|session| session.publisher_mut()) else {
                return false;
            };
            if !publisher.has_input() {
                return false;
            }
            let mut turn = FeedTurn {
                stream: self.streams.stream_mut(publisher.stream()),
                buffer: &mut self.turn.read_buffer,
                work,
                now: self.clock.now(),
            };
            // It was handed its bytes, and has neither a socket nor replies.
            let FeedResult { fed, .. } =
                publisher.read(&mut io::empty(), &mut Outbox::default(), &mut turn);
            if let (Some(compat), Some(trail)) = (&mut self.compat, publisher.trail()) {
                compat.kept.note_trail(trail);
            }
            self.note_received(feeder, 0);
            self.note_ingest(feeder);
            match fed {
                Fed::More => return true,
                Fed::Ready => self.put_on_air(feeder),
                Fed::BadMedia(error) => self.refuse_recording(feeder, &error),
                _ => return false,
            }
        }
    }

    /// What came is no WebM: listeners have it, and the stream is over.
    fn refuse_recording(&mut self, id: SessionId, error: &WebmError) {
        let client = self.sessions[id].address();
        self.books.counters.publishers_rejected += 1;
        if self.count_refusal(Cause::Media, client) {
            let stream = self.compat_name().map(tracing::field::display);
            tracing::warn!(stream, %client, reason = "media", %error, "old listeners get what is not WebM");
        }
        self.forget_candidate(id);
        self.detach_publisher(id, OfflineReason::Lost);
        self.return_to_ordinary();
    }

    /// A connection that is not on air is no candidate any more. Nothing is logged: junk may come again
    /// and again.
    fn forget_candidate(&mut self, id: SessionId) {
        let Some(old) = self.sessions[id].old_publisher_mut() else {
            return;
        };
        let Some(publisher) = old.publisher.take_if(|publisher| publisher.is_candidate()) else {
            return;
        };
        let stream_id = publisher.stream();
        if let Some(broadcast) = self.streams.broadcast_mut(stream_id) {
            broadcast.candidates_mut().remove(id);
        }
        self.remove_if_unused(stream_id);
    }

    /// The connection stays, and its stream goes off air.
    pub(super) fn detach_publisher(&mut self, id: SessionId, reason: OfflineReason) {
        let old = self.sessions[id].old_publisher_mut();
        if let Some(mut publisher) = old.and_then(|old| old.publisher.take()) {
            publisher.set_offline_reason(reason);
            self.publisher_left(id, *publisher);
        }
    }

    /// The publisher of the current blob is gone, or sent no WebM. An ordinary publisher that is still on air
    /// begins another with its newest keyframe.
    pub(super) fn return_to_ordinary(&mut self) {
        let Some(compat) = &mut self.compat else {
            return;
        };
        let Some(id) = self.streams.find(compat.name.as_str()) else {
            return;
        };
        let broadcast = self.streams.broadcast(id);
        let publisher = broadcast.and_then(|broadcast| broadcast.publisher());
        let is_ordinary = publisher.is_some_and(|id| !self.sessions[id].is_relaying());
        if is_ordinary && compat.ring.is_none() {
            let stream = self.streams.stream(id);
            let edge = stream.ring().live_edge();
            let next = stream.ring().join_point().unwrap_or(edge);
            compat.ring = Some(RingPlace::at(next, stream.recordings()));
        }
    }

    // --- Ordinary publishers

    /// A publisher is about to go on air, and those before it have left.
    pub(super) fn note_newcomer_on_air(&mut self, id: SessionId, stream_id: StreamId) {
        let is_old = self.sessions[id].is_relaying();
        let Some(compat) = self.compat.as_mut().filter(|_| !is_old) else {
            return;
        };
        let stream = self.streams.stream(stream_id);
        if **stream.name() != *compat.name.as_str() {
            return;
        }
        compat.feeder = None;
        compat.ring = Some(RingPlace::at(
            stream.ring().live_edge(),
            stream.recordings(),
        ));
        // Their messages would be mixed with its own. Those that only wait are left alone.
        let publishers: Vec<SessionId> = compat.publishers.iter().copied().collect();
        for other in publishers {
            let old = self.sessions[other].old_publisher_mut();
            if old.is_some_and(|old| old.has_sent) {
                self.replace_publisher(other);
            }
        }
    }

    /// Passes on what is new of an ordinary publisher.
    pub(super) fn pass_on_ordinary(&mut self) {
        let Some(compat) = self.compat.as_mut().filter(|compat| compat.ring.is_some()) else {
            return;
        };
        let Some(id) = self.streams.find(compat.name.as_str()) else {
            return;
        };
        let stream = self.streams.stream(id);
        let (ring, Some(place)) = (stream.ring(), &mut compat.ring) else {
            return;
        };
        if place.next >= ring.live_edge() {
            return;
        }
        place.needs_blob |= place.next < ring.oldest();
        for sequence in place.next.max(ring.oldest())..ring.live_edge() {
            let Some(chunk) = ring.chunk(sequence) else {
                break;
            };
            let payload = chunk.framed.payload();
            let begins = place.recording < stream.recordings() && sequence >= stream.recording_at();
            match chunk.kind {
                ChunkKind::Init => {
                    place.init = Some((chunk.generation, payload));
                    place.needs_blob = true;
                }
                ChunkKind::JoinPoint if place.needs_blob || begins => {
                    let passed = place.init.clone();
                    let newest = stream.init();
                    let newest =
                        newest.map(|one| (one.chunk.generation, one.chunk.framed.payload()));
                    let init = [passed, newest].into_iter().flatten();
                    let init = { init }.find(|(generation, _)| *generation == chunk.generation);
                    // None when the init segment of a chunk is gone that an overtaken place begins with.
                    if let Some((_, init)) = init {
                        compat.kept.begin_recording(init, payload);
                        place.needs_blob = false;
                        place.recording = stream.recordings();
                        self.books.counters.compat_blobs += 1;
                    }
                }
                _ if place.needs_blob => {}
                kind => compat
                    .kept
                    .push_chunk(payload, kind == ChunkKind::JoinPoint),
            }
        }
        place.next = ring.live_edge();
        self.queue_listeners();
    }

    // --- Writing

    /// All listeners are due for a write: those for blobs first, because a page wants the blob before the
    /// chunks that go on with it.
    fn queue_listeners(&mut self) {
        let Some(compat) = &self.compat else {
            return;
        };
        for &id in compat.blob_listeners.iter().chain(&compat.chunk_listeners) {
            self.queues.push_write(&mut self.sessions[id]);
        }
    }

    pub(super) fn write_old(&mut self, id: SessionId) -> usize {
        let Some(compat) = &self.compat else {
            return 0;
        };
        let listened = self.sessions[id].write_listener(compat.kept(), self.clock.now());
        let Ok(listened) = listened else {
            self.cannot_write(id);
            return 0;
        };
        if listened.bytes > 0 {
            self.books.counters.sent_bytes += listened.bytes as u64;
            self.books
                .counters
                .write_bytes
                .record(listened.bytes as u64);
        }
        match listened.progress {
            WriteProgress::Level | WriteProgress::Blocked | WriteProgress::Held(_) => {}
            WriteProgress::More => self.queue_write(id),
            WriteProgress::Ended => self.close_overtaken(id),
        }
        listened.bytes
    }

    fn close_overtaken(&mut self, id: SessionId) {
        self.books.counters.compat_overtaken += 1;
        tracing::info!(client = %self.sessions[id].address(), "old listener closed: {TOO_SLOW}");
        self.sessions[id].send(close_frame(CloseCode::TryAgain, TOO_SLOW));
        self.close_when_written(id);
    }

    /// Closes listeners whose messages are gone although their sockets are full: each may be the last that
    /// holds one.
    pub(super) fn close_overtaken_listeners(&mut self) {
        let Some(compat) = &self.compat else {
            return;
        };
        let listeners = compat.blob_listeners.iter().chain(&compat.chunk_listeners);
        let is_overtaken = |id: &&SessionId| {
            let state = self.sessions[**id].state();
            matches!(state, State::Relaying(relaying) if relaying.is_overtaken(&compat.kept))
        };
        let overtaken: Vec<SessionId> = listeners.filter(is_overtaken).copied().collect();
        for id in overtaken {
            self.close_overtaken(id);
        }
    }

    /// Lets go of kept messages, the oldest first. Returns the bytes that this gave back.
    pub(super) fn shorten_kept(&mut self, bytes: usize) -> usize {
        let Some(compat) = &mut self.compat else {
            return 0;
        };
        let before = compat.kept.byte_len();
        compat.kept.shorten(before.saturating_sub(bytes));
        before - compat.kept.byte_len()
    }

    /// Old listeners, and bytes that are kept for them.
    pub(super) fn compat_figures(&self) -> (u64, u64) {
        let compat = self.compat.as_ref();
        compat.map_or((0, 0), |compat| {
            (compat.listeners() as u64, compat.kept.byte_len() as u64)
        })
    }

    /// Says goodbye to a listener or a publisher because the server stops.
    pub(super) fn stop_old(&mut self, id: SessionId, reason: &'static str) {
        if let Some(publisher) = self.sessions[id].publisher_mut() {
            publisher.set_offline_reason(OfflineReason::Ended);
        }
        self.sessions[id].send(close_frame(CloseCode::GoingAway, reason));
        self.close_when_written(id);
    }
}
