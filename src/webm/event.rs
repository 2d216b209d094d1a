//! What a publisher's bytes hold.

use super::block::BlockElement;
use super::tracks::Recording;

/// What the bytes turned out to hold, in their order.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// An EBML header, Segment, Info and Tracks: the start, or a recorder started anew.
    Recording(Recording),
    /// A Cluster of the publisher's.
    Cluster(ClusterHead),
    Block(Block),
    /// A block of a track that Tracks did not name. Players pass over it, and so do we.
    Stray {
        offset: u64,
        track_number: u64,
    },
}

/// The start of a publisher's Cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterHead {
    pub offset: u64,
    /// Bytes of payload; `None` when unknown.
    pub size: Option<u64>,
    pub timestamp_ms: i64,
    /// The same, in units of the recording's TimestampScale.
    pub ticks: u64,
}

/// One frame with its place in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Where its element began. The frames of a lace share one.
    pub offset: u64,
    /// Index into [`Recording::tracks`].
    pub track: usize,
    pub timestamp_ms: i64,
    /// Whether a decoder can start with it, by its codec's own bits where we can read them: see
    /// `KeyframeRule`. For sound it is what the file says, and means nothing.
    pub keyframe: bool,
    pub element: BlockElement,
}
