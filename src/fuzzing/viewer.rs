//! A viewer that keeps all it gets, and looks at it as strictly as the worst player.

use super::reader::{self, Clip, Frame};
use super::segmented::segment;
use crate::stream::{Chunk, Cursor, Next, Stream};
use crate::webm::{self, Event, Recording, Track};
use bytes::{Bytes, BytesMut};

/// What a viewer was given.
#[derive(Debug)]
pub enum Given {
    Init(Chunk),
    Chunk(Chunk),
    Skip { from_ms: u64, to_ms: u64 },
}

/// Everything a cursor is given now.
pub fn drain(cursor: &mut Cursor, stream: &Stream) -> Vec<Given> {
    let mut given = Vec::new();
    loop {
        match cursor.next(stream) {
            Next::Wait => return given,
            Next::Init(chunk) => given.push(Given::Init(chunk.clone())),
            Next::Chunk(chunk) => given.push(Given::Chunk(chunk.clone())),
            Next::Skip { from_ms, to_ms } => given.push(Given::Skip { from_ms, to_ms }),
        }
    }
}

/// All payloads that a viewer was given, one after another.
pub fn bytes_of(given: &[Given]) -> Bytes {
    let mut bytes = BytesMut::new();
    for given in given {
        if let Given::Init(chunk) | Given::Chunk(chunk) = given {
            bytes.extend_from_slice(&chunk.framed.payload());
        }
    }
    bytes.freeze()
}

/// What a player would make of one init segment and all that follows it.
#[derive(Debug)]
pub struct Played {
    pub recording: Recording,
    /// Timestamp of each Cluster, and the index into `blocks` at which it begins.
    pub clusters: Vec<(i64, usize)>,
    /// Index into the recording's tracks, timestamp, keyframe, frame.
    pub blocks: Vec<(usize, i64, bool, Bytes)>,
}

/// Parses a viewer's bytes as strictly as the worst player would: once with our own segmenter, and
/// once with a reader that knows nothing of it. One for each init segment.
///
/// # Panics
///
/// When they are not what a viewer is promised.
pub fn play(bytes: Bytes) -> Vec<Played> {
    let mut all: Vec<Played> = Vec::new();
    // The segmenter announces a recording when its first Cluster comes, if any does.
    let mut clips = reader::read(&bytes);
    clips.retain(|clip| !clip.clusters.is_empty());
    let segmented = segment(webm::Limits::default(), [bytes]);
    assert_eq!(segmented.error, None, "a valid stream");
    if segmented.events.is_empty() {
        return all;
    }
    assert!(segmented.is_between_elements);
    for event in segmented.events {
        if let Event::Recording(recording) = event {
            all.push(Played {
                recording,
                clusters: Vec::new(),
                blocks: Vec::new(),
            });
            continue;
        }
        let played = all.last_mut().expect("events begin with a recording");
        match event {
            Event::Cluster(head) => {
                assert_eq!(head.size, None);
                played
                    .clusters
                    .push((head.timestamp_ms, played.blocks.len()));
            }
            Event::Block(block) => {
                let frame = Bytes::copy_from_slice(block.element.frame());
                let block = (block.track, block.timestamp_ms, block.keyframe, frame);
                played.blocks.push(block);
            }
            other => panic!("{other:?}"),
        }
    }
    let mut latest_ms = 0;
    let begun = all.iter().filter(|played| !played.clusters.is_empty());
    assert_eq!(begun.clone().count(), clips.len());
    for (played, clip) in begun.zip(&clips) {
        played.assert_same(clip);
    }
    for played in &all {
        played.check();
        if let (Some(first), Some(last)) = (played.blocks.first(), played.blocks.last()) {
            assert!(first.1 >= latest_ms, "time goes back at an init segment");
            if !played.reorders() {
                latest_ms = last.1;
            }
        }
    }
    all
}

impl Played {
    fn assert_same(&self, clip: &Clip) {
        let frames = clip.clusters.iter().flat_map(|(_, frames)| frames);
        let frames: Vec<&Frame> = frames.collect();
        assert_eq!(self.blocks.len(), frames.len());
        for ((track, timestamp_ms, keyframe, bytes), frame) in self.blocks.iter().zip(frames) {
            assert_eq!(*track as u64 + 1, frame.track_number);
            assert_eq!(*timestamp_ms, frame.timestamp_ms);
            assert_eq!(*keyframe, frame.is_keyframe);
            assert!(*bytes == frame.bytes);
        }
    }

    fn reorders(&self) -> bool {
        self.recording.tracks.iter().any(Track::reorders)
    }

    fn check(&self) {
        for (track, number) in self.recording.tracks.iter().zip(1..) {
            assert_eq!(track.number, number);
        }
        let in_order = self.blocks.is_sorted_by_key(|block| block.1);
        assert!(in_order || self.reorders(), "time goes back");

        let Some(video) = self.recording.video() else {
            return;
        };
        let is_keyframe = |block: &(usize, i64, bool, Bytes)| block.0 == video && block.2;
        let mut join_points = 0;
        let mut before_ms = None;
        for &(timestamp_ms, begin) in &self.clusters {
            let first = self.blocks.get(begin).expect("a Cluster holds a block");
            // A GOP too long for 16-bit relative timestamps goes on in a further Cluster.
            let goes_on =
                before_ms.is_some_and(|before_ms: i64| i16::try_from(first.1 - before_ms).is_err());
            assert!(
                is_keyframe(first) || goes_on,
                "a Cluster opens on a keyframe"
            );
            join_points += usize::from(is_keyframe(first));
            before_ms = Some(timestamp_ms);
        }
        let keyframes = self.blocks.iter().filter(|block| is_keyframe(block));
        assert_eq!(keyframes.count(), join_points, "one Cluster per GOP");
    }
}
