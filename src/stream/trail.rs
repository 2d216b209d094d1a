//! Where a recording can be joined in the bytes that its publisher sent, rather than in the ring.
//!
//! ```text
//! EBML header, Segment, Info, Tracks | Cluster, Timestamp, block… keyframe, block…
//! └──────────── head ───────────────┘                             ▲ newest
//! ```
//!
//! `head`, a Cluster head with the same timestamp, and all bytes from `newest` on are a stream that plays:
//! the times of blocks count from their Cluster's. Kept for publishers of the old protocol alone, because
//! their bytes are passed on as they came.

use crate::webm::{Event, TrackKind};
use std::ops::Range;

/// Offsets count from the first byte of the recording's publisher, or of the blob: see
/// [`Ingest::restart`](super::Ingest::restart).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trail {
    /// From the EBML header to the first Cluster.
    head: Range<u64>,
    /// The track whose keyframes count. `None`: any block will do.
    picture: Option<usize>,
    cluster_ticks: u64,
    newest: Option<TrailJoin>,
}

/// A keyframe that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrailJoin {
    /// Where its block begins.
    pub offset: u64,
    /// The timestamp of the Cluster around it, in units of TimestampScale.
    pub cluster_ticks: u64,
}

impl Trail {
    /// Where the newest recording's init segment is. Empty before the first.
    pub fn head(&self) -> Range<u64> {
        self.head.clone()
    }

    /// The newest place to join. Invariant: behind `head`.
    pub fn newest(&self) -> Option<TrailJoin> {
        self.newest
    }

    /// Takes what the next bytes hold.
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Recording(recording) => {
                let mut tracks = recording.tracks.iter();
                *self = Trail {
                    head: recording.offset..recording.offset + recording.init_length,
                    picture: tracks.position(|track| track.kind == TrackKind::Video),
                    ..Trail::default()
                };
            }
            Event::Cluster(cluster) => self.cluster_ticks = cluster.ticks,
            Event::Block(block) => {
                let is_join = match self.picture {
                    Some(picture) => block.track == picture && block.keyframe,
                    None => true,
                };
                if is_join {
                    self.newest = Some(TrailJoin {
                        offset: block.offset,
                        cluster_ticks: self.cluster_ticks,
                    });
                }
            }
            Event::Stray { .. } => {}
        }
    }
}
