//! What became of events. The loop shows it in `/metrics`; the threads count it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of events. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    delivered: AtomicU64,
    dropped: AtomicU64,
    failed_tries: AtomicU64,
    waiting: AtomicU64,
}

// Each number stands for itself: no other memory is read by what it says.
impl Tally {
    pub fn delivered(&self) -> u64 {
        self.0.delivered.load(Ordering::Relaxed)
    }

    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    pub fn failed_tries(&self) -> u64 {
        self.0.failed_tries.load(Ordering::Relaxed)
    }

    pub fn waiting(&self) -> u64 {
        self.0.waiting.load(Ordering::Relaxed)
    }

    pub(super) fn deliver(&self) {
        self.0.delivered.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn drop(&self, events: u64) {
        self.0.dropped.fetch_add(events, Ordering::Relaxed);
    }

    pub(super) fn fail(&self) {
        self.0.failed_tries.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn set_waiting(&self, events: usize) {
        self.0.waiting.store(events as u64, Ordering::Relaxed);
    }
}
