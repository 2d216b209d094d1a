//! The segmenter finds in real recordings the facts that an unrelated parser found, at any cut.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;
use videostream::fuzzing;
use videostream::webm::{Event, Limits, Recording, WebmError};

const RECORDINGS: [&str; 10] = [
    "chromium-vp8-opus-100ms",
    "chromium-vp9-opus-100ms",
    "chromium-vp8-only-100ms",
    "chromium-opus-only-100ms",
    "chromium-canvas-vp8-opus-100ms",
    "chromium-restart-1",
    "chromium-restart-2",
    "firefox-vp8-opus-100ms",
    "ffmpeg-live",
    "ffmpeg-finished",
];

fn read(name: &str) -> Bytes {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).expect("a file of tests/data").into()
}

fn facts(name: &str) -> Value {
    serde_json::from_slice(&read(&format!("{name}.json"))).expect("JSON")
}

/// All events of `bytes` when they come in `pieces`; the rest comes as one more piece.
fn events(bytes: &Bytes, pieces: impl IntoIterator<Item = usize>) -> Result<Vec<Event>, WebmError> {
    let mut rest = bytes.clone();
    let mut pieces = pieces.into_iter();
    let pieces = std::iter::from_fn(|| {
        let length = pieces.next().unwrap_or(rest.len()).min(rest.len());
        (!rest.is_empty()).then(|| rest.split_to(length))
    });
    let segmented = fuzzing::segment(Limits::default(), pieces);
    match segmented.error {
        Some(error) => Err(error),
        None => Ok(segmented.events),
    }
}

fn recording(events: &[Event]) -> &Recording {
    match &events[0] {
        Event::Recording(recording) => recording,
        other => panic!("{other:?}"),
    }
}

#[test]
fn recordings_match_the_facts_of_another_parser() {
    for name in RECORDINGS {
        let facts = facts(name);
        let events = events(&read(&format!("{name}.webm")), []).expect(name);
        let recording = recording(&events);
        assert_eq!(facts["init_len"], recording.init_length, "{name}");
        assert_eq!(facts["doctype"], recording.doc_type.as_str(), "{name}");

        let mut clusters: Vec<Value> = Vec::new();
        let mut keyframes: Vec<Value> = Vec::new();
        let mut per_track = vec![(0u64, 0u64, None, 0i64); recording.tracks.len()];
        let video = recording.video();
        for event in &events[1..] {
            match event {
                Event::Cluster(head) => {
                    let facts = serde_json::json!([head.offset, head.timestamp_ms, head.size, 0]);
                    clusters.push(facts);
                }
                Event::Block(block) => {
                    let cluster = clusters.last_mut().expect("a Cluster before a block");
                    cluster[3] = (cluster[3].as_u64().unwrap() + 1).into();
                    let track = &recording.tracks[block.track];
                    if video.is_none_or(|video| block.track == video && block.keyframe) {
                        keyframes.push(serde_json::json!([
                            block.offset,
                            cluster[0],
                            track.number,
                            block.timestamp_ms
                        ]));
                    }
                    let seen = &mut per_track[block.track];
                    seen.0 += 1;
                    seen.1 += block.element.frame().len() as u64;
                    seen.2 = seen.2.or(Some(block.timestamp_ms));
                    seen.3 = block.timestamp_ms;
                }
                other => panic!("{name}: {other:?}"),
            }
        }
        assert_eq!(facts["clusters"], Value::from(clusters), "{name}");
        assert_eq!(facts["keyframes"], Value::from(keyframes), "{name}");
        for track in facts["tracks"].as_array().unwrap() {
            let index = recording
                .tracks
                .iter()
                .position(|other| track["number"] == other.number)
                .expect(name);
            let other = &recording.tracks[index];
            assert_eq!(track["kind"], other.kind.as_str(), "{name}");
            assert_eq!(track["codec_id"], other.codec_id, "{name}");
            let (frames, bytes, first, last) = per_track[index];
            assert_eq!(track["frames"], frames, "{name}");
            assert_eq!(track["payload_bytes"], bytes, "{name}");
            assert_eq!(track["first_ms"], first.unwrap(), "{name}");
            assert_eq!(track["last_ms"], last, "{name}");
        }
    }
}

#[test]
fn recordings_name_the_type_that_players_want() {
    let mime = |name: &str| {
        let events = events(&read(&format!("{name}.webm")), []).unwrap();
        recording(&events).mime()
    };
    assert_eq!(
        mime("chromium-vp8-opus-100ms"),
        r#"video/webm;codecs="vp8,opus""#
    );
    assert_eq!(
        mime("chromium-vp9-opus-100ms"),
        r#"video/webm;codecs="vp9,opus""#
    );
    assert_eq!(
        mime("chromium-vp8-only-100ms"),
        r#"video/webm;codecs="vp8""#
    );
    assert_eq!(
        mime("chromium-opus-only-100ms"),
        r#"audio/webm;codecs="opus""#
    );
}

#[test]
fn one_byte_at_a_time_gives_the_same_as_one_piece() {
    for name in RECORDINGS {
        let bytes = read(&format!("{name}.webm"));
        let whole = events(&bytes, []).unwrap();
        assert_eq!(
            events(&bytes, std::iter::repeat(1)).unwrap(),
            whole,
            "{name}"
        );
    }
}

#[test]
fn recorders_own_chunks_give_the_same_as_one_piece() {
    for name in RECORDINGS {
        let bytes = read(&format!("{name}.webm"));
        let chunks: Vec<usize> = serde_json::from_value(facts(name)["chunks"].take()).unwrap();
        let whole = events(&bytes, []).unwrap();
        assert_eq!(events(&bytes, chunks).unwrap(), whole, "{name}");
    }
}

#[test]
fn two_recordings_one_after_the_other_are_two_recordings() {
    let first = read("chromium-restart-1.webm");
    let second = read("chromium-restart-2.webm");
    let both: Bytes = [&first[..], &second[..]].concat().into();
    let events = events(&both, std::iter::repeat(777)).unwrap();
    let recordings: Vec<&Recording> = events
        .iter()
        .filter_map(|event| match event {
            Event::Recording(recording) => Some(recording),
            _ => None,
        })
        .collect();
    assert_eq!(recordings.len(), 2);
    assert_eq!(recordings[1].offset, first.len() as u64);
    // The track order differs, yet the second continues the first.
    assert_eq!(
        recordings[1].track_numbers_in(recordings[0]),
        Some(vec![2, 1])
    );
    assert_eq!(
        recordings[0].track_numbers_in(recordings[0]),
        Some(vec![1, 2])
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cut_gives_the_same_events(
        name in proptest::sample::select(&RECORDINGS[..]),
        pieces in proptest::collection::vec(0usize..5000, 0..200),
    ) {
        let bytes = read(&format!("{name}.webm"));
        prop_assert_eq!(events(&bytes, pieces).unwrap(), events(&bytes, []).unwrap());
    }

    #[test]
    fn damaged_recording_gives_the_same_error_at_any_cut(
        name in proptest::sample::select(&RECORDINGS[..]),
        damage in proptest::collection::vec((0usize..20_000, any::<u8>()), 1..20),
        pieces in proptest::collection::vec(0usize..900, 0..200),
    ) {
        let mut bytes = read(&format!("{name}.webm")).to_vec();
        for (at, byte) in damage {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let bytes = Bytes::from(bytes);
        prop_assert_eq!(events(&bytes, pieces), events(&bytes, []));
    }
}
