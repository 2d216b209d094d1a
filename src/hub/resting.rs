//! Publishers that were faster than they may be, and are left alone for a while.

use crate::net::reactor::Reactor;
use crate::session::State;

impl Reactor {
    /// Whether this publisher was too fast, and is left alone for a while: what it sends waits in the
    /// kernel, and then on its side.
    pub(crate) fn rests(&mut self, id: usize) -> bool {
        let State::Publishing(publisher) = &mut self.connections[id].state else {
            return false;
        };
        // Then it is on the list.
        if publisher.is_resting(self.now) {
            return true;
        }
        let until = publisher.rest(self.now);
        self.resting.extend(until.map(|until| (until, id)));
        until.is_some()
    }

    pub(crate) fn wake_rested(&mut self) {
        let mut rested = Vec::new();
        self.resting.retain(|&(until, id)| {
            let rests = until > self.now;
            if !rests {
                rested.push(id);
            }
            rests
        });
        for id in rested {
            if self.connections.contains(id) {
                self.queue_read(id);
            }
        }
    }
}
