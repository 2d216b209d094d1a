//! What caches get of a stream, beside its ring.

use super::reader;
use crate::hub::{live_json, live_mpd};
use crate::offline_reason::OfflineReason;
use crate::stream::{Catalog, ChunkKind, Found, Ingest, Limits, Segment, Segments, Stream};
use bytes::Bytes;
use serde_json::Value;
use std::time::Duration;

/// Two publishers, one after the other, of the same bytes: see [`SegmentLog::look`].
pub fn segments(pieces: &[Bytes], ring: u8) {
    let limits = Limits {
        ring_bytes: 1 + usize::from(ring) * 256,
        ring_ms: u64::from(ring) * 64,
        ..Limits::default()
    };
    let mut catalog = Catalog::new(limits);
    catalog.set_wall_clock(1_764_403_200_000);
    let id = catalog.open("demo");
    let (mut log, mut now_ms) = (SegmentLog::default(), 0);
    for _ in 0..2 {
        catalog.stream_mut(id).go_live();
        let mut ingest = Ingest::new(limits);
        for piece in pieces {
            // Some pieces share a millisecond.
            now_ms += u64::from(piece.len() % 4 != 0);
            catalog.set_clock(Duration::from_millis(now_ms));
            let stream = catalog.stream_mut(id);
            let pushed = ingest.push(piece.clone(), stream);
            log.look(stream);
            if pushed.is_err() {
                break;
            }
        }
        let stream = catalog.stream_mut(id);
        ingest.flush(stream);
        stream.go_offline(OfflineReason::Ended);
        log.look(stream);
    }
    catalog.stream_mut(id).free_media();
    log.look(catalog.stream(id));
}

/// What a stream's segments were so far.
#[derive(Debug, Default)]
pub struct SegmentLog {
    /// The newest number.
    newest: Option<u64>,
    growing: Option<Growing>,
    /// The version at the last look.
    version: Option<u64>,
}

/// What a reader has of the segment that grows.
#[derive(Debug)]
struct Growing {
    number: u64,
    next: u64,
    bytes: Vec<u8>,
}

impl SegmentLog {
    /// Numbers go up by one and are never used again; a segment is whole Clusters behind its init segment,
    /// and the same bytes as it grew; each number is where `find` says, and `live.json` and `live.mpd` say
    /// the same. To be called after each change of the stream.
    pub fn look(&mut self, stream: &Stream) {
        let segments = stream.segments();
        self.follow_growing(stream);
        let version = Some(segments.version());
        if std::mem::replace(&mut self.version, version) == version {
            return;
        }
        let all: Vec<&Segment> = segments.finished().chain(segments.growing()).collect();
        for pair in all.windows(2) {
            assert_eq!(pair[1].number, pair[0].number + 1);
            assert!(pair[1].start_ms >= pair[0].start_ms);
            assert_eq!(pair[0].end.map(|end| end <= pair[1].first), Some(true));
        }
        if let Some(last) = all.last() {
            let newest = self.newest.unwrap_or(last.number);
            assert!(last.number >= newest, "a number is used again");
            self.newest = Some(last.number);
            assert_eq!(segments.next_number(), Some(last.number + 1));
        }
        check_places(segments, &all);
        check_lists(stream, segments);
    }

    /// Reads on in the segment that grows, as a transfer does, and compares it when it is finished.
    fn follow_growing(&mut self, stream: &Stream) {
        let segments = stream.segments();
        if let Some(mut growing) = self.growing.take() {
            let end = segments.end_of(growing.number);
            let is_known = end.is_some() || is_growing(segments, growing.number);
            // A reader that the ring, or two more segments, have overtaken is cut off.
            if is_known && growing.read(stream, end) {
                match end {
                    None => self.growing = Some(growing),
                    Some(_) => growing.check_finished(stream),
                }
            }
        }
        if self.growing.is_none()
            && let Some(segment) = segments.growing()
        {
            let mut growing = Growing {
                number: segment.number,
                next: segment.first,
                bytes: Vec::new(),
            };
            if growing.read(stream, None) {
                self.growing = Some(growing);
            }
        }
    }
}

fn is_growing(segments: &Segments, number: u64) -> bool {
    segments.growing().is_some_and(|one| one.number == number)
}

impl Growing {
    /// Returns whether all of it was there.
    fn read(&mut self, stream: &Stream, end: Option<u64>) -> bool {
        let ring = stream.ring();
        let end = end.unwrap_or(ring.live_edge());
        assert!(self.next <= end, "it ends before what was sent of it");
        for sequence in self.next..end {
            let Some(chunk) = ring.chunk(sequence) else {
                return false;
            };
            assert_ne!(chunk.kind, ChunkKind::Init, "in a segment");
            self.bytes.extend_from_slice(&chunk.framed.payload());
        }
        self.next = end;
        true
    }

    fn check_finished(&self, stream: &Stream) {
        let segments = stream.segments();
        let Found::Finished(segment) = segments.find(self.number) else {
            return;
        };
        assert_eq!(segment.bytes, self.bytes.len() as u64);
        let end = segment.end.expect("a finished segment has an end");
        let chunks = (segment.first..end).map(|sequence| stream.ring().chunk(sequence));
        let chunks = chunks.map(|chunk| chunk.expect("a chunk of the ring").framed.payload());
        let whole = chunks.collect::<Vec<Bytes>>().concat();
        assert!(
            whole == self.bytes,
            "another segment than the one that grew"
        );
        let init = segments.init(segment.generation).expect("an init segment");
        let clips = reader::read(&[&init.framed.payload(), &whole[..]].concat());
        let [clip] = &clips[..] else {
            panic!("{} init segments", clips.len());
        };
        assert!(!clip.clusters.is_empty(), "no Cluster");
    }
}

fn check_places(segments: &Segments, all: &[&Segment]) {
    for segment in all {
        match segments.find(segment.number) {
            Found::Finished(found) => assert!(segment.end.is_some() && found == **segment),
            Found::Growing(found) => assert!(segment.end.is_none() && found == **segment),
            // Its beginning has left the ring.
            Found::Missing => assert!(segment.end.is_none()),
            Found::Next => panic!("{segment:?} is the next one"),
        }
    }
    if let Some(next) = segments.next_number() {
        assert_eq!(segments.find(next), Found::Next);
        assert_eq!(segments.find(next + 1), Found::Missing);
    }
}

fn check_lists(stream: &Stream, segments: &Segments) {
    let list: Value = serde_json::from_slice(&live_json(stream)).expect("JSON");
    let listed = list["gops"].as_array().expect("a list");
    let finished: Vec<&Segment> = segments.finished().collect();
    assert_eq!(listed.len(), finished.len());
    for (gop, segment) in listed.iter().zip(&finished) {
        assert_eq!(gop["n"], segment.number);
        assert_eq!(gop["generation"], segment.generation);
        assert_eq!(gop["start_ms"], segment.start_ms);
        assert_eq!(gop["duration_ms"], segment.duration_ms);
        assert_eq!(gop["bytes"], segment.bytes);
        assert!(segments.init(segment.generation).is_some());
    }
    let open = segments.growing().map(|segment| segment.number);
    assert_eq!(list["open"].as_u64(), open);
    let newest = segments.newest_init().map(|init| init.generation);
    assert_eq!(list["generation"].as_u64(), newest);
    let manifest = live_mpd(stream);
    let manifest = std::str::from_utf8(&manifest).expect("a text");
    let times = manifest.split("<S t=\"").skip(1).map(|rest| {
        let (start, rest) = rest.split_once("\" d=\"").expect("a duration");
        let (duration, _) = rest.split_once("\"/>").expect("its end");
        (start.parse().ok(), duration.parse().ok())
    });
    let expected = finished
        .iter()
        .map(|segment| (Some(segment.start_ms), Some(segment.duration_ms)));
    assert!(times.eq(expected), "{manifest}");
}
