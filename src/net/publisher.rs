//! One publisher: where its bytes come from, and the [`Ingest`] they go into.

use super::body::{BodyReader, ReadBuffer};
use super::bucket::Bucket;
use super::connection::OUTBOX_SLICES_MAX;
use super::inbound::{Heard, Inbound};
use super::outbox::Outbox;
use crate::protocol::control::ToPublisher;
use crate::protocol::http::HttpError;
use crate::protocol::response::{Connection, refuse};
use crate::protocol::route::Refusal;
use crate::protocol::websocket::{CloseCode, close_frame, text_frame};
use crate::protocol::{http::Method, response::ResponseHead};
use crate::stream::{Ingest, Stream, StreamId, Warning};
use crate::webm::WebmError;
use bytes::Bytes;
use std::io::{self, Read};
use std::time::Instant;

/// Bytes taken from one publisher before the others have their turn: 8 ms of work at 128 MB/s.
const TURN_BYTES: u64 = 1 << 20;

/// Bytes of a message that are cut before the turn is looked at again: blocks can be as small as
/// seven bytes, and each costs its own work.
const PIECE_BYTES: usize = 256 << 10;

/// Messages taken in one turn, however small, so that a flood of empty ones holds nobody up.
const TURN_MESSAGES: usize = 64;

#[derive(Debug)]
pub struct Publisher {
    pub stream: StreamId,
    feed: Feed,
    ingest: Ingest,
    /// The rest of the last message, which the turn was too short for.
    unread: Bytes,
    /// When it last sent media.
    pub fed_at: Instant,
    /// How fast it may be.
    pub bucket: Option<Bucket>,
    /// It was faster, and is not read before then.
    rests_until: Option<Instant>,
    /// Whether it is on the reactor's list of those whose blocks wait for the clock.
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

/// How a publisher ended, or did not.
#[derive(Debug)]
pub enum Fed {
    /// Nothing more for now.
    Blocked,
    /// Its turn is over.
    More,
    /// It closed its WebSocket, or the body is complete.
    Finished,
    /// It is gone without a word.
    Gone,
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
            unread: Bytes::new(),
            fed_at: now,
            bucket: None,
            rests_until: None,
            is_waiting: false,
        }
    }

    /// Whether it is not to be read yet, because it was too fast.
    pub fn is_resting(&self, now: Instant) -> bool {
        self.rests_until.is_some_and(|until| now < until)
    }

    /// Has it rest, if it was too fast, and tells until when.
    pub fn rest(&mut self, now: Instant) -> Option<Instant> {
        self.rests_until = self.bucket.and_then(|bucket| bucket.rests_until(now));
        self.rests_until
    }

    pub fn is_websocket(&self) -> bool {
        matches!(self.feed, Feed::WebSocket { .. })
    }

    /// Tells it something, if it understands text messages.
    pub fn tell(&self, outbox: &mut Outbox, message: &ToPublisher) {
        if let Feed::WebSocket { v1: true, .. } = self.feed {
            outbox.push(text_frame(&message.to_json()));
        }
    }

    /// Takes one turn's bytes from the socket into `stream`. `received` is raised by their number.
    pub fn read(
        &mut self,
        socket: &mut impl Read,
        outbox: &mut Outbox,
        stream: &mut Stream,
        buffer: &mut ReadBuffer,
        received: &mut u64,
        now: Instant,
    ) -> Fed {
        let before = *received;
        let fed = self.read_turn(socket, outbox, stream, buffer, received, now);
        if let Some(bucket) = &mut self.bucket {
            bucket.take(*received - before, now);
        }
        fed
    }

    fn read_turn(
        &mut self,
        socket: &mut impl Read,
        outbox: &mut Outbox,
        stream: &mut Stream,
        buffer: &mut ReadBuffer,
        received: &mut u64,
        now: Instant,
    ) -> Fed {
        let turn_bytes = match &self.bucket {
            Some(bucket) => TURN_BYTES.min(bucket.allowance(now)),
            None => TURN_BYTES,
        };
        let before = *received;
        let mut taken = 0;
        let mut has_control = false;
        for _ in 0..TURN_MESSAGES {
            if !self.unread.is_empty() {
                let piece = self.unread.split_to(PIECE_BYTES.min(self.unread.len()));
                taken += piece.len() as u64;
                if let Err(error) = self.ingest.push(piece, stream) {
                    return Fed::BadMedia(error);
                }
                if taken >= TURN_BYTES {
                    break;
                }
                continue;
            }
            let fed = match &mut self.feed {
                Feed::WebSocket { inbound, .. } => match inbound.read(socket, outbox, received) {
                    Heard::Binary(bytes) => {
                        self.fed_at = now;
                        self.unread = bytes;
                        Ok(())
                    }
                    // Replies that it does not read would fill memory.
                    Heard::Text | Heard::Control if outbox.len() > OUTBOX_SLICES_MAX => {
                        Err(Fed::Gone)
                    }
                    Heard::Text | Heard::Control => {
                        has_control = true;
                        Ok(())
                    }
                    heard @ (Heard::Blocked | Heard::Unfinished) => {
                        if !has_control && *received > before {
                            // A part of a large message, perhaps on a slow link.
                            self.fed_at = now;
                        }
                        Err(match heard {
                            Heard::Blocked => Fed::Blocked,
                            _ => Fed::More,
                        })
                    }
                    Heard::Closed => Err(Fed::Finished),
                    Heard::Gone => Err(Fed::Gone),
                    Heard::Bad(code, reason) => Err(Fed::BadFrames(code, reason)),
                },
                Feed::Body(body) => match buffer.read(socket) {
                    Ok(bytes) if bytes.is_empty() && body.ends_with_connection() => {
                        Err(self.finish())
                    }
                    Ok(bytes) if bytes.is_empty() => Err(Fed::Gone),
                    Ok(bytes) => {
                        *received += bytes.len() as u64;
                        self.fed_at = now;
                        self.feed(bytes, stream)
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(Fed::Blocked),
                    Err(_) => Err(Fed::Gone),
                },
            };
            if let Err(fed) = fed {
                return fed;
            }
            if *received - before >= turn_bytes {
                break;
            }
        }
        Fed::More
    }

    /// Takes bytes of the request body, chunked or not.
    pub fn feed(&mut self, mut bytes: Bytes, stream: &mut Stream) -> Result<(), Fed> {
        let Feed::Body(body) = &mut self.feed else {
            return Ok(());
        };
        while let Some(piece) = body.take(&mut bytes).map_err(Fed::BadBody)? {
            self.ingest.push(piece, stream).map_err(Fed::BadMedia)?;
        }
        match body.is_at_end() {
            true => Err(self.finish()),
            false => Ok(()),
        }
    }

    /// When blocks that wait for other tracks are due, by the catalog's clock.
    pub fn media_deadline_ms(&self) -> Option<u64> {
        self.ingest.deadline_ms()
    }

    /// Time has passed: see [`Ingest::tick`].
    pub fn tick(&mut self, stream: &mut Stream) {
        self.ingest.tick(stream);
    }

    /// How often its timestamps stepped, and what it should hear about its media, since this was
    /// asked last.
    pub fn take_remarks(&mut self) -> (u64, Vec<Warning>) {
        let warnings = std::iter::from_fn(|| self.ingest.poll_warning()).collect();
        (self.ingest.take_time_steps(), warnings)
    }

    /// It is leaving: whole blocks that were held back go out.
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

    /// Puts the last words into the outbox: what it did wrong, or that all is well.
    pub fn answer(&self, fed: &Fed, outbox: &mut Outbox) {
        match (&self.feed, fed) {
            (_, Fed::Blocked | Fed::More | Fed::Gone) => {}
            // tungstenite has answered.
            (Feed::WebSocket { .. }, Fed::Finished | Fed::BadBody(_)) => {}
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
                let head = ResponseHead::new(200).length(0);
                outbox.push(head.connection(Connection::Close).into_bytes());
            }
            (Feed::Body(_), Fed::BadFrames(..)) => {}
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

    /// Ends it from our side.
    pub fn close(&self, outbox: &mut Outbox, code: CloseCode, status: u16, reason: &str) {
        match self.feed {
            Feed::WebSocket { .. } => outbox.push(close_frame(code, reason)),
            Feed::Body(_) => self.refuse(&Refusal::new(status, reason.to_owned()), outbox),
        }
    }

    fn refuse(&self, refusal: &Refusal, outbox: &mut Outbox) {
        outbox.push(refuse(refusal, Method::Put, Connection::Close));
    }
}
