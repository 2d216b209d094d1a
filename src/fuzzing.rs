//! Promises that the fuzz targets and the tests check with the same code.
//!
//! Each function takes bytes that may hold anything, and panics when a promise of [`crate::webm`]
//! or [`crate::stream`] is broken. `fuzz/fuzz_targets` has one target per promise; `tests/corpus.rs`
//! holds the same promise against the seeds and everything that was ever found.

use crate::stream::{Chunk, Cursor, Ingest, Limits, Next, Stream};
use crate::webm::{self, Event, Recording, Segmenter, Track, WebmError};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;

/// Milliseconds, some 50 days. A recording that claims more is only asked not to panic: several
/// of them, one after the other, leave what [`Segmenter`] takes for a time.
const TIMESTAMP_MS_MAX: i64 = 1 << 32;

/// What a segmenter made of some bytes.
#[derive(Debug)]
pub struct Segmented {
    pub events: Vec<Event>,
    pub error: Option<WebmError>,
    pub is_between_elements: bool,
}

impl Segmented {
    /// The frames that viewers are promised: in each recording, those from its first keyframe on.
    pub fn playable_frames(&self) -> Vec<Bytes> {
        let mut viewed: Option<&Recording> = None;
        let mut video = None;
        let mut has_begun = false;
        let mut frames = Vec::new();
        for event in &self.events {
            match event {
                Event::Recording(recording) => {
                    let continued = viewed
                        .and_then(|viewed| Some((recording.track_numbers_in(viewed)?, viewed)));
                    video = match continued {
                        // The track that viewers know as their video, wherever it stands now.
                        Some((numbers, viewed)) => viewed.video().and_then(|video| {
                            numbers
                                .iter()
                                .position(|&number| usize::from(number) == video + 1)
                        }),
                        None => {
                            viewed = Some(recording);
                            recording.video()
                        }
                    };
                    has_begun = false;
                }
                Event::Block(block) => {
                    has_begun |= video.is_none_or(|video| block.track == video && block.keyframe);
                    if has_begun {
                        frames.push(Bytes::copy_from_slice(block.element.frame()));
                    }
                }
                Event::Cluster(_) | Event::Stray { .. } => {}
            }
        }
        frames
    }

    fn is_in_time(&self) -> bool {
        self.events.iter().all(|event| match event {
            Event::Block(block) => block.timestamp_ms.abs() < TIMESTAMP_MS_MAX,
            _ => true,
        })
    }

    fn assert_same(&self, other: &Segmented) {
        assert_eq!(self.error, other.error);
        assert_eq!(self.events.len(), other.events.len());
        for (one, other) in self.events.iter().zip(&other.events) {
            // A sample rate that is not a number does not equal itself.
            let equal = match one {
                Event::Recording(_) => format!("{one:?}") == format!("{other:?}"),
                _ => one == other,
            };
            assert!(equal, "{one:?} is not {other:?}");
        }
        if self.error.is_none() {
            assert_eq!(self.is_between_elements, other.is_between_elements);
        }
    }
}

/// Segments bytes that come in `pieces`, up to their end or the first error.
pub fn segment(limits: webm::Limits, pieces: impl IntoIterator<Item = Bytes>) -> Segmented {
    let mut segmenter = Segmenter::new(limits);
    let mut events = Vec::new();
    let mut error = None;
    let mut received = 0;
    for piece in pieces {
        received += piece.len() as u64;
        segmenter.push(piece);
        loop {
            match segmenter.poll() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(poll_error) => {
                    error = Some(poll_error);
                    break;
                }
            }
        }
        if error.is_some() {
            break;
        }
        assert_eq!(segmenter.received(), received);
    }
    Segmented {
        events,
        error,
        is_between_elements: segmenter.is_between_elements(),
    }
}

/// Cuts `bytes` into pieces of these lengths, again and again until they end; into one piece
/// when there is no length to go by.
pub fn cut(bytes: &Bytes, lengths: &[usize]) -> Vec<Bytes> {
    if lengths.iter().all(|&length| length == 0) {
        return vec![bytes.clone()];
    }
    let mut rest = bytes.clone();
    let mut pieces = Vec::new();
    for &length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        pieces.push(rest.split_to(length.min(rest.len())));
    }
    pieces
}

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

/// Parses a viewer's bytes as strictly as the worst player would. One for each init segment.
///
/// # Panics
///
/// When they are not what a viewer is promised.
pub fn play(bytes: Bytes) -> Vec<Played> {
    let mut all: Vec<Played> = Vec::new();
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

/// However bytes are cut, the segmenter finds the same in them, and the ring holds the same for
/// viewers: valid, and with every frame unchanged. In a ring too small for the stream nothing
/// panics, and what a viewer got is still valid.
///
/// The WebM comes first in `input`, so that a recording is nearly a seed and a dictionary is of
/// use. How to cut it stands at the end, read backwards:
///
/// ```text
/// WebM … | piece lengths, one byte each | how many of them | size of the small ring
/// ```
pub fn any_cut(input: &[u8]) {
    let Some((input, &[count, ring])) = input.split_last_chunk() else {
        return;
    };
    let count = usize::from(count % 32).min(input.len());
    let (bytes, lengths) = input.split_at(input.len() - count);
    let bytes = Bytes::copy_from_slice(bytes);
    let lengths: Vec<usize> = lengths.iter().map(|&code| piece_length(code)).collect();

    let segmented = same_events_however_cut(&bytes, &lengths);
    same_ring_however_cut(&bytes, &lengths, &segmented);
    small_ring_stays_valid(&bytes, &lengths, ring, &segmented);
}

/// 0 to 127 bytes, or a multiple of 32 up to 4096.
fn piece_length(code: u8) -> usize {
    match usize::from(code) {
        length @ 0..128 => length,
        more => (more - 127) * 32,
    }
}

fn same_events_however_cut(bytes: &Bytes, lengths: &[usize]) -> Segmented {
    let tight = webm::Limits {
        init_bytes: 200,
        block_bytes: 400,
    };
    for limits in [tight, webm::Limits::default()] {
        let whole = segment(limits, [bytes.clone()]);
        segment(limits, cut(bytes, lengths)).assert_same(&whole);
        segment(limits, cut(bytes, &[1])).assert_same(&whole);
    }
    segment(webm::Limits::default(), [bytes.clone()])
}

fn same_ring_however_cut(bytes: &Bytes, lengths: &[usize], segmented: &Segmented) {
    let limits = Limits {
        ring_ms: u64::MAX,
        ..Limits::default()
    };
    let mut rings = Vec::new();
    for pieces in [cut(bytes, &[]), cut(bytes, lengths), cut(bytes, &[1])] {
        let mut stream = on_air(limits);
        let mut cursor = Cursor::join();
        let mut given = Vec::new();
        let error = publish(&mut stream, limits, pieces, |stream| {
            given.extend(drain(&mut cursor, stream));
        });
        assert_eq!(error, segmented.error);
        let mut ring = BytesMut::new();
        for sequence in stream.ring().oldest()..stream.ring().live_edge() {
            let chunk = stream.ring().chunk(sequence).expect("a ring has no gaps");
            ring.extend_from_slice(&chunk.framed.payload());
        }
        // Whoever watched from early on has the ring's end, behind the init segment it needs.
        if let Some(Given::Init(init)) = given.first() {
            let media = bytes_of(&given).split_off(init.framed.payload().len());
            assert!(ring.ends_with(&media));
        }
        if segmented.is_in_time() {
            play(bytes_of(&given));
        }
        rings.push(ring.freeze());
    }
    assert!(rings.iter().all(|ring| *ring == rings[0]));
    if segmented.is_in_time() {
        let played = play(rings.swap_remove(0));
        let frames = played.iter().flat_map(|played| &played.blocks);
        let mut frames: Vec<Bytes> = frames.map(|block| block.3.clone()).collect();
        let mut expected = segmented.playable_frames();
        // In another order, perhaps: tracks that were written apart are brought together.
        frames.sort();
        expected.sort();
        assert_eq!(frames, expected);
    }
}

/// Two publishers, one after the other; one viewer who reads always and one who reads seldom.
fn small_ring_stays_valid(bytes: &Bytes, lengths: &[usize], ring: u8, segmented: &Segmented) {
    let limits = Limits {
        ring_bytes: 1 + usize::from(ring) * 16,
        ring_ms: u64::from(ring) * 4,
        ..Limits::default()
    };
    let seldom = 2 + usize::from(ring % 7);
    let mut stream = on_air(limits);
    let mut viewers = [(); 2].map(|()| (Cursor::join(), Vec::new()));
    let mut turn = 0;
    for _ in 0..2 {
        stream.go_live();
        publish(&mut stream, limits, cut(bytes, lengths), |stream| {
            let ring = stream.ring();
            let is_one = ring.live_edge() - ring.oldest() == 1;
            assert!(ring.byte_len() <= limits.ring_bytes || is_one);
            turn += 1;
            for (index, (cursor, given)) in viewers.iter_mut().enumerate() {
                if index == 0 || turn % seldom == 0 {
                    given.extend(drain(cursor, stream));
                    assert_eq!(cursor.behind(stream), 0);
                }
            }
        });
        stream.go_offline();
    }
    if segmented.is_in_time() {
        for (_, given) in viewers {
            play(bytes_of(&given));
        }
    }
}

fn on_air(limits: Limits) -> Stream {
    let mut stream = Stream::new(Arc::from("demo"), limits);
    stream.go_live();
    stream
}

/// Publishes `pieces` as one connection, up to their end or the first error.
fn publish(
    stream: &mut Stream,
    limits: Limits,
    pieces: Vec<Bytes>,
    mut after_each: impl FnMut(&Stream),
) -> Option<WebmError> {
    let mut ingest = Ingest::new(limits);
    let mut error = None;
    for piece in pieces {
        error = ingest.push(piece, stream).err();
        after_each(stream);
        if error.is_some() {
            break;
        }
    }
    ingest.finish(stream);
    after_each(stream);
    error
}
