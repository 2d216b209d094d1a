//! What is on air, and where each viewer stands.
//!
//! ```text
//! publisher ─► Ingest ─► Timeline ─► chunk ─► Ring  … [joinable GOP][GOP][newest GOP]
//!                                              ▲ ▲                       ▲      ▲
//!                                   Cursor ────┘ └──── Cursor      new viewer  live edge
//! ```
//!
//! Everything that viewers share is here once: the init segment, the [`Ring`] of chunks, the
//! [`Timeline`] that goes on when publishers change. A viewer is a [`Cursor`] into it and
//! nothing more.

mod air;
mod candidacy;
mod catalog;
mod chunker;
mod cursor;
mod framed;
mod ingest;
mod interleave;
mod opening;
mod ring;
mod segments;
mod timeline;
mod tracks;
mod trail;
mod warning;

pub use air::Air;
pub use catalog::{Catalog, StreamId};
#[cfg(feature = "testing")]
pub use chunker::CHUNK_BYTES_MAX;
pub use cursor::{Cursor, Held, Next, Replay};
pub use framed::{Framed, Framer};
pub use ingest::Ingest;
pub use ring::{Chunk, ChunkKind, Ring};
pub use segments::{Found, Now, Segment, SegmentInit, Segments};
pub use timeline::{Anchor, Timeline};
pub use trail::Trail;
pub use warning::Warning;

use crate::offline_reason::OfflineReason;
use crate::webm::{self, ClusterWriter, Recording};
use crate::work;
use std::mem;
use std::sync::Arc;

/// Bytes of media one stream keeps for slow and late viewers.
///
/// 16 MiB is about 33 s at 4 Mbit/s. Shared by all viewers: a cost per stream, not per viewer.
pub const RING_BYTES_DEFAULT: usize = 16 << 20;

/// Milliseconds of media kept. A viewer further behind than this wants the present, not the past.
pub const RING_MS_DEFAULT: u64 = 30_000;

/// Milliseconds that chunks wait for a viewer before it skips to a newer keyframe, where there is
/// one. With the second or two that sockets hold, it is about as far behind by then as players
/// bear before they seek by themselves.
pub const LAG_MS_DEFAULT: u64 = 1000;

// The largest block must fit beside the one a viewer is still reading.
const _: () = assert!(RING_BYTES_DEFAULT >= 2 * webm::BLOCK_BYTES_DEFAULT);

/// What one stream may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub webm: webm::Limits,
    pub ring_bytes: usize,
    pub ring_ms: u64,
    pub lag_ms: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            webm: webm::Limits::default(),
            ring_bytes: RING_BYTES_DEFAULT,
            ring_ms: RING_MS_DEFAULT,
            lag_ms: LAG_MS_DEFAULT,
        }
    }
}

/// The init segment that viewers have, and what it says.
#[derive(Debug)]
pub struct Init {
    pub chunk: Chunk,
    pub recording: Recording,
    /// Worked out once: what many ask for.
    pub mime: Arc<str>,
    pub codecs: Arc<str>,
}

/// One named stream.
#[derive(Debug)]
pub struct Stream {
    name: Arc<str>,
    /// Tells it from other streams of the process, also of the same name.
    incarnation: u64,
    /// `None` until the first recording's Tracks have come. Stays when the publisher goes.
    init: Option<Init>,
    ring: Ring,
    timeline: Timeline,
    clusters: ClusterWriter,
    air: Air,
    /// Whether the next recording is that of a publisher that has replaced another.
    takes_over: bool,
    /// Recordings since the stream came to be.
    recordings: u64,
    /// Sequence of the first chunk of the newest of them.
    recording_at: u64,
    keyframe_interval_ms: Option<u64>,
    /// Join points since the stream came to be.
    gops: u64,
    /// Timestamp of the newest join point.
    joinable_ms: Option<u64>,
    lag_ms: u64,
    /// The time since any fixed moment, as it was set last.
    now_ms: u64,
    /// The time since 1970, the same.
    unix_ms: u64,
    segments: Segments,
}

impl Stream {
    pub fn new(name: Arc<str>, limits: Limits) -> Stream {
        Stream {
            name,
            incarnation: 0,
            init: None,
            ring: Ring::new(limits.ring_bytes, limits.ring_ms),
            timeline: Timeline::new(),
            clusters: ClusterWriter::new(),
            air: Air::Offline(OfflineReason::Ended),
            takes_over: false,
            recordings: 0,
            recording_at: 0,
            keyframe_interval_ms: None,
            gops: 0,
            joinable_ms: None,
            lag_ms: limits.lag_ms,
            now_ms: 0,
            unix_ms: 0,
            segments: Segments::default(),
        }
    }

    /// Its segments have no number below `floor`: a stream of the same name may have had those.
    fn number_from(&mut self, floor: u64) {
        self.segments = Segments::from_number(floor);
    }

    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Tells it from other streams of the process, also of the same name.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    pub fn init(&self) -> Option<&Init> {
        self.init.as_ref()
    }

    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// The GOPs that are in the ring from their beginning.
    pub fn segments(&self) -> &Segments {
        &self.segments
    }

    pub fn is_live(&self) -> bool {
        self.air.is_live()
    }

    pub fn air(&self) -> Air {
        self.air
    }

    /// Counts init segments: 0 before the first.
    pub fn generation(&self) -> u32 {
        self.init.as_ref().map_or(0, |init| init.chunk.generation)
    }

    /// Recordings since the stream came to be.
    pub fn recordings(&self) -> u64 {
        self.recordings
    }

    /// Sequence of the first chunk of the newest recording.
    pub fn recording_at(&self) -> u64 {
        self.recording_at
    }

    /// How often a recording began after the first.
    pub fn publisher_restarts(&self) -> u64 {
        self.recordings.saturating_sub(1)
    }

    /// GOPs since the stream came to be: tells whether a keyframe has come.
    pub fn gops(&self) -> u64 {
        self.gops
    }

    /// Milliseconds of media between the last two keyframes.
    pub fn keyframe_interval_ms(&self) -> Option<u64> {
        self.keyframe_interval_ms
    }

    /// Milliseconds of media that a new viewer gets at once; `None` when it has to
    /// wait for a keyframe.
    pub fn backlog_ms(&self) -> Option<u64> {
        self.ring.join_point()?;
        let joinable_ms = self.joinable_ms?;
        Some(self.timeline.latest_ms().saturating_sub(joinable_ms))
    }

    /// Whether a viewer that gets this chunk next should skip to a newer keyframe: the chunk has
    /// left the ring, or has been waiting for longer than viewers may lag.
    ///
    /// By the time at which chunks came, not by their timestamps: those of a publisher that was
    /// held up come all at once, and do not count as late.
    fn has_overtaken(&self, sequence: u64) -> bool {
        let Some(chunk) = self.ring.chunk(sequence) else {
            return sequence < self.ring.oldest();
        };
        let is_late = self.now_ms.saturating_sub(chunk.came_ms) > self.lag_ms;
        is_late && self.ring.join_point().is_some_and(|point| point > sequence)
    }

    /// The time of the catalog's clock, as it was set last.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// A publisher has its first media, and may have replaced another. A viewer that comes from now
    /// on begins with its first keyframe, not with the end of what was before.
    pub fn go_live(&mut self) {
        self.takes_over = self.is_live();
        self.air = Air::Live;
        self.ring.close_join_point();
        self.joinable_ms = None;
    }

    /// Bytes of memory that the init segment takes, and what is known of its tracks. They stay when
    /// the ring has dropped the chunk.
    pub fn init_bytes(&self) -> usize {
        let newest = self.init.as_ref().map_or(0, |init| {
            init.chunk.framed.memory() + init.recording.memory()
        });
        newest + self.segments.init_bytes()
    }

    /// Lets go of the oldest media beyond so many bytes.
    pub fn shorten(&mut self, byte_len: usize) {
        self.ring.shorten(byte_len);
        self.segments.forget_before(self.ring.oldest());
    }

    /// The publisher is gone. Viewers are given what there is, and wait.
    pub fn go_offline(&mut self, reason: OfflineReason) {
        self.end_segment();
        self.air = Air::Offline(reason);
    }

    /// Nothing has come from the publisher for so long. Returns whether that is news.
    pub fn stall(&mut self, since_ms: u64) -> bool {
        let is_news = self.air == Air::Live;
        if self.is_live() {
            self.air = Air::Stalled { since_ms };
        }
        is_news
    }

    /// Media come. Returns whether that is news.
    pub fn resume(&mut self) -> bool {
        let is_news = matches!(self.air, Air::Stalled { .. });
        if is_news {
            self.air = Air::Live;
        }
        is_news
    }

    /// What it costs to drop all chunks.
    pub fn ring_price(&self) -> u64 {
        (self.ring.live_edge() - self.ring.oldest()) * work::CHUNK_DROPPED
    }

    /// Media are missing: viewers go on with the next join point, as viewers do that the ring has
    /// overtaken.
    pub fn break_off(&mut self) {
        self.end_segment();
        self.ring.lose();
        self.segments.forget_before(self.ring.oldest());
        self.joinable_ms = None;
    }

    /// Lets go of the media of a stream that has been offline for long.
    pub fn free_media(&mut self) {
        self.ring.clear();
        self.segments.forget_before(self.ring.oldest());
        self.joinable_ms = None;
    }

    /// A recording begins: the first, or one that follows another.
    fn begin_recording(&mut self, recording: &Recording) {
        self.end_segment();
        self.segments.begin_recording();
        self.recordings += 1;
        self.recording_at = self.ring.live_edge();
        self.timeline.begin(recording);
        // No viewer joins before the new recording's own first keyframe.
        self.ring.close_join_point();
        self.joinable_ms = None;
    }

    /// These tracks go on air; with an init segment of their own, unless viewers can go on with the
    /// one that they have. Returns the numbers that viewers know them by.
    fn set_tracks(&mut self, recording: &Recording) -> Vec<u8> {
        self.timeline.set_tracks(recording);
        let continued = self
            .init
            .as_ref()
            .and_then(|init| recording.track_numbers_in(&init.recording));
        match continued {
            Some(track_numbers) => {
                self.takes_over = false;
                track_numbers
            }
            None => self.begin_generation(recording),
        }
    }

    /// Time begins anew, at 0: viewers cannot go on from where they are.
    fn restart_time(&mut self, recording: &Recording) -> Vec<u8> {
        self.end_segment();
        self.timeline.restart();
        self.ring.clear();
        self.segments.forget_before(self.ring.oldest());
        self.joinable_ms = None;
        self.begin_generation(recording)
    }

    fn begin_generation(&mut self, recording: &Recording) -> Vec<u8> {
        let segment = recording.init_segment();
        let mime: Arc<str> = recording.mime().into();
        let mut framer = Framer::with_capacity(segment.len());
        framer.payload().extend_from_slice(&segment);
        let chunk = Chunk {
            sequence: 0,
            framed: framer.finish(),
            kind: ChunkKind::Init,
            timestamp_ms: self.timeline.latest_ms(),
            came_ms: self.now_ms,
            generation: self.generation() + 1,
            mime: Some(mime.clone()),
            takes_over: mem::take(&mut self.takes_over),
        };
        self.end_segment();
        self.segments
            .begin_generation(chunk.framed.clone(), mime.clone());
        // In the ring as well, so that viewers meet it in its place.
        self.ring.push(chunk.clone());
        self.segments.forget_before(self.ring.oldest());
        self.init = Some(Init {
            chunk,
            codecs: recording.codecs().into(),
            recording: recording.clone(),
            mime,
        });
        (1..=recording.tracks.len() as u8).collect()
    }

    /// What comes next is no part of the segment that grows.
    fn end_segment(&mut self) {
        let end_ms = self.timeline.latest_ms() + 1;
        self.segments.finish(self.ring.live_edge(), end_ms);
    }

    fn push_chunk(&mut self, framer: Framer, kind: ChunkKind, timestamp_ms: u64) {
        if kind == ChunkKind::JoinPoint {
            self.keyframe_interval_ms = self
                .joinable_ms
                .map(|before_ms| timestamp_ms.saturating_sub(before_ms));
            self.joinable_ms = Some(timestamp_ms);
            self.gops += 1;
        }
        let chunk = Chunk {
            sequence: 0,
            framed: framer.finish(),
            kind,
            timestamp_ms,
            came_ms: self.now_ms,
            generation: self.generation(),
            mime: None,
            takes_over: false,
        };
        let bytes = chunk.framed.payload_length() as u64;
        if kind == ChunkKind::JoinPoint {
            let now = Now {
                ms: self.now_ms,
                unix_ms: self.unix_ms,
            };
            let first = self.ring.live_edge();
            self.segments.begin(first, timestamp_ms, bytes, now);
        } else {
            self.segments.extend(bytes);
        }
        self.ring.push(chunk);
        self.segments.forget_before(self.ring.oldest());
    }
}
