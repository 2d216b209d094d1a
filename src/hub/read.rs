//! The reading half of a turn: publishers, and all other sessions with bytes to read.

use super::Hub;
use crate::http::refusal::Cause;
use crate::offline_reason::OfflineReason;
use crate::session::publisher::{Fed, FeedResult, FeedTurn};
use crate::session::requesting::HandshakeStep;
use crate::session::turn::After;
use crate::session::{SessionId, Socket, State};
use crate::stream::StreamId;
use crate::work::{self, Budget, Work};
use std::time::Duration;

/// Sockets read in one turn beside the publishers': a crowd that comes, or answers pings, does not
/// hold up the stream.
const READS_MAX: usize = 32;

/// What a step of a TLS handshake costs, counted in reads: a signature takes up to a millisecond.
const HANDSHAKE_COST: usize = 8;

impl<S: Socket> Hub<S> {
    /// Publishers first, all of them: viewers wait for their media.
    pub(super) fn read(&mut self) {
        self.unthrottle();
        // A session that gets no visit in this turn is at the front of the queue in the next. A
        // visited session with more to read is at its back.
        self.turn.budget = Budget::new(
            self.settings.turn_work,
            work::SHARE_MIN,
            self.queues.publishers(),
        );
        self.tick_media();
        for _ in 0..self.queues.publishers() {
            if self.turn.budget.is_spent() {
                break;
            }
            let id = self.queues.pop_publisher();
            self.read_queued(id);
        }
        if self.turn.budget.done() > 0 {
            let work = Duration::from_nanos(self.turn.budget.done());
            self.books.counters.turn_work.record(work);
        }
        let mut cost = 0;
        self.turn.reads = Work::new(work::READS_WORK);
        for _ in 0..self.queues.readers() {
            if cost >= READS_MAX || self.turn.reads.is_spent() {
                break;
            }
            let id = self.queues.pop_reader();
            let session = id.and_then(|id| self.sessions.get(id));
            cost += if session.is_some_and(|session| session.socket().is_handshaking()) {
                HANDSHAKE_COST
            } else {
                1
            };
            self.read_queued(id);
        }
    }

    fn read_queued(&mut self, id: Option<SessionId>) {
        let Some((id, session)) = id.and_then(|id| Some((id, self.sessions.get_mut(id)?))) else {
            return;
        };
        session.readiness_mut().read_turn();
        if session.wants_turn() && self.read_one(id) {
            self.queue_read(id);
        }
        self.keep_within_memory();
    }

    /// Reads one connection's turn. Returns whether there may be more to read now.
    fn read_one(&mut self, id: SessionId) -> bool {
        match self.sessions[id].state() {
            State::Requesting(_) => self.read_request(id),
            State::Pending(_) => {
                self.read_pending(id);
                false
            }
            // It only looks whether the peer has left.
            State::Fetching(_) => {
                if self.sessions[id].has_peer_left() {
                    self.drop_session(id);
                }
                false
            }
            // What comes behind the request waits in the kernel.
            State::Responding { .. } | State::Recalling(_) | State::Gone => false,
            // The client gets the reason first. Its bytes no longer matter, except those of the
            // handshake that the answer needs.
            State::Closing { is_shut: false, .. } => {
                self.sessions[id].socket().is_handshaking() && self.shake_hands(id)
            }
            State::Draining(_) => self.drain_body(id),
            State::Posting(_) => self.read_poster(id),
            State::Publishing(_) => self.read_publisher(id),
            State::Viewing { .. } => self.read_viewer(id),
            State::Following(_) => self.read_follower(id),
            State::Relaying(_) => self.read_old(id),
            State::Closing { is_shut: true, .. } => self.read_nothing(id),
        }
    }

    /// Goes on with a handshake for a session that only waits to send its closing answer.
    fn shake_hands(&mut self, id: SessionId) -> bool {
        match self.sessions[id].shake_hands() {
            HandshakeStep::Done => self.queue_write(id),
            HandshakeStep::Blocked => {}
            HandshakeStep::Failed => self.drop_session(id),
        }
        false
    }

    fn read_publisher(&mut self, id: SessionId) -> bool {
        let session = &self.sessions[id];
        // Bytes that have been read already do not exceed the rate any more.
        if !session.has_input() && self.throttle(id) {
            return false;
        }
        let session = &mut self.sessions[id];
        let is_encrypted = session.socket().is_encrypted();
        let Some(publisher) = session.publisher_mut() else {
            return false;
        };
        let stream_id = publisher.stream();
        let Some(mut work) = publisher.debt_mut().draw(&self.turn.budget) else {
            return true;
        };
        if is_encrypted {
            work.spend(work::READ_ENCRYPTED);
        }
        let mut turn = FeedTurn {
            stream: self.streams.stream_mut(stream_id),
            buffer: &mut self.turn.read_buffer,
            work: &mut work,
            now: self.clock.now(),
        };
        let Some(FeedResult { fed, received }) = session.read_publisher(&mut turn) else {
            return false;
        };
        if let Some(publisher) = session.publisher_mut() {
            publisher.debt_mut().settle(&work, &mut self.turn.budget);
        }
        let has_replies = !session.outbox().is_empty();
        self.note_received(id, received);
        self.note_ingest(id);
        match fed {
            Fed::More | Fed::Blocked => {}
            Fed::Ready => self.put_on_air(id),
            ended => {
                self.turn.budget.spend(self.ring_price(id));
                self.publisher_ended(id, &ended);
                return self.sessions[id].readiness().can_read();
            }
        }
        if has_replies {
            self.queue_write(id);
        }
        self.sessions[id].wants_turn()
    }

    /// Notes what a publisher's turn brought. A candidate's turn does not count for the stream
    /// until it is on air.
    pub(super) fn note_received(&mut self, id: SessionId, received: u64) {
        let Some(publisher) = self.sessions[id].publisher_mut() else {
            return;
        };
        let stream_id = publisher.stream();
        if publisher.is_candidate() {
            publisher.receive_before_air(received);
            self.books.counters.received_bytes += received;
            return;
        }
        let has_media = publisher.fed_at() == self.clock.now();
        self.note_media(stream_id, received);
        if has_media {
            self.media_came(stream_id);
        }
    }

    pub(super) fn note_media(&mut self, stream_id: StreamId, received: u64) {
        self.books.counters.received_bytes += received;
        let now = self.clock.now();
        self.streams.note_media(stream_id, received, now);
    }

    pub(super) fn publisher_ended(&mut self, id: SessionId, fed: &Fed) {
        if matches!(fed, Fed::Finished) {
            self.note_reason(id, OfflineReason::Ended);
        }
        let is_rejected = matches!(
            fed,
            Fed::BadMedia(_) | Fed::BadFrames(..) | Fed::BadBody(_) | Fed::Text
        );
        let is_logged =
            is_rejected && self.count_refusal(Cause::Media, self.sessions[id].address());
        let (date, is_serving) = (self.clock.date(), self.is_serving());
        if is_rejected {
            self.books.counters.publishers_rejected += 1;
        }
        let session = &mut self.sessions[id];
        session.answer_publisher(fed, date, is_serving);
        let client = session.address();
        let Some(publisher) = session.publisher_mut() else {
            return;
        };
        let is_upload = !publisher.is_websocket();
        let behind = publisher.take_behind();
        let name = self.streams.stream(publisher.stream()).name();
        match fed {
            Fed::BadFrames(_, error) if is_logged => {
                tracing::warn!(stream = %name, %client, reason = "media", error, "publisher broke the WebSocket protocol");
            }
            Fed::BadBody(error) if is_logged => {
                tracing::warn!(stream = %name, %client, reason = "media", %error, "publisher broke HTTP");
            }
            Fed::BadMedia(error) if is_logged => {
                tracing::warn!(stream = %name, %client, reason = "media", %error, "publisher sent what is not WebM");
            }
            Fed::Text if is_logged => {
                tracing::warn!(stream = %name, %client, reason = "media", "publisher sent text instead of binary messages");
            }
            Fed::BadFrames(..) | Fed::BadBody(_) | Fed::BadMedia(_) | Fed::Text => {}
            Fed::Blocked | Fed::More | Fed::Ready | Fed::Finished | Fed::Aborted | Fed::Gone => {}
        }
        match fed {
            Fed::Gone => self.drop_session(id),
            Fed::Finished if let Some(behind) = behind => self.ask_again(id, &behind),
            Fed::BadMedia(_) | Fed::BadBody(_) if is_upload => self.close_after_body(id),
            _ => self.close_when_written(id),
        }
    }

    fn read_viewer(&mut self, id: SessionId) -> bool {
        let message_bytes = self.settings.limits.viewer_message_bytes;
        let after = self.sessions[id].read_viewer(message_bytes, self.clock.now());
        self.go_on(id, after)
    }

    fn read_follower(&mut self, id: SessionId) -> bool {
        let after = self.sessions[id].read_follower(self.clock.now());
        self.go_on(id, after)
    }

    fn read_nothing(&mut self, id: SessionId) -> bool {
        let after = self.sessions[id].read_nothing(self.clock.now());
        self.go_on(id, after)
    }

    /// Does what a connection's turn asks for. Returns whether there may be more to read now.
    pub(super) fn go_on(&mut self, id: SessionId, after: After) -> bool {
        match after {
            After::Stays => {}
            After::Ends => self.close_when_written(id),
            After::Gone => self.drop_session(id),
        }
        let session = &self.sessions[id];
        let can_read = session.readiness().can_read();
        if !session.outbox().is_empty() {
            self.queue_write(id);
        }
        can_read
    }
}
