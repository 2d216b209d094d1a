//! Reads the connections of the old ports: what publishers send goes to listeners as it came, and to
//! the feeder.

use crate::compat::Port;
use crate::http::refusal::Cause;
use crate::hub::Hub;
use crate::session::inbound::Received;
use crate::session::publisher::PublisherEnd;
use crate::session::{OUTBOX_SLICES_MAX, SessionId, Socket, State};
use crate::websocket::{CloseCode, close_frame};
use crate::work::{self, Work};
use bytes::Bytes;

/// Bytes taken from one publisher before viewers are written to.
const TURN_BYTES: u64 = 1 << 20;

/// Replies to pings in one turn.
const TURN_CONTROLS: usize = OUTBOX_SLICES_MAX / 2;

const SEND_BINARY: &str = "send binary messages";

const TAKEN_OVER: &str = "a newer publisher took the stream over";

impl<S: Socket> Hub<S> {
    pub(in crate::hub) fn read_old(&mut self, id: SessionId) -> bool {
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
                compat.kept.begin(&bytes);
                self.books.counters.compat_blobs += 1;
                if self.sessions[id].publisher().is_none() && !bytes.is_empty() {
                    self.add_old_candidate(id);
                }
            }
            _ => compat.kept.go_on(&bytes),
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
}
