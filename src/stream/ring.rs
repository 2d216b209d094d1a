//! Numbered, refcounted chunks within a bound of bytes and time.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Framed;

/// What a chunk begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkKind {
    /// A whole init segment: viewers of the one before cannot simply go on.
    Init,
    /// A Cluster that a decoder can start from.
    JoinPoint,
    /// Anything else: more blocks, or a further Cluster of a long GOP.
    Continuation,
}

/// Some whole elements, framed for every viewer. Cloning shares the bytes.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// Set by the ring.
    pub sequence: u64,
    pub framed: Framed,
    pub kind: ChunkKind,
    /// Of its first block.
    pub timestamp_ms: u64,
    /// When it came, by the catalog's clock.
    pub came_ms: u64,
    /// The init segment that it needs.
    pub generation: u32,
    /// Of an init segment: the type that players know it by. Here, because a viewer may be behind
    /// by more than one.
    pub mime: Option<Arc<str>>,
    /// Of an init segment: whether a publisher took the stream over with it.
    pub takes_over: bool,
}

/// What a chunk costs beside its bytes: itself, and its buffer's bookkeeping. Counted, or a ring of
/// tiny chunks would take many times its capacity.
const CHUNK_OVERHEAD: usize = 256;

impl Chunk {
    /// Bytes of memory that it takes.
    fn memory(&self) -> usize {
        self.framed.memory() + CHUNK_OVERHEAD
    }
}

/// The newest chunks of a stream.
#[derive(Debug)]
pub struct Ring {
    /// Oldest first. Invariant: no gaps, so chunk `n` is at index `n - oldest`.
    chunks: VecDeque<Chunk>,
    oldest: u64,
    /// Invariant: the sum of all chunks' memory, never above `byte_capacity` unless one chunk
    /// alone is.
    byte_len: usize,
    byte_capacity: usize,
    ms_capacity: u64,
    /// Sequence of the newest join point. Invariant: in `chunks`.
    join_point: Option<u64>,
    /// Sequences of all join points of the newest tracks, ascending. Invariant: in `chunks`.
    join_points: VecDeque<u64>,
}

impl Ring {
    pub fn new(byte_capacity: usize, ms_capacity: u64) -> Ring {
        Ring {
            chunks: VecDeque::new(),
            oldest: 0,
            byte_len: 0,
            byte_capacity,
            ms_capacity,
            join_point: None,
            join_points: VecDeque::new(),
        }
    }

    /// Adds a chunk at the live edge, and lets go of the oldest beyond either bound. The newest
    /// GOP outlives the bound in time, but not the one in bytes.
    pub fn push(&mut self, mut chunk: Chunk) {
        chunk.sequence = self.live_edge();
        match chunk.kind {
            ChunkKind::Init => {
                self.join_point = None;
                self.join_points.clear();
            }
            ChunkKind::JoinPoint => {
                self.join_point = Some(chunk.sequence);
                self.join_points.push_back(chunk.sequence);
            }
            ChunkKind::Continuation => {}
        }
        self.byte_len += chunk.memory();
        let newest_ms = chunk.timestamp_ms;
        self.chunks.push_back(chunk);
        self.shorten(self.byte_capacity);
        let keep = self.join_point.unwrap_or(self.oldest);
        while self.oldest < keep
            && self.chunks.front().is_some_and(|oldest| {
                newest_ms.saturating_sub(oldest.timestamp_ms) > self.ms_capacity
            })
        {
            self.pop_oldest();
        }
    }

    /// Lets go of the oldest chunks beyond so many bytes, but never of the newest.
    pub fn shorten(&mut self, byte_len: usize) {
        while self.byte_len > byte_len && self.chunks.len() > 1 {
            self.pop_oldest();
        }
    }

    fn pop_oldest(&mut self) {
        if let Some(chunk) = self.chunks.pop_front() {
            self.byte_len -= chunk.memory();
            if self.join_point == Some(self.oldest) {
                self.join_point = None;
            }
            if self.join_points.front() == Some(&self.oldest) {
                self.join_points.pop_front();
            }
            self.oldest += 1;
        }
    }

    /// The chunk with this sequence, if it is still (or already) here.
    pub fn chunk(&self, sequence: u64) -> Option<&Chunk> {
        let index = usize::try_from(sequence.checked_sub(self.oldest)?).ok()?;
        self.chunks.get(index)
    }

    /// Sequence of the oldest chunk kept.
    pub fn oldest(&self) -> u64 {
        self.oldest
    }

    /// Sequence that the next chunk will have.
    pub fn live_edge(&self) -> u64 {
        self.oldest + self.chunks.len() as u64
    }

    /// Sequence of the newest chunk that a viewer can start with.
    pub fn join_point(&self) -> Option<u64> {
        self.join_point
    }

    /// The oldest join point of the newest tracks.
    pub fn oldest_join_point(&self) -> Option<&Chunk> {
        self.chunk(*self.join_points.front()?)
    }

    /// The newest join point of the newest tracks that came at this time at the latest, or the oldest.
    pub fn join_point_at(&self, came_ms: u64) -> Option<&Chunk> {
        let came_by = |&sequence: &u64| {
            let chunk = self.chunk(sequence);
            chunk.is_some_and(|chunk| chunk.came_ms <= came_ms)
        };
        let later = self.join_points.partition_point(came_by);
        self.chunk(*self.join_points.get(later.saturating_sub(1))?)
    }

    /// No viewer joins until the next join point is pushed.
    pub fn close_join_point(&mut self) {
        self.join_point = None;
    }

    /// Lets go of all chunks. Sequences go on.
    pub fn clear(&mut self) {
        self.oldest = self.live_edge();
        self.chunks.clear();
        self.byte_len = 0;
        self.join_point = None;
        self.join_points.clear();
    }

    /// The next chunk is lost, and all before it with it: every place in the ring is overtaken.
    pub fn lose(&mut self) {
        self.clear();
        self.oldest += 1;
    }

    /// Bytes of memory kept, framing and bookkeeping included.
    pub fn byte_len(&self) -> usize {
        self.byte_len
    }

    /// Milliseconds of media between the oldest chunk and the newest.
    pub fn span_ms(&self) -> u64 {
        match (self.chunks.front(), self.chunks.back()) {
            (Some(oldest), Some(newest)) => newest.timestamp_ms.saturating_sub(oldest.timestamp_ms),
            _ => 0,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::stream::Framer;
    use bytes::BufMut;

    /// A chunk that takes 400 bytes of memory.
    pub fn chunk(kind: ChunkKind, timestamp_ms: u64, generation: u32) -> Chunk {
        let mut framer = Framer::with_capacity(122);
        framer.payload().put_bytes(0, 122);
        Chunk {
            sequence: 0,
            framed: framer.finish(),
            kind,
            timestamp_ms,
            came_ms: timestamp_ms,
            generation,
            mime: None,
            takes_over: false,
        }
    }

    use ChunkKind::{Continuation, JoinPoint};

    #[test]
    fn the_oldest_chunks_go_when_bytes_run_out() {
        let mut ring = Ring::new(1200, 10_000);
        for ms in 0..5 {
            ring.push(chunk(JoinPoint, ms, 1));
        }
        assert_eq!(
            (ring.oldest(), ring.live_edge(), ring.byte_len()),
            (2, 5, 1200)
        );
        assert!(ring.chunk(1).is_none());
        assert_eq!(ring.chunk(2).map(|chunk| chunk.timestamp_ms), Some(2));
        assert!(ring.chunk(5).is_none());
    }

    #[test]
    fn newest_gop_outlives_the_time_limit() {
        let mut ring = Ring::new(10_000, 1000);
        ring.push(chunk(JoinPoint, 0, 1));
        ring.push(chunk(JoinPoint, 500, 1));
        ring.push(chunk(Continuation, 4000, 1));
        assert_eq!((ring.oldest(), ring.join_point()), (1, Some(1)));
        ring.push(chunk(JoinPoint, 5000, 1));
        assert_eq!(
            (ring.oldest(), ring.join_point(), ring.span_ms()),
            (2, Some(3), 1000)
        );
    }

    #[test]
    fn a_gop_larger_than_the_ring_leaves_no_join_point() {
        let mut ring = Ring::new(1000, 10_000);
        ring.push(chunk(JoinPoint, 0, 1));
        ring.push(chunk(Continuation, 1, 1));
        assert_eq!(ring.join_point(), Some(0));
        ring.push(chunk(Continuation, 2, 1));
        assert_eq!(ring.join_point(), None);
    }

    #[test]
    fn join_points_are_found_by_the_time_at_which_they_came_while_they_are_there() {
        let mut ring = Ring::new(2000, 10_000);
        let found = |ring: &Ring| {
            let oldest = ring.oldest_join_point().map(|chunk| chunk.sequence);
            let at = |came_ms| Some(ring.join_point_at(came_ms)?.sequence);
            (oldest, [0, 10, 25, 99].map(at))
        };
        assert_eq!(found(&ring), (None, [None; 4]));
        ring.push(chunk(Continuation, 5, 1));
        assert_eq!(found(&ring), (None, [None; 4]));
        for ms in [10, 20, 30] {
            ring.push(chunk(JoinPoint, ms, 1));
        }
        assert_eq!(found(&ring), (Some(1), [1, 1, 2, 3].map(Some)));
        // A viewer behind live begins with what was before, although others do not join there.
        ring.close_join_point();
        ring.push(chunk(Continuation, 40, 1));
        ring.push(chunk(Continuation, 50, 1));
        assert_eq!(
            (ring.oldest(), found(&ring)),
            (1, (Some(1), [1, 1, 2, 3].map(Some)))
        );
        ring.push(chunk(Continuation, 60, 1));
        assert_eq!(found(&ring), (Some(2), [2, 2, 2, 3].map(Some)));
        // Tracks of before are not gone back to.
        ring.push(chunk(ChunkKind::Init, 70, 2));
        assert_eq!(found(&ring), (None, [None; 4]));
        ring.push(chunk(JoinPoint, 80, 2));
        assert_eq!(found(&ring), (Some(8), [Some(8); 4]));
        ring.clear();
        assert_eq!(found(&ring), (None, [None; 4]));
    }

    #[test]
    fn sequences_go_on_after_clear() {
        let mut ring = Ring::new(1000, 10_000);
        ring.push(chunk(JoinPoint, 0, 1));
        ring.clear();
        assert_eq!(
            (ring.oldest(), ring.live_edge(), ring.byte_len()),
            (1, 1, 0)
        );
        ring.push(chunk(JoinPoint, 9, 1));
        assert_eq!(ring.join_point(), Some(1));
    }
}
