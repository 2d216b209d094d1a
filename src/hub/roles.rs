//! How a connection takes leave of its role: refused, closed, dropped, or told that the server
//! stops.
//!
//! Whatever the reason, [`Reactor::change_state`] is the one way out of a state, so that no
//! audience keeps a viewer that is gone, and no stream a publisher.

use super::broadcast::Broadcast;
use crate::net::reactor::Reactor;
use crate::protocol::control::OfflineReason;
use crate::protocol::http::Method;
use crate::protocol::response::{self, Stamp, refuse};
use crate::protocol::route::Refusal;
use crate::protocol::websocket::CloseCode;
use crate::session::publisher::Publisher;
use crate::session::viewer::Viewer;
use crate::session::{CLOSING_TIMEOUT, REFUSED_BODY_TIMEOUT, State};
use crate::stream::StreamId;
use bytes::BytesMut;
use std::mem;
use std::time::{Duration, Instant};

/// How long peers have to say goodbye when the server stops.
const STOPPING_TIMEOUT: Duration = Duration::from_secs(3);

impl Reactor {
    /// Says no to what is no whole request, or no whole poster, and closes.
    pub(crate) fn refuse(&mut self, id: usize, refusal: &Refusal, method: Method) {
        let stream = self.stream_of(id);
        self.note_refusal(id, refusal, None, stream.as_deref());
        let stamp = Stamp {
            date: Some(self.date()),
            ..Stamp::default()
        };
        let bytes = refuse(refusal, method, response::Connection::Close, &stamp);
        let connection = &mut self.connections[id];
        connection.outbox.push(bytes);
        match connection.state {
            State::Posting(_) => self.close_after_body(id),
            _ => self.close_when_written(id),
        }
    }

    /// Closes once the answer is written, and leaves the peer the time to send its body before it
    /// reads that.
    pub(crate) fn close_after_body(&mut self, id: usize) {
        self.close_by(id, self.now + REFUSED_BODY_TIMEOUT);
    }

    /// Notes why a stream goes offline, if it does when this publisher leaves.
    pub(crate) fn note_reason(&mut self, id: usize, reason: OfflineReason) {
        if let State::Publishing(publisher) = &mut self.connections[id].state {
            publisher.offline_reason = reason;
        }
    }

    pub(crate) fn close_publisher(
        &mut self,
        id: usize,
        code: CloseCode,
        status: u16,
        reason: &str,
    ) {
        let date = Some(self.date());
        let connection = &mut self.connections[id];
        match &mut connection.state {
            State::Publishing(publisher) => {
                publisher.stamp.date = date;
                publisher.close(&mut connection.outbox, code, status, reason);
            }
            _ => {
                let refusal = Refusal::new(status, reason.to_owned());
                let stamp = Stamp {
                    date,
                    ..Stamp::default()
                };
                let bytes = refuse(&refusal, Method::Put, response::Connection::Close, &stamp);
                connection.outbox.push(bytes);
            }
        }
        self.close_when_written(id);
    }

    /// What is in the outbox is a whole answer, after which it may ask again: `behind` came behind
    /// its request.
    pub(crate) fn ask_again(&mut self, id: usize, behind: &[u8]) {
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

    /// What is in the outbox is the last that is sent; then the peer may hang up.
    pub(crate) fn close_when_written(&mut self, id: usize) {
        self.close_by(id, self.now + CLOSING_TIMEOUT);
    }

    fn close_by(&mut self, id: usize, deadline: Instant) {
        self.change_state(
            id,
            State::Closing {
                deadline,
                is_shut: false,
            },
        );
        self.queue_write(id);
    }

    pub(crate) fn drop_connection(&mut self, id: usize) {
        if !matches!(self.connections[id].state, State::Gone) {
            self.change_state(id, State::Gone);
            self.gone.push(id);
        }
    }

    /// Takes a connection out of its role, and gives it another.
    fn change_state(&mut self, id: usize, state: State) {
        let connection = &mut self.connections[id];
        connection.can_read &= !matches!(state, State::Gone);
        match mem::replace(&mut connection.state, state) {
            State::Viewing { viewer, .. } => self.viewer_left(&viewer),
            State::Publishing(publisher) => self.publisher_left(id, *publisher),
            State::Requesting(_)
            | State::Asking(_)
            | State::Responding { .. }
            | State::Draining(_)
            | State::Posting(_)
            | State::Closing { .. }
            | State::Gone => {}
        }
    }

    fn viewer_left(&mut self, viewer: &Viewer) {
        let Some(broadcast) = self.broadcasts.get_mut(&viewer.stream) else {
            return;
        };
        let moved = broadcast.leave(viewer.audience_index, viewer.is_websocket());
        if let Some(id) = moved
            && let State::Viewing { viewer: other, .. } = &mut self.connections[id].state
        {
            other.audience_index = viewer.audience_index;
            // A sweep may have passed its new place, and not have reached the old one.
            self.queue_write(id);
        }
        self.forget_if_deserted(viewer.stream);
    }

    fn publisher_left(&mut self, id: usize, mut publisher: Publisher) {
        let stream_id = publisher.stream;
        let stream = self.catalog.stream_mut(stream_id);
        let client = self.connections[id].client;
        if publisher.is_candidate() {
            tracing::info!(stream = %stream.name(), %client, "publisher left before its first media");
            if let Some(broadcast) = self.broadcasts.get_mut(&stream_id) {
                broadcast.candidates.remove(id);
            }
            self.forget_if_deserted(stream_id);
            return;
        }
        publisher.flush(stream);
        let reason = publisher.offline_reason;
        tracing::info!(stream = %stream.name(), %client, reason = %reason.name(), "publisher left");
        self.note_last_ingest(id, &mut publisher);
        self.note_media(stream_id, 0);
        let Some(broadcast) = self.broadcasts.get_mut(&stream_id) else {
            return;
        };
        // After a takeover the newer one is there already.
        if broadcast.publisher == Some(id) {
            broadcast.publisher_left(self.now);
            self.catalog.stream_mut(stream_id).go_offline(reason);
            self.queue_audience(stream_id);
        }
        self.forget_if_deserted(stream_id);
    }

    fn forget_if_deserted(&mut self, stream_id: StreamId) {
        if self
            .broadcasts
            .get(&stream_id)
            .is_some_and(Broadcast::is_deserted)
        {
            self.broadcasts.remove(&stream_id);
            self.sweeping.retain(|&id| id != stream_id);
            self.catalog.remove(stream_id);
        }
    }

    /// SIGTERM or SIGINT: nobody new is let in, and everybody here is told goodbye.
    pub(crate) fn stop(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        tracing::info!("stopping");
        // Whoever has been taken over from is the service no more.
        if self.draining.is_none() {
            self.manager.stopping();
        }
        self.give_up_successor("the server is stopping");
        self.stopping = Some(Instant::now() + STOPPING_TIMEOUT);
        self.listeners.clear();
        let ids: Vec<usize> = self.connections.iter().map(|(id, _)| id).collect();
        for id in ids {
            let connection = &mut self.connections[id];
            match &mut connection.state {
                State::Viewing { viewer, .. } => {
                    let code = CloseCode::GoingAway;
                    viewer.close(&mut connection.outbox, code, "the server is stopping");
                    self.close_when_written(id);
                }
                State::Publishing(publisher) => {
                    publisher.offline_reason = OfflineReason::Ended;
                    let code = CloseCode::GoingAway;
                    self.close_publisher(id, code, 503, "the server is stopping");
                }
                State::Responding { keep_alive, .. } => *keep_alive = false,
                State::Requesting(_)
                | State::Asking(_)
                | State::Draining(_)
                | State::Posting(_) => {
                    self.drop_connection(id);
                }
                State::Closing { .. } | State::Gone => {}
            }
        }
    }
}
