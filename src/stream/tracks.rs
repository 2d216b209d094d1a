//! Which tracks of a recording are on air: the first picture and the first sound that have blocks.
//!
//! Players give up when a track that the init segment names sends nothing, or when there are two of
//! a kind and they know one of the codecs only. So a recording's first blocks wait until its picture
//! and its sound have come, a second at most, and only then the init segment is written.
//!
//! ```text
//! Opening ── all have blocks, or a second has passed ──► On air ── a track begins late, or ──► plan:
//!    └────── viewers know these tracks already ─────────►          never came in a second     the next
//!                                                                                             join point
//! ```
//!
//! A track that the recording before declared and never sent is not waited for again: of a publisher
//! that begins anew each second, viewers would see nothing.
//!
//! Subtitles and metadata are passed on as they come; nothing waits for them.

use crate::webm::{Block, Recording, Track, TrackKind};

/// Milliseconds, by the clock, that a track is waited for from the recording's first block on.
pub const WAIT_MS_MAX: u64 = 1000;

/// Milliseconds that a frame may last when that is read from the first frames' distance. What is
/// outside is a pause, or jitter.
const FRAME_MS: std::ops::RangeInclusive<i64> = 8..=200;

/// Nanoseconds that a frame lasts when its distance to the next says nothing: 30 a second.
const FRAME_NS_DEFAULT: u64 = 33_333_333;

/// Frames whose distances are looked at.
const FRAMES_MAX: usize = 8;

/// Kinds of track that are on air once at most.
const PLAYED: [TrackKind; 2] = [TrackKind::Video, TrackKind::Audio];

/// TrackType of metadata (RFC 9559, section 5.1.4.1.3), which browsers ignore as they do subtitles.
/// They refuse the others.
const METADATA: TrackKind = TrackKind::Other(0x21);

/// One recording's tracks.
#[derive(Debug)]
pub struct OnAir {
    declared: Recording,
    /// Per declared track, whether a block has come, and the first times of a picture's.
    seen: Vec<bool>,
    frames_ms: Vec<Vec<i64>>,
    /// The picture and the sound that should be on air if all tracks had blocks.
    preferred: Vec<usize>,
    /// Declared tracks on air, in their order, and the numbers that viewers know them by. Empty while
    /// it opens.
    chosen: Vec<(usize, u8)>,
    /// Of these, the picture; and per declared track its number: what is asked for each block.
    video: Option<usize>,
    numbers: Vec<Option<u8>>,
    /// Whether the stream's init segment was made of these tracks, and shares their memory.
    is_in_init: bool,
    /// What should be on air from the next join point on, if that is something else.
    plan: Option<Vec<usize>>,
    /// When the recording's first block came, by the clock.
    since_ms: Option<u64>,
    /// Whether time is up for what has not come.
    is_overdue: bool,
}

impl OnAir {
    /// A recording begins; viewers know the tracks of `viewed`.
    pub fn new(declared: Recording, viewed: Option<&Recording>) -> OnAir {
        let preferred = PLAYED.iter().filter_map(|&kind| {
            let known = viewed.and_then(|viewed| of_kind(viewed, kind).next());
            let is_known = |&(_, track): &(usize, &Track)| {
                known.is_some_and(|(_, known)| track.continues(known))
            };
            let (index, _) = of_kind(&declared, kind)
                .find(is_known)
                .or_else(|| of_kind(&declared, kind).next())?;
            Some(index)
        });
        OnAir {
            preferred: preferred.collect(),
            seen: vec![false; declared.tracks.len()],
            frames_ms: vec![Vec::new(); declared.tracks.len()],
            chosen: Vec::new(),
            video: None,
            numbers: vec![None; declared.tracks.len()],
            is_in_init: false,
            plan: None,
            since_ms: None,
            is_overdue: false,
            declared,
        }
    }

    /// Whether viewers can go on with this recording as if all of its tracks had blocks.
    pub fn continues(&self, viewed: Option<&Recording>) -> bool {
        let selected = self.recording_of(&self.with_others(self.preferred.clone()));
        viewed.is_some_and(|viewed| selected.track_numbers_in(viewed).is_some())
    }

    /// What viewers can go on with at once, without the tracks that `former`, the recording before
    /// this one, declared and never sent: they are not waited for a second time.
    pub fn without_silent(&self, former: &OnAir, viewed: Option<&Recording>) -> Option<Vec<usize>> {
        let is_silent = |&track: &usize| {
            let kind = self.declared.tracks[track].kind;
            let mut silent = former
                .preferred
                .iter()
                .filter(|&&track| !former.seen[track]);
            silent.any(|&track| former.declared.tracks[track].kind == kind)
        };
        let sending = self.preferred.iter().copied();
        let sending: Vec<usize> = sending.filter(|track| !is_silent(track)).collect();
        if sending.is_empty() || sending.len() == self.preferred.len() {
            return None;
        }
        let tracks = self.with_others(sending);
        let numbers = self.recording_of(&tracks).track_numbers_in(viewed?);
        numbers.is_some().then_some(tracks)
    }

    pub fn is_opening(&self) -> bool {
        self.chosen.is_empty()
    }

    /// A block came. Its track is looked at, and its time; not yet what is in it.
    pub fn note(&mut self, block: &Block, now_ms: u64) {
        let since_ms = *self.since_ms.get_or_insert(now_ms);
        let is_first = !std::mem::replace(&mut self.seen[block.track], true);
        let frames_ms = &mut self.frames_ms[block.track];
        if frames_ms.len() < FRAMES_MAX {
            frames_ms.push(block.timestamp_ms);
        }
        let is_late = !self.is_overdue && now_ms.saturating_sub(since_ms) >= WAIT_MS_MAX;
        self.is_overdue |= is_late;
        if (is_first || is_late) && !self.is_opening() {
            let wanted = self.wanted();
            let is_other = !wanted.iter().eq(self.chosen.iter().map(|(track, _)| track));
            self.plan = (is_other && !wanted.is_empty()).then_some(wanted);
        }
    }

    /// When a recording that opens stops waiting.
    pub fn deadline_ms(&self) -> Option<u64> {
        let since_ms = self.since_ms.filter(|_| self.is_opening())?;
        Some(since_ms + WAIT_MS_MAX)
    }

    /// Whether a recording that opens has all that it waits for.
    pub fn is_settled(&self, now_ms: u64) -> bool {
        let has_come = |&track: &usize| {
            let of_track = &self.declared.tracks[track];
            let frames = match of_track.kind {
                TrackKind::Video if of_track.default_duration_ns.is_none() => 2,
                _ => 1,
            };
            self.frames_ms[track].len() >= frames
        };
        self.deadline_ms()
            .is_some_and(|until_ms| now_ms >= until_ms)
            || self.since_ms.is_some() && self.preferred.iter().all(has_come)
    }

    /// The tracks that should be on air now: of each kind the one that is, unless it never came; else
    /// the first that came.
    pub fn wanted(&self) -> Vec<usize> {
        let played = PLAYED.iter().filter_map(|&kind| {
            let current = self
                .chosen
                .iter()
                .map(|&(track, _)| track)
                .find(|&track| self.declared.tracks[track].kind == kind)
                .filter(|&track| self.seen[track] || !self.is_overdue);
            let preferred = self
                .preferred
                .iter()
                .copied()
                .filter(|&track| self.seen[track]);
            let seen = of_kind(&self.declared, kind).map(|(track, _)| track);
            current
                .or_else(|| {
                    preferred
                        .clone()
                        .find(|&track| self.declared.tracks[track].kind == kind)
                })
                .or_else(|| seen.clone().find(|&track| self.seen[track]))
        });
        self.with_others(played.collect())
    }

    pub fn declared(&self) -> &Recording {
        &self.declared
    }

    /// The same recording, with what has come of it, where viewers know the tracks of `viewed`.
    pub fn viewed_with(self, viewed: Option<&Recording>) -> OnAir {
        OnAir {
            seen: self.seen,
            frames_ms: self.frames_ms,
            since_ms: self.since_ms,
            ..OnAir::new(self.declared, viewed)
        }
    }

    /// Whether a recording that is not on air yet can go there with this block: a keyframe of the
    /// picture, or sound where there is no picture. A picture or a sound that has not come a second after
    /// the recording's first block gives way to the next one, and a picture to sound.
    pub fn opens(&self, block: &Block, now_ms: u64) -> bool {
        let has_waited = self
            .since_ms
            .is_some_and(|since_ms| now_ms.saturating_sub(since_ms) >= WAIT_MS_MAX);
        let kind = self.declared.tracks[block.track].kind;
        let preferred = self.preferred.iter().copied();
        let mut of_kind = preferred.filter(|&track| self.declared.tracks[track].kind == kind);
        let is_its_turn = of_kind.next().is_some_and(|preferred| {
            preferred == block.track || (has_waited && !self.seen[preferred])
        });
        match kind {
            TrackKind::Video => block.keyframe && is_its_turn,
            TrackKind::Audio => {
                let mut pictures = self.kind_of_tracks(TrackKind::Video);
                let has_picture = if has_waited {
                    pictures.any(|track| self.seen[track])
                } else {
                    pictures.next().is_some()
                };
                is_its_turn && !has_picture
            }
            _ => false,
        }
    }

    fn kind_of_tracks(&self, kind: TrackKind) -> impl Iterator<Item = usize> {
        of_kind(&self.declared, kind).map(|(track, _)| track)
    }

    pub fn is_picture(&self, track: usize) -> bool {
        self.declared.tracks[track].kind == TrackKind::Video
    }

    /// The tracks on air.
    pub fn on_air(&self) -> Vec<usize> {
        self.chosen.iter().map(|&(track, _)| track).collect()
    }

    /// What should be on air when all tracks have blocks.
    pub fn preferred(&self) -> Vec<usize> {
        self.with_others(self.preferred.clone())
    }

    fn with_others(&self, mut tracks: Vec<usize>) -> Vec<usize> {
        let others = self.declared.tracks.iter().enumerate();
        tracks.extend(others.filter_map(|(index, track)| {
            let is_passed_on = track.kind == TrackKind::Subtitle || track.kind == METADATA;
            is_passed_on.then_some(index)
        }));
        tracks.sort_unstable();
        tracks
    }

    /// These tracks as viewers see them. A picture whose frames' duration is not told gets one:
    /// Chromium's `<video src>` waits for it for ever where H.264 has no CodecPrivate.
    pub fn recording_of(&self, tracks: &[usize]) -> Recording {
        let told = tracks.iter().map(|&index| {
            let mut track = self.declared.tracks[index].clone();
            if track.kind == TrackKind::Video && track.default_duration_ns.is_none() {
                track.set_default_duration(frame_ns(&self.frames_ms[index]));
            }
            track
        });
        Recording {
            tracks: told.collect(),
            ..self.declared.clone()
        }
    }

    /// These are on air from now on, with the numbers that viewers know them by; in an init segment
    /// that was made of them, or in one that was there.
    pub fn set(&mut self, tracks: &[usize], numbers: &[u8], makes_init: bool) {
        self.is_in_init |= makes_init;
        self.chosen = tracks
            .iter()
            .copied()
            .zip(numbers.iter().copied())
            .collect();
        self.video = self.video_of(tracks.iter().copied());
        self.numbers.fill(None);
        for &(track, number) in &self.chosen {
            self.numbers[track] = Some(number);
        }
        self.plan = None;
    }

    /// Bytes of memory that its tracks take, beside the stream's init segment.
    pub fn held_bytes(&self) -> usize {
        let tracks = self.declared.tracks.iter().enumerate();
        tracks
            .filter(|&(track, _)| !self.is_in_init || self.number(track).is_none())
            .map(|(_, track)| track.memory())
            .sum()
    }

    /// The number that viewers know a track by, if it is on air.
    pub fn number(&self, track: usize) -> Option<u8> {
        self.numbers[track]
    }

    /// The picture on air.
    pub fn video(&self) -> Option<usize> {
        self.video
    }

    fn video_of(&self, mut tracks: impl Iterator<Item = usize>) -> Option<usize> {
        tracks.find(|&track| self.declared.tracks[track].kind == TrackKind::Video)
    }

    /// Whether blocks of this track wait for those of others.
    pub fn is_interleaved(&self, track: usize) -> bool {
        self.declared.tracks[track].is_played() && self.number(track).is_some()
    }

    /// Whether this track is on air or will be soon.
    pub fn is_wanted(&self, track: usize) -> bool {
        let is_planned = self.plan.as_ref().is_some_and(|plan| plan.contains(&track));
        is_planned || self.number(track).is_some()
    }

    /// Whether viewers can start with this block: of a picture with a keyframe, of sound with any.
    pub fn is_join_point(&self, block: &Block) -> bool {
        self.video()
            .is_none_or(|video| block.track == video && block.keyframe)
    }

    /// What should be on air from this block on, if the plan can begin with it.
    pub fn plan_from(&self, block: &Block) -> Option<&[usize]> {
        let plan = self.plan.as_deref()?;
        let begins = match self.video_of(plan.iter().copied()) {
            Some(video) => block.track == video && block.keyframe,
            None => plan.contains(&block.track),
        };
        begins.then_some(plan)
    }

    /// What the publisher should know about the tracks that are not on air.
    pub fn warning(&self) -> Option<String> {
        /// Tracks that are named.
        const NAMED_MAX: usize = 4;

        let left_out = self
            .declared
            .tracks
            .iter()
            .enumerate()
            .filter(|(index, _)| self.number(*index).is_none());
        let sentences: Vec<String> = left_out
            .take(NAMED_MAX)
            .map(|(index, track)| {
                let codec: String = track
                    .codec()
                    .chars()
                    .filter(char::is_ascii_graphic)
                    .take(32)
                    .collect();
                let name = format!("Track {} ({}, {codec})", track.number, track.kind.as_str());
                let has_kind = self
                    .chosen
                    .iter()
                    .any(|&(other, _)| self.declared.tracks[other].kind == track.kind);
                match track.kind {
                    TrackKind::Video | TrackKind::Audio if has_kind => {
                        format!(
                            "{name} is left out: viewers get the first picture and the first sound."
                        )
                    }
                    TrackKind::Video | TrackKind::Audio if !self.seen[index] => {
                        format!("{name} sends nothing: viewers play without it until it comes.")
                    }
                    TrackKind::Video | TrackKind::Audio => {
                        format!("{name} comes late: viewers get it from the next keyframe on.")
                    }
                    _ => format!("{name} is left out: browsers do not play it."),
                }
            })
            .collect();
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }
}

fn of_kind(
    recording: &Recording,
    kind: TrackKind,
) -> impl Iterator<Item = (usize, &Track)> + Clone {
    let tracks = recording.tracks.iter().enumerate();
    tracks.filter(move |(_, track)| track.kind == kind)
}

/// How long frames last that come at these times: the middle one of their distances.
fn frame_ns(times_ms: &[i64]) -> u64 {
    let mut times_ms = times_ms.to_vec();
    times_ms.sort_unstable();
    let pairs = times_ms.windows(2);
    let mut distances: Vec<i64> = pairs
        .map(|pair| pair[1].saturating_sub(pair[0]))
        .filter(|distance_ms| FRAME_MS.contains(distance_ms))
        .collect();
    distances.sort_unstable();
    distances
        .get(distances.len() / 2)
        .map_or(FRAME_NS_DEFAULT, |distance_ms| {
            distance_ms.unsigned_abs() * 1_000_000
        })
}
