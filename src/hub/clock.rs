//! The time of a turn. It comes in once, so that all that happens in a turn happens at one time.

use crate::http::date::{DateCache, HttpDate};
use std::time::{Duration, Instant};

/// Readings of the clocks. The hub reads no clock itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// Of a clock that never goes back. Deadlines are counted by it.
    pub now: Instant,
    /// Milliseconds since 1970, by a clock that may be set. Tokens expire by it.
    pub unix_ms: u64,
    /// Milliseconds by a clock that never goes back, is not set, and goes on while the process stands
    /// still: other nodes see how old media are by it. It begins with the wall clock's.
    pub steady_ms: u64,
}

#[derive(Debug)]
pub struct Clock {
    started_at: Instant,
    time: Time,
    dates: DateCache,
}

impl Clock {
    pub fn new(time: Time) -> Clock {
        Clock {
            started_at: time.now,
            time,
            dates: DateCache::default(),
        }
    }

    pub fn set(&mut self, time: Time) {
        self.time = time;
    }

    pub fn now(&self) -> Instant {
        self.time.now
    }

    pub fn unix_ms(&self) -> u64 {
        self.time.unix_ms
    }

    pub fn unix_s(&self) -> u64 {
        self.time.unix_ms / 1000
    }

    pub fn steady_ms(&self) -> u64 {
        self.time.steady_ms
    }

    /// The date of responses.
    pub fn date(&mut self) -> HttpDate {
        self.dates.at(self.unix_s())
    }

    /// The media clock: time since the start.
    pub fn since_start(&self) -> Duration {
        self.time.now.saturating_duration_since(self.started_at)
    }

    pub fn after_start(&self, ms: u64) -> Instant {
        self.started_at + Duration::from_millis(ms)
    }
}
