//! A publisher's turn: what is read of its socket, and worked on.

use super::super::OUTBOX_SLICES_MAX;
use super::super::inbound::Received;
use super::super::outbox::Outbox;
use super::{Fed, Feed, FeedResult, FeedTurn, Publisher, RemotePiece};
use crate::work;
use bytes::Bytes;
use std::io::{self, Read};
use std::time::Instant;

/// Bytes taken from one publisher before viewers are written to, even if work is left.
const TURN_BYTES: u64 = 1 << 20;

/// Replies to pings in one turn, so that a flood of them does not fill the outbox before it is
/// written. The peer may send more, and has them answered in the next turns.
const TURN_CONTROLS: usize = OUTBOX_SLICES_MAX / 2;

/// The result of one read that does not end the turn.
enum Came {
    Input,
    /// A ping, answered in the outbox, or a pong.
    Control,
    /// No whole message.
    Part,
}

impl Publisher {
    /// Whether bytes that have been read wait for more work. Then the socket is not read, so that
    /// no more than one read or message ever waits here.
    pub fn has_input(&self) -> bool {
        let is_queued = matches!(&self.feed, Feed::Remote(feed) if !feed.pieces.is_empty());
        self.is_interrupted || is_queued
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
        let turn_bytes = match &self.rate {
            Some(rate) => TURN_BYTES.min(rate.allowance(turn.now)),
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
        if let Some(rate) = &mut self.rate {
            rate.take(received, turn.now);
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
                let (message, came) = inbound.read(socket, outbox);
                turn.work
                    .spend(work::MESSAGE + inbound.frames() * work::FRAME);
                if came > 0 || matches!(message, Received::Blocked) {
                    turn.work.spend(work::READ + came * work::BYTE);
                }
                let step = match message {
                    Received::Binary(bytes) => {
                        self.fed_at = turn.now;
                        self.ingest.give(bytes);
                        Ok(Came::Input)
                    }
                    Received::Text => Err(Fed::Text),
                    // Unread replies would fill memory.
                    Received::Control if outbox.len() > OUTBOX_SLICES_MAX => Err(Fed::Gone),
                    Received::Control => Ok(Came::Control),
                    Received::Unfinished => Ok(Came::Part),
                    Received::Blocked => Err(Fed::Blocked),
                    Received::Closed if inbound.closed_well() => Err(Fed::Finished),
                    Received::Closed => Err(Fed::Aborted),
                    Received::Gone => Err(Fed::Gone),
                    Received::Bad(code, reason) => Err(Fed::BadFrames(code, reason)),
                };
                (step, came)
            }
            Feed::Handed => (Err(Fed::Blocked), 0),
            Feed::Remote(feed) => match feed.pieces.pop_front() {
                Some(RemotePiece::Bytes(bytes)) => {
                    let came = bytes.len();
                    turn.work.spend(work::MESSAGE + came as u64 * work::BYTE);
                    feed.byte_len -= came;
                    self.fed_at = turn.now;
                    self.ingest.give(bytes);
                    (Ok(Came::Input), came as u64)
                }
                Some(RemotePiece::Gap) => {
                    turn.work.spend(work::CHUNK);
                    if !self.ingest.is_candidate() {
                        self.ingest.flush(turn.stream);
                        turn.stream.break_off();
                    }
                    (Ok(Came::Input), 0)
                }
                Some(RemotePiece::End(reason)) => {
                    self.offline_reason = reason;
                    (Err(Fed::Gone), 0)
                }
                None => (Err(Fed::Blocked), 0),
            },
            Feed::Body(upload) => match turn.buffer.read(socket) {
                Ok(bytes) if bytes.is_empty() && upload.body.ends_with_connection() => {
                    (Err(self.finish()), 0)
                }
                Ok(bytes) if bytes.is_empty() => (Err(Fed::Gone), 0),
                Ok(bytes) => {
                    let came = bytes.len() as u64;
                    turn.work.spend(work::READ + came * work::BYTE);
                    self.fed_at = turn.now;
                    upload.undecoded = bytes;
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
            let Feed::Body(upload) = &mut self.feed else {
                if self.ingest.has_input() {
                    return Err(self.interrupt(turn.now));
                }
                return Ok(());
            };
            if upload.body.is_at_end() && !self.ingest.has_input() {
                return Err(self.finish());
            }
            if upload.undecoded.is_empty() && !self.ingest.has_input() {
                // An empty slice would keep all memory that it was cut from.
                upload.undecoded = Bytes::new();
                return Ok(());
            }
            if turn.work.is_spent() {
                return Err(self.interrupt(turn.now));
            }
            turn.work.spend(work::MESSAGE);
            let piece = upload.body.take(&mut upload.undecoded);
            if let Some(piece) = piece.map_err(Fed::BadBody)? {
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
}
