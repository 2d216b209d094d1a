//! What goes into the ring, and where viewers stand in it, on real recordings.

use bytes::Bytes;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;
use videostream::fuzzing::{self, Given, Played, bytes_of, drain};
use videostream::offline_reason::OfflineReason;
use videostream::stream::{Catalog, ChunkKind, Cursor, Ingest, Limits, Next, Stream, StreamId};
use videostream::webm::{Event, Segmenter};

fn read(name: &str) -> Bytes {
    let path = format!("{}/tests/data/{name}.webm", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).expect("a file of tests/data").into()
}

fn stream(limits: Limits) -> Stream {
    let mut stream = Stream::new(Arc::from("demo"), limits);
    stream.go_live();
    stream
}

/// Publishes `bytes` in pieces of `piece` bytes as one connection.
fn publish(stream: &mut Stream, bytes: &Bytes, piece: usize) {
    let mut ingest = Ingest::new(Limits::default());
    let mut rest = bytes.clone();
    while !rest.is_empty() {
        let part = rest.split_to(piece.min(rest.len()));
        ingest.push(part, stream).expect("a good recording");
    }
}

/// What a player would make of bytes with one init segment.
fn play(bytes: Bytes) -> Played {
    let mut all = fuzzing::play(bytes);
    assert_eq!(all.len(), 1, "one init segment");
    all.remove(0)
}

#[test]
fn every_recording_becomes_one_cluster_per_gop_with_its_frames_unchanged() {
    for name in [
        "chromium-vp8-opus-100ms",
        "chromium-vp9-opus-100ms",
        "chromium-vp8-only-100ms",
        "chromium-canvas-vp8-opus-100ms",
        "firefox-vp8-opus-100ms",
        "ffmpeg-live",
        "ffmpeg-finished",
    ] {
        let source = read(name);
        let mut stream = stream(Limits::default());
        let mut cursor = Cursor::join();
        let mut given = Vec::new();
        let mut ingest = Ingest::new(Limits::default());
        for piece in source.chunks(1000) {
            ingest
                .push(Bytes::copy_from_slice(piece), &mut stream)
                .unwrap();
            given.extend(drain(&mut cursor, &stream));
        }
        let played = play(bytes_of(&given));

        let mut segmenter = Segmenter::new(Default::default());
        segmenter.push(source);
        let mut video = None;
        let mut expected = Vec::new();
        while let Some(event) = segmenter.poll().unwrap() {
            match event {
                Event::Recording(recording) => video = recording.video(),
                Event::Block(block) => expected.push(block),
                _ => {}
            }
        }
        let first = expected
            .iter()
            .position(|block| Some(block.track) == video && block.keyframe)
            .expect(name);
        assert!(
            first < 10,
            "{name}: little is left out before the first keyframe"
        );
        let expected: Vec<_> = expected[first..]
            .iter()
            .map(|block| (block.track, block.element.frame()))
            .collect();
        let got: Vec<_> = played
            .blocks
            .iter()
            .map(|(track, _, _, frame)| (*track, &frame[..]))
            .collect();
        assert_eq!(got, expected, "{name}");
    }
}

#[test]
fn audio_only_stream_is_cut_about_once_a_second() {
    let mut stream = stream(Limits::default());
    publish(&mut stream, &read("chromium-opus-only-100ms"), 500);
    let mut early = Cursor::join();
    let late = play(bytes_of(&drain(&mut early, &stream)));
    assert_eq!(late.clusters.len(), 1);
    assert!(stream.backlog_ms().unwrap() < 1000);
}

#[test]
fn viewer_joining_mid_gop_starts_at_a_keyframe() {
    let mut stream = stream(Limits::default());
    publish(&mut stream, &read("chromium-vp8-opus-100ms"), 1000);
    let given = drain(&mut Cursor::join(), &stream);
    let played = play(bytes_of(&given));
    // The last of four keyframes is at 6099 ms.
    assert_eq!((played.clusters.len(), played.blocks[0].1), (1, 6099));
    assert!(matches!(given[0], Given::Init(_)));
    assert!(matches!(&given[1], Given::Chunk(chunk) if chunk.kind == ChunkKind::JoinPoint));
}

#[test]
fn restart_with_the_same_tracks_goes_on_in_the_same_init_segment() {
    let mut stream = stream(Limits::default());
    let mut cursor = Cursor::join();
    publish(&mut stream, &read("chromium-restart-1"), 1000);
    let mut given = drain(&mut cursor, &stream);
    stream.go_offline(OfflineReason::Ended);
    stream.go_live();
    // Cut off in the middle of a block, and then a third recording.
    let cut = read("chromium-restart-2").slice(..30_000);
    publish(&mut stream, &cut, 777);
    publish(&mut stream, &read("chromium-restart-1"), 50_000);
    given.extend(drain(&mut cursor, &stream));
    assert_eq!(
        given
            .iter()
            .filter(|given| matches!(given, Given::Init(_)))
            .count(),
        1
    );
    assert_eq!((stream.generation(), stream.publisher_restarts()), (1, 2));
    let played = play(bytes_of(&given));
    let steps = played.blocks.windows(2).map(|two| two[1].1 - two[0].1);
    assert!(steps.max().unwrap() < 100, "no gap where recordings meet");
    assert_eq!(played.recording.tracks.len(), 2);
}

#[test]
fn restart_with_other_tracks_brings_a_new_init_segment_in_its_place() {
    let mut stream = stream(Limits::default());
    let mut cursor = Cursor::join();
    publish(&mut stream, &read("chromium-restart-1"), 1000);
    let mut given = drain(&mut cursor, &stream);
    publish(&mut stream, &read("chromium-vp8-only-100ms"), 1000);
    given.extend(drain(&mut cursor, &stream));
    let second = given
        .iter()
        .skip(1)
        .position(|given| matches!(given, Given::Init(_)))
        .expect("a second init segment")
        + 1;
    let before = play(bytes_of(&given[..second]));
    let after = play(bytes_of(&given[second..]));
    assert_eq!(
        (before.recording.tracks.len(), after.recording.tracks.len()),
        (2, 1)
    );
    assert!(after.blocks[0].1 > before.blocks.last().unwrap().1);
    assert_eq!(stream.generation(), 2);
    // A newcomer gets the second alone.
    let newcomer = play(bytes_of(&drain(&mut Cursor::join(), &stream)));
    assert_eq!(newcomer.recording.tracks.len(), 1);
}

#[test]
fn viewer_two_init_segments_behind_meets_both_in_their_places() {
    let mut stream = stream(Limits::default());
    let mut cursor = Cursor::join();
    publish(&mut stream, &read("chromium-restart-1"), 1000);
    drain(&mut cursor, &stream);
    publish(&mut stream, &read("chromium-vp8-only-100ms"), 1000);
    publish(&mut stream, &read("chromium-vp9-opus-100ms"), 1000);
    let given = drain(&mut cursor, &stream);
    let types: Vec<&str> = given
        .iter()
        .filter_map(|given| match given {
            Given::Init(chunk) => chunk.mime.as_deref(),
            _ => None,
        })
        .collect();
    let (vp8, vp9) = (
        r#"video/webm;codecs="vp8""#,
        r#"video/webm;codecs="vp9,opus""#,
    );
    assert_eq!(types, [vp8, vp9]);
}

#[test]
fn overtaken_viewer_skips_to_the_newest_join_point() {
    let limits = Limits {
        ring_bytes: 40_000,
        ..Limits::default()
    };
    let source = read("chromium-vp8-opus-100ms");
    let mut stream = stream(limits);
    let mut ingest = Ingest::new(limits);
    let mut cursor = Cursor::join();
    let mut given = Vec::new();
    for piece in source.slice(..20_000).chunks(2000) {
        ingest
            .push(Bytes::copy_from_slice(piece), &mut stream)
            .unwrap();
        given.extend(drain(&mut cursor, &stream));
    }
    for piece in source.slice(20_000..).chunks(2000) {
        ingest
            .push(Bytes::copy_from_slice(piece), &mut stream)
            .unwrap();
    }
    assert!(stream.ring().byte_len() <= 40_000);
    let rest = drain(&mut cursor, &stream);
    let Given::Skip { from_ms, to_ms } = rest[0] else {
        panic!("{:?}", rest[0])
    };
    assert!((1000..2000).contains(&from_ms), "{from_ms}");
    assert_eq!(to_ms, 6099);
    given.extend(rest);
    let played = play(bytes_of(&given));
    assert_eq!(played.clusters.len(), 2);
}

/// Its line takes the message alone, and the newest keyframe is another one when it takes more.
#[test]
fn viewer_that_was_told_of_a_skip_is_told_where_it_goes_on_instead() {
    let limits = Limits {
        ring_bytes: 40_000,
        ..Limits::default()
    };
    let source = read("chromium-vp8-opus-100ms");
    let mut stream = stream(limits);
    let mut ingest = Ingest::new(limits);
    let mut push = |bytes: &[u8], stream: &mut Stream| {
        ingest.push(Bytes::copy_from_slice(bytes), stream).unwrap();
    };
    let mut cursor = Cursor::join();
    push(&source[..20_000], &mut stream);
    drain(&mut cursor, &stream);
    let mut pieces = source[20_000..].chunks(2000);
    let told = pieces.by_ref().find_map(|piece| {
        push(piece, &mut stream);
        let mut ahead = cursor;
        match ahead.next(&stream) {
            Next::Skip { from_ms, to_ms } => {
                cursor = ahead;
                Some((from_ms, to_ms))
            }
            _ => None,
        }
    });
    let (from, to) = told.expect("the ring overtakes it");
    for piece in pieces {
        push(piece, &mut stream);
    }
    let rest = drain(&mut cursor, &stream);
    let (Given::Skip { from_ms, to_ms }, Given::Chunk(chunk)) = (&rest[0], &rest[1]) else {
        panic!("{rest:?}")
    };
    assert!(to < 6099 && *from_ms == from);
    assert_eq!((*to_ms, chunk.timestamp_ms), (6099, 6099));
    assert!(
        !rest[1..]
            .iter()
            .any(|one| matches!(one, Given::Skip { .. }))
    );
}

/// A stream on air by a clock, and one viewer of it.
struct Clocked {
    catalog: Catalog,
    id: StreamId,
    ingest: Ingest,
    cursor: Cursor,
}

impl Clocked {
    fn new() -> Clocked {
        let limits = Limits::default();
        let mut catalog = Catalog::new(limits);
        let id = catalog.open("demo");
        catalog.stream_mut(id).go_live();
        Clocked {
            catalog,
            id,
            ingest: Ingest::new(limits),
            cursor: Cursor::join(),
        }
    }

    fn push(&mut self, bytes: &[u8], now_ms: u64) {
        self.catalog.set_clock(Duration::from_millis(now_ms));
        let stream = self.catalog.stream_mut(self.id);
        self.ingest
            .push(Bytes::copy_from_slice(bytes), stream)
            .unwrap();
    }

    fn drain(&mut self, now_ms: u64) -> Vec<Given> {
        self.catalog.set_clock(Duration::from_millis(now_ms));
        drain(&mut self.cursor, self.catalog.stream_mut(self.id))
    }
}

#[test]
fn viewer_over_the_lag_limit_skips_to_a_newer_gop() {
    let source = read("chromium-vp8-opus-100ms");
    let newest = {
        let mut clocked = Clocked::new();
        clocked.push(&source, 0);
        let Given::Chunk(chunk) = &clocked.drain(0)[1] else {
            panic!("the newest GOP follows the init segment")
        };
        chunk.timestamp_ms
    };
    // All but the first 20 kB waits for so long before the viewer asks again.
    for (waits_ms, skips) in [(1000, 0), (1001, 1)] {
        let mut clocked = Clocked::new();
        clocked.push(&source[..20_000], 0);
        clocked.drain(0);
        clocked.push(&source[20_000..], 500);
        let given = clocked.drain(500 + waits_ms);
        let skipped: Vec<u64> = given
            .iter()
            .filter_map(|given| match given {
                Given::Skip { to_ms, .. } => Some(*to_ms),
                _ => None,
            })
            .collect();
        assert_eq!(skipped, vec![newest; skips]);
        assert!(given.len() > skips);
        // Later, at the live edge, nothing waits for it.
        assert!(clocked.drain(9000).is_empty());
    }
}

#[test]
fn viewer_in_the_newest_gop_never_skips() {
    let source = read("chromium-vp8-opus-100ms");
    let mut clocked = Clocked::new();
    clocked.push(&source[..20_000], 0);
    clocked.drain(0);
    // Short of the second keyframe.
    clocked.push(&source[20_000..30_000], 100);
    let given = clocked.drain(60_000);
    assert!(!given.is_empty());
    assert!(given.iter().all(|given| matches!(given, Given::Chunk(_))));
}

#[test]
fn viewer_before_publisher_waits_for_the_first_keyframe() {
    let mut stream = Stream::new(Arc::from("demo"), Limits::default());
    let mut cursor = Cursor::join();
    assert!(drain(&mut cursor, &stream).is_empty());
    stream.go_live();
    assert!(drain(&mut cursor, &stream).is_empty());
    publish(&mut stream, &read("firefox-vp8-opus-100ms"), 4096);
    let played = play(bytes_of(&drain(&mut cursor, &stream)));
    assert_eq!(played.clusters.len(), 1);
}

#[test]
fn broken_bytes_leave_a_valid_stream_behind() {
    let mut source = read("ffmpeg-live").to_vec();
    let broken = 80_000;
    source[broken..broken + 4000].fill(0);
    let mut stream = stream(Limits::default());
    let mut cursor = Cursor::join();
    let mut ingest = Ingest::new(Limits::default());
    let error = ingest.push(source.into(), &mut stream).unwrap_err();
    assert!(error.offset() >= broken as u64, "{error}");
    assert!(error.to_string().contains("at byte"), "{error}");
    play(bytes_of(&drain(&mut cursor, &stream)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_cut_gives_viewers_the_same_bytes(piece in 1usize..9000) {
        let source = read("chromium-canvas-vp8-opus-100ms");
        let all = |piece| {
            let mut stream = stream(Limits::default());
            let mut cursor = Cursor::join();
            let mut ingest = Ingest::new(Limits::default());
            let mut given = Vec::new();
            for part in source.chunks(piece) {
                ingest.push(Bytes::copy_from_slice(part), &mut stream).unwrap();
                given.extend(drain(&mut cursor, &stream));
            }
            bytes_of(&given)
        };
        prop_assert_eq!(all(piece), all(1000));
    }

    #[test]
    fn cursors_always_reach_the_live_edge(
        pieces in proptest::collection::vec((1usize..4000, any::<bool>()), 1..120),
        ring_bytes in 10_000usize..100_000,
    ) {
        let limits = Limits { ring_bytes, ..Limits::default() };
        let mut rest = read("chromium-vp8-opus-100ms");
        let mut stream = stream(limits);
        let mut ingest = Ingest::new(limits);
        let mut cursor = Cursor::join();
        let mut given = Vec::new();
        for (piece, reads) in pieces {
            let part = rest.split_to(piece.min(rest.len()));
            ingest.push(part, &mut stream).unwrap();
            if reads {
                given.extend(drain(&mut cursor, &stream));
                prop_assert_eq!(cursor.behind(&stream), 0);
            }
        }
        if cursor.has_begun() {
            play(bytes_of(&given));
        }
    }
}
