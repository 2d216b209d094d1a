//! How full the queue to the recording thread is, and what happens when it is full.
//!
//! A disk that is too slow costs whole GOPs: one begins only while the queue is at most half full, so
//! that what has begun has room for its rest. A GOP that is longer than that is cut, and the next one
//! is recorded again.

use crate::stream::ChunkKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that wait for the recording thread, and that it has written. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<Figures>);

#[derive(Debug, Default)]
struct Figures {
    queued_bytes: AtomicU64,
    written_bytes: AtomicU64,
}

// Each number stands for itself: no other memory is read by what it says.
impl Gauge {
    pub fn queued_bytes(&self) -> u64 {
        self.0.queued_bytes.load(Ordering::Relaxed)
    }

    pub fn written_bytes(&self) -> u64 {
        self.0.written_bytes.load(Ordering::Relaxed)
    }

    pub fn queue(&self, bytes: u64) {
        self.0.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn unqueue(&self, bytes: u64) {
        self.0.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub fn wrote(&self, bytes: u64) {
        self.0.written_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Decides which chunks of one stream go into the queue.
#[derive(Debug, Default)]
pub struct Admission {
    /// Whether the chunk before went in, so that the next can be decoded.
    is_in_gop: bool,
}

/// What happens to a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    Yes,
    /// A GOP, or the rest of one, is lost with it.
    Lost,
    /// It belongs to what is lost already, or to what came before the recording.
    No,
}

impl Admission {
    /// `queued_bytes` of `bytes_max` wait already.
    pub fn admit(&mut self, kind: ChunkKind, queued_bytes: u64, bytes_max: u64) -> Admitted {
        let has_room = match kind {
            ChunkKind::JoinPoint => queued_bytes <= bytes_max / 2,
            ChunkKind::Continuation | ChunkKind::Init => queued_bytes < bytes_max,
        };
        let was_in_gop = self.is_in_gop;
        match kind {
            // Told by `Order` instead.
            ChunkKind::Init => return Admitted::No,
            ChunkKind::JoinPoint => self.is_in_gop = has_room,
            ChunkKind::Continuation => self.is_in_gop &= has_room,
        }
        match (self.is_in_gop, kind) {
            (true, _) => Admitted::Yes,
            (false, ChunkKind::JoinPoint) => Admitted::Lost,
            (false, _) if was_in_gop => Admitted::Lost,
            (false, _) => Admitted::No,
        }
    }

    /// Chunks are missing: the next one must be a join point. Returns whether a GOP is cut by that.
    pub fn cut(&mut self) -> bool {
        std::mem::take(&mut self.is_in_gop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ChunkKind::{Continuation, JoinPoint};

    #[test]
    fn full_queue_costs_whole_gops() {
        let mut admission = Admission::default();
        let mut admit = |kind, queued| admission.admit(kind, queued, 100);
        assert_eq!(admit(Continuation, 0), Admitted::No);
        assert_eq!(admit(JoinPoint, 40), Admitted::Yes);
        assert_eq!(admit(Continuation, 99), Admitted::Yes);
        // The next GOP finds no room, and no part of it goes in.
        assert_eq!(admit(JoinPoint, 60), Admitted::Lost);
        assert_eq!(admit(Continuation, 10), Admitted::No);
        assert_eq!(admit(JoinPoint, 50), Admitted::Yes);
    }

    #[test]
    fn gop_longer_than_the_queue_is_cut_once() {
        let mut admission = Admission::default();
        let mut admit = |kind, queued| admission.admit(kind, queued, 100);
        assert_eq!(admit(JoinPoint, 0), Admitted::Yes);
        assert_eq!(admit(Continuation, 100), Admitted::Lost);
        assert_eq!(admit(Continuation, 0), Admitted::No);
        assert_eq!(admit(JoinPoint, 0), Admitted::Yes);
    }
}
