//! Writes to old listeners, and closes those that are too slow.

use crate::hub::Hub;
use crate::session::viewer::WriteProgress;
use crate::session::{SessionId, Socket, State};
use crate::websocket::{CloseCode, close_frame};

const TOO_SLOW: &str = "too slow for the stream: connect again";

impl<S: Socket> Hub<S> {
    /// All listeners are due for a write: those for blobs first, because a page wants the blob before the
    /// chunks that go on with it.
    pub(super) fn queue_listeners(&mut self) {
        let Some(compat) = &self.compat else {
            return;
        };
        for &id in compat.blob_listeners.iter().chain(&compat.chunk_listeners) {
            self.queues.push_write(&mut self.sessions[id]);
        }
    }

    pub(in crate::hub) fn write_old(&mut self, id: SessionId) -> usize {
        let Some(compat) = &self.compat else {
            return 0;
        };
        let listened = self.sessions[id].write_listener(compat.kept(), self.clock.now());
        let Ok(listened) = listened else {
            self.cannot_write(id);
            return 0;
        };
        if listened.bytes > 0 {
            self.books.counters.sent_bytes += listened.bytes as u64;
            self.books
                .counters
                .write_bytes
                .record(listened.bytes as u64);
        }
        match listened.progress {
            WriteProgress::Level | WriteProgress::Blocked | WriteProgress::Held(_) => {}
            WriteProgress::More => self.queue_write(id),
            WriteProgress::Ended => self.close_overtaken(id),
        }
        listened.bytes
    }

    fn close_overtaken(&mut self, id: SessionId) {
        self.books.counters.compat_overtaken += 1;
        tracing::info!(client = %self.sessions[id].address(), "old listener closed: {TOO_SLOW}");
        self.sessions[id].send(close_frame(CloseCode::TryAgain, TOO_SLOW));
        self.close_when_written(id);
    }

    /// Closes listeners whose messages are gone although their sockets are full: each may be the last that
    /// holds one.
    pub(in crate::hub) fn close_overtaken_listeners(&mut self) {
        let Some(compat) = &self.compat else {
            return;
        };
        let listeners = compat.blob_listeners.iter().chain(&compat.chunk_listeners);
        let is_overtaken = |id: &&SessionId| {
            let state = self.sessions[**id].state();
            matches!(state, State::Relaying(relaying) if relaying.is_overtaken(&compat.kept))
        };
        let overtaken: Vec<SessionId> = listeners.filter(is_overtaken).copied().collect();
        for id in overtaken {
            self.close_overtaken(id);
        }
    }

    /// Lets go of kept messages, the oldest first. Returns the bytes that this gave back.
    pub(in crate::hub) fn shorten_kept(&mut self, bytes: usize) -> usize {
        let Some(compat) = &mut self.compat else {
            return 0;
        };
        let before = compat.kept.byte_len();
        compat.kept.shorten(before.saturating_sub(bytes));
        before - compat.kept.byte_len()
    }
}
