//! Blocks become chunks: where a chunk begins, and where a GOP.

use super::{ChunkKind, Framer, Stream};
use crate::webm::{Block, CLUSTER_HEAD_MAX, Placement};

/// Bytes after which a chunk is closed although more whole blocks are there, so that a large
/// message does not become one large step in the ring.
pub const CHUNK_BYTES_MAX: usize = 256 << 10;

/// The same for many small blocks.
const CHUNK_BLOCKS_MAX: usize = 1024;

/// Milliseconds of an audio-only stream in one Cluster. Any of its blocks is a join point; this
/// keeps Cluster heads rare, and gives a newcomer something to start from.
const AUDIO_GOP_MS: u64 = 1000;

/// Milliseconds of media from one chunk that begins with a keyframe to the next, at least. A chunk for
/// each of the 256 frames that a lace may have would be much for frames of one byte. Of 200 keyframes
/// a second each still begins a chunk, and is a join point; the others are in the middle of one.
const JOIN_POINT_MS_MIN: u64 = 5;

/// Bytes after which a keyframe begins a chunk in any case, so that the ring has join points also
/// where timestamps stand still.
const JOIN_POINT_BYTES_MIN: usize = 64 << 10;

/// The next chunk of one publisher.
#[derive(Debug, Default)]
pub struct Chunker {
    /// Timestamp of the open GOP; `None` before the first.
    gop_ms: Option<u64>,
    /// Timestamp of the newest keyframe that began a chunk for being one, and bytes since then.
    join_point_ms: Option<u64>,
    join_point_bytes: usize,
    /// Blocks that will be the next chunk: one allocation, used again for each.
    waiting: Vec<Placed>,
    /// Of these, and of the heads of Clusters that they open.
    waiting_bytes: usize,
}

#[derive(Debug)]
pub struct Placed {
    pub block: Block,
    /// A GOP opens with it where a Cluster does.
    pub placement: Placement,
}

impl Chunker {
    /// A recording begins.
    pub fn begin_recording(&mut self) {
        self.begin_gop();
        self.join_point_ms = None;
    }

    /// The next block that a decoder can start with opens a GOP.
    pub fn begin_gop(&mut self) {
        self.gop_ms = None;
    }

    /// Whether a block that a decoder can start with opens a GOP. Of an audio-only stream it is one a
    /// second.
    pub fn opens_gop(&self, has_video: bool, timestamp_ms: u64) -> bool {
        match self.gop_ms {
            Some(gop_ms) if !has_video => timestamp_ms >= gop_ms + AUDIO_GOP_MS,
            _ => true,
        }
    }

    /// Adds a block, at the beginning of the next chunk where that is due. Returns whether a chunk was
    /// closed before it.
    pub fn push(&mut self, placed: Placed, stream: &mut Stream) -> bool {
        let begins_chunk =
            placed.placement.opens_cluster && self.is_join_point_due(placed.placement.timestamp_ms);
        let is_full =
            self.waiting_bytes >= CHUNK_BYTES_MAX || self.waiting.len() >= CHUNK_BLOCKS_MAX;
        if begins_chunk || is_full {
            self.close(stream);
        }
        if begins_chunk {
            self.join_point_ms = Some(placed.placement.timestamp_ms);
            self.join_point_bytes = 0;
        }
        if placed.placement.opens_cluster {
            self.gop_ms = Some(placed.placement.timestamp_ms);
            self.waiting_bytes += CLUSTER_HEAD_MAX;
        }
        let length = placed.block.element.bytes.len();
        self.waiting_bytes += length;
        self.join_point_bytes += length;
        self.waiting.push(placed);
        begins_chunk || is_full
    }

    /// Whether a keyframe is to begin a chunk, or may stand in the middle of one.
    fn is_join_point_due(&self, timestamp_ms: u64) -> bool {
        self.join_point_bytes >= JOIN_POINT_BYTES_MIN
            || self
                .join_point_ms
                .is_none_or(|before_ms| timestamp_ms.abs_diff(before_ms) >= JOIN_POINT_MS_MIN)
    }

    /// Puts the waiting blocks into the ring as one chunk: the only copy of media there is.
    pub fn close(&mut self, stream: &mut Stream) {
        let Some(first) = self.waiting.first() else {
            return;
        };
        let timestamp_ms = first.placement.timestamp_ms;
        let kind = if first.placement.opens_cluster {
            ChunkKind::JoinPoint
        } else {
            ChunkKind::Continuation
        };
        let mut framer = Framer::with_capacity(self.waiting_bytes + CLUSTER_HEAD_MAX);
        for placed in self.waiting.drain(..) {
            let element = &placed.block.element;
            stream
                .clusters
                .write(framer.payload(), element, placed.placement);
        }
        self.waiting_bytes = 0;
        stream.push_chunk(framer, kind, timestamp_ms);
    }
}
