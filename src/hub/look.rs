//! What tests and fuzz targets may see of a hub, and no release has.

use super::Hub;
use crate::metrics::Counters;
use crate::session::{Session, SessionId, Socket, State};
use crate::stream::{Next, Stream};

impl<S: Socket> Hub<S> {
    /// The stream of this name, if there is one.
    pub fn stream(&self, name: &str) -> Option<&Stream> {
        Some(self.streams.stream(self.streams.find(name)?))
    }

    /// The counters.
    pub fn counters(&self) -> &Counters {
        &self.books.counters
    }

    /// The work of publishers in the last turn.
    pub fn publishers_work(&self) -> u64 {
        self.turn.budget.done()
    }

    /// Whether blocks of a publisher wait for those of another track, or for the clock.
    pub fn has_waiting_media(&self) -> bool {
        !self.queues.waiting_media().is_empty()
    }

    pub fn is_publishing(&self, id: SessionId) -> bool {
        let session = self.sessions.get(id);
        session.is_some_and(|session| session.publisher().is_some())
    }

    /// Whether a session has something to read, or has not seen "would block" yet.
    pub fn wants_turn(&self, id: SessionId) -> bool {
        self.sessions.get(id).is_some_and(Session::wants_turn)
    }

    /// Whether nothing waits for this session to be written: neither a reply nor, for a viewer, media.
    pub fn is_level(&self, id: SessionId) -> bool {
        let Some(session) = self.sessions.get(id) else {
            return true;
        };
        let has_media = match session.state() {
            State::Viewing { viewer, .. } => {
                let mut cursor = viewer.cursor();
                !matches!(
                    cursor.next(self.streams.stream(viewer.stream())),
                    Next::Wait
                )
            }
            _ => false,
        };
        session.outbox().is_empty() && !has_media
    }
}
