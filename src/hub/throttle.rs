//! Publishers over their rate limit are not read until their bucket refills.

use super::Hub;
use crate::session::{SessionId, Socket};

impl<S: Socket> Hub<S> {
    /// Whether this publisher is over its rate limit. What it sends waits in the kernel, and then on its
    /// side.
    pub(super) fn throttle(&mut self, id: SessionId) -> bool {
        let now = self.clock.now();
        let Some(publisher) = self.sessions[id].publisher_mut() else {
            return false;
        };
        // Then it is in the queue.
        if publisher.is_throttled(now) {
            return true;
        }
        let until = publisher.throttle(now);
        if let Some(until) = until {
            self.queues.throttle(id, until);
        }
        until.is_some()
    }

    pub(super) fn unthrottle(&mut self) {
        for id in self.queues.unthrottle(self.clock.now()) {
            if let Some(session) = self.sessions.get_mut(id) {
                self.queues.push_read(session);
            }
        }
    }
}
