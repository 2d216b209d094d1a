//! One publisher: where its bytes come from, and the [`Ingest`] they go into.

use super::OUTBOX_SLICES_MAX;
use super::body::{BodyReader, ReadBuffer};
use super::bucket::Bucket;
use super::inbound::{Heard, Inbound};
use super::outbox::Outbox;
use super::plea::KeyframePlea;
use crate::http::HttpError;
use crate::http::refusal::Refusal;
use crate::http::response::{Connection, Stamp, refuse};
use crate::http::{Method, response::ResponseHead};
use crate::offline_reason::OfflineReason;
use crate::stream::{Ingest, Stream, StreamId, Warning};
use crate::webm::WebmError;
use crate::websocket::messages::ToPublisher;
use crate::websocket::{CloseCode, close_frame, text_frame};
use crate::work::{self, Work};
use bytes::Bytes;
use std::io::{self, Read};
use std::mem;
use std::time::Instant;

/// Bytes taken from one publisher before viewers are written to, even if work is left.
const TURN_BYTES: u64 = 1 << 20;

/// Replies to pings in one turn, so that a flood of them does not fill the outbox before it is
/// written. The peer may send more, and has them answered in the next turns.
const TURN_CONTROLS: usize = OUTBOX_SLICES_MAX / 2;

/// The answer to a text message.
const SEND_BINARY: &str = "send binary messages";

#[derive(Debug)]
pub struct Publisher {
    pub stream: StreamId,
    feed: Feed,
    ingest: Ingest,
    /// Bytes of a request body that are not decoded yet, and in the end those behind it. What is
    /// decoded is with `ingest`.
    undecoded: Bytes,
    /// Whether the last visit ended because its work was spent.
    is_interrupted: bool,
    /// Work that it overdrew in earlier turns.
    pub debt: u64,
    /// When it last sent media.
    pub fed_at: Instant,
    /// Bytes that came before it went on air.
    pub received_before_air: u64,
    /// Why its stream goes offline when it leaves.
    pub offline_reason: OfflineReason,
    /// The messages that it got while it was a candidate.
    pub keyframes: KeyframePlea,
    /// Its rate limit.
    pub bucket: Option<Bucket>,
    /// Until then it is not read, because it was over its rate limit.
    throttled_until: Option<Instant>,
    /// Further fields of its answer, where it gets one.
    pub stamp: Stamp,
    /// Whether another request may follow a body that ended well.
    pub may_ask_again: bool,
    /// Whether it is in the hub's list of publishers whose blocks wait for the clock to pass.
    pub is_waiting: bool,
}

/// How a publisher's media travel.
#[derive(Debug)]
enum Feed {
    /// With text messages, if it offered `videostream.v1`.
    WebSocket {
        inbound: Box<Inbound>,
        v1: bool,
    },
    Body(BodyReader),
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

/// The result of one read that does not end the turn.
enum Came {
    Input,
    /// A ping, answered in the outbox, or a pong.
    Control,
    /// No whole message.
    Part,
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

    pub fn body(stream: StreamId, ingest: Ingest, body: BodyReader, now: Instant) -> Publisher {
        Publisher::new(stream, ingest, Feed::Body(body), now)
    }

    fn new(stream: StreamId, ingest: Ingest, feed: Feed, now: Instant) -> Publisher {
        Publisher {
            stream,
            feed,
            ingest,
            undecoded: Bytes::new(),
            is_interrupted: false,
            debt: 0,
            fed_at: now,
            received_before_air: 0,
            offline_reason: OfflineReason::Lost,
            keyframes: KeyframePlea::default(),
            bucket: None,
            throttled_until: None,
            stamp: Stamp::default(),
            may_ask_again: false,
            is_waiting: false,
        }
    }

    /// Whether it is not to be read yet, because it was over its rate limit.
    pub fn is_throttled(&self, now: Instant) -> bool {
        self.throttled_until.is_some_and(|until| now < until)
    }

    /// Throttles it if it was over its rate limit. Returns until when.
    pub fn throttle(&mut self, now: Instant) -> Option<Instant> {
        self.throttled_until = self.bucket.and_then(|bucket| bucket.empty_until(now));
        self.throttled_until
    }

    /// Whether it waits for its first media to go on air.
    pub fn is_candidate(&self) -> bool {
        self.ingest.is_candidate()
    }

    /// Whether it sends blocks, but no keyframe to go on air with.
    pub fn wants_keyframe(&self) -> bool {
        self.ingest.wants_keyframe()
    }

    /// Adds the media that it sent as a candidate to `stream`, which is live with it by now. Its
    /// other input has a turn with all publishers.
    pub fn go_on_air(&mut self, stream: &mut Stream) {
        self.ingest.go_on_air(stream);
        self.is_interrupted = true;
    }

    pub fn is_websocket(&self) -> bool {
        matches!(self.feed, Feed::WebSocket { .. })
    }

    /// Bytes of memory that it takes: the message and the block that are not whole yet, and blocks that
    /// wait for others.
    pub fn held_bytes(&self) -> usize {
        let inbound = match &self.feed {
            Feed::WebSocket { inbound, .. } => inbound.held_bytes(),
            Feed::Body(_) => 0,
        };
        inbound + self.undecoded.len() + self.ingest.held_bytes()
    }

    /// Sends it a text message, if it understands them.
    pub fn tell(&self, outbox: &mut Outbox, message: &ToPublisher) {
        if let Feed::WebSocket { v1: true, .. } = self.feed {
            outbox.push(text_frame(&message.to_json()));
        }
    }

    /// Whether bytes that have been read wait for more work. Then the socket is not read, so that
    /// no more than one read or message ever waits here.
    pub fn has_input(&self) -> bool {
        self.is_interrupted
    }

    /// Takes one turn's bytes into the stream: first those that wait, then some from the socket, until
    /// the work is spent.
    pub fn read(
        &mut self,
        socket: &mut impl Read,
        outbox: &mut Outbox,
        turn: &mut FeedTurn<'_>,
    ) -> FeedResult {
        self.is_interrupted = false;
        let turn_bytes = match &self.bucket {
            Some(bucket) => TURN_BYTES.min(bucket.allowance(turn.now)),
            None => TURN_BYTES,
        };
        let (mut received, mut controls) = (0, 0);
        let fed = loop {
            if let Err(fed) = self.work_on_input(turn) {
                break fed;
            }
            if turn.work.is_spent() || received >= turn_bytes || controls >= TURN_CONTROLS {
                break Fed::More;
            }
            let (step, came) = self.read_once(socket, outbox, turn);
            received += came;
            match step {
                Ok(Came::Input) => {}
                Ok(Came::Control) => controls += 1,
                // A part of a large message, perhaps on a slow link.
                Ok(Came::Part) if controls == 0 && received > 0 => self.fed_at = turn.now,
                Ok(Came::Part) => {}
                Err(fed) => {
                    if matches!(fed, Fed::Blocked)
                        && self.is_websocket()
                        && controls == 0
                        && received > 0
                    {
                        self.fed_at = turn.now;
                    }
                    break fed;
                }
            }
        };
        turn.work.spend(work::CHUNK);
        self.ingest.close_chunk(turn.stream);
        if let Some(bucket) = &mut self.bucket {
            bucket.take(received, turn.now);
        }
        FeedResult { fed, received }
    }

    /// One read from the socket, or the next message of one. Returns what came or how it ended, and the
    /// number of bytes.
    fn read_once(
        &mut self,
        socket: &mut impl Read,
        outbox: &mut Outbox,
        turn: &mut FeedTurn<'_>,
    ) -> (Result<Came, Fed>, u64) {
        match &mut self.feed {
            Feed::WebSocket { inbound, .. } => {
                let (heard, came) = inbound.read(socket, outbox);
                turn.work
                    .spend(work::MESSAGE + inbound.frames() * work::FRAME);
                if came > 0 || matches!(heard, Heard::Blocked) {
                    turn.work.spend(work::READ + came * work::BYTE);
                }
                let step = match heard {
                    Heard::Binary(bytes) => {
                        self.fed_at = turn.now;
                        self.ingest.give(bytes);
                        Ok(Came::Input)
                    }
                    Heard::Text => Err(Fed::Text),
                    // Unread replies would fill memory.
                    Heard::Control if outbox.len() > OUTBOX_SLICES_MAX => Err(Fed::Gone),
                    Heard::Control => Ok(Came::Control),
                    Heard::Unfinished => Ok(Came::Part),
                    Heard::Blocked => Err(Fed::Blocked),
                    Heard::Closed if inbound.closed_well() => Err(Fed::Finished),
                    Heard::Closed => Err(Fed::Aborted),
                    Heard::Gone => Err(Fed::Gone),
                    Heard::Bad(code, reason) => Err(Fed::BadFrames(code, reason)),
                };
                (step, came)
            }
            Feed::Body(body) => match turn.buffer.read(socket) {
                Ok(bytes) if bytes.is_empty() && body.ends_with_connection() => {
                    (Err(self.finish()), 0)
                }
                Ok(bytes) if bytes.is_empty() => (Err(Fed::Gone), 0),
                Ok(bytes) => {
                    let came = bytes.len() as u64;
                    turn.work.spend(work::READ + came * work::BYTE);
                    self.fed_at = turn.now;
                    self.undecoded = bytes;
                    (Ok(Came::Input), came)
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    turn.work.spend(work::READ);
                    (Err(Fed::Blocked), 0)
                }
                Err(_) => (Err(Fed::Gone), 0),
            },
        }
    }

    /// Works on bytes that have been read, until none are left. `Err` when the turn or the publisher
    /// ends before.
    fn work_on_input(&mut self, turn: &mut FeedTurn<'_>) -> Result<(), Fed> {
        loop {
            if self.ingest.has_input() {
                self.ingest
                    .work(turn.stream, turn.work)
                    .map_err(Fed::BadMedia)?;
                if self.ingest.is_ready() {
                    return Err(Fed::Ready);
                }
            }
            let Feed::Body(body) = &mut self.feed else {
                return match self.ingest.has_input() {
                    true => Err(self.interrupt(turn.now)),
                    false => Ok(()),
                };
            };
            if body.is_at_end() && !self.ingest.has_input() {
                return Err(self.finish());
            }
            if self.undecoded.is_empty() && !self.ingest.has_input() {
                return Ok(());
            }
            if turn.work.is_spent() {
                return Err(self.interrupt(turn.now));
            }
            turn.work.spend(work::MESSAGE);
            if let Some(piece) = body.take(&mut self.undecoded).map_err(Fed::BadBody)? {
                self.ingest.give(piece);
            }
        }
    }

    /// The work is spent before the input is: the remaining input has its turn later. The publisher
    /// does not count as silent until then.
    fn interrupt(&mut self, now: Instant) -> Fed {
        self.is_interrupted = true;
        self.fed_at = now;
        Fed::More
    }

    /// Takes the part of a request body that came behind its head, to be worked on at the next
    /// [`Publisher::read`]; which also sees whether there is a body at all.
    pub fn feed(&mut self, bytes: Bytes) {
        self.undecoded = bytes;
        self.is_interrupted = !self.is_websocket();
    }

    /// What came behind the end of its body.
    pub fn take_behind(&mut self) -> Bytes {
        mem::take(&mut self.undecoded)
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

    /// Puts the final answer into the outbox: what the publisher did wrong, or that all is well.
    pub fn answer(&self, fed: &Fed, outbox: &mut Outbox) {
        match (&self.feed, fed) {
            (_, Fed::Blocked | Fed::More | Fed::Ready | Fed::Gone) => {}
            // tungstenite has answered.
            (Feed::WebSocket { .. }, Fed::Finished | Fed::Aborted | Fed::BadBody(_)) => {}
            (Feed::WebSocket { .. }, Fed::Text) => {
                self.tell(
                    outbox,
                    &ToPublisher::Warning {
                        code: "text".into(),
                        message: SEND_BINARY.into(),
                    },
                );
                outbox.push(close_frame(CloseCode::Unsupported, SEND_BINARY));
            }
            (Feed::WebSocket { .. }, Fed::BadFrames(code, reason)) => {
                outbox.push(close_frame(*code, reason));
            }
            (Feed::WebSocket { .. }, Fed::BadMedia(error)) => {
                let code = match error.is_other_format() {
                    true => CloseCode::Unsupported,
                    false => CloseCode::InvalidPayload,
                };
                outbox.push(close_frame(code, &error.to_string()));
            }
            (Feed::Body(_), Fed::Finished) => {
                let head = ResponseHead::new(200).stamp(&self.stamp).length(0);
                let connection = Connection::keep_alive(self.may_ask_again);
                outbox.push(head.connection(connection).into_bytes());
            }
            (Feed::Body(_), Fed::BadFrames(..) | Fed::Text | Fed::Aborted) => {}
            (Feed::Body(_), Fed::BadBody(error)) => {
                self.refuse(&Refusal::from(error.clone()), outbox);
            }
            (Feed::Body(_), Fed::BadMedia(error)) => {
                let status = match error.is_other_format() {
                    true => 415,
                    false => 400,
                };
                self.refuse(&Refusal::new(status, error.to_string()), outbox);
            }
        }
    }

    /// Ends it from the server's side.
    pub fn close(&self, outbox: &mut Outbox, code: CloseCode, status: u16, reason: &str) {
        match self.feed {
            Feed::WebSocket { .. } => outbox.push(close_frame(code, reason)),
            Feed::Body(_) => self.refuse(&Refusal::new(status, reason.to_owned()), outbox),
        }
    }

    fn refuse(&self, refusal: &Refusal, outbox: &mut Outbox) {
        outbox.push(refuse(refusal, Method::Put, Connection::Close, &self.stamp));
    }
}
