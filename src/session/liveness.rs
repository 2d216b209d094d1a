//! Signs of life of a WebSocket peer, and the pings that ask for them.

use super::Due;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy)]
pub struct Liveness {
    /// When the last bytes came from the peer, or it last took some of many.
    active_at: Instant,
    /// Invariant: `None` if bytes have come since the last ping.
    pinged_at: Option<Instant>,
}

impl Liveness {
    pub fn new(now: Instant) -> Liveness {
        Liveness {
            active_at: now,
            pinged_at: None,
        }
    }

    pub fn peer_active(&mut self, now: Instant) {
        self.active_at = now;
        self.pinged_at = None;
    }

    pub fn pinged(&mut self, now: Instant) {
        self.pinged_at = Some(now);
    }

    /// Whether the peer has given no sign of life for so long.
    pub fn is_silent(&self, time: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.active_at) >= time
    }

    /// A ping after `interval` without a sign of life, and the end where it gets no answer in `timeout`.
    pub fn due(&self, interval: Duration, timeout: Duration, now: Instant) -> Option<Due> {
        match self.pinged_at {
            Some(at) => (now.saturating_duration_since(at) >= timeout).then_some(Due::NoPong),
            None => self.is_silent(interval, now).then_some(Due::Ping),
        }
    }
}
