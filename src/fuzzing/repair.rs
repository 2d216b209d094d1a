//! Any bytes that are repaired, or finished as a recording that was cut off.

use super::segmented::segment;
use crate::repair::{LIMITS, RepairError, Sink, repair as repair_input};
use crate::webm::file::memory::MemoryFile;
use crate::webm::file::{CutOff, FileWriter, cut_off};
use crate::webm::{ClusterWriter, Event, Limits, Placement};
use bytes::{Bytes, BytesMut};
use std::io;

#[derive(Default)]
struct Shelf(Vec<MemoryFile>);

impl Sink for Shelf {
    type File = MemoryFile;

    fn open(&mut self, _: usize) -> Result<MemoryFile, RepairError> {
        let file = MemoryFile::default();
        self.0.push(file.clone());
        Ok(file)
    }

    fn close(&mut self, number: usize) -> Result<String, RepairError> {
        Ok(number.to_string())
    }

    fn error(&self, _: usize, source: io::Error) -> RepairError {
        panic!("memory takes all that is written: {source}");
    }
}

/// Track and frame of each block, for each recording that has any.
fn frames(limits: Limits, bytes: &[u8]) -> (Vec<Vec<(usize, Bytes)>>, bool) {
    let segmented = segment(limits, [Bytes::copy_from_slice(bytes)]);
    let mut recordings: Vec<Vec<(usize, Bytes)>> = Vec::new();
    for event in segmented.events {
        match event {
            Event::Recording(_) => recordings.push(Vec::new()),
            Event::Block(block) => {
                let frame = Bytes::copy_from_slice(block.element.frame());
                if let Some(recording) = recordings.last_mut() {
                    recording.push((block.track, frame));
                }
            }
            Event::Cluster(_) | Event::Stray { .. } => {}
        }
    }
    recordings.retain(|recording| !recording.is_empty());
    let is_whole = segmented.error.is_none() && segmented.is_between_elements;
    (recordings, is_whole)
}

/// A copy is finished, has the frames of the original, and its copy is the same. A file that was cut
/// off becomes a finished one, or stays.
///
/// # Panics
///
/// When a promise is broken.
pub fn repair(input: &[u8]) {
    let (expected, _) = frames(LIMITS, input);
    let mut shelf = Shelf::default();
    let report = repair_input(input, &mut shelf);
    assert_eq!(report.is_ok(), !expected.is_empty(), "{report:?}");
    assert_eq!(shelf.0.len(), expected.len());
    for (file, expected) in shelf.0.iter().zip(&expected) {
        let bytes = file.bytes();
        assert!(matches!(
            cut_off(file.clone()).expect("memory can be read"),
            CutOff::Finished
        ));
        let (copied, is_whole) = frames(LIMITS, &bytes);
        assert!(is_whole, "a copy is a whole file");
        assert_eq!(&copied[..], std::slice::from_ref(expected));
        let mut again = Shelf::default();
        repair_input(&bytes[..], &mut again).expect("a copy can be copied");
        assert_eq!(again.0[0].bytes(), bytes, "a copy of a copy is the same");
    }

    let file = MemoryFile::new(input.to_vec());
    match cut_off(file.clone()).expect("memory can be read") {
        CutOff::Unfinished { writer, .. } => {
            let finished = writer.finish().expect("memory takes all that is written");
            assert_eq!(finished.bytes, file.bytes().len() as u64);
            assert!(matches!(
                cut_off(file).expect("memory can be read"),
                CutOff::Finished
            ));
        }
        CutOff::Finished | CutOff::Foreign | CutOff::Empty => assert_eq!(file.bytes(), input),
    }
}

/// The first recording in `bytes` as a file of our own that was not finished, with a reserve of a few
/// bytes. `None` if it holds no block.
pub fn unfinished(bytes: &[u8]) -> Option<Vec<u8>> {
    /// Room for one or two cues.
    const RESERVE_BYTES: u64 = 40;

    let segmented = segment(LIMITS, [Bytes::copy_from_slice(bytes)]);
    let mut events = segmented.events.into_iter();
    let recording = events.find_map(|event| match event {
        Event::Recording(recording) => Some(recording),
        Event::Block(_) | Event::Cluster(_) | Event::Stray { .. } => None,
    })?;
    let file = MemoryFile::default();
    let mut writer = FileWriter::with_reserve(file.clone(), &recording, 0, RESERVE_BYTES).ok()?;
    let (mut clusters, mut chunk) = (ClusterWriter::new(), BytesMut::new());
    for event in events {
        match event {
            Event::Recording(_) => break,
            Event::Block(block) => {
                let placement = Placement {
                    track_number: block.track as u8 + 1,
                    timestamp_ms: block.timestamp_ms.unsigned_abs(),
                    opens_cluster: block.keyframe,
                };
                clusters.write(&mut chunk, &block.element, placement);
            }
            Event::Cluster(_) | Event::Stray { .. } => {}
        }
    }
    if chunk.is_empty() {
        return None;
    }
    writer.push(&chunk.freeze()).ok()?;
    writer.flush().ok()?;
    Some(file.bytes())
}
