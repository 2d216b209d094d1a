//! Recorded streams to publish, and a screen that is as strict as the strictest player.

use bytes::Bytes;
use std::ops::Range;
use videostream::webm::{Block, Event, Limits, Recording, Segmenter, TrackKind};

pub fn path(name: &str) -> String {
    format!("{}/tests/data/{name}.webm", env!("CARGO_MANIFEST_DIR"))
}

/// A recording of `tests/data`.
pub struct Sample {
    pub bytes: Bytes,
    /// As they came from the recorder.
    pub chunks: Vec<Bytes>,
    pub recording: Recording,
    pub blocks: Vec<Block>,
}

impl Sample {
    pub fn read(name: &str) -> Sample {
        let bytes = Bytes::from(std::fs::read(path(name)).unwrap());
        let facts = std::fs::read(path(name).replace(".webm", ".json")).unwrap();
        let facts: serde_json::Value = serde_json::from_slice(&facts).unwrap();
        let lengths: Vec<usize> = serde_json::from_value(facts["chunks"].clone()).unwrap();
        let mut rest = bytes.clone();
        let chunks = lengths
            .iter()
            .map(|&length| rest.split_to(length))
            .collect();
        assert!(rest.is_empty());
        Sample {
            chunks,
            ..Sample::parse(bytes)
        }
    }

    /// One recording, in one piece.
    pub fn parse(bytes: Bytes) -> Sample {
        let mut segmenter = Segmenter::new(Limits::default());
        segmenter.push(bytes.clone());
        let mut recording = None;
        let mut blocks = Vec::new();
        while let Some(event) = segmenter.poll().unwrap() {
            match event {
                Event::Recording(told) => recording = Some(told),
                Event::Block(block) => blocks.push(block),
                Event::Cluster(_) | Event::Stray { .. } => {}
            }
        }
        Sample {
            chunks: vec![bytes.clone()],
            bytes,
            recording: recording.unwrap(),
            blocks,
        }
    }

    /// Where the last byte of a block is, plus one.
    pub fn end_of(&self, block: &Block) -> usize {
        block.offset as usize + block.element.bytes.len()
    }

    /// Length of the bytes with which a viewer is there: up to the end of the first keyframe, and
    /// until each track has a block, the picture two where their distance is its frames' duration.
    pub fn opening(&self) -> usize {
        let missing = |index: usize| {
            let mut tracks = self.recording.tracks.iter().enumerate();
            tracks.any(|(number, track)| {
                let is_timed =
                    track.kind != TrackKind::Video || track.default_duration_ns.is_some();
                let seen = self.blocks[..=index].iter();
                seen.filter(|block| block.track == number).count() < 2 - usize::from(is_timed)
            })
        };
        let keyframe = self.keyframes()[0];
        let last = (keyframe..self.blocks.len()).find(|&index| !missing(index));
        self.end_of(&self.blocks[last.expect("a block of each track")])
    }

    /// What follows the first `length` bytes, as the recorder cut it.
    pub fn chunks_after(&self, length: usize) -> Vec<Bytes> {
        let mut before = length;
        let mut chunks = Vec::new();
        for chunk in &self.chunks {
            let skipped = before.min(chunk.len());
            before -= skipped;
            chunks.push(chunk.slice(skipped..));
        }
        chunks
    }

    /// Indexes of the join points.
    pub fn keyframes(&self) -> Vec<usize> {
        let video = self.recording.video();
        (0..self.blocks.len())
            .filter(|&index| {
                let block = &self.blocks[index];
                video.is_none_or(|video| block.track == video && block.keyframe)
            })
            .collect()
    }

    /// The blocks that viewers get of the first `length` bytes: all whole ones from the first
    /// keyframe on.
    pub fn shown(&self, length: usize) -> Range<usize> {
        let whole = self
            .blocks
            .partition_point(|block| self.end_of(block) <= length);
        self.keyframes()[0]..whole
    }

    /// The same for a viewer that joins after these bytes: the newest GOP.
    pub fn newest_gop(&self, length: usize) -> Range<usize> {
        let whole = self.shown(length).end;
        let keyframes = self.keyframes();
        let newest = keyframes.iter().rfind(|&&index| index < whole);
        *newest.expect("a keyframe")..whole
    }

    /// Frames by kind of track, as a decoder gets them.
    pub fn frames(&self, blocks: Range<usize>) -> Vec<(TrackKind, Bytes)> {
        let blocks = self.blocks[blocks].iter();
        blocks
            .map(|block| {
                let kind = self.recording.tracks[block.track].kind;
                (kind, Bytes::copy_from_slice(block.element.frame()))
            })
            .collect()
    }

    pub fn all_frames(&self) -> Vec<(TrackKind, Bytes)> {
        self.frames(self.shown(self.bytes.len()))
    }
}

/// One frame as a viewer got it.
#[derive(Debug, Clone)]
pub struct Shown {
    pub kind: TrackKind,
    pub timestamp_ms: i64,
    pub keyframe: bool,
    pub bytes: Bytes,
}

/// Takes a viewer's bytes and insists on everything that players insist on: see the contract's
/// "What a viewer receives".
pub struct Screen {
    segmenter: Segmenter,
    pub recording: Option<Recording>,
    /// Init segments so far.
    pub inits: usize,
    /// Index into `frames` at which each Cluster begins.
    pub clusters: Vec<usize>,
    pub frames: Vec<Shown>,
    pub bytes: Vec<u8>,
}

impl Screen {
    pub fn new() -> Screen {
        Screen {
            segmenter: Segmenter::new(Limits::default()),
            recording: None,
            inits: 0,
            clusters: Vec::new(),
            frames: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// One message, which must end at a whole element.
    pub fn show(&mut self, message: Bytes) {
        assert!(!message.is_empty());
        self.show_part(message);
        assert!(
            self.segmenter.is_between_elements(),
            "a message ends inside an element"
        );
    }

    /// Bytes cut anywhere.
    pub fn show_part(&mut self, bytes: Bytes) {
        self.bytes.extend_from_slice(&bytes);
        self.segmenter.push(bytes);
        while let Some(event) = self.segmenter.poll().expect("a valid stream") {
            match event {
                Event::Recording(recording) => {
                    self.recording = Some(recording);
                    self.inits += 1;
                }
                Event::Cluster(head) => {
                    assert_eq!(head.size, None, "a live Cluster has no size");
                    self.clusters.push(self.frames.len());
                }
                Event::Block(block) => self.show_block(&block),
                Event::Stray { offset, .. } => panic!("a stray block at {offset}"),
            }
        }
    }

    fn show_block(&mut self, block: &Block) {
        let recording = self.recording.as_ref().expect("an init segment");
        let shown = Shown {
            kind: recording.tracks[block.track].kind,
            timestamp_ms: block.timestamp_ms,
            keyframe: block.keyframe,
            bytes: Bytes::copy_from_slice(block.element.frame()),
        };
        let opens_cluster = self.clusters.last() == Some(&self.frames.len());
        if recording.video().is_some() {
            let is_keyframe = shown.kind == TrackKind::Video && shown.keyframe;
            assert_eq!(is_keyframe, opens_cluster, "one Cluster per GOP");
        }
        if let Some(before) = self.frames.last() {
            assert!(before.timestamp_ms <= shown.timestamp_ms, "time goes back");
        }
        self.frames.push(shown);
    }

    pub fn frames(&self) -> Vec<(TrackKind, Bytes)> {
        let frames = self.frames.iter();
        frames
            .map(|frame| (frame.kind, frame.bytes.clone()))
            .collect()
    }

    /// Largest step of time between two frames.
    pub fn largest_step_ms(&self) -> i64 {
        let pairs = self.frames.windows(2);
        let steps = pairs.map(|pair| pair[1].timestamp_ms - pair[0].timestamp_ms);
        steps.max().unwrap_or(0)
    }
}

/// Tells where two lists of frames differ, rather than showing them.
pub fn assert_frames(got: &[(TrackKind, Bytes)], expected: &[(TrackKind, Bytes)]) {
    let differs = got.iter().zip(expected).position(|(a, b)| a != b);
    assert_eq!(differs, None, "the first frame that differs");
    assert_eq!(got.len(), expected.len(), "number of frames");
}
