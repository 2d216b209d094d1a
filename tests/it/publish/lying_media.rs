//! The promise: the frames decide, not the claims of the container.

use bytes::{Bytes, BytesMut};
use std::time::Duration;
use videostream::fuzzing::{self, Given, Played, bytes_of, drain};
use videostream::stream::{Catalog, Cursor, Ingest, Limits, Stream, StreamId};
use videostream::webm::{
    Block, ClusterWriter, Event, Placement, Recording, Segmenter, Track, TrackKind,
};
use videostream::work::Work;

fn read(name: &str) -> Bytes {
    let path = format!("{}/tests/data/{name}.webm", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).expect("a file of tests/data").into()
}

/// A recording's head and its blocks.
fn blocks(bytes: &Bytes) -> (Recording, Vec<Block>) {
    let mut segmenter = Segmenter::new(Default::default());
    segmenter.push(bytes.clone());
    let (mut recording, mut blocks) = (None, Vec::new());
    while let Some(event) = segmenter.poll().expect("a good recording") {
        match event {
            Event::Recording(told) => recording = Some(told),
            Event::Block(block) => blocks.push(block),
            Event::Cluster(_) | Event::Stray { .. } => {}
        }
    }
    (recording.expect("a recording"), blocks)
}

/// A recording of these blocks, in this order, each with the time that it has now.
fn recording_of(recording: &Recording, blocks: &[Block]) -> Vec<Bytes> {
    let mut writer = ClusterWriter::new();
    let mut pieces = vec![recording.init_segment()];
    for block in blocks {
        let mut out = BytesMut::new();
        let (number, at_ms) = (block.track as u8 + 1, block.timestamp_ms.unsigned_abs());
        // A Cluster each, so that times may be any.
        let placement = Placement {
            track_number: number,
            timestamp_ms: at_ms,
            opens_cluster: true,
        };
        writer.write(&mut out, &block.element, placement);
        pieces.push(out.freeze());
    }
    pieces
}

/// A stream on air by a clock, and one viewer from the start.
struct OnAir {
    catalog: Catalog,
    id: StreamId,
    ingest: Ingest,
    cursor: Cursor,
    given: Vec<Given>,
}

impl OnAir {
    fn new() -> OnAir {
        let mut catalog = Catalog::new(Limits::default());
        let id = catalog.open("demo");
        catalog.stream_mut(id).go_live();
        OnAir {
            catalog,
            id,
            ingest: Ingest::new(Limits::default()),
            cursor: Cursor::join(),
            given: Vec::new(),
        }
    }

    fn stream(&mut self) -> &mut Stream {
        self.catalog.stream_mut(self.id)
    }

    /// Returns how much the viewer has been given.
    fn push(&mut self, bytes: &[u8], now_ms: u64) -> usize {
        self.catalog.set_clock(Duration::from_millis(now_ms));
        let stream = self.catalog.stream_mut(self.id);
        let pushed = self.ingest.push(Bytes::copy_from_slice(bytes), stream);
        pushed.expect("a good recording");
        self.given.extend(drain(&mut self.cursor, stream));
        self.given.len()
    }

    /// Time passes in silence.
    fn tick(&mut self, now_ms: u64) -> usize {
        self.catalog.set_clock(Duration::from_millis(now_ms));
        let stream = self.catalog.stream_mut(self.id);
        self.ingest.tick(stream, &mut Work::unlimited());
        self.given.extend(drain(&mut self.cursor, stream));
        self.given.len()
    }

    /// Pushes blocks when their time has come, as the first recording says it.
    fn push_as_timed(&mut self, recording: &Recording, blocks: &[Block], begin_ms: u64) {
        let pieces = recording_of(recording, blocks);
        self.push(&pieces[0], begin_ms);
        for (piece, block) in pieces[1..].iter().zip(blocks) {
            let now_ms = begin_ms + block.timestamp_ms.unsigned_abs();
            while let Some(due_ms) = self.ingest.deadline_ms().filter(|&due_ms| due_ms < now_ms) {
                self.tick(due_ms);
            }
            self.push(piece, begin_ms + block.timestamp_ms.unsigned_abs());
        }
    }

    fn warnings(&mut self) -> Vec<(&'static str, String)> {
        std::iter::from_fn(|| self.ingest.poll_warning())
            .map(|warning| (warning.code, warning.message))
            .collect()
    }

    /// What a player would make of it: one for each init segment.
    fn play(&self) -> Vec<Played> {
        fuzzing::play(bytes_of(&self.given))
    }

    fn types(&self) -> Vec<&str> {
        let inits = self.given.iter().filter_map(|given| match given {
            Given::Init(chunk) => chunk.mime.as_deref(),
            _ => None,
        });
        inits.collect()
    }
}

/// All that a viewer gets of these bytes from the start.
fn viewed(bytes: &[u8]) -> Bytes {
    let mut on_air = OnAir::new();
    for piece in bytes.chunks(1000) {
        on_air.push(piece, 0);
    }
    bytes_of(&on_air.given)
}

const VP8: &str = r#"video/webm;codecs="vp8""#;
const VP8_OPUS: &str = r#"video/webm;codecs="vp8,opus""#;

#[test]
fn groups_without_reference_give_join_points_at_real_keyframes_only() {
    let source = read("block-groups-without-reference");
    let played = fuzzing::play(viewed(&source)).remove(0);
    let times: Vec<i64> = played.clusters.iter().map(|cluster| cluster.0).collect();
    assert_eq!(times, [0, 1000]);
    let frames: Vec<&[u8]> = played.blocks.iter().map(|block| &block.3[..]).collect();
    let (_, blocks) = blocks(&source);
    let expected: Vec<&[u8]> = blocks.iter().map(|block| block.element.frame()).collect();
    assert_eq!(frames, expected);

    // A newcomer in the middle of the second GOP.
    let mut on_air = OnAir::new();
    on_air.push(&source[..23_000], 0);
    on_air.given = drain(&mut Cursor::join(), on_air.stream());
    assert_eq!(on_air.play()[0].blocks[0].1, 1000);
}

#[test]
fn viewers_get_the_same_media_for_any_keyframe_flags() {
    for name in [
        "chromium-vp8-opus-100ms",
        "chromium-vp9-opus-100ms",
        "h264-opus-doctype-webm",
    ] {
        let source = read(name);
        let truth = viewed(&source);
        let (recording, blocks) = blocks(&source);
        for lie in [0x80, 0x00] {
            let mut lying = source.to_vec();
            for block in blocks
                .iter()
                .filter(|block| Some(block.track) == recording.video())
            {
                let flags_at = block.offset as usize + block.element.track_at + 3;
                lying[flags_at] = lying[flags_at] & 0x7f | lie;
            }
            assert_ne!(lying, source);
            assert!(viewed(&lying) == truth, "{name} with flags {lie:x}");
        }
        let played = fuzzing::play(truth).remove(0);
        let keyframes = blocks
            .iter()
            .filter(|block| Some(block.track) == recording.video() && block.keyframe);
        assert_eq!(played.clusters.len(), keyframes.count(), "{name}");
    }
}

#[test]
fn timestamps_that_go_back_a_minute_cost_viewers_nothing() {
    let source = read("timestamps-back-60s");
    let mut on_air = OnAir::new();
    for piece in source.chunks(1000) {
        on_air.push(piece, 0);
    }
    let warnings = on_air.warnings();
    let codes: Vec<&str> = warnings.iter().map(|warning| warning.0).collect();
    assert_eq!(codes, ["timestamps"]);
    assert_eq!(on_air.ingest.take_time_steps(), 1);

    let played = on_air.play().remove(0);
    let steps = played.blocks.windows(2).map(|pair| pair[1].1 - pair[0].1);
    assert!(steps.max() < Some(100));
    let (_, blocks) = blocks(&source);
    // Sound and picture keep their distance, before and after.
    let moved: Vec<i64> = played
        .blocks
        .iter()
        .zip(&blocks[blocks.len() - played.blocks.len()..])
        .map(|(shown, block)| {
            assert!(shown.3 == block.element.frame());
            shown.1 - block.timestamp_ms
        })
        .collect();
    let after: Vec<i64> = moved.into_iter().filter(|&ms| ms != 0).collect();
    let (first, last) = (after.iter().min(), after.iter().max());
    assert!(last.unwrap() - first.unwrap() < 40, "{first:?} to {last:?}");
    assert!((59_900..60_100).contains(first.unwrap()), "{first:?}");
}

#[test]
fn block_one_day_ahead_does_not_move_the_stream() {
    let (recording, mut blocks) = blocks(&read("chromium-vp8-opus-100ms"));
    let expected: Vec<i64> = blocks.iter().map(|block| block.timestamp_ms).collect();
    for index in [40, 41, 90] {
        blocks[index].timestamp_ms += 86_400_000;
    }
    let mut on_air = OnAir::new();
    for piece in recording_of(&recording, &blocks) {
        on_air.push(&piece, 0);
    }
    let played = on_air.play().remove(0);
    let first = expected.len() - played.blocks.len();
    let times = played.blocks.iter().map(|block| block.1);
    for (time, expected) in times.zip(&expected[first..]) {
        assert!((time - expected).abs() < 100, "{time} is not {expected}");
    }
    // The same day comes again, and its offset is known.
    assert_eq!(on_air.ingest.take_time_steps(), 1);
}

#[test]
fn sparse_streams_keep_their_time() {
    let (mut recording, blocks) = blocks(&read("chromium-vp8-only-100ms"));
    recording.tracks.truncate(1);
    let keyframe = blocks.iter().find(|block| block.keyframe).unwrap();
    let spaced = |step_ms: i64| -> Vec<Block> {
        let at = |n| Block {
            timestamp_ms: n * step_ms,
            ..keyframe.clone()
        };
        (0..5).map(at).collect()
    };
    // By the clock any distance; ten seconds without it.
    for (step_ms, is_timed) in [(10_000, false), (10_000, true), (40_000, true)] {
        let mut on_air = OnAir::new();
        let blocks = spaced(step_ms);
        if is_timed {
            on_air.push_as_timed(&recording, &blocks, 0)
        } else {
            for piece in recording_of(&recording, &blocks) {
                on_air.push(&piece, 0);
            }
        }
        let times: Vec<i64> = on_air.play()[0]
            .blocks
            .iter()
            .map(|block| block.1)
            .collect();
        // Without a clock the first two come at once, and viewers join at the newer.
        let first = if is_timed { 0 } else { 1 };
        let expected: Vec<i64> = (first..5).map(|n| n * step_ms).collect();
        assert_eq!(times, expected);
        assert_eq!(on_air.warnings(), []);
    }
}

#[test]
fn silent_track_delays_the_stream_by_a_second_at_most() {
    let source = read("audio-track-without-blocks");
    let mut on_air = OnAir::new();
    assert_eq!(on_air.push(&source[..9000], 40), 0);
    assert_eq!(on_air.ingest.deadline_ms(), Some(1040));
    assert_eq!(on_air.tick(1039), 0);
    assert!(on_air.stream().init().is_none());
    assert_eq!(on_air.tick(1040), 2);
    assert_eq!(on_air.types(), [VP8]);
    assert_eq!(on_air.ingest.deadline_ms(), None);
    let warning = "Track 2 (audio, opus) sends nothing: viewers play without it until it comes.";
    assert_eq!(on_air.warnings(), [("tracks", warning.to_owned())]);
    on_air.push(&source[9000..], 1100);
    let played = on_air.play();
    assert_eq!((played.len(), played[0].recording.tracks.len()), (1, 1));
    assert_eq!(played[0].clusters.len(), 2);
}

#[test]
fn frames_of_an_early_leaving_publisher_stay() {
    let source = read("audio-track-without-blocks");
    let mut on_air = OnAir::new();
    on_air.push(&source, 0);
    let stream = on_air.catalog.stream_mut(on_air.id);
    on_air.ingest.flush(stream);
    on_air.tick(0);
    // All at once: the newest GOP is what there is to join.
    assert_eq!(on_air.play()[0].clusters.len(), 1);
}

#[test]
fn recording_with_prompt_tracks_is_not_delayed() {
    let (recording, blocks) = blocks(&read("chromium-vp8-opus-100ms"));
    let pieces = recording_of(&recording, &blocks);
    let mut on_air = OnAir::new();
    let first = pieces.iter().position(|piece| on_air.push(piece, 0) > 0);
    // A block of sound, and two of the picture, whose distance is asked for.
    let told = pieces[1..=first.unwrap()].len();
    assert!(told <= 4, "{told} blocks");
    assert_eq!(on_air.types(), [VP8_OPUS]);
    assert_eq!(on_air.warnings(), []);
}

#[test]
fn late_sound_joins_at_the_next_keyframe() {
    let (recording, blocks) = blocks(&read("chromium-vp8-opus-100ms"));
    let is_sound = |block: &Block| recording.tracks[block.track].kind == TrackKind::Audio;
    let late: Vec<Block> = blocks
        .iter()
        .filter(|block| !is_sound(block) || block.timestamp_ms >= 2500)
        .cloned()
        .collect();
    let mut on_air = OnAir::new();
    on_air.push_as_timed(&recording, &late, 0);
    assert_eq!(on_air.types(), [VP8, VP8_OPUS]);
    let played = on_air.play();
    let joins = late
        .iter()
        .find(|block| !is_sound(block) && block.keyframe && block.timestamp_ms >= 2500);
    assert_eq!(played[1].blocks[0].1, joins.unwrap().timestamp_ms);
    assert_eq!(on_air.stream().publisher_restarts(), 0);
}

#[test]
fn late_picture_joins_the_sound_at_its_first_keyframe() {
    let (recording, blocks) = blocks(&read("chromium-vp8-opus-100ms"));
    let is_sound = |block: &Block| recording.tracks[block.track].kind == TrackKind::Audio;
    let late: Vec<Block> = blocks
        .into_iter()
        .filter(|block| is_sound(block) || block.timestamp_ms >= 1500)
        .collect();
    let mut on_air = OnAir::new();
    on_air.push_as_timed(&recording, &late, 0);
    assert_eq!(on_air.types(), [r#"audio/webm;codecs="opus""#, VP8_OPUS]);
    let played = on_air.play();
    assert!((1500..4000).contains(&played[1].blocks[0].1));
    assert!(played[0].blocks.last().unwrap().1 > 1400);
}

#[test]
fn recording_that_goes_on_without_its_sound_gives_it_up_at_a_keyframe() {
    let (recording, blocks) = blocks(&read("chromium-vp8-opus-100ms"));
    let is_sound = |block: &Block| recording.tracks[block.track].kind == TrackKind::Audio;
    let mut on_air = OnAir::new();
    on_air.push_as_timed(&recording, &blocks, 0);
    let silent: Vec<Block> = blocks
        .iter()
        .filter(|block| !is_sound(block))
        .cloned()
        .collect();
    let before = on_air.given.len();
    on_air.push_as_timed(&recording, &silent[..3], 8000);
    assert!(on_air.given.len() > before, "it goes on at once");
    assert_eq!(on_air.types(), [VP8_OPUS]);
    for (piece, block) in recording_of(&recording, &silent)[4..]
        .iter()
        .zip(&silent[3..])
    {
        on_air.push(piece, 8000 + block.timestamp_ms.unsigned_abs());
    }
    assert_eq!(on_air.types(), [VP8_OPUS, VP8]);
    on_air.play();
    // The next with sound waits for it, and brings it back.
    on_air.push_as_timed(&recording, &blocks, 16_000);
    assert_eq!(on_air.types(), [VP8_OPUS, VP8, VP8_OPUS]);
    on_air.play();
}

#[test]
fn track_that_ends_in_mid_recording_stays_on_air() {
    let (recording, blocks) = blocks(&read("chromium-vp8-opus-100ms"));
    for kind in [TrackKind::Audio, TrackKind::Video] {
        let mut ends = blocks.clone();
        ends.retain(|block| {
            recording.tracks[block.track].kind != kind || block.timestamp_ms < 2500
        });
        let mut on_air = OnAir::new();
        on_air.push_as_timed(&recording, &ends, 0);
        assert_eq!(on_air.types(), [VP8_OPUS]);
        let played = on_air.play();
        assert!(played[0].blocks.last().unwrap().1 > 6000);
        assert_eq!(on_air.warnings(), []);
    }
}

/// A recording with copies of its tracks of this kind behind them, and each copy's blocks.
fn with_copies(
    recording: &Recording,
    blocks: &[Block],
    kind: TrackKind,
) -> (Recording, Vec<Block>) {
    let mut tracks: Vec<Track> = recording.tracks.clone();
    let original = tracks.iter().position(|track| track.kind == kind).unwrap();
    tracks.push(tracks[original].clone());
    let copy = tracks.len() - 1;
    let all = blocks.iter().flat_map(|block| {
        let copied = (block.track == original).then(|| Block {
            track: copy,
            ..block.clone()
        });
        [Some(block.clone()), copied].into_iter().flatten()
    });
    let recording = Recording {
        tracks,
        ..recording.clone()
    };
    (recording, all.collect())
}

#[test]
fn viewers_get_one_picture_and_one_sound() {
    let (recording, blocks) = blocks(&read("chromium-vp8-opus-100ms"));
    let plain = {
        let mut on_air = OnAir::new();
        on_air.push_as_timed(&recording, &blocks, 0);
        bytes_of(&on_air.given)
    };
    for (kind, name) in [
        (TrackKind::Video, "video, vp8"),
        (TrackKind::Audio, "audio, opus"),
    ] {
        let (more, all) = with_copies(&recording, &blocks, kind);
        let mut on_air = OnAir::new();
        on_air.push_as_timed(&more, &all, 0);
        assert!(
            bytes_of(&on_air.given) == plain,
            "as if there were no third track"
        );
        let left_out = "is left out: viewers get the first picture and the first sound.";
        let message = format!("Track 3 ({name}) {left_out}");
        assert_eq!(on_air.warnings(), [("tracks", message)]);
    }
}

#[test]
fn second_sound_is_taken_when_the_first_sends_nothing() {
    let (recording, blocks) = blocks(&read("chromium-vp8-opus-100ms"));
    let (more, mut all) = with_copies(&recording, &blocks, TrackKind::Audio);
    let silent = more
        .tracks
        .iter()
        .position(|track| track.kind == TrackKind::Audio);
    all.retain(|block| Some(block.track) != silent);
    let mut on_air = OnAir::new();
    on_air.push_as_timed(&more, &all, 0);
    assert_eq!(on_air.types(), [VP8_OPUS]);
    assert_eq!(on_air.play()[0].recording.tracks.len(), 2);
}

#[test]
fn picture_gets_the_duration_of_its_frames() {
    for (name, expected) in [
        // Told by the recorder.
        ("block-groups-without-reference", 66_000_000..67_000_000),
        ("h264-opus-doctype-webm", 99_000_000..101_000_000),
        // Cameras of 20 and 30 frames a second, by their timestamps alone.
        ("chromium-vp8-opus-100ms", 45_000_000..55_000_000),
        ("firefox-vp8-opus-100ms", 20_000_000..38_000_000),
    ] {
        let (recording, blocks) = blocks(&read(name));
        let mut on_air = OnAir::new();
        on_air.push_as_timed(&recording, &blocks, 0);
        let played = on_air.play();
        let video = played[0].recording.video().unwrap();
        let duration_ns = played[0].recording.tracks[video].default_duration_ns;
        assert!(
            expected.contains(&duration_ns.unwrap()),
            "{name}: {duration_ns:?}"
        );
        // The next one need not have frames as long.
        on_air.push_as_timed(&recording, &blocks[..15], 20_000);
        assert_eq!(on_air.stream().generation(), 1);
    }
}

#[test]
fn video_with_a_late_second_frame_gets_a_default_duration() {
    let (recording, blocks) = blocks(&read("chromium-vp8-only-100ms"));
    let mut on_air = OnAir::new();
    on_air.push_as_timed(&recording, &blocks[..1], 0);
    assert_eq!(on_air.given.len(), 0);
    assert_eq!(on_air.tick(1000), 2);
    let played = on_air.play();
    assert_eq!(
        played[0].recording.tracks[0].default_duration_ns,
        Some(33_333_333)
    );
}

#[test]
fn recordings_that_meet_have_no_discard_padding_between_them() {
    let source = read("ffmpeg-live");
    let has_padding = |bytes: &[u8]| bytes.windows(3).any(|bytes| bytes == b"\x75\xa2\x84");
    assert!(has_padding(&source[source.len() - 100..]));
    let mut on_air = OnAir::new();
    for _ in 0..2 {
        for piece in source.chunks(5000) {
            on_air.push(piece, 0);
        }
    }
    let bytes = bytes_of(&on_air.given);
    assert!(!has_padding(&bytes));
    let (_, blocks) = blocks(&source);
    let played = fuzzing::play(bytes).remove(0);
    // Sound that comes before the first keyframe is left out twice.
    assert!(played.blocks.len() + 4 >= 2 * blocks.len());
}

#[test]
fn blocks_out_of_order_go_out_after_half_a_second_of_silence() {
    let (recording, mut blocks) = blocks(&read("chromium-vp8-opus-100ms"));
    let is_sound = |block: &Block| recording.tracks[block.track].kind == TrackKind::Audio;
    blocks.drain(
        ..blocks
            .iter()
            .position(|block| !is_sound(block) && block.keyframe)
            .unwrap(),
    );
    blocks.truncate(30);
    // As a file that writes its tracks apart: 120 ms of picture, then the sound of that time.
    let begin_ms = blocks[0].timestamp_ms;
    blocks.sort_by_key(|block| ((block.timestamp_ms - begin_ms) / 120, is_sound(block)));
    let mut on_air = OnAir::new();
    for piece in recording_of(&recording, &blocks) {
        on_air.push(&piece, 0);
    }
    let shown = |on_air: &OnAir| on_air.play()[0].blocks.len();
    assert!(shown(&on_air) < 30);
    assert_eq!(on_air.ingest.deadline_ms(), Some(500));
    on_air.tick(499);
    assert!(shown(&on_air) < 30);
    on_air.tick(500);
    assert_eq!(shown(&on_air), 30);
    assert_eq!(on_air.ingest.deadline_ms(), None);
}

#[test]
fn recordings_that_each_step_do_not_add_up() {
    let (recording, blocks) = blocks(&read("chromium-vp8-only-100ms"));
    let keyframe = blocks.iter().find(|block| block.keyframe).unwrap();
    let steps: Vec<Block> = [0, 1 << 42, 33]
        .map(|timestamp_ms| Block {
            timestamp_ms,
            ..keyframe.clone()
        })
        .into();
    let mut on_air = OnAir::new();
    for n in 0..1000 {
        for piece in recording_of(&recording, &steps) {
            on_air.push(&piece, n);
        }
    }
    let played = on_air.play().remove(0);
    let times: Vec<i64> = played.blocks.iter().map(|block| block.1).collect();
    let stands_still = times.windows(3).position(|three| three[2] <= three[0]);
    assert_eq!(stands_still.map(|at| times[at..at + 6].to_vec()), None);
    assert!(*times.last().unwrap() < 300_000, "{:?}", times.last());
}
