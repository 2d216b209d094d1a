//! How a connection leaves its role: refused, closed, dropped, or because the server stops.
//!
//! [`Hub::change_state`] is the one way out of a state, for every reason, so that no audience keeps
//! a viewer that is gone, and no stream a publisher.

use super::{Hub, Lifecycle};
use crate::http::Method;
use crate::http::refusal::Refusal;
use crate::http::response::{self, Stamp, refuse};
use crate::offline_reason::OfflineReason;
use crate::session::publisher::{Publisher, PublisherEnd};
use crate::session::viewer::Viewer;
use crate::session::{CLOSING_TIMEOUT, REFUSED_BODY_TIMEOUT, SessionId, Socket, State};
use crate::websocket::CloseCode;
use bytes::BytesMut;
use std::time::Instant;

impl<S: Socket> Hub<S> {
    /// Refuses what is no whole request, or no whole poster, and closes.
    pub(super) fn refuse(&mut self, id: SessionId, refusal: &Refusal, method: Method) {
        let stream = self.stream_of(id);
        self.note_refusal(id, refusal, None, stream.as_deref());
        let stamp = Stamp {
            date: Some(self.clock.date()),
            ..Stamp::default()
        };
        let bytes = refuse(refusal, method, response::Connection::Close, &stamp);
        let session = &mut self.sessions[id];
        session.send(bytes);
        match session.state() {
            State::Posting(_) => self.close_after_body(id),
            _ => self.close_when_written(id),
        }
    }

    /// Closes once the answer is written, and leaves the peer the time to send its body before it
    /// reads that.
    pub(super) fn close_after_body(&mut self, id: SessionId) {
        self.close_by(id, self.clock.now() + REFUSED_BODY_TIMEOUT);
    }

    /// Notes why a stream goes offline, if it does when this publisher leaves.
    pub(super) fn note_reason(&mut self, id: SessionId, reason: OfflineReason) {
        if let Some(publisher) = self.sessions[id].publisher_mut() {
            publisher.set_offline_reason(reason);
        }
    }

    /// Ends a publisher from the server's side.
    pub(super) fn close_publisher(&mut self, id: SessionId, end: PublisherEnd<'_>) {
        let date = self.clock.date();
        self.sessions[id].end_publisher(end, date);
        self.close_when_written(id);
    }

    /// The outbox holds a whole answer, after which another request may follow: `behind` are the
    /// bytes behind the last one.
    pub(super) fn ask_again(&mut self, id: SessionId, behind: &[u8]) {
        let rest = BytesMut::from(behind);
        self.change_state(
            id,
            State::Responding {
                keep_alive: true,
                rest,
            },
        );
        self.queue_write(id);
    }

    /// The outbox holds the last bytes to be sent; then the peer may hang up.
    pub(super) fn close_when_written(&mut self, id: SessionId) {
        self.close_by(id, self.clock.now() + CLOSING_TIMEOUT);
    }

    fn close_by(&mut self, id: SessionId, deadline: Instant) {
        self.change_state(
            id,
            State::Closing {
                deadline,
                is_shut: false,
            },
        );
        self.queue_write(id);
    }

    pub(super) fn drop_session(&mut self, id: SessionId) {
        if !self.sessions[id].is_gone() {
            self.change_state(id, State::Gone);
            self.sessions.gone(id);
        }
    }

    /// Takes a connection out of its role, and gives it another.
    pub(super) fn change_state(&mut self, id: SessionId, state: State) {
        match self.sessions[id].enter(state, self.clock.now()) {
            State::Viewing { viewer, .. } => self.viewer_left(&viewer),
            State::Publishing(publisher) => self.publisher_left(id, *publisher),
            State::Relaying(relaying) => self.old_left(id, *relaying),
            State::Following(_) => self.followers.left(id),
            State::Fetching(fetching) => self.segment_reader_left(&fetching),
            State::Requesting(_)
            | State::Pending(_)
            | State::Responding { .. }
            | State::Draining(_)
            | State::Recalling(_)
            | State::Posting(_)
            | State::Closing { .. }
            | State::Gone => {}
        }
    }

    fn viewer_left(&mut self, viewer: &Viewer) {
        let Some(broadcast) = self.streams.broadcast_mut(viewer.stream()) else {
            return;
        };
        let moved = broadcast
            .audience_mut()
            .leave(viewer.audience_index(), viewer.is_websocket());
        if let Some(id) = moved
            && let Some(other) = self.sessions[id].viewer_mut()
        {
            other.set_audience_index(viewer.audience_index());
            // A sweep may have passed the moved viewer's new place without reaching the old one.
            self.queue_write(id);
        }
        self.tell_viewers(viewer.stream());
        self.remove_if_unused(viewer.stream());
    }

    pub(super) fn publisher_left(&mut self, id: SessionId, mut publisher: Publisher) {
        let stream_id = publisher.stream();
        let client = self.sessions[id].address();
        if publisher.is_remote() {
            self.note_remote_gone(id, stream_id);
        }
        let stream = self.streams.stream_mut(stream_id);
        if publisher.is_candidate() {
            tracing::info!(stream = %stream.name(), %client, "publisher left before its first media");
            if let Some(broadcast) = self.streams.broadcast_mut(stream_id) {
                broadcast.candidates_mut().remove(id);
            }
            self.remove_if_unused(stream_id);
            return;
        }
        publisher.flush(stream);
        self.pass_on_ordinary();
        let reason = publisher.offline_reason();
        let stream = self.streams.stream(stream_id);
        tracing::info!(stream = %stream.name(), %client, reason = %reason.name(), "publisher left");
        self.note_last_ingest(id, &mut publisher);
        self.note_media(stream_id, 0);
        let Some(broadcast) = self.streams.broadcast_mut(stream_id) else {
            return;
        };
        // After a takeover the newer publisher is there already.
        if broadcast.publisher() == Some(id) {
            broadcast.publisher_left(self.clock.now());
            self.streams.stream_mut(stream_id).go_offline(reason);
            self.queue_audience(stream_id);
            if !publisher.is_remote() {
                self.note_off_air(stream_id, reason);
                self.tell_publisher_left(stream_id, reason);
            }
        }
        // Before the ring goes with the stream.
        self.record_stream(stream_id);
        self.remove_if_unused(stream_id);
    }

    /// Closes all sessions, each with the closing message of its role.
    pub fn stop(&mut self) {
        self.lifecycle = Lifecycle::Stopping;
        self.release_events();
        for id in self.sessions.ids() {
            let session = &mut self.sessions[id];
            let reason = "the server is stopping";
            match session.state() {
                State::Viewing { .. } => {
                    session.end_viewer(CloseCode::GoingAway, reason);
                    self.close_when_written(id);
                }
                State::Publishing(_) => {
                    self.note_reason(id, OfflineReason::Ended);
                    let end = PublisherEnd {
                        code: CloseCode::GoingAway,
                        status: 503,
                        reason,
                    };
                    self.close_publisher(id, end);
                }
                State::Relaying(_) => self.stop_old(id, reason),
                State::Responding { .. } => session.close_after_answer(),
                State::Requesting(_)
                | State::Pending(_)
                | State::Draining(_)
                | State::Recalling(_)
                | State::Fetching(_)
                | State::Following(_)
                | State::Posting(_) => {
                    self.drop_session(id);
                }
                State::Closing { .. } | State::Gone => {}
            }
        }
        self.say_goodbye_to_nodes();
    }
}
