//! Puts the blocks of several tracks into one order of time.
//!
//! Live recorders write them in order, and then nothing is held here: a block goes out as it came.
//! But a finished file may lace eight packets of sound into one block, or write tracks some 70 ms
//! apart (mkvmerge does both). Chromium ends a stream whose timestamps go back within a Cluster, so
//! from the first sign of it blocks wait until every track has come as far.

use crate::webm::Block;
use bytes::Bytes;
use std::collections::VecDeque;

/// Longest that a block waits for the other tracks, in milliseconds of media, and by the clock. A
/// track that ended, or a camera that was covered, must not hold up the rest.
const WAIT_MS_MAX: i64 = 500;

/// Bytes that wait at most, whatever their timestamps say.
const WAIT_BYTES_MAX: usize = 1 << 20;

/// Blocks that wait at most: half a second of picture and sound is some 40. Each new one is put in
/// its place among them.
const WAIT_BLOCKS_MAX: usize = 256;

/// Blocks on their way from the segmenter to the timeline.
#[derive(Debug, Default)]
pub struct Interleaver {
    /// Per track of the recording, the newest timestamp; `None` before its first block, and the
    /// latest there can be where no block waits for it.
    newest_ms: Vec<Option<i64>>,
    /// In order of time. Empty unless `is_sorting`.
    waiting: VecDeque<Waiting>,
    /// Invariant: the bytes of all blocks in `waiting`.
    waiting_bytes: usize,
    /// When the first of those that wait came, by the clock.
    earliest_ms: Option<u64>,
    /// The newest timestamp let through, and its block's offset in the stream.
    passed: Option<(i64, u64)>,
    /// Whether blocks were seen out of order. Stays on for the recording.
    is_sorting: bool,
    /// Codecs with B-frames go back in time by design; nothing is sorted then.
    reorders: bool,
}

#[derive(Debug)]
struct Waiting {
    block: Block,
    /// When it came, by the clock.
    came_ms: u64,
}

impl Interleaver {
    /// A recording begins. What was waiting has to be polled before.
    pub fn begin(&mut self) {
        *self = Interleaver::default();
    }

    /// Blocks wait for those of the tracks that `is_awaited` names, among `tracks` in all. Whether
    /// any of these `reorders` matters: see there.
    pub fn set_tracks(
        &mut self,
        tracks: usize,
        reorders: bool,
        is_awaited: impl Fn(usize) -> bool,
    ) {
        const UNAWAITED: Option<i64> = Some(i64::MAX);
        self.newest_ms.resize(tracks, UNAWAITED);
        for (track, newest_ms) in self.newest_ms.iter_mut().enumerate() {
            match (is_awaited(track), *newest_ms == UNAWAITED) {
                (true, true) => *newest_ms = None,
                (false, false) => *newest_ms = UNAWAITED,
                _ => {}
            }
        }
        self.reorders = reorders;
    }

    /// Bytes of blocks that wait for other tracks.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Takes the next block. Returns it at once if it need not wait; otherwise
    /// [`Interleaver::poll`] has what may go now.
    pub fn push(&mut self, mut block: Block, now_ms: u64) -> Option<Block> {
        if let Some(newest_ms) = self.newest_ms.get_mut(block.track) {
            *newest_ms =
                Some(newest_ms.map_or(block.timestamp_ms, |ms| ms.max(block.timestamp_ms)));
        }
        let is_out_of_order = self.passed.is_some_and(|(passed_ms, passed_offset)| {
            // Two frames of one block: a lace, which runs ahead of the other tracks.
            block.timestamp_ms < passed_ms || block.offset == passed_offset
        });
        let awaited = self.newest_ms.iter().filter(|ms| **ms != Some(i64::MAX));
        self.is_sorting |= is_out_of_order && !self.reorders && awaited.count() > 1;
        if !self.is_sorting {
            self.passed = Some((block.timestamp_ms, block.offset));
            return Some(block);
        }
        // Copied, so that a small block does not keep the whole message alive that it came in.
        block.element.bytes = Bytes::copy_from_slice(&block.element.bytes);
        self.waiting_bytes += block.element.bytes.len();
        // Behind all that are not later, so that each track keeps its own order.
        let place = self
            .waiting
            .partition_point(|other| other.block.timestamp_ms <= block.timestamp_ms);
        let waiting = Waiting {
            block,
            came_ms: now_ms,
        };
        self.waiting.insert(place, waiting);
        self.earliest_ms.get_or_insert(now_ms);
        None
    }

    /// When the block that came first has waited for long enough, by the clock.
    pub fn deadline_ms(&self) -> Option<u64> {
        self.earliest_ms.map(|came_ms| came_ms + WAIT_MS_MAX as u64)
    }

    /// The next block in order of time, while any has waited for long enough by the clock.
    pub fn poll_overdue(&mut self, now_ms: u64) -> Option<Block> {
        if self.deadline_ms()? <= now_ms {
            self.poll_rest()
        } else {
            None
        }
    }

    /// The next block whose time has come in every track.
    pub fn poll(&mut self) -> Option<Block> {
        let first_ms = self.waiting.front()?.block.timestamp_ms;
        let last_ms = self.waiting.back()?.block.timestamp_ms;
        let is_reached = self
            .newest_ms
            .iter()
            .all(|newest_ms| newest_ms.is_some_and(|newest_ms| newest_ms >= first_ms));
        let is_long = last_ms - first_ms > WAIT_MS_MAX
            || self.waiting_bytes > WAIT_BYTES_MAX
            || self.waiting.len() > WAIT_BLOCKS_MAX;
        if is_reached || is_long {
            self.poll_rest()
        } else {
            None
        }
    }

    /// The next block in order of time, whether the others have come as far or not.
    pub fn poll_rest(&mut self) -> Option<Block> {
        let waiting = self.waiting.pop_front()?;
        self.waiting_bytes -= waiting.block.element.bytes.len();
        if self.earliest_ms == Some(waiting.came_ms) {
            let others = self.waiting.iter().map(|other| other.came_ms);
            self.earliest_ms = others.min();
        }
        Some(waiting.block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webm::{Event, Recording, Segmenter};

    /// A recording with a video and an audio track, to take its tracks and one of its blocks from.
    fn sample() -> (Recording, Block) {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/data/chromium-vp8-opus-100ms.webm"
        );
        let mut segmenter = Segmenter::new(Default::default());
        segmenter.push(Bytes::from(std::fs::read(path).unwrap()));
        let (mut recording, mut block) = (None, None);
        while let (Ok(Some(event)), None) = (segmenter.poll(), &block) {
            match event {
                Event::Recording(seen) => recording = Some(seen),
                Event::Block(seen) => block = Some(seen),
                _ => {}
            }
        }
        (recording.unwrap(), block.unwrap())
    }

    /// Pushes `(track, timestamp, offset)`; returns the timestamps that came out, and those that
    /// come only at the end.
    fn run(blocks: &[(usize, i64, u64)]) -> (Vec<i64>, Vec<i64>) {
        let (recording, sample) = sample();
        let mut interleaver = Interleaver::default();
        interleaver.set_tracks(recording.tracks.len(), false, |_| true);
        let mut out = Vec::new();
        for &(track, timestamp_ms, offset) in blocks {
            let block = Block {
                track,
                timestamp_ms,
                offset,
                ..sample.clone()
            };
            out.extend(interleaver.push(block, 0));
            out.extend(std::iter::from_fn(|| interleaver.poll()));
        }
        let rest = std::iter::from_fn(|| interleaver.poll_rest());
        let rest = rest.map(|block| block.timestamp_ms).collect();
        (out.iter().map(|block| block.timestamp_ms).collect(), rest)
    }

    #[test]
    fn blocks_in_order_go_out_as_they_come() {
        let (out, rest) = run(&[(0, 0, 1), (1, 2, 2), (1, 62, 3), (0, 62, 4), (0, 95, 5)]);
        assert_eq!((out, rest), (vec![0, 2, 62, 62, 95], vec![]));
    }

    #[test]
    fn the_frames_of_a_lace_wait_for_the_picture() {
        let lace = [(1, 0, 2), (1, 20, 2), (1, 40, 2), (1, 60, 2)];
        let blocks = [
            &[(0, 0, 1)],
            &lace[..],
            &[(0, 33, 3), (0, 66, 4), (1, 80, 5)],
        ]
        .concat();
        let (out, rest) = run(&blocks);
        assert_eq!((out, rest), (vec![0, 0, 20, 33, 40, 60, 66], vec![80]));
    }

    #[test]
    fn blocks_that_wait_go_out_after_half_a_second_by_the_clock() {
        let (recording, sample) = sample();
        let mut interleaver = Interleaver::default();
        interleaver.set_tracks(recording.tracks.len(), false, |_| true);
        // The second is out of order; the third comes later, and belongs before it.
        for (track, timestamp_ms, now_ms) in [(1, 50, 0), (0, 45, 0), (0, 80, 100), (0, 60, 300)] {
            let block = Block {
                track,
                timestamp_ms,
                offset: now_ms,
                ..sample.clone()
            };
            let _ = interleaver.push(block, now_ms);
            while interleaver.poll().is_some() {}
        }
        let mut overdue = |now_ms| {
            let times = std::iter::from_fn(|| interleaver.poll_overdue(now_ms));
            let times: Vec<_> = times.map(|block| block.timestamp_ms).collect();
            (times, interleaver.deadline_ms())
        };
        assert_eq!(overdue(599), (vec![], Some(600)));
        assert_eq!(overdue(600), (vec![60, 80], None));
    }

    #[test]
    fn blocks_wait_for_no_track_that_is_not_awaited() {
        let (recording, sample) = sample();
        let mut interleaver = Interleaver::default();
        interleaver.set_tracks(recording.tracks.len(), false, |track| track == 0);
        for (track, timestamp_ms) in [(0, 100), (1, 50), (0, 133), (0, 166)] {
            let block = Block {
                track,
                timestamp_ms,
                ..sample.clone()
            };
            assert!(interleaver.push(block, 0).is_some());
        }
    }

    #[test]
    fn a_flood_without_time_does_not_wait_for_ever() {
        let mut blocks = vec![(1, 50, 1), (0, 0, 2)];
        blocks.extend((0..10_000).map(|n| (1, 60, 10 + n)));
        let (out, rest) = run(&blocks);
        assert!(out.len() > 5000, "{} out, {} wait", out.len(), rest.len());
    }

    #[test]
    fn a_track_that_ended_holds_the_others_up_no_longer_than_half_a_second() {
        let mut blocks = vec![(1, 50, 1), (0, 0, 2)];
        blocks.extend((1..30).map(|n| (0, 100 * n, 10 + n as u64)));
        let (out, rest) = run(&blocks);
        assert!(
            out.is_sorted_by_key(|&ms| if ms == 50 { 0 } else { ms }),
            "{out:?}"
        );
        assert_eq!(rest, [2400, 2500, 2600, 2700, 2800, 2900]);
    }
}
