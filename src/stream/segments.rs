//! GOPs by number, for caches: which chunks of the ring are the segment that has this number.
//!
//! ```text
//! ring      … │ join point, chunk, chunk │ join point, chunk │ join point, chunk …
//! segments         1764403200007             …008                …009, growing     …010 is next
//! ```
//!
//! A cache keeps what it was given for a number, so no number may ever mean other bytes: not after the
//! publisher has come back, nor after the server has. So the first number of a stream is the time in
//! milliseconds, each GOP takes the next one, and none is taken before its own millisecond has come: a
//! publisher that sends faster than a GOP a millisecond gets several of them in one segment.
//!
//! An init segment is named by the number of the first segment that needs it, for the same reason.
//!
//! Nothing is copied: a segment is a range of the ring's sequences. It is gone when its first chunk is,
//! but for readers that have come further: they find the end of the newest two in any case.

use super::Framed;
use std::collections::VecDeque;
use std::sync::Arc;

/// Largest first number: some 35,000 years, and numbers that JavaScript has.
const FIRST_MAX: u64 = 1 << 50;

/// One GOP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    pub number: u64,
    /// The number of the first segment that needs the same init segment.
    pub generation: u64,
    /// The number of the first segment of the same recording: between two recordings, time passed that
    /// timestamps do not tell of.
    pub recording: u64,
    /// Sequences of its first chunk, and of what follows its last; `None` while it grows.
    pub first: u64,
    pub end: Option<u64>,
    pub start_ms: u64,
    pub duration_ms: u64,
    /// Since 1970, when its first chunk came.
    pub came_unix_ms: u64,
    pub bytes: u64,
}

/// An init segment that segments need.
#[derive(Debug, Clone)]
pub struct SegmentInit {
    pub generation: u64,
    pub framed: Framed,
    pub mime: Arc<str>,
}

/// Where a recording stands in the time of its stream, and on the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordingStart {
    pub recording: u64,
    pub start_ms: u64,
    pub came_unix_ms: u64,
}

/// What there is at a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Finished(Segment),
    Growing(Segment),
    /// The next GOP will be it.
    Next,
    /// It is gone from the ring, or further ahead, or never was.
    Missing,
}

/// The time, as a stream knows it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Now {
    /// Of a clock that never goes back.
    pub ms: u64,
    /// Since 1970, by a clock that may be set.
    pub unix_ms: u64,
}

/// Segments that are known when the ring has their beginning no more: the one that has just ended, and
/// the one that grows.
const KNOWN_MIN: usize = 2;

#[derive(Debug, Default)]
pub struct Segments {
    /// Oldest first. Invariant: only the last one may grow, and all but the newest two begin in the ring.
    segments: VecDeque<Segment>,
    /// Sequence of the ring's oldest chunk.
    oldest: u64,
    /// When the first of them came, by the clock on the wall.
    epoch_unix_ms: u64,
    /// Oldest first. Invariant: those that `segments` need, and the newest.
    inits: VecDeque<SegmentInit>,
    /// The same of recordings.
    recordings: VecDeque<RecordingStart>,
    /// The init segment of the next segment, where that is the first to need it.
    fresh_init: Option<(Framed, Arc<str>)>,
    /// Whether the next segment is the first of its recording.
    is_fresh_recording: bool,
    /// No number below this is taken.
    floor: u64,
    numbers: Option<Numbers>,
    /// Counts beginnings and ends of segments, and those that went before their end.
    changes: u64,
    /// The same, and all segments that are gone.
    version: u64,
}

/// Which numbers are taken, and which may be.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    next: u64,
    /// The number of this moment, on the clock that never goes back.
    first: u64,
    first_ms: u64,
}

impl Segments {
    /// Numbers below `floor` were taken by a stream of the same name.
    pub fn from_number(floor: u64) -> Segments {
        Segments {
            floor,
            ..Segments::default()
        }
    }

    /// The number of the next GOP; `None` before the first.
    pub fn next_number(&self) -> Option<u64> {
        self.numbers.map(|numbers| numbers.next)
    }

    /// Changes when a segment begins or ends, and when the ring loses the beginning of one that grows: readers that
    /// wait for the whole segment will not get it.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Changes when a segment begins, ends, or is gone.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// When the first segment came, by the clock on the wall.
    pub fn epoch_unix_ms(&self) -> u64 {
        self.epoch_unix_ms
    }

    /// Those that are whole.
    pub fn finished(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        let finished = self.segments.iter();
        finished.filter(|segment| segment.end.is_some() && segment.first >= self.oldest)
    }

    /// The segment that grows. Its beginning may be gone.
    pub fn growing(&self) -> Option<&Segment> {
        self.segments.back().filter(|segment| segment.end.is_none())
    }

    pub fn find(&self, number: u64) -> Found {
        let found = self.segments.iter().rev().find(|one| one.number == number);
        match found {
            Some(segment) if segment.first < self.oldest => Found::Missing,
            Some(segment) if segment.end.is_some() => Found::Finished(*segment),
            Some(segment) => Found::Growing(*segment),
            None if self.next_number() == Some(number) => Found::Next,
            None => Found::Missing,
        }
    }

    /// Where a segment ends whose beginning a reader has; `None` while it grows.
    pub fn end_of(&self, number: u64) -> Option<u64> {
        let mut segments = self.segments.iter().rev();
        segments.find(|one| one.number == number)?.end
    }

    /// The init segment of this generation.
    pub fn init(&self, generation: u64) -> Option<&SegmentInit> {
        let mut inits = self.inits.iter();
        inits.find(|init| init.generation == generation)
    }

    /// The init segment that the newest segment needs.
    pub fn newest_init(&self) -> Option<&SegmentInit> {
        self.inits.back()
    }

    pub fn recording(&self, recording: u64) -> Option<&RecordingStart> {
        let mut recordings = self.recordings.iter();
        recordings.find(|start| start.recording == recording)
    }

    /// Bytes of init segments that may be gone from the ring.
    pub fn init_bytes(&self) -> usize {
        // The newest is the stream's own.
        let older = self.inits.iter().rev().skip(1);
        older.map(|init| init.framed.memory()).sum()
    }

    /// The next segment is the first that needs this init segment.
    pub fn begin_generation(&mut self, framed: Framed, mime: Arc<str>) {
        self.fresh_init = Some((framed, mime));
        self.is_fresh_recording = true;
    }

    /// The next segment is the first of a recording.
    pub fn begin_recording(&mut self) {
        self.is_fresh_recording = true;
    }

    /// A GOP begins with the chunk `first`, of `bytes`.
    pub fn begin(&mut self, first: u64, start_ms: u64, bytes: u64, now: Now) {
        let floor = self.floor;
        let numbers = self.numbers.get_or_insert_with(|| {
            let first = now.unix_ms.min(FIRST_MAX).max(floor);
            Numbers {
                next: first,
                first,
                first_ms: now.ms,
            }
        });
        let due = numbers.first + now.ms.saturating_sub(numbers.first_ms);
        if numbers.next > due {
            // Its millisecond has not come. Where no segment grows, the GOP has none.
            self.extend(bytes);
            return;
        }
        let number = numbers.next;
        numbers.next += 1;
        self.finish(first, start_ms);
        // Keyframes of a codec that reorders frames may go back in time. The start times of a list must not.
        let last = self.segments.back().filter(|one| one.first >= self.oldest);
        let start_ms = last.map_or(start_ms, |last| start_ms.max(last.start_ms));
        if self.recordings.is_empty() {
            self.epoch_unix_ms = now.unix_ms;
        }
        if let Some((framed, mime)) = self.fresh_init.take() {
            self.inits.push_back(SegmentInit {
                generation: number,
                framed,
                mime,
            });
        }
        if std::mem::take(&mut self.is_fresh_recording) {
            self.recordings.push_back(RecordingStart {
                recording: number,
                start_ms,
                came_unix_ms: now.unix_ms,
            });
        }
        self.segments.push_back(Segment {
            number,
            generation: self.inits.back().map_or(0, |init| init.generation),
            recording: self.recordings.back().map_or(0, |one| one.recording),
            first,
            end: None,
            start_ms,
            duration_ms: 0,
            came_unix_ms: now.unix_ms,
            bytes,
        });
        self.note_change();
    }

    /// A further chunk of the GOP that grows.
    pub fn extend(&mut self, bytes: u64) {
        if let Some(segment) = self.segments.back_mut()
            && segment.end.is_none()
        {
            segment.bytes += bytes;
        }
    }

    /// The segment that grows ends before the chunk `end`, and in the stream's time at `end_ms`.
    pub fn finish(&mut self, end: u64, end_ms: u64) {
        if let Some(segment) = self.segments.back_mut()
            && segment.end.is_none()
        {
            segment.end = Some(end);
            // Players take no segment of no length.
            segment.duration_ms = end_ms.saturating_sub(segment.start_ms).max(1);
            self.note_change();
        }
    }

    fn note_change(&mut self) {
        self.changes += 1;
        self.version += 1;
    }

    /// The ring begins with the chunk `oldest`.
    pub fn forget_before(&mut self, oldest: u64) {
        let is_in = |segment: &Segment| segment.first >= oldest;
        let leaves = |segment: &Segment| segment.first >= self.oldest && !is_in(segment);
        // Oldest first, so that a look costs no more than what leaves.
        let mut gone = self.segments.iter().take_while(|segment| !is_in(segment));
        let has_news = gone.any(leaves);
        let is_growing_lost = self.growing().is_some_and(leaves);
        self.oldest = oldest;
        if !has_news {
            return;
        }
        self.changes += u64::from(is_growing_lost);
        self.version += 1;
        while self.segments.len() > KNOWN_MIN && !self.segments.front().is_some_and(is_in) {
            self.segments.pop_front();
        }
        let (generation, recording) = match self.segments.iter().find(|one| is_in(one)) {
            Some(segment) => (segment.generation, segment.recording),
            None => (u64::MAX, u64::MAX),
        };
        while self.inits.len() > 1
            && self
                .inits
                .front()
                .is_some_and(|one| one.generation < generation)
        {
            self.inits.pop_front();
        }
        while self.recordings.len() > 1
            && self
                .recordings
                .front()
                .is_some_and(|one| one.recording < recording)
        {
            self.recordings.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Framer;

    fn init() -> (Framed, Arc<str>) {
        (Framer::with_capacity(0).finish(), "video/webm".into())
    }

    fn at(ms: u64) -> Now {
        Now {
            ms,
            unix_ms: 1_000_000 + ms,
        }
    }

    fn numbers(segments: &Segments) -> Vec<u64> {
        segments.segments.iter().map(|one| one.number).collect()
    }

    /// A stream with GOPs that come at these times, each one chunk.
    fn with_gops(times_ms: &[u64]) -> Segments {
        let mut segments = Segments::default();
        let (framed, mime) = init();
        segments.begin_generation(framed, mime);
        for (first, &ms) in times_ms.iter().enumerate() {
            segments.begin(first as u64, ms, 10, at(ms));
        }
        segments
    }

    #[test]
    fn numbers_begin_at_the_clock_and_go_up_by_one() {
        let segments = with_gops(&[500, 2500, 4500]);
        assert_eq!(numbers(&segments), [1_000_500, 1_000_501, 1_000_502]);
        let durations: Vec<u64> = segments.finished().map(|one| one.duration_ms).collect();
        assert_eq!(durations, [2000, 2000]);
        assert_eq!(segments.growing().map(|one| one.number), Some(1_000_502));
        assert!(matches!(segments.find(1_000_501), Found::Finished(_)));
        assert!(matches!(segments.find(1_000_502), Found::Growing(_)));
        assert_eq!(segments.find(1_000_503), Found::Next);
        for number in [1_000_499, 1_000_504, 0, u64::MAX] {
            assert_eq!(segments.find(number), Found::Missing);
        }
    }

    #[test]
    fn no_number_is_taken_before_its_millisecond() {
        // Five GOPs in one millisecond, and one two later.
        let mut segments = with_gops(&[7, 7, 7, 7, 7, 9]);
        assert_eq!(numbers(&segments), [1_000_007, 1_000_008]);
        let bytes: Vec<u64> = segments.segments.iter().map(|one| one.bytes).collect();
        assert_eq!(bytes, [50, 10]);
        // Of a recording that ends at once, the next has no segment until then.
        segments.begin(6, 9, 10, at(9));
        segments.finish(7, 9);
        segments.begin(7, 9, 10, at(9));
        assert_eq!(numbers(&segments).len(), 3);
        segments.finish(8, 9);
        segments.begin(8, 9, 10, at(9));
        segments.extend(10);
        assert_eq!(numbers(&segments).len(), 3);
        assert!(segments.growing().is_none());
    }

    #[test]
    fn start_times_of_segments_never_go_back() {
        let starts = |segments: &Segments| -> Vec<u64> {
            segments.segments.iter().map(|one| one.start_ms).collect()
        };
        let mut segments = with_gops(&[0, 2000]);
        segments.begin(2, 700, 10, at(3000));
        assert_eq!(starts(&segments), [0, 2000, 2000]);
        // But where time begins anew.
        segments.finish(3, 3000);
        segments.forget_before(3);
        segments.begin(3, 0, 10, at(4000));
        assert_eq!(starts(&segments).last(), Some(&0));
    }

    #[test]
    fn a_stream_of_the_same_name_takes_higher_numbers_whatever_the_clock_says() {
        let mut segments = Segments::from_number(2_000_000);
        segments.begin(0, 0, 1, at(0));
        segments.begin(1, 1000, 1, at(1000));
        assert_eq!(numbers(&segments), [2_000_000, 2_000_001]);
        let mut segments = Segments::default();
        segments.begin(
            0,
            0,
            1,
            Now {
                ms: 0,
                unix_ms: u64::MAX,
            },
        );
        assert_eq!(numbers(&segments), [FIRST_MAX]);
    }

    #[test]
    fn init_segments_stay_as_long_as_segments_need_them() {
        let mut segments = with_gops(&[0, 1000]);
        segments.finish(2, 2000);
        let (framed, mime) = init();
        segments.begin_generation(framed, mime);
        segments.begin(3, 2000, 10, at(2000));
        let generations: Vec<u64> = segments.inits.iter().map(|one| one.generation).collect();
        assert_eq!(generations, [1_000_000, 1_000_002]);
        assert_eq!(segments.newest_init().unwrap().generation, 1_000_002);
        assert_eq!(segments.recording(1_000_002).unwrap().start_ms, 2000);
        segments.forget_before(1);
        assert!(segments.init(1_000_000).is_some() && segments.recording(1_000_000).is_some());
        segments.forget_before(2);
        assert!(segments.init(1_000_000).is_none() && segments.recording(1_000_000).is_none());
        segments.forget_before(9);
        assert_eq!((segments.inits.len(), segments.finished().count()), (1, 0));
        assert_eq!(segments.find(1_000_002), Found::Missing);
        assert_eq!(segments.find(1_000_003), Found::Next);
        // A reader that has come as far as the ring sees the end.
        assert_eq!(segments.end_of(1_000_002), None);
        segments.finish(12, 3000);
        assert_eq!(segments.end_of(1_000_002), Some(12));
    }
}
