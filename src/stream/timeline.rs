//! Timestamps go forward, whatever publishers send.
//!
//! Each recording begins at a time of its own, mostly 0. A viewer's player sees one stream: a
//! recording that follows another begins where that one ended. The same happens within a recording
//! whose timestamps step: cameras set their clocks, 16 bits wrap, one block claims to be of tomorrow.
//!
//! ```text
//! publisher   60000 60033 60066     0    33 86400000   100        + an offset
//! viewers         0    33    66    99   132      165   199
//! ```
//!
//! [`Timeline::anchor`] finds a block's offset, track by track, so that sound may step before the
//! picture does; both then share one offset, and stay in time with one another. After that blocks
//! may be sorted, and [`Timeline::place`] has none go below what was placed before.

use crate::webm::{Recording, TRACKS_MAX, Track};

/// Longest frame that is believed when a recording ends, in milliseconds. A longer step was a
/// pause.
const FRAME_MS_MAX: i64 = 100;
/// What a frame lasts, in milliseconds, when a track had only one.
const FRAME_MS_DEFAULT: i64 = 33;

/// Furthest that a block may be ahead of all others, or behind them, in milliseconds, beside the
/// time that has passed on the clock.
const STEP_MS_MAX: i64 = 10_000;

/// Furthest that a track's own timestamps may go back before that is a step, in milliseconds. Less
/// is a capture's jitter. Codecs with B-frames need more: see `back_ms_max`.
const BACK_MS_MAX: i64 = 250;
const REORDERED_MS_MIN: i64 = 1000;

/// How far from where it is expected a block is worth looking for an offset that fits it better.
const ODD_MS: i64 = 100;

/// How far an offset that was used before may take a block from the live edge to be used again:
/// another track stepped a little earlier, or a block of tomorrow is followed by one of today.
const FIT_MS: std::ops::RangeInclusive<i64> = -1000..=2000;

/// Offsets of a recording that are remembered.
const OFFSETS_MAX: usize = 4;

/// Latest time of a stream, some 139 years in milliseconds. Beyond it time begins anew.
const TIME_MS_MAX: i64 = 1 << 42;

/// Latest time at which a stream begins: the wall clock's time will do until the year 2039.
const BEGIN_MS_MAX: i64 = TIME_MS_MAX / 2;

/// Maps a publisher's timestamps to what viewers see.
#[derive(Debug)]
pub struct Timeline {
    /// What was added to the current recording's timestamps, newest first. Empty until its first
    /// block is anchored.
    offsets_ms: Vec<i64>,
    /// Where the current recording began.
    begin_ms: u64,
    /// Of all blocks anchored, the latest; and when the newest of them came, by the clock.
    edge_ms: i64,
    edge_came_ms: u64,
    /// Of all blocks placed, the latest. `None` before the first.
    latest_ms: Option<u64>,
    /// Whether timestamps that viewers get may go back.
    reorders: bool,
    tracks: [TrackTime; TRACKS_MAX],
}

#[derive(Debug, Clone, Copy, Default)]
struct TrackTime {
    /// Whether its timestamps go back by design.
    reorders: bool,
    /// What is added to its timestamps; `None` before its first block in this recording.
    offset_ms: Option<i64>,
    /// Of its blocks, the latest.
    latest_ms: i64,
    /// 0 while there was only one.
    frame_ms: i64,
    /// Longest step forward in this recording.
    step_ms: i64,
}

/// Where a block belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// At this time of the stream's.
    At(i64),
    /// At this time, which is not where its timestamp says: time was anchored anew.
    Anew(i64),
    /// Nowhere: time has run out.
    TooLate,
}

impl Timeline {
    pub fn new() -> Timeline {
        Timeline {
            offsets_ms: Vec::with_capacity(OFFSETS_MAX),
            begin_ms: 0,
            edge_ms: 0,
            edge_came_ms: 0,
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
        self.offsets_ms.clear();
        self.set_tracks(recording);
        for (time, track) in self.tracks.iter_mut().zip(&recording.tracks) {
            time.reorders = track.reorders();
        }
        for time in &mut self.tracks {
            time.offset_ms = None;
            time.step_ms = 0;
        }
    }

    /// These tracks of the recording are what viewers get.
    pub fn set_tracks(&mut self, viewed: &Recording) {
        self.reorders = viewed.tracks.iter().any(Track::reorders);
    }

    /// Time begins anew, at 0, with the next recording.
    pub fn restart(&mut self) {
        *self = Timeline {
            tracks: self.tracks.map(|track| TrackTime {
                reorders: track.reorders,
                ..TrackTime::default()
            }),
            reorders: self.reorders,
            ..Timeline::new()
        };
    }

    /// Where a block belongs that track `track` (from 0) of the recording has at `timestamp_ms`, and
    /// that came at `now_ms` by the clock.
    pub fn anchor(&mut self, track: usize, timestamp_ms: i64, now_ms: u64) -> Anchor {
        let track = track % TRACKS_MAX;
        let Some(&newest_ms) = self.offsets_ms.first() else {
            return self.anchor_first(track, timestamp_ms, now_ms);
        };
        let time = self.tracks[track];
        let offset_ms = time.offset_ms.unwrap_or(newest_ms);
        let passed_ms = now_ms.saturating_sub(self.edge_came_ms) as i64;
        let said_ms = timestamp_ms + offset_ms;
        let is_back = time.offset_ms.is_some() && said_ms < time.latest_ms - time.back_ms_max();
        let is_step = is_back
            || said_ms > self.edge_ms + STEP_MS_MAX + passed_ms
            || said_ms < self.edge_ms - STEP_MS_MAX - passed_ms;
        let expected_ms = match time.offset_ms {
            // What stood still while others went on does not stay behind.
            Some(_) => (time.latest_ms + time.frame_ms()).max(self.edge_ms - BACK_MS_MAX),
            None => self.edge_ms,
        };
        let is_odd = is_step || (said_ms - expected_ms).abs() > ODD_MS;
        let fitting = (is_odd && (is_step || self.offsets_ms.len() > 1))
            .then(|| self.fitting(timestamp_ms, expected_ms, is_step.then_some(offset_ms)))
            .flatten();
        let (offset_ms, is_anew) = match fitting {
            Some(fitting_ms) => (fitting_ms, false),
            None if is_step => {
                let anew_ms = expected_ms - timestamp_ms;
                self.offsets_ms.truncate(OFFSETS_MAX - 1);
                self.offsets_ms.insert(0, anew_ms);
                (anew_ms, true)
            }
            None => (offset_ms, false),
        };
        let at_ms = (timestamp_ms + offset_ms).max(0);
        if at_ms > TIME_MS_MAX {
            return Anchor::TooLate;
        }
        self.note(track, offset_ms, at_ms, now_ms);
        if is_anew {
            Anchor::Anew(at_ms)
        } else {
            Anchor::At(at_ms)
        }
    }

    /// The first block of a recording is where the one before ended, or where it says when there was
    /// none.
    fn anchor_first(&mut self, track: usize, timestamp_ms: i64, now_ms: u64) -> Anchor {
        self.begin_ms = match self.latest_ms {
            None if (0..=BEGIN_MS_MAX).contains(&timestamp_ms) => timestamp_ms.unsigned_abs(),
            None => 0,
            // Whichever track goes on longest.
            Some(latest_ms) => self
                .tracks
                .iter()
                .filter(|track| track.latest_ms > 0)
                .map(|track| (track.latest_ms + track.frame_ms()).unsigned_abs())
                .fold(latest_ms + 1, u64::max),
        };
        let at_ms = self.begin_ms as i64;
        if at_ms > TIME_MS_MAX {
            return Anchor::TooLate;
        }
        let offset_ms = at_ms - timestamp_ms;
        self.offsets_ms.push(offset_ms);
        self.edge_ms = at_ms;
        self.tracks[track].latest_ms = at_ms;
        self.note(track, offset_ms, at_ms, now_ms);
        Anchor::At(at_ms)
    }

    /// Of the offsets used before, the one that takes a block nearest to where it is expected.
    fn fitting(&self, timestamp_ms: i64, expected_ms: i64, except: Option<i64>) -> Option<i64> {
        let offsets = self.offsets_ms.iter().copied();
        offsets
            .filter(|&offset_ms| Some(offset_ms) != except)
            .filter(|offset_ms| FIT_MS.contains(&(timestamp_ms + offset_ms - self.edge_ms)))
            .min_by_key(|offset_ms| (timestamp_ms + offset_ms - expected_ms).abs())
    }

    fn note(&mut self, track: usize, offset_ms: i64, at_ms: i64, now_ms: u64) {
        let time = &mut self.tracks[track];
        if time
            .offset_ms
            .is_some_and(|before_ms| before_ms != offset_ms)
        {
            // Its own latest says nothing any more, if that was another time.
            time.latest_ms = time.latest_ms.min(at_ms);
        } else if time.offset_ms.is_none() {
            time.latest_ms = at_ms;
        }
        time.offset_ms = Some(offset_ms);
        let step_ms = at_ms - time.latest_ms;
        if step_ms > 0 {
            if step_ms <= FRAME_MS_MAX {
                time.frame_ms = step_ms;
            }
            time.step_ms = time.step_ms.max(step_ms.min(STEP_MS_MAX));
            time.latest_ms = at_ms;
        }
        self.edge_ms = self.edge_ms.max(at_ms);
        self.edge_came_ms = now_ms;
    }

    /// What viewers see of a block that was anchored at `at_ms`.
    ///
    /// Never below what was placed before, because Chromium ends a stream whose timestamps go
    /// back within a Cluster; except for codecs with B-frames, which Media Source Extensions do
    /// not take in this format, and whose timestamps go back by design.
    pub fn place(&mut self, at_ms: i64) -> u64 {
        let floor_ms = if self.reorders {
            self.begin_ms
        } else {
            self.latest_ms()
        };
        let placed_ms = at_ms.max(0).unsigned_abs().max(floor_ms);
        self.latest_ms = Some(placed_ms.max(self.latest_ms()));
        placed_ms
    }
}

impl TrackTime {
    /// How long a frame lasts.
    fn frame_ms(&self) -> i64 {
        match self.frame_ms {
            0 => FRAME_MS_DEFAULT,
            frame_ms => frame_ms,
        }
    }

    /// How far its timestamps may go back: with B-frames, some frames, and these may be long.
    fn back_ms_max(&self) -> i64 {
        if self.reorders {
            (self.step_ms * 4).clamp(REORDERED_MS_MIN, STEP_MS_MAX)
        } else {
            BACK_MS_MAX
        }
    }
}

impl Default for Timeline {
    fn default() -> Timeline {
        Timeline::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webm::{Event, Segmenter};

    const VIDEO: usize = 0;
    const AUDIO: usize = 1;

    /// A recording of a picture in `codec_id` and sound.
    fn recording(codec_id: &str) -> Recording {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/data/chromium-vp8-opus-100ms.webm"
        );
        let mut segmenter = Segmenter::new(Default::default());
        segmenter.push(std::fs::read(path).unwrap().into());
        let Ok(Some(Event::Recording(mut recording))) = segmenter.poll() else {
            panic!("a recording first")
        };
        recording
            .tracks
            .sort_by_key(|track| track.kind.as_str() == "audio");
        recording.tracks[VIDEO].codec_id = codec_id.into();
        recording
    }

    fn timeline(codec_id: &str) -> Timeline {
        let mut timeline = Timeline::new();
        timeline.begin(&recording(codec_id));
        timeline
    }

    /// Anchors and places blocks that come at these times of the clock. Returns where, and how
    /// often time was anchored anew.
    fn run(timeline: &mut Timeline, blocks: &[(usize, i64, u64)]) -> (Vec<u64>, usize) {
        let mut anew = 0;
        let placed = blocks.iter().map(|&(track, timestamp_ms, now_ms)| {
            match timeline.anchor(track, timestamp_ms, now_ms) {
                Anchor::At(at_ms) => timeline.place(at_ms),
                Anchor::Anew(at_ms) => {
                    anew += 1;
                    timeline.place(at_ms)
                }
                Anchor::TooLate => panic!("time has not run out"),
            }
        });
        (placed.collect(), anew)
    }

    /// The same, of one picture whose blocks come as fast as they say.
    fn picture(timestamps: &[i64]) -> (Vec<u64>, usize) {
        let blocks: Vec<_> = timestamps.iter().map(|&ms| (VIDEO, ms, 0)).collect();
        run(&mut timeline("V_VP8"), &blocks)
    }

    #[test]
    fn timestamps_that_step_back_go_on_where_the_stream_is() {
        let (placed, anew) = picture(&[60_000, 60_033, 60_066, 0, 33, 66]);
        assert_eq!(placed, [60_000, 60_033, 60_066, 60_099, 60_132, 60_165]);
        assert_eq!(anew, 1);
    }

    #[test]
    fn relative_timestamps_that_wrap_at_16_bits_go_on() {
        let steps = (0..6000).map(|n| n * 33);
        let wrapped: Vec<i64> = steps.clone().map(|ms| (ms as i16).into()).collect();
        let (placed, anew) = picture(&wrapped);
        assert_eq!(placed, steps.map(|ms| ms as u64).collect::<Vec<_>>());
        assert_eq!(anew, 3);
    }

    #[test]
    fn single_block_far_ahead_leaves_the_others_where_they_were() {
        const DAY_MS: i64 = 86_400_000;
        let (placed, anew) = picture(&[0, 33, 66, DAY_MS, 132, 165, -DAY_MS, 231, 264]);
        assert_eq!(placed, [0, 33, 66, 99, 132, 165, 198, 231, 264]);
        assert_eq!(anew, 2);
    }

    #[test]
    fn late_block_leaves_the_others_where_they_were() {
        let (placed, anew) = picture(&[5000, 5033, 4000, 5099, 5132]);
        assert_eq!(placed, [5000, 5033, 5066, 5099, 5132]);
        assert_eq!(anew, 1);
    }

    #[test]
    fn sound_and_picture_that_step_one_after_the_other_stay_in_time() {
        for step in [-60_000, -65_536, -3000, 86_400_000] {
            let mut blocks = Vec::new();
            let mut expected = Vec::new();
            for n in 0..200_i64 {
                // The picture steps at 2000 ms, the sound some frames before or after.
                let sound_steps_at = if step > 0 { 1900 } else { 2120 };
                let of = |ms, steps_at| ms + if ms >= steps_at { step } else { 0 };
                expected.push((100_000 + n * 20) as u64);
                blocks.push((AUDIO, 100_000 + of(n * 20, sound_steps_at), 0));
                if n % 2 == 0 {
                    expected.push((100_000 + n * 20) as u64);
                    blocks.push((VIDEO, 100_000 + of(n * 20, 2000), 0));
                }
            }
            let (placed, anew) = run(&mut timeline("V_VP8"), &blocks);
            assert_eq!(placed, expected, "{step}");
            assert_eq!(anew, 1, "{step}");
        }
    }

    #[test]
    fn step_confirmed_by_the_clock_is_kept() {
        let blocks = [
            (VIDEO, 0, 0),
            (VIDEO, 33, 40),
            (VIDEO, 3_600_033, 3_595_000),
        ];
        let (placed, anew) = run(&mut timeline("V_VP8"), &blocks);
        assert_eq!((placed, anew), (vec![0, 33, 3_600_033], 0));
        let blocks = [
            (VIDEO, 0, 0),
            (VIDEO, 33, 40),
            (VIDEO, 3_600_033, 3_500_000),
        ];
        let (placed, anew) = run(&mut timeline("V_VP8"), &blocks);
        assert_eq!((placed, anew), (vec![0, 33, 66], 1));
    }

    #[test]
    fn a_frame_each_ten_seconds_keeps_its_time() {
        let (placed, anew) = picture(&[0, 10_000, 20_000, 30_000]);
        assert_eq!((placed, anew), (vec![0, 10_000, 20_000, 30_000], 0));
    }

    #[test]
    fn picture_and_sound_that_count_from_different_times_begin_together() {
        let blocks = [
            (AUDIO, 1_700_000_000_000, 0),
            (VIDEO, 0, 0),
            (AUDIO, 1_700_000_000_020, 20),
            (VIDEO, 33, 33),
            (AUDIO, 1_700_000_000_040, 40),
        ];
        let (placed, anew) = run(&mut timeline("V_VP8"), &blocks);
        let begin = 1_700_000_000_000;
        assert_eq!(placed, [0, 0, 20, 33, 40].map(|ms| begin + ms));
        assert_eq!(anew, 1);
    }

    #[test]
    fn b_frames_go_back_as_far_as_they_need() {
        let frames = [0, 4000, 2000, 1000, 3000, 8000, 6000, 5000, 7000];
        let blocks: Vec<_> = frames.map(|ms| (VIDEO, ms, 0)).into();
        let (placed, anew) = run(&mut timeline("V_MPEG4/ISO/AVC"), &blocks);
        assert_eq!((placed, anew), (frames.map(|ms| ms as u64).into(), 0));
        let frames = [60_000, 60_120, 60_040, 60_080, 0, 120, 40, 80, 240, 160];
        let blocks: Vec<_> = frames.map(|ms| (VIDEO, ms, 0)).into();
        let (placed, anew) = run(&mut timeline("V_MPEG4/ISO/AVC"), &blocks);
        assert_eq!(anew, 1);
        assert!(
            placed[4] > placed[3] && placed[4] - placed[1] < 200,
            "{placed:?}"
        );
        let steps = placed[4..].iter().map(|ms| ms - placed[4]);
        assert_eq!(steps.collect::<Vec<_>>(), [0, 120, 40, 80, 240, 160]);
    }

    #[test]
    fn recordings_that_step_do_not_add_up() {
        let mut timeline = Timeline::new();
        let recording = recording("V_VP8");
        for _ in 0..1000 {
            timeline.begin(&recording);
            run(
                &mut timeline,
                &[(VIDEO, 0, 0), (VIDEO, 1 << 42, 0), (AUDIO, 1 << 41, 0)],
            );
        }
        assert!(timeline.latest_ms() < 200_000, "{}", timeline.latest_ms());
    }

    #[test]
    fn time_that_runs_out_begins_anew() {
        let mut timeline = timeline("V_VP8");
        let mut timestamp_ms = BEGIN_MS_MAX;
        let mut now_ms = 0;
        // Steps that the clock has seen, of 17 years.
        let too_late = loop {
            let anchor = timeline.anchor(VIDEO, timestamp_ms, now_ms);
            let Anchor::At(at_ms) = anchor else {
                break anchor;
            };
            assert_eq!(at_ms, timestamp_ms);
            timeline.place(at_ms);
            timestamp_ms += 1 << 39;
            now_ms += 1 << 39;
        };
        assert_eq!(
            (too_late, timestamp_ms),
            (Anchor::TooLate, TIME_MS_MAX + (1 << 39))
        );
        timeline.restart();
        assert_eq!(timeline.anchor(VIDEO, timestamp_ms, now_ms), Anchor::At(0));
        assert_eq!(
            timeline.anchor(AUDIO, timestamp_ms + 20, now_ms),
            Anchor::At(20)
        );
    }
}
