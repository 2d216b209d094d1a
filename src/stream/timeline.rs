//! Timestamps go forward, whoever publishes.
//!
//! Each recording begins at a time of its own, mostly 0. A viewer's player sees one stream: a
//! recording that follows another begins where that one ended.

use crate::webm::{Recording, TRACKS_MAX, Track};

/// Longest frame that is believed when a recording ends, in milliseconds. A longer step was a
/// pause.
const FRAME_MS_MAX: u64 = 100;
/// What a frame lasts, in milliseconds, when a track had only one.
const FRAME_MS_DEFAULT: u64 = 33;

/// Maps a publisher's timestamps to what viewers see.
#[derive(Debug)]
pub struct Timeline {
    /// Added to the current recording's timestamps; `None` until its first block is placed.
    offset_ms: Option<i64>,
    /// Where the current recording began.
    begin_ms: u64,
    /// Of all blocks placed, the latest. `None` before the first.
    latest_ms: Option<u64>,
    /// Whether the current recording's codecs give timestamps that go back.
    reorders: bool,
    tracks: [TrackTime; TRACKS_MAX],
}

#[derive(Debug, Clone, Copy, Default)]
struct TrackTime {
    latest_ms: u64,
    frame_ms: u64,
}

impl Timeline {
    pub fn new() -> Timeline {
        Timeline {
            offset_ms: None,
            begin_ms: 0,
            latest_ms: None,
            reorders: false,
            tracks: [TrackTime::default(); TRACKS_MAX],
        }
    }

    /// Of all blocks placed, the latest timestamp.
    pub fn latest_ms(&self) -> u64 {
        self.latest_ms.unwrap_or(0)
    }

    /// A recording begins; its first block will follow whatever was placed before.
    pub fn begin(&mut self, recording: &Recording) {
        self.offset_ms = None;
        self.reorders = recording.tracks.iter().any(Track::reorders);
    }

    /// Where viewers see a block of track `track_number` (from 1) that its recording has at
    /// `timestamp_ms`.
    ///
    /// Never below what was placed before, because Chromium ends a stream whose timestamps go
    /// back within a Cluster; except for codecs with B-frames, which Media Source Extensions do
    /// not take in this format, and whose timestamps go back by design.
    pub fn place(&mut self, track_number: u8, timestamp_ms: i64) -> u64 {
        let offset_ms = *self.offset_ms.get_or_insert_with(|| {
            self.begin_ms = match self.latest_ms {
                None => timestamp_ms.max(0).unsigned_abs(),
                Some(latest_ms) => self
                    .tracks
                    .iter()
                    .filter(|track| track.latest_ms > 0)
                    .map(|track| track.latest_ms.saturating_add(track.frame_ms))
                    .fold(latest_ms.saturating_add(1), u64::max),
            };
            (self.begin_ms as i64).saturating_sub(timestamp_ms)
        });
        let placed = timestamp_ms.saturating_add(offset_ms).max(0).unsigned_abs();
        let floor_ms = match self.reorders {
            true => self.begin_ms,
            false => self.latest_ms(),
        };
        let placed = placed.max(floor_ms);
        self.latest_ms = Some(placed.max(self.latest_ms()));

        let track = &mut self.tracks[usize::from(track_number) % TRACKS_MAX];
        if placed > track.latest_ms {
            let step_ms = placed - track.latest_ms;
            track.frame_ms = match step_ms {
                1..=FRAME_MS_MAX => step_ms,
                _ if track.frame_ms == 0 => FRAME_MS_DEFAULT,
                _ => track.frame_ms,
            };
            track.latest_ms = placed;
        }
        placed
    }
}

impl Default for Timeline {
    fn default() -> Timeline {
        Timeline::new()
    }
}
