//! Publishers that have not sent their first media, and how one of them goes on air.
//!
//! ```text
//! handshake ─► candidate ─► init segment and one block ─► on air; the one before is replaced
//!                       └─► junk, text, silence         ─► closed; the one before stays
//! ```
//!
//! A candidate's [`Ingest`](crate::stream::Ingest) does not touch the stream, so a candidate's
//! bytes cost neither the publisher on air nor the viewers anything.

use super::Hub;
use crate::offline_reason::OfflineReason;
use crate::session::publisher::PublisherEnd;
use crate::session::{SessionId, Socket};
use crate::stream::StreamId;
use crate::websocket::CloseCode;
use std::collections::VecDeque;

/// Candidates of one stream at a time. One is the rule, and two after a reconnect; each may hold an
/// init segment and a block.
const CANDIDATES_MAX: usize = 8;

/// One stream's candidates.
#[derive(Debug, Default)]
pub struct Candidates {
    /// Their connections, oldest first. Invariant: `CANDIDATES_MAX` at most, each once.
    ids: VecDeque<SessionId>,
}

impl Candidates {
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = SessionId> {
        self.ids.iter().copied()
    }

    /// Adds the newest. Where there is no room for all, returns the one that has sent the fewest bytes,
    /// and of several the oldest: connections that send nothing keep out no publisher that is slow.
    pub fn push(
        &mut self,
        id: SessionId,
        sent_bytes: impl Fn(SessionId) -> u64,
    ) -> Option<SessionId> {
        let idlest = if self.ids.len() < CANDIDATES_MAX {
            None
        } else {
            (0..self.ids.len()).min_by_key(|&place| sent_bytes(self.ids[place]))
        };
        let closed = idlest.and_then(|place| self.ids.remove(place));
        self.ids.push_back(id);
        closed
    }

    /// A candidate has left. Returns whether it was here.
    pub fn remove(&mut self, id: SessionId) -> bool {
        let place = self.ids.iter().position(|&other| other == id);
        place.and_then(|place| self.ids.remove(place)).is_some()
    }

    /// Takes out the candidate that goes on air and all earlier candidates, which it replaces and
    /// which are returned. Later candidates may still replace it.
    pub fn go_on_air(&mut self, id: SessionId) -> Vec<SessionId> {
        let Some(place) = self.ids.iter().position(|&other| other == id) else {
            return Vec::new();
        };
        let older = self.ids.drain(..=place);
        older.filter(|&other| other != id).collect()
    }
}

impl<S: Socket> Hub<S> {
    /// Notes a publisher that has yet to send its first media.
    pub(super) fn add_candidate(&mut self, id: SessionId, stream_id: StreamId) {
        let Some(broadcast) = self.streams.broadcast_mut(stream_id) else {
            return;
        };
        // The candidate gets the viewer count, like every publisher of this stream.
        broadcast.audience_mut().repeat_count();
        let connections = &self.sessions;
        let sent_bytes = |id: SessionId| {
            let publisher = connections[id].publisher();
            publisher.map_or(0, |publisher| publisher.received_before_air())
        };
        if let Some(idlest) = broadcast.candidates_mut().push(id, sent_bytes) {
            let reason = "newer publishers replaced this one before it sent media";
            let end = PublisherEnd {
                code: CloseCode::Policy,
                status: 409,
                reason,
            };
            self.close_publisher(idlest, end);
        }
    }

    /// A candidate has its first media: it takes the stream over, or brings it on air.
    pub(super) fn put_on_air(&mut self, id: SessionId) {
        let session = &self.sessions[id];
        let Some(publisher) = session.publisher() else {
            return;
        };
        let stream_id = publisher.stream();
        let received = publisher.received_before_air();
        let client = session.address();
        let Some(broadcast) = self.streams.broadcast_mut(stream_id) else {
            return;
        };
        let older = broadcast.candidates_mut().go_on_air(id);
        let replaced = broadcast.publisher();
        broadcast.traffic_mut().received(received);
        broadcast.publisher_came(id, self.clock.now());
        // Before the stream goes on: what was held back of the one before belongs in front.
        let is_old = self.sessions[id].is_relaying();
        for other in replaced.into_iter().chain(older) {
            // The old relay closed no publisher for another.
            if is_old && self.sessions[other].is_relaying() {
                self.detach_publisher(other, OfflineReason::Replaced);
            } else {
                self.replace_publisher(other);
            }
        }
        self.note_newcomer_on_air(id, stream_id);
        self.note_on_air(id, stream_id);
        let stream = self.streams.stream_mut(stream_id);
        stream.go_live();
        tracing::info!(
            stream = %stream.name(),
            %client,
            takes_over = replaced.is_some(),
            "publisher came"
        );
        if replaced.is_none() {
            self.tell_publisher_came(stream_id);
        }
        let stream = self.streams.stream_mut(stream_id);
        if let Some(publisher) = self.sessions[id].publisher_mut() {
            publisher.go_on_air(stream);
        }
        self.note_media(stream_id, 0);
        self.note_ingest(id);
        self.queue_audience(stream_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(slot: usize) -> SessionId {
        SessionId::new(slot, 0)
    }

    #[test]
    fn publisher_on_air_replaces_the_candidates_before_it() {
        let mut candidates = Candidates::default();
        for id in [5, 3, 8].map(session) {
            assert_eq!(candidates.push(id, |_| 0), None);
        }
        assert_eq!(candidates.go_on_air(session(3)), [session(5)]);
        assert_eq!(candidates.iter().collect::<Vec<_>>(), [session(8)]);
        assert!(candidates.go_on_air(session(5)).is_empty());
        assert!(candidates.remove(session(8)) && !candidates.remove(session(8)));
        assert!(candidates.is_empty());
    }

    #[test]
    fn candidate_that_has_sent_least_makes_room_for_the_newest() {
        let mut candidates = Candidates::default();
        let sent_bytes = |id: SessionId| if id == session(0) { 500 } else { 0 };
        for id in (0..CANDIDATES_MAX).map(session) {
            assert_eq!(candidates.push(id, sent_bytes), None);
        }
        assert_eq!(candidates.push(session(100), sent_bytes), Some(session(1)));
        assert_eq!(candidates.push(session(101), sent_bytes), Some(session(2)));
        assert_eq!(candidates.iter().count(), CANDIDATES_MAX);
    }
}
