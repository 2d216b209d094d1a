//! Inputs of `any_cut`: recordings, and what recorders do not write.

use crate::project;
use bytes::{Bytes, BytesMut};
use videostream::fuzzing;
use videostream::webm::{BlockElement, ClusterWriter, Event, Limits, Placement};

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

/// What follows the WebM in an input of `any_cut`: piece lengths, their count, the small ring.
const CUTS: [&[u8]; 4] = [
    &[0, 255],
    &[1, 1, 3],
    &[100, 7, 31, 200, 4, 20],
    &[3, 0, 2, 60],
];

const UNKNOWN: &[u8] = &[0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

fn read(name: &str) -> Bytes {
    let path = project(&format!("tests/data/{name}.webm"));
    std::fs::read(path).expect("a file of tests/data").into()
}

/// The recording, with only the first bytes of each frame: whole GOPs in a few kilobytes.
fn with_short_frames(recording: Bytes) -> Vec<u8> {
    let mut out = BytesMut::new();
    let mut writer = ClusterWriter::new();
    let mut opens_cluster = false;
    for event in fuzzing::segment(Limits::default(), [recording]).events {
        match event {
            Event::Recording(recording) => out.extend_from_slice(&recording.init_segment()),
            Event::Cluster(_) => opens_cluster = true,
            Event::Block(block) => {
                let frame = block.element.frame();
                let frame = &frame[..frame.len().min(3)];
                let flags = if block.keyframe { 0x80 } else { 0 };
                let payload = [&[0x81, 0, 0, flags], frame].concat();
                let short = BlockElement {
                    bytes: element(0xa3, &payload).into(),
                    track_at: 2,
                    frame_length: frame.len(),
                };
                let number = block.track as u8 + 1;
                let timestamp_ms = block.timestamp_ms.unsigned_abs();
                let placement = Placement {
                    track_number: number,
                    timestamp_ms,
                    opens_cluster,
                };
                writer.write(&mut out, &short, placement);
                opens_cluster = false;
            }
            Event::Stray { .. } => {}
        }
    }
    out.to_vec()
}

fn id_bytes(id: u32) -> Vec<u8> {
    let skip = id.leading_zeros() as usize / 8;
    id.to_be_bytes()[skip..].to_vec()
}

fn element(id: u32, payload: &[u8]) -> Vec<u8> {
    let size = 0x4000 | u16::try_from(payload.len()).expect("a small seed");
    let size = match payload.len() {
        length @ 0..127 => vec![0x80 | length as u8],
        _ => size.to_be_bytes().to_vec(),
    };
    [id_bytes(id), size, payload.to_vec()].concat()
}

fn open(id: u32) -> Vec<u8> {
    [&id_bytes(id), UNKNOWN].concat()
}

fn track(number: &[u8], kind: u8, codec_id: &str) -> Vec<u8> {
    let entry = [
        element(0xd7, number),
        element(0x83, &[kind]),
        element(0x86, codec_id.as_bytes()),
    ];
    element(0xae, &entry.concat())
}

fn start(doc_type: &str, tracks: &[Vec<u8>]) -> Vec<u8> {
    [
        element(0x1a45dfa3, &element(0x4282, doc_type.as_bytes())),
        open(0x18538067),
        element(0x1654ae6b, &tracks.concat()),
    ]
    .concat()
}

fn track_with(number: u8, codec_id: &str, private: &[u8]) -> Vec<u8> {
    let entry = [
        element(0xd7, &[number]),
        element(0x83, &[1]),
        element(0x86, codec_id.as_bytes()),
        element(0x63a2, private),
    ];
    element(0xae, &entry.concat())
}

fn cluster(timestamp: &[u8]) -> Vec<u8> {
    [open(0x1f43b675), element(0xe7, timestamp)].concat()
}

fn simple_block(payload: &[u8]) -> Vec<u8> {
    element(0xa3, payload)
}

fn video() -> Vec<u8> {
    track(&[1], 1, "V_VP8")
}

fn audio() -> Vec<u8> {
    track(&[2], 2, "A_OPUS")
}

/// Valid input that no recorder writes.
pub fn odd_ones() -> Vec<(&'static str, Vec<u8>)> {
    let both = || start("webm", &[video(), audio()]);
    // The first bytes are those of VP8 and of VP9.
    let keyframe = || simple_block(b"\x81\0\0\x80\x82key");
    let delta = || simple_block(b"\x81\0\x21\0\x87delta");
    let sound = || simple_block(b"\x82\0\x10\0\xf8s");
    let gop = || [cluster(&[10]), keyframe(), sound(), delta()].concat();
    let group = |children: &[Vec<u8>]| element(0xa0, &children.concat());
    let block = || element(0xa1, b"\x81\0\x07\0\x87frame");
    let key_block = || element(0xa1, b"\x81\0\x07\0\x82frame");
    let known_cluster = |blocks: &[Vec<u8>]| {
        let payload = [element(0xe7, &[20]), blocks.concat()].concat();
        element(0x1f43b675, &payload)
    };
    vec![
        (
            "laces",
            [
                both(),
                gop(),
                simple_block(b"\x82\0\x30\x82\x02\x02\x02\xf8a\xf8b\xf8ccc"),
                simple_block(b"\x82\0\x70\x84\x02\xf8a\xf8b\xf8c"),
                simple_block(b"\x82\0\xb0\x86\x02\x83\xbe\xf8aa\xf8b\xf8ccc"),
                simple_block(b"\x81\x01\0\x84\x01AaBb"),
                group(&[
                    element(0xa1, b"\x82\x01\x10\x84\x01\xf8a\xf8b"),
                    element(0x9b, &[40]),
                ]),
            ]
            .concat(),
        ),
        (
            "void-crc-and-unknown-elements",
            [
                both(),
                element(0xec, &[0; 9]),
                cluster(&[10]),
                element(0xbf, &[1, 2, 3, 4]),
                keyframe(),
                element(0xec, &[0xff; 3]),
                element(0x4abc, b"unknown"),
                group(&[
                    element(0xbf, &[1, 2, 3, 4]),
                    block(),
                    element(0xfb, &[0xdf]),
                    element(0x75a2, &[7]),
                ]),
                element(0x1c53bb6b, b"\xbb\x80"),
                gop(),
            ]
            .concat(),
        ),
        (
            "groups",
            [
                both(),
                cluster(&[10]),
                group(&[key_block()]),
                group(&[block(), element(0xfb, &[0xdf]), element(0x9b, &[33])]),
                group(&[element(0x75a1, &element(0xa6, &[])), key_block()]),
                sound(),
            ]
            .concat(),
        ),
        (
            "long-track-numbers",
            [
                start("webm", &[track(&[200], 1, "V_VP9"), audio()]),
                cluster(&[10]),
                simple_block(b"\x40\xc8\0\0\x80\x82key"),
                simple_block(b"\x10\0\0\x02\0\x05\0sound"),
                simple_block(b"\x40\xc8\0\x21\0\x87delta"),
            ]
            .concat(),
        ),
        (
            "strays",
            [both(), gop(), simple_block(b"\x85\0\0\x80stray"), gop()].concat(),
        ),
        (
            "two-recordings",
            [
                both(),
                gop(),
                start("webm", &[track(&[7], 2, "A_OPUS"), video()]),
                cluster(&[0]),
                keyframe(),
                simple_block(b"\x87\0\x05\0\xf8s"),
                start("webm", &[audio()]),
                cluster(&[0]),
                sound(),
                both(),
                gop(),
            ]
            .concat(),
        ),
        (
            "two-pictures-that-change-places",
            [
                start("webm", &[video(), track(&[2], 1, "V_VP9")]),
                gop(),
                simple_block(b"\x82\0\x22\x80other"),
                start("webm", &[track(&[2], 1, "V_VP9"), video()]),
                gop(),
                simple_block(b"\x82\0\x22\x80other"),
                keyframe(),
            ]
            .concat(),
        ),
        (
            "a-finished-file-and-another",
            [
                element(0x1a45dfa3, &element(0x4282, b"webm")),
                element(
                    0x18538067,
                    &[
                        element(0x114d9b74, &[]),
                        element(
                            0x1549a966,
                            &[
                                element(0x2ad7b1, &[0x0f, 0x42, 0x40]),
                                element(0x4489, &40f32.to_be_bytes()),
                            ]
                            .concat(),
                        ),
                        element(0x1654ae6b, &[video(), audio()].concat()),
                        known_cluster(&[sound(), keyframe(), delta()]),
                        known_cluster(&[keyframe()]),
                        element(0x1c53bb6b, &[]),
                        element(0x1254c367, &[]),
                    ]
                    .concat(),
                ),
                element(0xec, &[0; 5]),
                both(),
                gop(),
            ]
            .concat(),
        ),
        (
            "a-gop-too-long-for-one-cluster",
            [
                both(),
                gop(),
                cluster(&[0x70, 0]),
                delta(),
                simple_block(b"\x82\x7f\xff\0\xf8s"),
                cluster(&[0xff, 0xff]),
                sound(),
                simple_block(b"\x81\x80\0\0back"),
                keyframe(),
            ]
            .concat(),
        ),
        (
            "b-frames-in-matroska",
            [
                start("matroska", &[track(&[1], 1, "V_MPEG4/ISO/AVC"), audio()]),
                cluster(&[10]),
                simple_block(b"\x81\0\0\x80\0\0\x01\x67\0\0\x01\x65I"),
                simple_block(b"\x81\0\x64\0\0\0\x01\x41P"),
                simple_block(b"\x81\0\x21\0\0\0\x01\x01B"),
                sound(),
                cluster(&[0, 60]),
                simple_block(b"\x81\0\0\x80\0\0\x01\x65I"),
            ]
            .concat(),
        ),
        (
            "codecs-that-say-more",
            [
                start(
                    "matroska",
                    &[
                        track_with(1, "V_VP9", &[1, 1, 0, 2, 1, 31, 3, 1, 8, 9, 1, 1]),
                        track_with(2, "V_AV1", &[0x81, 0x05, 0x4c, 0]),
                        track_with(3, "V_MPEG4/ISO/AVC", &[1, 0x42, 0xc0, 0x1f, 0xff]),
                        track_with(4, "V_AV1", &[0x81, 0x28, 0xe0, 0]),
                        track_with(5, "V_MPEGH/ISO/HEVC", &[]),
                        track_with(6, "V_AV1", &[0x81]),
                    ],
                ),
                gop(),
            ]
            .concat(),
        ),
        (
            "flags-that-lie",
            [
                both(),
                cluster(&[10]),
                simple_block(b"\x81\0\0\0\x82unmarked"),
                sound(),
                simple_block(b"\x81\0\x21\x80\x87marked"),
                group(&[block()]),
                group(&[key_block(), element(0xfb, &[0xdf])]),
                element(0xa3, b"\x81\0\x42\x80"),
            ]
            .concat(),
        ),
        (
            "times-that-step",
            [
                both(),
                gop(),
                cluster(&[1, 0, 0, 0, 0]),
                sound(),
                cluster(&[60]),
                delta(),
                sound(),
                cluster(&[0xff, 0, 0]),
                keyframe(),
                sound(),
                cluster(&[0]),
                sound(),
                delta(),
            ]
            .concat(),
        ),
        (
            "tracks-that-are-left-out",
            [
                start(
                    "matroska",
                    &[
                        track(&[1], 1, "V_VP9"),
                        track(&[2], 0x11, "S_TEXT/UTF8"),
                        track(&[3], 0x12, "B_VOBBTN"),
                        track(&[4], 2, "A_OPUS"),
                        track(&[5], 2, "A_OPUS"),
                        track(&[6], 1, "V_VP8"),
                    ],
                ),
                cluster(&[10]),
                simple_block(b"\x86\0\0\x80\x82key"),
                simple_block(b"\x82\0\0\0words"),
                simple_block(b"\x83\0\0\0button"),
                simple_block(b"\x85\0\0\0\xf8s"),
                simple_block(b"\x86\0\x21\0\x87delta"),
            ]
            .concat(),
        ),
        (
            "other-timestamp-scale",
            [
                element(0x1a45dfa3, &element(0x4282, b"webm")),
                open(0x18538067),
                element(0x1549a966, &element(0x2ad7b1, &[0x27, 0x10])),
                element(0x1654ae6b, &video()),
                gop(),
                cluster(&[1, 0, 0]),
                delta(),
            ]
            .concat(),
        ),
        (
            "an-impossible-size",
            [both(), gop(), vec![0xa3, 0x08, 0xff, 0xff, 0xff, 0xff]].concat(),
        ),
        ("no-tracks", [start("webm", &[])].concat()),
        ("too-many-tracks", {
            let tracks: Vec<_> = (1..=33)
                .map(|number| track(&[number], 1, "V_VP8"))
                .collect();
            start("webm", &tracks)
        }),
        (
            "encoded-content",
            [
                start(
                    "webm",
                    &[element(
                        0xae,
                        &[
                            element(0xd7, &[1]),
                            element(0x83, &[1]),
                            element(0x86, b"V_VP8"),
                            element(0x6d80, &element(0x6240, &[])),
                        ]
                        .concat(),
                    )],
                ),
                gop(),
            ]
            .concat(),
        ),
        (
            // The codec may reorder frames, and the keyframes go back in time.
            "keyframes-that-go-back",
            [
                start("webm", &[track(&[1], 1, "V_VP4"), audio()]),
                cluster(&[10]),
                simple_block(b"\x81\0\0\0unmarked"),
                simple_block(b"\x82\0\x10\0\xf8s"),
                simple_block(b"\x81\0\x21\x80marked"),
                group(&[element(0xa1, b"\x81\x30\x07\0frame")]),
                group(&[element(0xa1, b"\x81\0\x07\0frame"), element(0xfb, &[0xdf])]),
                simple_block(b"\x81\0\x42\x80marked"),
            ]
            .concat(),
        ),
        ("another-format", b"\0\0\0\x1cftypisom\0\0\x02\0".to_vec()),
    ]
}

/// Inputs of `any_cut`, each with a name of its own.
/// Streams as they are, and as recordings of our own that were cut off.
pub fn repair_seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = streams();
    for (name, stream) in streams() {
        if let Some(file) = fuzzing::unfinished(&stream) {
            let cut = file[..file.len() - 1].to_vec();
            seeds.extend([(format!("{name}-file"), file), (format!("{name}-cut"), cut)]);
        }
    }
    seeds
}

/// Some kilobytes each.
fn streams() -> Vec<(String, Vec<u8>)> {
    let mut streams = Vec::new();
    for name in RECORDINGS {
        let recording = read(name);
        streams.push((format!("{name}-start"), recording[..1200].to_vec()));
        let mut short = with_short_frames(recording);
        short.truncate(2000);
        streams.push((format!("{name}-short"), short));
    }
    let odd_ones = odd_ones().into_iter();
    streams.extend(odd_ones.map(|(name, bytes)| (name.into(), bytes)));
    streams
}

pub fn any_cut_seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (index, (name, bytes)) in streams().into_iter().enumerate() {
        let cuts = CUTS[index % CUTS.len()];
        seeds.push((name, [&bytes, cuts].concat()));
    }
    seeds
}
