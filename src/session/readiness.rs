//! What a session's socket can do, and whether the session has a turn next.

use std::mem;
use std::time::Instant;

#[derive(Debug)]
pub struct Readiness {
    /// What epoll reported last, until the kernel says "would block". Edge-triggered: a socket left
    /// before that gets no second event.
    can_read: bool,
    can_write: bool,
    /// Whether it is in the queue of the next phase.
    is_read_queued: bool,
    is_write_queued: bool,
    /// Since when the peer has taken nothing of what waits for it.
    blocked_since: Option<Instant>,
}

impl Readiness {
    /// The kernel has reported nothing yet.
    pub fn of_new_socket() -> Readiness {
        Readiness {
            can_read: true,
            can_write: true,
            is_read_queued: false,
            is_write_queued: false,
            blocked_since: None,
        }
    }

    pub fn can_read(&self) -> bool {
        self.can_read
    }

    pub fn can_write(&self) -> bool {
        self.can_write
    }

    pub fn set_readable(&mut self) {
        self.can_read = true;
    }

    pub fn set_writable(&mut self) {
        self.can_write = true;
    }

    /// A read would block.
    pub fn read_blocked(&mut self) {
        self.can_read = false;
    }

    /// A write would block.
    pub fn write_blocked(&mut self, now: Instant) {
        self.can_write = false;
        self.blocked_since.get_or_insert(now);
    }

    /// The peer has taken bytes, or has all that there is. Returns whether it was blocked before.
    pub fn unblock(&mut self) -> bool {
        self.blocked_since.take().is_some()
    }

    /// Since when the peer has taken nothing of what waits for it.
    pub fn blocked_since(&self) -> Option<Instant> {
        self.blocked_since
    }

    /// Notes that the session is in a queue for reading. Returns whether it is new there.
    pub fn queue_read(&mut self) -> bool {
        !mem::replace(&mut self.is_read_queued, true)
    }

    /// It has been taken out of that queue.
    pub fn read_turn(&mut self) {
        self.is_read_queued = false;
    }

    /// Notes that the session is in a queue for writing, if it can be written to. Returns whether it is
    /// new there.
    pub fn queue_write(&mut self) -> bool {
        self.can_write && !mem::replace(&mut self.is_write_queued, true)
    }

    /// It has been taken out of that queue.
    pub fn write_turn(&mut self) {
        self.is_write_queued = false;
    }

    #[cfg(feature = "testing")]
    pub fn is_read_queued(&self) -> bool {
        self.is_read_queued
    }

    #[cfg(feature = "testing")]
    pub fn is_write_queued(&self) -> bool {
        self.is_write_queued
    }
}
