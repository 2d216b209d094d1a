//! Holds a file's bytes back until their time comes.
//!
//! Bytes go in through [`Pacer::push`]. [`Pacer::take`] gives out, for a time counted from the
//! first block, all that a recorder would have sent by then, unchanged.
//!
//! ```text
//! EBML header … Tracks, Cluster, block 0 ms, block 40 ms, block 80 ms, blo
//! └────────────────── take(40) ──────────────────────┘   └── held back ──┘
//! ```
//!
//! A block is held back from its first byte on. The front of an element that is not all here may
//! go out early: without its last byte no viewer sees it, so memory holds one read and no more.
//!
//! A new EBML header is a new recording. It follows the last one without a gap, so a file that is
//! pushed again and again plays on.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::webm::{Block, Event, Limits, Segmenter, WebmError};

/// From the last block of one recording to the first of the next, when the file does not say how
/// long a frame lasts.
const FRAME_MS_DEFAULT: u64 = 33;

pub(super) struct Pacer {
    segmenter: Segmenter,
    /// Pushed and not taken. Begins at byte `taken` of the stream.
    held: BytesMut,
    taken: u64,
    /// Whether what is taken ends between two blocks.
    is_whole: bool,
    /// Whole blocks in `held`, in their order. Invariant: neither offsets nor times go back.
    marks: VecDeque<Mark>,
    /// When the recording's first block is due, once that has come.
    origin_ms: u64,
    first_timestamp_ms: Option<i64>,
    last_due_ms: Option<u64>,
    /// Track and timestamp of the last block, and how far apart two of one track were last.
    last_timestamps: Vec<Option<i64>>,
    frame_ms: u64,
}

/// Where a block begins, and when it is due.
struct Mark {
    offset: u64,
    due_ms: u64,
}

impl Pacer {
    pub(super) fn new() -> Pacer {
        Pacer {
            segmenter: Segmenter::new(Limits::default()),
            held: BytesMut::new(),
            taken: 0,
            is_whole: true,
            marks: VecDeque::new(),
            origin_ms: 0,
            first_timestamp_ms: None,
            last_due_ms: None,
            last_timestamps: Vec::new(),
            frame_ms: FRAME_MS_DEFAULT,
        }
    }

    /// Adds the next bytes of the file.
    pub(super) fn push(&mut self, bytes: Bytes) -> Result<(), WebmError> {
        self.held.extend_from_slice(&bytes);
        self.segmenter.push(bytes);
        while let Some(event) = self.segmenter.poll()? {
            match event {
                Event::Recording(_) => self.start_recording(),
                Event::Block(block) => self.note(&block),
                Event::Cluster(_) | Event::Stray { .. } => {}
            }
        }
        Ok(())
    }

    /// When the first of the blocks that are held is due; `None` when no whole one is.
    pub(super) fn next_due_ms(&self) -> Option<u64> {
        self.marks.front().map(|mark| mark.due_ms)
    }

    /// What is due at `now_ms` and was not taken before.
    pub(super) fn take(&mut self, now_ms: u64) -> Bytes {
        while self
            .marks
            .pop_front_if(|mark| mark.due_ms <= now_ms)
            .is_some()
        {}
        match self.marks.front() {
            // Its front went out early.
            Some(mark) if mark.offset < self.taken => Bytes::new(),
            Some(mark) => {
                self.is_whole = true;
                self.split((mark.offset - self.taken) as usize)
            }
            None => {
                self.is_whole = self.segmenter.is_between_blocks();
                self.split(self.held.len())
            }
        }
    }

    /// What is missing of the element that was taken in part, whenever it is due; nothing if all
    /// that was taken is whole. `None` while the file has to be read further for it.
    pub(super) fn complete(&mut self) -> Option<Bytes> {
        if self.is_whole {
            return Some(Bytes::new());
        }
        while self
            .marks
            .pop_front_if(|mark| mark.offset < self.taken)
            .is_some()
        {}
        let length = match self.marks.front() {
            Some(mark) => (mark.offset - self.taken) as usize,
            None if self.segmenter.is_between_blocks() => self.held.len(),
            None => return None,
        };
        self.is_whole = true;
        Some(self.split(length))
    }

    fn split(&mut self, length: usize) -> Bytes {
        self.taken += length as u64;
        self.held.split_to(length).freeze()
    }

    /// Whether the file could end here.
    pub(super) fn is_between_elements(&self) -> bool {
        self.segmenter.is_between_elements()
    }

    fn start_recording(&mut self) {
        if let Some(last) = self.last_due_ms {
            self.origin_ms = last + self.frame_ms;
        }
        self.first_timestamp_ms = None;
        self.last_timestamps.clear();
    }

    fn note(&mut self, block: &Block) {
        let timestamp_ms = block.timestamp_ms;
        let first_ms = *self.first_timestamp_ms.get_or_insert(timestamp_ms);
        let since_first = u64::try_from(timestamp_ms - first_ms).unwrap_or(0);
        // Frames that a codec reorders go out with the ones they were written among.
        let due_ms = self
            .last_due_ms
            .unwrap_or(0)
            .max(self.origin_ms + since_first);
        self.last_due_ms = Some(due_ms);

        if self.last_timestamps.len() <= block.track {
            self.last_timestamps.resize(block.track + 1, None);
        }
        if let Some(last) = self.last_timestamps[block.track].replace(timestamp_ms)
            && let Ok(step @ 1..=1000) = u64::try_from(timestamp_ms - last)
        {
            self.frame_ms = step;
        }
        self.marks.push_back(Mark {
            offset: block.offset,
            due_ms,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(name: &str) -> Bytes {
        let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(path).unwrap().into()
    }

    /// Offset and timestamp of every block.
    fn blocks(bytes: &Bytes) -> Vec<(u64, i64)> {
        let mut segmenter = Segmenter::new(Limits::default());
        segmenter.push(bytes.clone());
        let mut blocks = Vec::new();
        while let Some(event) = segmenter.poll().unwrap() {
            if let Event::Block(block) = event {
                blocks.push((block.offset, block.timestamp_ms));
            }
        }
        blocks
    }

    #[test]
    fn a_block_goes_out_when_its_time_has_come() {
        let file = sample("ffmpeg-live.webm");
        let mut pacer = Pacer::new();
        pacer.push(file.clone()).unwrap();
        let blocks = blocks(&file);
        let mut sent = 0;
        for now_ms in (0..8000).step_by(50) {
            sent += pacer.take(now_ms).len() as u64;
            let next = blocks.iter().find(|(_, ms)| *ms > now_ms as i64);
            assert_eq!(
                sent,
                next.map_or(file.len() as u64, |block| block.0),
                "{now_ms} ms"
            );
        }
    }

    #[test]
    fn every_byte_goes_out_unchanged_at_any_read_size() {
        let file = sample("chromium-vp8-opus-100ms.webm");
        let mut pacer = Pacer::new();
        let mut sent = Vec::new();
        for (piece, now_ms) in file.chunks(1000).zip((0..).step_by(30)) {
            pacer.push(Bytes::copy_from_slice(piece)).unwrap();
            sent.extend_from_slice(&pacer.take(now_ms));
        }
        assert!(sent.len() < file.len());
        sent.extend_from_slice(&pacer.take(u64::MAX));
        assert_eq!(sent, file);
        assert!(pacer.is_between_elements() && pacer.next_due_ms().is_none());
    }

    #[test]
    fn an_element_longer_than_a_read_is_not_held_in_memory() {
        let file = sample("firefox-vp8-opus-100ms.webm");
        let mut pacer = Pacer::new();
        pacer.push(file.slice(..313)).unwrap();
        assert_eq!(pacer.next_due_ms(), None);
        assert_eq!(pacer.take(0).len(), 313);
    }

    #[test]
    fn a_file_pushed_again_follows_itself_after_one_frame() {
        let file = sample("chromium-vp8-only-100ms.webm");
        let [.., (_, before), (_, last)] = blocks(&file)[..] else {
            panic!("few blocks")
        };
        let first = blocks(&file)[0].1;
        let mut pacer = Pacer::new();
        pacer.push(file.clone()).unwrap();
        pacer.take((last - first) as u64);
        assert_eq!(pacer.next_due_ms(), None);
        pacer.push(file).unwrap();
        assert_eq!(
            pacer.next_due_ms(),
            Some((last - first + last - before) as u64)
        );
    }

    #[test]
    fn other_formats_are_an_error() {
        let error = Pacer::new()
            .push(Bytes::from_static(b"GIF89a"))
            .unwrap_err();
        assert_eq!(error, WebmError::NotWebm { offset: 0 });
    }
}
