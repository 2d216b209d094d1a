//! One publisher: where its bytes come from, and the [`Ingest`] they go into.

use super::body::{BodyReader, ReadBuffer};
use super::bucket::RateLimit;
use super::inbound::Inbound;
use super::keyframes::{CandidateKeyframes, KeyframeMessage};
use super::liveness::Liveness;
use crate::http::response::Stamp;
use crate::http::{Body, HttpError};
use crate::offline_reason::OfflineReason;
use crate::stream::{Ingest, Limits, Stream, StreamId, Trail, Warning};
use crate::webm::WebmError;
use crate::websocket::messages::ToPublisher;
use crate::websocket::{CloseCode, text_frame};
use crate::work::{Debt, Work};
use bytes::Bytes;
use std::collections::VecDeque;
use std::mem;
use std::time::Instant;

mod answers;
mod reading;

#[derive(Debug)]
pub struct Publisher {
    stream: StreamId,
    feed: Feed,
    ingest: Ingest,
    /// Whether the last visit ended because its work was spent.
    is_interrupted: bool,
    /// Work that it overdrew in earlier turns.
    debt: Debt,
    /// When it last sent media.
    fed_at: Instant,
    /// Why its stream goes offline when it leaves.
    offline_reason: OfflineReason,
    /// What belongs to it until it goes on air.
    before_air: BeforeAir,
    rate: Option<RateLimit>,
    /// Whether it is in the hub's list of publishers whose blocks wait for the clock to pass.
    is_waiting: bool,
    /// Of a WebSocket.
    liveness: Liveness,
}

/// What belongs to a publisher until it goes on air.
#[derive(Debug, Default)]
struct BeforeAir {
    /// Bytes that came.
    received: u64,
    /// The messages that it got.
    keyframes: CandidateKeyframes,
}

/// How a publisher's media travel.
#[derive(Debug)]
enum Feed {
    /// With text messages, if it offered `videostream.v1`.
    WebSocket {
        inbound: Box<Inbound>,
        v1: bool,
    },
    Body(Upload),
    /// Others read for it: see [`Publisher::hand`].
    Handed,
    /// From another node: what has come, and is not read yet.
    Remote(RemoteFeed),
}

/// What came from another node for a stream that is published there.
#[derive(Debug, Default)]
struct RemoteFeed {
    pieces: VecDeque<RemotePiece>,
    byte_len: usize,
}

#[derive(Debug)]
pub enum RemotePiece {
    Bytes(Bytes),
    /// What follows is not what came next.
    Gap,
    /// Its publisher has left.
    End(OfflineReason),
}

/// A publisher's request body, and the answer to it.
#[derive(Debug)]
pub struct Upload {
    body: BodyReader,
    /// Bytes that are not decoded yet, and in the end those behind the body. What is decoded is with
    /// `ingest`.
    undecoded: Bytes,
    /// Further fields of the answer.
    stamp: Stamp,
    /// Whether another request may follow a body that ended well.
    may_ask_again: bool,
}

impl Upload {
    /// `rest` came behind the request's head.
    pub fn new(body: Body, rest: Bytes, stamp: Stamp, may_ask_again: bool) -> Upload {
        Upload {
            body: BodyReader::new(body),
            undecoded: rest,
            stamp,
            may_ask_again,
        }
    }
}

/// How the server ends a publisher: the code for a WebSocket, the status for an upload.
#[derive(Debug, Clone, Copy)]
pub struct PublisherEnd<'a> {
    pub code: CloseCode,
    pub status: u16,
    pub reason: &'a str,
}

/// What the hub lends to a publisher for one turn.
#[derive(Debug)]
pub struct FeedTurn<'a> {
    pub stream: &'a mut Stream,
    pub buffer: &'a mut ReadBuffer,
    pub work: &'a mut Work,
    pub now: Instant,
}

/// The result of a publisher's turn.
#[derive(Debug)]
pub struct FeedResult {
    pub fed: Fed,
    /// Bytes read from the socket.
    pub received: u64,
}

/// How a publisher ended, or how it goes on.
#[derive(Debug)]
pub enum Fed {
    /// Nothing more for now.
    Blocked,
    /// Its turn is over.
    More,
    /// A candidate has its first media, and is to go on air before it is read on.
    Ready,
    /// It closed its WebSocket as it should, or the body is complete.
    Finished,
    /// It closed its WebSocket with a code that names a fault.
    Aborted,
    /// The connection is gone without a close frame, or before the end of the body.
    Gone,
    /// It sent a text message, and none means anything to us.
    Text,
    /// It broke WebSocket.
    BadFrames(CloseCode, String),
    /// It broke HTTP.
    BadBody(HttpError),
    /// It sent something that is not WebM that we carry.
    BadMedia(WebmError),
}

impl Publisher {
    pub fn websocket(
        stream: StreamId,
        ingest: Ingest,
        inbound: Inbound,
        v1: bool,
        now: Instant,
    ) -> Publisher {
        let inbound = Box::new(inbound);
        Publisher::new(stream, ingest, Feed::WebSocket { inbound, v1 }, now)
    }

    /// Publishes by the body of a request. What came of it already has its turn with all publishers;
    /// that turn also sees whether there is a body at all.
    pub fn upload(stream: StreamId, ingest: Ingest, upload: Upload, now: Instant) -> Publisher {
        let received = upload.undecoded.len() as u64;
        let mut publisher = Publisher::new(stream, ingest, Feed::Body(upload), now);
        publisher.is_interrupted = true;
        publisher.before_air.received = received;
        publisher
    }

    /// Publishes what it is handed: see [`Publisher::hand`].
    pub fn handed(stream: StreamId, ingest: Ingest, now: Instant) -> Publisher {
        Publisher::new(stream, ingest, Feed::Handed, now)
    }

    /// Publishes what another node sends: see [`Publisher::push_remote`].
    pub fn remote(stream: StreamId, ingest: Ingest, now: Instant) -> Publisher {
        Publisher::new(stream, ingest, Feed::Remote(RemoteFeed::default()), now)
    }

    /// Whether it publishes what another node sends.
    pub fn is_remote(&self) -> bool {
        matches!(self.feed, Feed::Remote(_))
    }

    /// Queues what another node has sent. It is read in the publisher's turns.
    pub fn push_remote(&mut self, piece: RemotePiece) {
        if let Feed::Remote(feed) = &mut self.feed {
            if let RemotePiece::Bytes(bytes) = &piece {
                feed.byte_len += bytes.len();
            }
            feed.pieces.push_back(piece);
        }
    }

    /// Hands it its next bytes. There must be no input left. `begins`: they begin with an EBML header,
    /// whatever came before.
    pub fn hand(&mut self, bytes: Bytes, begins: Option<Limits>, now: Instant) {
        if let Some(limits) = begins {
            self.ingest.restart(limits);
        }
        self.fed_at = now;
        if !bytes.is_empty() {
            self.ingest.give(bytes);
            self.is_interrupted = true;
        }
    }

    /// A part of a message for it has come.
    pub fn note_part(&mut self, now: Instant) {
        self.fed_at = now;
    }

    /// Where its bytes can be joined, if it notes that.
    pub fn trail(&self) -> Option<&Trail> {
        self.ingest.trail()
    }

    fn new(stream: StreamId, ingest: Ingest, feed: Feed, now: Instant) -> Publisher {
        Publisher {
            stream,
            feed,
            ingest,
            is_interrupted: false,
            debt: Debt::default(),
            fed_at: now,
            offline_reason: OfflineReason::Lost,
            before_air: BeforeAir::default(),
            rate: None,
            is_waiting: false,
            liveness: Liveness::new(now),
        }
    }

    /// Limits its rate. What has come already counts.
    pub fn limit_rate(&mut self, mut rate: RateLimit, now: Instant) {
        rate.take(self.before_air.received, now);
        self.rate = Some(rate);
    }

    pub fn stream(&self) -> StreamId {
        self.stream
    }

    /// Why its stream goes offline when it leaves.
    pub fn offline_reason(&self) -> OfflineReason {
        self.offline_reason
    }

    pub fn set_offline_reason(&mut self, reason: OfflineReason) {
        self.offline_reason = reason;
    }

    /// Bytes that came before it went on air.
    pub fn received_before_air(&self) -> u64 {
        self.before_air.received
    }

    /// Notes bytes that came before it went on air.
    pub fn receive_before_air(&mut self, received: u64) {
        self.before_air.received += received;
    }

    /// The message that a candidate without keyframes should get now.
    pub fn candidate_message(&mut self, now: Instant) -> Option<KeyframeMessage> {
        let wants_keyframe = self.ingest.wants_keyframe();
        self.before_air.keyframes.due(wants_keyframe, now)
    }

    /// When it last sent media.
    pub fn fed_at(&self) -> Instant {
        self.fed_at
    }

    #[cfg(test)]
    pub(super) fn feed_at(&mut self, now: Instant) {
        self.fed_at = now;
    }

    pub fn debt_mut(&mut self) -> &mut Debt {
        &mut self.debt
    }

    pub fn liveness(&self) -> &Liveness {
        &self.liveness
    }

    pub(super) fn liveness_mut(&mut self) -> &mut Liveness {
        &mut self.liveness
    }

    /// Notes whether it is in the hub's list of publishers whose blocks wait. Returns whether it was.
    pub fn set_waiting(&mut self, is_waiting: bool) -> bool {
        mem::replace(&mut self.is_waiting, is_waiting)
    }

    /// Whether it is not to be read yet, because it was over its rate limit.
    pub fn is_throttled(&self, now: Instant) -> bool {
        self.rate.is_some_and(|rate| rate.is_throttled(now))
    }

    /// Throttles it if it was over its rate limit. Returns until when.
    pub fn throttle(&mut self, now: Instant) -> Option<Instant> {
        self.rate.as_mut()?.throttle(now)
    }

    /// Whether it waits for its first media to go on air.
    pub fn is_candidate(&self) -> bool {
        self.ingest.is_candidate()
    }

    /// Adds the media that it sent as a candidate to `stream`, which is live with it by now. Its
    /// other input has a turn with all publishers.
    pub fn go_on_air(&mut self, stream: &mut Stream) {
        self.ingest.go_on_air(stream);
        self.before_air = BeforeAir::default();
        self.is_interrupted = true;
    }

    pub fn is_websocket(&self) -> bool {
        matches!(self.feed, Feed::WebSocket { .. })
    }

    /// Bytes of memory that it takes: the message and the block that are not whole yet, and blocks that
    /// wait for others.
    pub fn held_bytes(&self) -> usize {
        let feed = match &self.feed {
            Feed::WebSocket { inbound, .. } => inbound.held_bytes(),
            Feed::Body(upload) => upload.undecoded.len(),
            Feed::Handed => 0,
            Feed::Remote(feed) => feed.byte_len,
        };
        feed + self.ingest.held_bytes()
    }

    /// A text message; nothing if it does not understand them.
    pub fn frame(&self, message: &ToPublisher) -> Vec<u8> {
        match self.feed {
            Feed::WebSocket { v1: true, .. } => text_frame(&message.to_json()),
            _ => Vec::new(),
        }
    }

    /// Whether another request may follow a body that ended well, and what came behind that body.
    pub fn take_behind(&mut self) -> Option<Bytes> {
        match &mut self.feed {
            Feed::Body(upload) if upload.may_ask_again => Some(mem::take(&mut upload.undecoded)),
            _ => None,
        }
    }

    /// When blocks that wait for other tracks are due, by the catalog's clock.
    pub fn media_deadline_ms(&self) -> Option<u64> {
        self.ingest.deadline_ms()
    }

    /// Time has passed: see [`Ingest::tick`].
    pub fn tick(&mut self, stream: &mut Stream, work: &mut Work) {
        self.ingest.tick(stream, work);
    }

    /// The number of steps in its timestamps, and the warnings about its media, since the last
    /// call.
    pub fn take_remarks(&mut self) -> (u64, Vec<Warning>) {
        let warnings = std::iter::from_fn(|| self.ingest.poll_warning()).collect();
        (self.ingest.take_time_steps(), warnings)
    }

    /// The publisher is leaving: whole blocks that were held back go out.
    pub fn flush(&mut self, stream: &mut Stream) {
        self.ingest.flush(stream);
    }

    /// The body is complete; the recording in it may not be.
    fn finish(&self) -> Fed {
        match self.ingest.finish() {
            Ok(()) => Fed::Finished,
            Err(error) => Fed::BadMedia(error),
        }
    }
}
