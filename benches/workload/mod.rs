//! What the benches work on: real recordings, and one with frames as large as they are live.

// Each bench is a crate of its own that needs a part of this.
#![allow(dead_code)]

use bytes::{Bytes, BytesMut};
use serde_json::Value;
use videostream::webm::{
    Block, BlockElement, ClusterWriter, Event, Limits, Placement, Recording, Segmenter,
};

/// A stream, and how it comes in.
pub struct Workload {
    /// For example `10 s of 2.5 Mbit/s VP8 and Opus, 31 KB pieces`.
    pub name: String,
    pub pieces: Vec<Bytes>,
    pub byte_len: u64,
    pub blocks: usize,
}

impl Workload {
    fn new(name: String, bytes: &Bytes, lengths: &[usize]) -> Workload {
        let mut rest = bytes.clone();
        let mut pieces = Vec::new();
        for &length in lengths.iter().cycle() {
            pieces.push(rest.split_to(length.min(rest.len())));
            if rest.is_empty() {
                break;
            }
        }
        Workload {
            name,
            pieces,
            byte_len: bytes.len() as u64,
            blocks: blocks(bytes).1.len(),
        }
    }

    /// A recording of `tests/data`, whole, as the recorder gave it, and cut ever smaller.
    pub fn cuts_of(recording: &str, title: &str) -> Vec<Workload> {
        let bytes = read(recording, "webm");
        let facts: Value = serde_json::from_slice(&read(recording, "json")).expect("JSON");
        let chunks: Vec<usize> =
            serde_json::from_value(facts["chunks"].clone()).expect("lengths of chunks");
        [
            ("whole", vec![bytes.len()]),
            ("the recorder's chunks", chunks),
            ("4 KiB reads", vec![4096]),
            ("64 B cuts", vec![64]),
            ("1 B cuts", vec![1]),
        ]
        .into_iter()
        .map(|(cut, lengths)| Workload::new(format!("{title}, {cut}"), &bytes, &lengths))
        .collect()
    }

    /// What Chromium's recorder sends each 100 ms at 2.5 Mbit/s.
    pub fn live() -> Workload {
        let bytes = live_recording("chromium-vp8-opus-100ms", 10_000, 2_500_000);
        let name = "10 s of 2.5 Mbit/s VP8 and Opus, 31 KB pieces";
        Workload::new(name.into(), &bytes, &[31_250])
    }
}

fn read(name: &str, extension: &str) -> Bytes {
    let path = format!(
        "{}/tests/data/{name}.{extension}",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(path).expect("a file of tests/data").into()
}

/// What a recording of `tests/data` says of itself.
pub fn recording(name: &str) -> Recording {
    blocks(&read(name, "webm")).0
}

/// The recording that `bytes` hold, and its blocks, each with whether a Cluster begins there.
fn blocks(bytes: &Bytes) -> (Recording, Vec<(Block, bool)>) {
    let mut segmenter = Segmenter::new(Limits::default());
    segmenter.push(bytes.clone());
    let mut recording = None;
    let mut blocks = Vec::new();
    let mut opens_cluster = false;
    while let Some(event) = segmenter.poll().expect("a good recording") {
        match event {
            Event::Recording(seen) => recording = Some(seen),
            Event::Cluster(_) => opens_cluster = true,
            Event::Block(block) => {
                blocks.push((block, opens_cluster));
                opens_cluster = false;
            }
            Event::Stray { .. } => unreachable!("recorders name all their tracks"),
        }
    }
    (recording.expect("a recording"), blocks)
}

/// A recording over and over, without the joins: its blocks at their times, keyframes and
/// Clusters where they were, until `duration_ms`. Sound stays as it was; each frame of video is
/// repeated until it is as many times larger as `bits_per_second` asks for.
fn live_recording(name: &str, duration_ms: i64, bits_per_second: usize) -> Bytes {
    let (recording, source) = blocks(&read(name, "webm"));
    let video = recording.video().expect("a video track");
    let last = source.last().expect("a block").0.timestamp_ms;
    let turns = (0..).map(|turn| turn * (last + 33));
    let all: Vec<(i64, &Block, bool)> = turns
        .flat_map(|offset_ms| {
            source.iter().map(move |(block, opens_cluster)| {
                (offset_ms + block.timestamp_ms, block, *opens_cluster)
            })
        })
        .take_while(|&(timestamp_ms, ..)| timestamp_ms < duration_ms)
        .collect();

    let length_of = |is_video: bool| -> usize {
        let blocks = all.iter().filter(|all| (all.1.track == video) == is_video);
        blocks.map(|(_, block, _)| block.element.frame_length).sum()
    };
    let wanted = bits_per_second / 8 * (duration_ms as usize / 1000);
    let wanted_video = wanted - length_of(false);
    let is_video = length_of(true);

    let mut out = BytesMut::from(&recording.init_segment()[..]);
    let mut writer = ClusterWriter::new();
    for (timestamp_ms, block, opens_cluster) in all {
        let frame = block.element.frame();
        let length = if block.track == video {
            frame.len() * wanted_video / is_video
        } else {
            frame.len()
        };
        let frame = frame.iter().copied().cycle().take(length);
        let element = simple_block(block.keyframe, frame, length);
        let placement = Placement {
            track_number: block.track as u8 + 1,
            timestamp_ms: timestamp_ms.unsigned_abs(),
            opens_cluster,
        };
        writer.write(&mut out, &element, placement);
    }
    out.freeze()
}

/// With a size of four bytes, as Chromium writes it.
pub fn simple_block(
    keyframe: bool,
    frame: impl Iterator<Item = u8>,
    length: usize,
) -> BlockElement {
    let mut bytes = vec![0xa3];
    bytes.extend((0x1000_0000 | (length as u32 + 4)).to_be_bytes());
    let track_at = bytes.len();
    bytes.extend([0x81, 0, 0, if keyframe { 0x80 } else { 0 }]);
    bytes.extend(frame);
    BlockElement {
        bytes: bytes.into(),
        track_at,
        frame_length: length,
    }
}
