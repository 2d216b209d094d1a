//! Bit and frame rates, GOP lengths, gaps and skew of a file.

use crate::webm::{Block, Track, TrackKind};
use serde::Serialize;
use std::fmt;

/// Milliseconds without a block of a track, after which it is a gap: a player's buffer of a live stream
/// is shorter.
const GAP_MS_MIN: i64 = 1000;

/// Gaps that are listed. More would say no more.
const GAPS_MAX: usize = 100;

/// What a file comes to, over all its recordings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// From the first block to the last.
    pub duration_ms: u64,
    /// Of the frames alone.
    pub bitrate_bps: u64,
    pub tracks: Vec<TrackFigures>,
    /// `None` with less than two keyframes.
    pub gops: Option<Gops>,
    pub gaps: Vec<Gap>,
    /// `None` without a picture and sound.
    pub skew_ms: Option<Skew>,
}

/// Of one track of the last recording.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrackFigures {
    pub number: u64,
    /// Frames: a lace has several.
    pub frames: u64,
    pub bytes: u64,
    pub bitrate_bps: u64,
    /// Frames a second.
    pub frame_rate: f64,
}

/// Milliseconds from keyframe to keyframe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gops {
    pub min_ms: i64,
    pub median_ms: i64,
    pub max_ms: i64,
}

/// A track without a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Of the block behind it.
    pub offset: u64,
    pub track: u64,
    pub from_ms: i64,
    pub to_ms: i64,
}

/// How much later sound is than the picture, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Skew {
    /// At the first block of each, and at the last.
    pub start: i64,
    pub end: i64,
    /// The largest distance between neighbours in the file, in either direction: a player must buffer so
    /// much.
    pub max: i64,
}

/// Collects them block by block.
#[derive(Debug, Default)]
pub struct Collector {
    tracks: Vec<Collected>,
    /// Of the recordings before.
    duration_ms: i64,
    bytes: u64,
    gaps: Vec<Gap>,
    max_skew_ms: i64,
}

#[derive(Debug)]
struct Collected {
    number: u64,
    kind: TrackKind,
    frames: u64,
    bytes: u64,
    /// First and latest timestamp.
    span: Option<(i64, i64)>,
}

impl Collector {
    /// A recording begins.
    pub fn begin(&mut self, tracks: &[Track]) {
        self.duration_ms += self.duration_of_this();
        let tracks = tracks.iter().map(|track| Collected {
            number: track.number,
            kind: track.kind,
            frames: 0,
            bytes: 0,
            span: None,
        });
        self.tracks = tracks.collect();
    }

    pub fn note(&mut self, block: &Block) {
        let Some(track) = self.tracks.get_mut(block.track) else {
            return;
        };
        let at_ms = block.timestamp_ms;
        let bytes = block.element.frame().len() as u64;
        track.frames += 1;
        track.bytes += bytes;
        self.bytes += bytes;
        let (first_ms, latest_ms) = track.span.unwrap_or((at_ms, at_ms));
        // Subtitles and the like come when there is something to say.
        let is_played = matches!(track.kind, TrackKind::Video | TrackKind::Audio);
        if is_played && at_ms - latest_ms >= GAP_MS_MIN && self.gaps.len() < GAPS_MAX {
            self.gaps.push(Gap {
                offset: block.offset,
                track: track.number,
                from_ms: latest_ms,
                to_ms: at_ms,
            });
        }
        track.span = Some((first_ms.min(at_ms), latest_ms.max(at_ms)));
        if let (Some(video), Some(audio)) = (
            self.span_of(TrackKind::Video),
            self.span_of(TrackKind::Audio),
        ) {
            self.max_skew_ms = self.max_skew_ms.max((audio.1 - video.1).abs());
        }
    }

    /// Of the first track of this kind.
    fn span_of(&self, kind: TrackKind) -> Option<(i64, i64)> {
        let mut tracks = self.tracks.iter();
        tracks.find(|track| track.kind == kind)?.span
    }

    fn duration_of_this(&self) -> i64 {
        let spans = self.tracks.iter().filter_map(|track| track.span);
        let first_ms = spans.clone().map(|span| span.0).min();
        let latest_ms = spans.map(|span| span.1).max();
        match (first_ms, latest_ms) {
            (Some(first_ms), Some(latest_ms)) => latest_ms - first_ms,
            _ => 0,
        }
    }

    /// `keyframes` are the times of all join points.
    pub fn figures(&self, keyframes: impl Iterator<Item = i64>) -> Option<Figures> {
        let duration_ms = u64::try_from(self.duration_ms + self.duration_of_this()).ok()?;
        if duration_ms == 0 {
            return None;
        }
        let tracks = self.tracks.iter().map(|track| {
            let span_ms = track
                .span
                .map_or(0, |(first_ms, latest_ms)| latest_ms - first_ms);
            let span_s = span_ms as f64 / 1000.0;
            // One frame lasts to the next.
            let frame_rate = if span_ms > 0 {
                track.frames.saturating_sub(1) as f64 / span_s
            } else {
                0.0
            };
            TrackFigures {
                number: track.number,
                frames: track.frames,
                bytes: track.bytes,
                bitrate_bps: rate(track.bytes, u64::try_from(span_ms).unwrap_or(0)),
                frame_rate: (frame_rate * 100.0).round() / 100.0,
            }
        });
        let spans = (
            self.span_of(TrackKind::Video),
            self.span_of(TrackKind::Audio),
        );
        Some(Figures {
            duration_ms,
            bitrate_bps: rate(self.bytes, duration_ms),
            tracks: tracks.collect(),
            gops: gops(keyframes, self.span_of(TrackKind::Video).is_some()),
            gaps: self.gaps.clone(),
            skew_ms: match spans {
                (Some(video), Some(audio)) => Some(Skew {
                    start: audio.0 - video.0,
                    end: audio.1 - video.1,
                    max: self.max_skew_ms,
                }),
                _ => None,
            },
        })
    }
}

/// Bits a second.
fn rate(bytes: u64, duration_ms: u64) -> u64 {
    match duration_ms {
        0 => 0,
        duration_ms => (u128::from(bytes) * 8000 / u128::from(duration_ms))
            .try_into()
            .unwrap_or(u64::MAX),
    }
}

/// Without a picture each block is a keyframe, which says nothing.
fn gops(keyframes: impl Iterator<Item = i64>, has_video: bool) -> Option<Gops> {
    let times: Vec<i64> = keyframes.filter(|_| has_video).collect();
    let steps = times.windows(2).map(|pair| pair[1] - pair[0]);
    // Back is where another recording begins.
    let mut steps: Vec<i64> = steps.filter(|&step| step > 0).collect();
    steps.sort_unstable();
    Some(Gops {
        min_ms: *steps.first()?,
        median_ms: steps[steps.len() / 2],
        max_ms: *steps.last()?,
    })
}

fn apart(ms: i64) -> String {
    if ms < 0 {
        format!("{} ms before", -ms)
    } else {
        format!("{ms} ms after")
    }
}

/// The lines of the table.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.duration_ms as f64 / 1000.0;
        let kbps = |bps: u64| bps as f64 / 1000.0;
        writeln!(
            f,
            "{seconds:.1} s of media, {:.0} kbit/s",
            kbps(self.bitrate_bps)
        )?;
        for track in &self.tracks {
            writeln!(
                f,
                "track {}: {} frames, {} a second, {:.0} kbit/s",
                track.number,
                track.frames,
                track.frame_rate,
                kbps(track.bitrate_bps)
            )?;
        }
        if let Some(gops) = self.gops {
            writeln!(
                f,
                "GOPs: {} to {} ms, median {} ms",
                gops.min_ms, gops.max_ms, gops.median_ms
            )?;
        }
        if let Some(skew) = self.skew_ms {
            writeln!(
                f,
                "sound begins {} the picture and ends {} it; at most {} ms apart in the file",
                apart(skew.start),
                apart(skew.end),
                skew.max
            )?;
        }
        for gap in &self.gaps {
            writeln!(
                f,
                "gap at byte {}: track {} has no block from {} ms to {} ms",
                gap.offset, gap.track, gap.from_ms, gap.to_ms
            )?;
        }
        Ok(())
    }
}
