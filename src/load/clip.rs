//! What the load's own publisher plays: a file, or a recording made up to a rate.
//!
//! Either way it is a list of blocks and their times, played in a loop. [`Playback::take`] gives out
//! what is due, as one chunk with a delivery stamp at its end; Clusters are written anew, one for
//! each GOP, because the stamps stand between the blocks.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::stamp::{self, Stamp, Tally};
use crate::webm::{
    BlockElement, ClusterWriter, ElementId, Event, Limits, Placement, Recording, Segmenter,
    TRACKS_MAX, Track, WebmError,
};

/// A file is kept in memory whole, so that playing it costs nothing.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// How long the last frame lasts when the file does not say.
const FRAME_MS_DEFAULT: u64 = 33;

/// Milliseconds of sound in one Cluster when there is no picture.
const AUDIO_GOP_MS: u64 = 1000;

#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    #[error("{0}")]
    Read(#[from] io::Error),
    #[error("{0}")]
    Webm(#[from] WebmError),
    #[error("it has no block to send")]
    NoBlocks,
    #[error("over {} MiB: cut it", FILE_BYTES_MAX >> 20)]
    TooLarge,
    #[error("{TRACKS_MAX} tracks leave no room for the delivery stamps")]
    TooManyTracks,
}

/// Blocks and their times. The last track of `recording` is for stamps and has none.
#[derive(Debug)]
pub(super) struct Clip {
    pub recording: Recording,
    /// In the order in which they are sent. Invariant: `due_ms` never goes back.
    pub frames: Vec<Frame>,
    /// From the start of one showing to the start of the next.
    pub length_ms: u64,
}

#[derive(Debug)]
pub(super) struct Frame {
    pub due_ms: u64,
    /// Later than `due_ms` only for codecs that reorder.
    pub timestamp_ms: u64,
    pub track: usize,
    pub opens_cluster: bool,
    pub element: BlockElement,
    pub tally: Tally,
}

impl Clip {
    /// The first recording in a file.
    pub fn read(path: &Path) -> Result<Clip, ClipError> {
        let mut bytes = Vec::new();
        File::open(path)?
            .take(FILE_BYTES_MAX + 1)
            .read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(ClipError::TooLarge);
        }
        Clip::parse(bytes.into())
    }

    fn parse(bytes: Bytes) -> Result<Clip, ClipError> {
        let mut segmenter = Segmenter::new(Limits::default());
        segmenter.push(bytes);
        let mut clip: Option<Clip> = None;
        let (mut first_ms, mut frame_ms) = (None, FRAME_MS_DEFAULT);
        let mut cluster_ms = None;
        while let Some(event) = segmenter.poll()? {
            match event {
                Event::Recording(_) if clip.is_some() => break,
                Event::Recording(recording) => clip = Some(Clip::new(recording)?),
                Event::Block(block) => {
                    let Some(clip) = &mut clip else { continue };
                    let first_ms = *first_ms.get_or_insert(block.timestamp_ms);
                    let timestamp_ms = u64::try_from(block.timestamp_ms - first_ms).unwrap_or(0);
                    let last_ms = clip.frames.last().map_or(0, |last| last.due_ms);
                    let opens_cluster = match (clip.recording.video(), cluster_ms) {
                        (Some(video), _) => block.track == video && block.keyframe,
                        (None, Some(cluster_ms)) => timestamp_ms >= cluster_ms + AUDIO_GOP_MS,
                        (None, None) => true,
                    };
                    if opens_cluster {
                        cluster_ms = Some(timestamp_ms);
                    }
                    if let step @ 1..=1000 = timestamp_ms.saturating_sub(last_ms) {
                        frame_ms = step;
                    }
                    clip.frames.push(Frame {
                        // Frames that a codec reorders go out with the ones they were written among.
                        due_ms: timestamp_ms.max(last_ms),
                        timestamp_ms,
                        track: block.track,
                        opens_cluster,
                        tally: Tally::of(block.element.frame()),
                        element: block.element,
                    });
                }
                Event::Cluster(_) | Event::Stray { .. } => {}
            }
        }
        let mut clip = clip.ok_or(ClipError::NoBlocks)?;
        // A file may have its tracks some way apart. Live, they are not; and a server that puts them
        // into order may move a block to the other side of a stamp.
        if !clip.recording.tracks.iter().any(Track::reorders) {
            clip.frames.sort_by_key(|frame| frame.timestamp_ms);
            for frame in &mut clip.frames {
                frame.due_ms = frame.timestamp_ms;
            }
        }
        clip.length_ms = clip.frames.last().ok_or(ClipError::NoBlocks)?.due_ms + frame_ms;
        Ok(clip)
    }

    /// Nothing yet, but a track for stamps.
    fn new(mut recording: Recording) -> Result<Clip, ClipError> {
        if recording.tracks.len() >= TRACKS_MAX {
            return Err(ClipError::TooManyTracks);
        }
        recording.tracks.push(stamp_track());
        Ok(Clip {
            recording,
            frames: Vec::new(),
            length_ms: 0,
        })
    }

    /// A recording with these TrackEntries, read by our own parser as any other.
    pub fn with_tracks(entries: &[Vec<u8>]) -> Clip {
        Clip::new(recording_of(entries)).expect("two tracks leave room for a third")
    }
}

/// One showing after another.
#[derive(Debug)]
pub(super) struct Playback {
    clip: Arc<Clip>,
    run: u64,
    /// Index of the next frame, and when its showing began.
    next: usize,
    showing_ms: u64,
    clusters: ClusterWriter,
    /// Of all blocks sent, the latest timestamp: a stamp comes after them.
    latest_ms: u64,
    /// Chunks sent, and the blocks in them.
    sequence: u64,
    sent: Tally,
}

impl Playback {
    pub fn new(clip: Arc<Clip>, run: u64) -> Playback {
        Playback {
            clip,
            run,
            next: 0,
            showing_ms: 0,
            clusters: ClusterWriter::new(),
            latest_ms: 0,
            sequence: 0,
            sent: Tally::default(),
        }
    }

    /// All that is due `now_ms` after the start and was not taken before, with a stamp of `now_ns`.
    /// Nothing, and no stamp, when nothing is due.
    pub fn take(&mut self, now_ms: u64, now_ns: u64) -> Bytes {
        let mut out = BytesMut::new();
        if self.sequence == 0 {
            out.put_slice(&self.clip.recording.init_segment());
        }
        let mut is_empty = true;
        while let Some(frame) = self.clip.frames.get(self.next)
            && self.showing_ms + frame.due_ms <= now_ms
        {
            let timestamp_ms = self.showing_ms + frame.timestamp_ms;
            let placement = Placement {
                track_number: frame.track as u8 + 1,
                timestamp_ms,
                opens_cluster: frame.opens_cluster,
            };
            self.clusters.write(&mut out, &frame.element, placement);
            self.sent.add(frame.tally);
            self.latest_ms = self.latest_ms.max(timestamp_ms);
            is_empty = false;
            self.next += 1;
            if self.next == self.clip.frames.len() {
                self.next = 0;
                self.showing_ms += self.clip.length_ms;
            }
        }
        if is_empty {
            return Bytes::new();
        }
        let stamp = Stamp {
            run: self.run,
            sequence: self.sequence,
            sent_ns: now_ns,
            sent: self.sent,
        };
        self.sequence += 1;
        let track = self.clip.recording.tracks.len() as u8;
        let element = simple_block(&stamp.to_bytes(), true);
        let placement = Placement {
            track_number: track,
            timestamp_ms: self.latest_ms,
            opens_cluster: false,
        };
        self.clusters.write(&mut out, &element, placement);
        out.freeze()
    }
}

/// A SimpleBlock of one frame, whose track and time are set when it is written.
pub(super) fn simple_block(frame: &[u8], keyframe: bool) -> BlockElement {
    let mut payload = vec![0x80, 0, 0, if keyframe { 0x80 } else { 0 }];
    payload.extend_from_slice(frame);
    let bytes = element(ElementId::SIMPLE_BLOCK, &payload);
    let track_at = bytes.len() - payload.len();
    BlockElement {
        bytes: bytes.into(),
        track_at,
        frame_length: frame.len(),
    }
}

/// A whole element, with a size of four bytes.
pub(super) fn element(id: ElementId, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + 8);
    id.write(&mut bytes);
    bytes.put_u32(0x1000_0000 | payload.len() as u32);
    bytes.put_slice(payload);
    bytes
}

/// The recording of an init segment with these TrackEntries.
fn recording_of(entries: &[Vec<u8>]) -> Recording {
    let mut init = element(ElementId::EBML, &element(ElementId::DOC_TYPE, b"webm"));
    ElementId::SEGMENT.write(&mut init);
    init.put_u8(0xff);
    init.put_slice(&element(ElementId::TRACKS, &entries.concat()));
    ElementId::CLUSTER.write(&mut init);
    init.put_u8(0xff);
    let mut segmenter = Segmenter::new(Limits::default());
    segmenter.push(init.into());
    match segmenter.poll() {
        Ok(Some(Event::Recording(recording))) => recording,
        other => unreachable!("an init segment of our own making: {other:?}"),
    }
}

/// A TrackEntry; `children` follow its number, type and codec.
pub(super) fn track_entry(number: u8, kind: u8, codec_id: &str, children: &[u8]) -> Vec<u8> {
    let entry = [
        element(ElementId::TRACK_NUMBER, &[number]),
        element(ElementId::TRACK_UID, &[number]),
        element(ElementId::TRACK_TYPE, &[kind]),
        element(ElementId::FLAG_LACING, &[0]),
        element(ElementId::CODEC_ID, codec_id.as_bytes()),
        children.to_vec(),
    ];
    element(ElementId::TRACK_ENTRY, &entry.concat())
}

fn stamp_track() -> Track {
    // A recording has a picture or a sound: stamps are nothing by themselves.
    let picture = track_entry(1, 1, "V_VP8", &[]);
    let stamps = track_entry(2, stamp::TRACK_TYPE, stamp::CODEC_ID, &[]);
    recording_of(&[picture, stamps]).tracks.remove(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(name: &str) -> Clip {
        let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
        Clip::read(Path::new(&path)).unwrap()
    }

    fn events(bytes: Bytes) -> Vec<Event> {
        let mut segmenter = Segmenter::new(Limits::default());
        segmenter.push(bytes);
        std::iter::from_fn(|| segmenter.poll().unwrap()).collect()
    }

    #[test]
    fn each_chunk_ends_with_its_stamp() {
        for name in [
            "chromium-vp8-opus-100ms.webm",
            "chromium-opus-only-100ms.webm",
        ] {
            let mut playback = Playback::new(Arc::new(clip(name)), 9);
            let mut all = BytesMut::new();
            let mut sent = Vec::new();
            for now_ms in (0..1000).step_by(100) {
                let chunk = playback.take(now_ms, now_ms + 1);
                if !chunk.is_empty() {
                    sent.push(now_ms + 1);
                }
                all.extend_from_slice(&chunk);
            }
            let events = events(all.freeze());
            let Event::Recording(recording) = &events[0] else {
                panic!()
            };
            let track = recording.tracks.iter().position(stamp::is_stamped).unwrap();
            let stamps: Vec<Stamp> = events
                .iter()
                .filter_map(|event| match event {
                    Event::Block(block) if block.track == track => {
                        Some(Stamp::read(block.element.frame()).unwrap())
                    }
                    _ => None,
                })
                .collect();
            assert!(stamps.iter().map(|stamp| stamp.sent_ns).eq(sent), "{name}");
            assert!(
                stamps
                    .iter()
                    .map(|stamp| stamp.sequence)
                    .eq(0..stamps.len() as u64)
            );
            assert!(matches!(events.last(), Some(Event::Block(block)) if block.track == track));
        }
    }

    #[test]
    fn a_showing_follows_the_last_without_going_back_in_time() {
        let clip = Arc::new(clip("chromium-vp8-opus-100ms.webm"));
        let per_showing = clip.frames.len();
        let mut playback = Playback::new(clip.clone(), 1);
        let bytes = playback.take(3 * clip.length_ms - 1, 5);
        let times: Vec<i64> = events(bytes)
            .iter()
            .filter_map(|event| match event {
                Event::Block(block) => Some(block.timestamp_ms),
                _ => None,
            })
            .collect();
        assert!(times.is_sorted());
        assert_eq!(times.len(), 3 * per_showing + 1);
    }

    #[test]
    fn invalid_film_is_refused_with_the_reason() {
        let error = |bytes: &'static [u8]| Clip::parse(Bytes::from_static(bytes)).unwrap_err();
        assert_eq!(
            error(b"GIF89a").to_string(),
            "not WebM: expected EBML header at byte 0"
        );
        assert_eq!(error(b"").to_string(), "it has no block to send");
        assert!(Clip::read(Path::new("/nowhere")).is_err());
    }
}
