//! What a recording's file is worth after any crash, and on any disk.

use super::memory::{Faults, MemoryFile, Step, replay};
use super::{CutOff, FileWriter, Finished, cut_off};
use crate::stream::{Ingest, Limits, Stream};
use crate::webm::element::{ElementId, children};
use crate::webm::vint::read_uint;
use crate::webm::{self, Event, Recording, Segmenter};
use bytes::Bytes;
use proptest::prelude::*;
use std::cell::Cell;
use std::io::Cursor;
use std::sync::Arc;

/// A stream's chunks as viewers get them, without the init segment.
struct Live {
    recording: Recording,
    /// Each with its first timestamp.
    chunks: Vec<(u64, Bytes)>,
}

impl Live {
    fn of(name: &str) -> Live {
        let path = format!("{}/tests/data/{name}.webm", env!("CARGO_MANIFEST_DIR"));
        let bytes = Bytes::from(std::fs::read(path).unwrap());
        let mut stream = Stream::new(Arc::from("demo"), Limits::default());
        let mut ingest = Ingest::new(Limits::default());
        stream.go_live();
        for piece in bytes.chunks(1500) {
            ingest
                .push(Bytes::copy_from_slice(piece), &mut stream)
                .unwrap();
        }
        ingest.flush(&mut stream);
        let ring = stream.ring();
        let chunks = (ring.oldest()..ring.live_edge())
            .filter_map(|sequence| ring.chunk(sequence))
            .filter(|chunk| chunk.mime.is_none())
            .map(|chunk| (chunk.timestamp_ms, chunk.framed.payload()))
            .collect();
        Live {
            recording: stream.init().unwrap().recording.clone(),
            chunks,
        }
    }

    fn writer(&self, file: &MemoryFile) -> FileWriter<MemoryFile> {
        let base_ms = self.chunks[0].0;
        FileWriter::create(file.clone(), &self.recording, base_ms, Some(0)).unwrap()
    }

    /// The blocks that viewers get, at times from 0.
    fn blocks(&self) -> Vec<(u8, i64, Bytes)> {
        let init = self.recording.init_segment();
        let chunks = self.chunks.iter().map(|(_, chunk)| chunk.clone());
        let mut blocks = blocks(std::iter::once(init).chain(chunks)).unwrap();
        let base_ms = self.chunks[0].0 as i64;
        for block in &mut blocks {
            block.1 -= base_ms;
        }
        blocks
    }
}

/// Track, time and frame of each block.
fn blocks(pieces: impl IntoIterator<Item = Bytes>) -> Result<Vec<(u8, i64, Bytes)>, String> {
    let mut segmenter = Segmenter::new(webm::Limits::default());
    let mut blocks = Vec::new();
    for piece in pieces {
        segmenter.push(piece);
        while let Some(event) = segmenter.poll().map_err(|error| error.to_string())? {
            if let Event::Block(block) = event {
                let frame = Bytes::copy_from_slice(block.element.frame());
                blocks.push((block.track as u8, block.timestamp_ms, frame));
            }
        }
    }
    if segmenter.is_between_elements() {
        Ok(blocks)
    } else {
        Err("it ends inside an element".to_owned())
    }
}

/// Checks a finished file by what Matroska says of it, and returns its blocks.
fn check(bytes: &[u8]) -> Vec<(u8, i64, Bytes)> {
    let blocks = blocks([Bytes::copy_from_slice(bytes)]).unwrap();
    let top: Vec<_> = children(bytes).map(Result::unwrap).collect();
    assert_eq!(top.len(), 2, "EBML header and Segment, of known sizes");
    assert_eq!(top[1].id, ElementId::SEGMENT);
    let segment = top[1].payload;
    let parts: Vec<_> = children(segment).map(Result::unwrap).collect();
    let find = |id| parts.iter().find(move |part| part.id == id);
    // SeekHead names each by its place.
    let seek_head = find(ElementId::SEEK_HEAD).unwrap();
    let mut named = Vec::new();
    for seek in children(seek_head.payload).map(Result::unwrap) {
        assert_eq!(seek.id, ElementId::SEEK, "nothing is left to be filled in");
        let fields: Vec<_> = children(seek.payload).map(Result::unwrap).collect();
        let id = ElementId(read_uint(fields[0].payload).unwrap() as u32);
        let at = read_uint(fields[1].payload).unwrap();
        assert_eq!(find(id).unwrap().at as u64, at, "{id}");
        named.push(id);
    }
    assert_eq!(named, [ElementId::INFO, ElementId::TRACKS, ElementId::CUES]);
    // Cues name Clusters that begin with a keyframe, by time and place.
    let cues = find(ElementId::CUES).unwrap();
    assert!(children(cues.payload).count() > 0);
    for point in children(cues.payload).map(Result::unwrap) {
        let fields: Vec<_> = children(point.payload).map(Result::unwrap).collect();
        let of_track: Vec<_> = children(fields[1].payload).map(Result::unwrap).collect();
        let time = read_uint(fields[0].payload).unwrap();
        let at = read_uint(of_track[1].payload).unwrap();
        let cluster = parts.iter().find(|part| part.at as u64 == at).unwrap();
        assert_eq!(cluster.id, ElementId::CLUSTER);
        let timestamp = children(cluster.payload).next().unwrap().unwrap();
        assert_eq!(read_uint(timestamp.payload), Some(time));
    }
    // Unrelated code reads it as well.
    let demuxer = matroska_demuxer::MatroskaFile::open(Cursor::new(bytes)).unwrap();
    let latest_ms = blocks.iter().map(|block| block.1).max().unwrap();
    let duration_ms = demuxer.info().duration().unwrap();
    assert!(duration_ms >= latest_ms as f64 && duration_ms <= latest_ms as f64 + 1000.0);
    blocks
}

/// What the next start makes of such a file. `None`: nothing that can be played.
fn restart(bytes: Vec<u8>) -> Option<Vec<u8>> {
    let file = MemoryFile::new(bytes);
    match cut_off(file.clone()).unwrap() {
        CutOff::Finished => {}
        CutOff::Empty => return None,
        CutOff::Foreign => panic!("our own file is foreign"),
        CutOff::Unfinished { writer, .. } => {
            writer.finish().unwrap();
        }
    }
    assert!(matches!(cut_off(file.clone()).unwrap(), CutOff::Finished));
    Some(file.bytes())
}

const SAMPLES: [&str; 6] = [
    "chromium-vp8-opus-100ms",
    "chromium-canvas-vp8-opus-100ms",
    "chromium-opus-only-100ms",
    "chromium-vp8-only-100ms",
    "firefox-vp8-opus-100ms",
    "ffmpeg-finished",
];

#[test]
fn finished_file_is_seekable_and_holds_the_blocks_that_viewers_got() {
    for name in SAMPLES {
        let (live, file) = (Live::of(name), MemoryFile::default());
        let mut writer = live.writer(&file);
        for (_, chunk) in &live.chunks {
            writer.push(chunk).unwrap();
            writer.flush().unwrap();
        }
        let Finished { bytes, .. } = writer.finish().unwrap();
        assert_eq!(bytes, file.bytes().len() as u64);
        assert_eq!(check(&file.bytes()), live.blocks(), "{name}");
    }
}

#[test]
fn growing_file_is_valid_at_each_flush() {
    let (live, file) = (Live::of(SAMPLES[0]), MemoryFile::default());
    let mut writer = live.writer(&file);
    for (_, chunk) in &live.chunks {
        writer.push(chunk).unwrap();
        writer.flush().unwrap();
        blocks([Bytes::from(file.bytes())]).unwrap();
    }
}

#[test]
fn cues_that_the_reserve_does_not_hold_are_at_the_end() {
    let live = Live::of(SAMPLES[0]);
    for room in [None, Some(0)] {
        let file = MemoryFile::default();
        // Room for two or three cues.
        let base_ms = live.chunks[0].0;
        let mut writer =
            FileWriter::with_reserve(file.clone(), &live.recording, base_ms, 70).unwrap();
        for (_, chunk) in &live.chunks {
            writer.push(chunk).unwrap();
        }
        writer.flush().unwrap();
        let before = file.bytes().len() as u64;
        let room = room.map(|more| before + more);
        file.set_faults(Faults {
            room,
            ..Faults::default()
        });
        writer.finish().unwrap();
        assert_eq!(check(&file.bytes()), live.blocks());
        assert_eq!(room.is_some(), file.bytes().len() as u64 == before);
    }
}

/// A recording that is synced after each `between` chunks, and finished: each step with the number of
/// blocks that were synced before.
fn run(live: &Live, between: usize, faults: Faults) -> (Vec<(Step, usize)>, Vec<u8>) {
    let file = MemoryFile::default();
    file.set_faults(faults);
    let mut writer = live.writer(&file);
    let mut steps = Vec::new();
    let (synced, mut pushed) = (Cell::new(0), Vec::new());
    let mut note = |synced: usize| {
        for step in &file.steps()[steps.len()..] {
            steps.push((step.clone(), synced));
        }
    };
    let init = live.recording.init_segment();
    for (index, (_, chunk)) in live.chunks.iter().enumerate() {
        writer.push(chunk).unwrap();
        pushed.push(chunk.clone());
        if index % between == 0 {
            writer.sync().unwrap();
            note(synced.get());
            let pieces = std::iter::once(init.clone()).chain(pushed.iter().cloned());
            synced.set(blocks(pieces).unwrap().len());
        } else {
            writer.flush().unwrap();
            note(synced.get());
        }
    }
    writer.finish().unwrap();
    note(synced.get());
    (steps, file.bytes())
}

/// The blocks of a file after a restart must be the first ones, and at least as many as were synced.
fn check_restarted(bytes: Vec<u8>, synced: usize, all: &[(u8, i64, Bytes)]) {
    match restart(bytes) {
        None => assert_eq!(synced, 0),
        Some(bytes) => {
            let blocks = check(&bytes);
            assert!(blocks.len() >= synced, "{} of {synced}", blocks.len());
            assert!(all.starts_with(&blocks));
        }
    }
}

#[test]
fn power_cut_at_any_byte_loses_nothing_that_was_synced() {
    for (name, between, faults) in [
        (SAMPLES[0], 5, Faults::default()),
        (
            SAMPLES[2],
            3,
            Faults {
                write_most: Some(700),
                ..Faults::default()
            },
        ),
    ] {
        let live = Live::of(name);
        let all = live.blocks();
        let (steps, whole) = run(&live, between, faults);
        let mut bytes = Vec::new();
        for (step, synced) in &steps {
            check_restarted(bytes.clone(), *synced, &all);
            if let Step::Write { at, bytes: written } = step {
                // Of short writes each byte: sizes, Duration. Of long ones some.
                let stride = (written.len() / 6).max(1);
                for length in (0..written.len()).step_by(stride) {
                    let mut cut = bytes.clone();
                    let step = Step::Write {
                        at: *at,
                        bytes: written[..length].to_vec(),
                    };
                    replay(&mut cut, &step);
                    check_restarted(cut, *synced, &all);
                }
            }
            replay(&mut bytes, step);
        }
        assert_eq!(bytes, whole);
        check_restarted(bytes, all.len(), &all);
    }
}

/// A disk may write what was not synced in any order, and a power cut may lose any part of it.
#[test]
fn power_cut_that_loses_any_unsynced_writes_loses_nothing_that_was_synced() {
    let live = Live::of("chromium-restart-1");
    let all = live.blocks();
    let (steps, _) = run(&live, 2, Faults::default());
    let mut synced_bytes = Vec::new();
    let mut unsynced: Vec<&Step> = Vec::new();
    for (step, synced) in &steps {
        if matches!(step, Step::Sync) {
            for step in unsynced.drain(..) {
                replay(&mut synced_bytes, step);
            }
            continue;
        }
        unsynced.push(step);
        assert!(unsynced.len() <= 8, "every subset is tried");
        if synced_bytes.is_empty() {
            continue;
        }
        for kept in 0..1 << unsynced.len() {
            let mut bytes = synced_bytes.clone();
            let is_kept = |index: &usize| kept & (1 << index) != 0;
            for index in (0..unsynced.len()).filter(is_kept) {
                replay(&mut bytes, unsynced[index]);
            }
            let restarted = restart(bytes).unwrap();
            let blocks = check(&restarted);
            assert!(blocks.len() >= *synced);
            assert_eq!(blocks[..*synced], all[..*synced]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn restart_of_any_bytes_does_not_panic(
        sample in 0..SAMPLES.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        end in any::<prop::sample::Index>(),
    ) {
        let live = Live::of(SAMPLES[sample]);
        let (_, mut bytes) = run(&live, 9, Faults::default());
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(end.index(bytes.len()));
        let file = MemoryFile::new(bytes);
        if let CutOff::Unfinished { writer, .. } = cut_off(file.clone()).unwrap() {
            writer.finish().unwrap();
            prop_assert!(matches!(cut_off(file).unwrap(), CutOff::Finished));
        }
    }
}

#[test]
fn disk_that_fills_up_or_breaks_leaves_what_the_next_start_finishes() {
    let live = Live::of(SAMPLES[0]);
    let all = live.blocks();
    let (steps, whole) = run(&live, 4, Faults::default());
    let calls = (1..steps.len() as u64).map(|calls| Faults {
        calls: Some(calls),
        ..Faults::default()
    });
    let rooms = (33_500..whole.len() as u64)
        .step_by(3001)
        .map(|room| Faults {
            room: Some(room),
            ..Faults::default()
        });
    for faults in calls.chain(rooms) {
        let file = MemoryFile::default();
        file.set_faults(faults);
        let base_ms = live.chunks[0].0;
        let Ok(mut writer) = FileWriter::create(file.clone(), &live.recording, base_ms, None)
        else {
            continue;
        };
        let mut result = Ok(());
        for (index, (_, chunk)) in live.chunks.iter().enumerate() {
            writer.push(chunk).unwrap();
            result = match index % 4 {
                0 => writer.sync(),
                _ => writer.flush(),
            };
            if result.is_err() {
                break;
            }
        }
        if faults.room.is_some() && result.is_err() {
            // A full disk still takes what is written over.
            let CutOff::Unfinished { writer, .. } = cut_off(writer.into_storage()).unwrap() else {
                continue;
            };
            writer.finish().unwrap();
            let blocks = check(&file.bytes());
            assert!(all.starts_with(&blocks));
        }
        file.set_faults(Faults::default());
        check_restarted(file.bytes(), 0, &all);
    }
}
