//! What a service manager is told (`sd_notify(3)`): that we are ready, alive, stopping, or have been
//! taken over from. Without one, nothing.

use sd_notify::NotifyState;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub struct ServiceManager {
    /// How often it wants to hear from the loop.
    interval: Option<Duration>,
    next: Instant,
}

impl ServiceManager {
    pub fn new(now: Instant) -> ServiceManager {
        // Twice as often as it asks: one turn may be late.
        let interval = watchdog().map(|limit| limit / 2);
        ServiceManager {
            interval,
            next: now + interval.unwrap_or_default(),
        }
    }

    pub fn ready(&self) {
        notify(&[NotifyState::Ready]);
    }

    pub fn stopping(&mut self) {
        notify(&[NotifyState::Stopping]);
    }

    /// Another process is the service from now on, and says by itself that it is alive.
    pub fn taken_over(&mut self, pid: u32) {
        // Our last sign of life may be old, and its first comes only after an interval of its own.
        notify(&[NotifyState::MainPid(pid), NotifyState::Watchdog]);
        self.interval = None;
    }

    /// When the next sign of life is due.
    pub fn wake_at(&self) -> Option<Instant> {
        self.interval.map(|_| self.next)
    }

    /// It has waited for longer than our clock knows: the next sign is due at once.
    pub fn hurry(&mut self, now: Instant) {
        self.next = now;
    }

    /// Gives a sign of life, once a turn at most and not more often than is wanted.
    pub fn tend(&mut self, now: Instant) {
        if let Some(interval) = self.interval
            && now >= self.next
        {
            self.next = now + interval;
            notify(&[NotifyState::Watchdog]);
        }
    }
}

/// The limit that the service manager has set, if it is meant for this process. `WATCHDOG_PID` is left out
/// for a process that was started by its predecessor, which could not know the number.
fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero())
}

fn notify(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot reach the service manager");
    }
}
