//! The promises of `fuzz/` hold for its seeds and for all that it ever found.
//!
//! Seeds are made here, from recordings and by hand, and given to the fuzzer by
//! `cargo test --test corpus -- --ignored`. What it finds is kept in `fuzz/findings/TARGET/`.

use bytes::{Bytes, BytesMut};
use std::path::{Path, PathBuf};
use videostream::fuzzing;
use videostream::webm::{BlockElement, ClusterWriter, Event, Limits};

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

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

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
                    frame_at: 6,
                    frame_length: frame.len(),
                };
                let number = block.track as u8 + 1;
                let timestamp_ms = block.timestamp_ms.unsigned_abs();
                writer.write(&mut out, &short, number, timestamp_ms, opens_cluster);
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

/// What recorders do not write, but somebody may.
fn odd_ones() -> Vec<(&'static str, Vec<u8>)> {
    let both = || start("webm", &[video(), audio()]);
    let keyframe = || simple_block(b"\x81\0\0\x80key");
    let delta = || simple_block(b"\x81\0\x21\0delta");
    let sound = || simple_block(b"\x82\0\x10\0\xf8s");
    let gop = || [cluster(&[10]), keyframe(), sound(), delta()].concat();
    let group = |children: &[Vec<u8>]| element(0xa0, &children.concat());
    let block = || element(0xa1, b"\x81\0\x07\0frame");
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
                group(&[block()]),
                group(&[block(), element(0xfb, &[0xdf]), element(0x9b, &[33])]),
                group(&[element(0x75a1, &element(0xa6, &[])), block()]),
            ]
            .concat(),
        ),
        (
            "long-track-numbers",
            [
                start("webm", &[track(&[200], 1, "V_VP9"), audio()]),
                cluster(&[10]),
                simple_block(b"\x40\xc8\0\0\x80key"),
                simple_block(b"\x10\0\0\x02\0\x05\0sound"),
                simple_block(b"\x40\xc8\0\x21\0delta"),
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
                keyframe(),
                simple_block(b"\x81\0\x64\0P"),
                simple_block(b"\x81\0\x21\0B"),
                sound(),
                cluster(&[0, 60]),
                keyframe(),
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
        ("another-format", b"\0\0\0\x1cftypisom\0\0\x02\0".to_vec()),
    ]
}

/// Inputs of `any_cut`, each with a name of its own.
fn any_cut_seeds() -> Vec<(String, Vec<u8>)> {
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
    let mut seeds = Vec::new();
    for (index, (name, bytes)) in streams.into_iter().enumerate() {
        let cuts = CUTS[index % CUTS.len()];
        seeds.push((name, [&bytes, cuts].concat()));
    }
    seeds
}

/// Inputs of `request`.
fn request_seeds() -> Vec<(String, Vec<u8>)> {
    const SOCKET: &str = "Host: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Protocol: videostream.v1\r\nOrigin: http://a\r\n\r\n";
    let requests = [
        ("page", "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip, br;q=0\r\nIf-None-Match: \"e\"\r\n\r\n".to_owned()),
        ("watch", format!("GET /live/demo?key=k%2B HTTP/1.1\r\n{SOCKET}\u{1}")),
        ("publish", format!("GET /publish/demo HTTP/1.1\r\n{SOCKET}")),
        ("old-version", format!("GET /live/demo HTTP/1.1\r\n{SOCKET}").replace("13", "8")),
        ("put", "PUT /live/demo.webm HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWebM\r\na;x=y\r\n0123456789\r\n0\r\nT: t\r\n\r\nGET".to_owned()),
        ("source", "SOURCE /demo ICE/1.0\r\n\r\n".to_owned()),
        ("icecast", "SOURCE /publish/demo HTTP/1.0\r\nAuthorization: Basic c291cmNlOms=\r\nContent-Type: video/webm\r\n\r\n\u{1a}E".to_owned()),
        ("poster", "POST http://a:1/live/demo.jpg HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\nAuthorization: Bearer k\r\n\r\njpg".to_owned()),
        ("smuggler", "POST /publish/demo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned()),
        ("end", "DELETE /api/streams/demo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned()),
        ("nowhere", "HEAD /live/.hidden?embed HTTP/1.0\r\n\r\n".to_owned()),
    ];
    let with_cuts =
        |(name, text): (&str, String)| (name.into(), [text.as_bytes(), &[3, 0, 40, 3]].concat());
    requests.map(with_cuts).into()
}

/// Inputs of `body`.
fn body_seeds() -> Vec<(String, Vec<u8>)> {
    let chunked = [
        (
            "chunks",
            "5\r\nhello\r\n0005;e=\"f\"\r\nworld\r\n0\r\n\r\nrest",
        ),
        (
            "padded",
            "05 ;a\r\nhello\r\n0;x\r\nA: b\r\nC: d\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        ),
        ("large", "ffffffffffffffff\r\nhello"),
        ("too-large", "10000000000000000\r\nhello"),
        ("longer-than-its-size", "1\r\nhello\r\n0\r\n\r\n"),
        ("lone-line-feeds", "5\nhello\n0\n\n"),
        ("plain", "hello, and what is behind it"),
    ];
    let framings = chunked.iter().flat_map(|&(name, text)| {
        [0, 3, 255].map(|framing| {
            let name = format!("{name}-{framing}");
            (name, [text.as_bytes(), &[3, 0, 40, 3, framing]].concat())
        })
    });
    framings.collect()
}

/// Inputs of `connection`: see `Step` there.
fn connection_seeds() -> Vec<(String, Vec<u8>)> {
    const READ: [u8; 2] = [12, 0];
    const WRITE: [u8; 2] = [13, 0];
    const LITTLE_ROOM: [u8; 2] = [10, 40];
    const ROOM: [u8; 2] = [11, 20];
    const MEDIA: [u8; 2] = [7, 20];
    const GROW: [u8; 2] = [14, 60];
    const PING: [u8; 2] = [1, 9];
    const TEXT: [u8; 2] = [3, 2];
    let close: &[u8] = &[5, 0, 0];
    let watch = [
        GROW,
        ROOM,
        WRITE,
        PING,
        READ,
        LITTLE_ROOM,
        WRITE,
        GROW,
        WRITE,
    ]
    .concat();
    let publish = [MEDIA, READ, PING, TEXT, READ, ROOM, WRITE, MEDIA, READ].concat();
    let fragments = [
        [9, 2],
        READ,
        PING,
        READ,
        [9, 0],
        [9, 128],
        READ,
        ROOM,
        WRITE,
    ]
    .concat();
    let changes = [
        [16, 0],
        WRITE,
        [16, 250],
        GROW,
        GROW,
        WRITE,
        [17, 255],
        GROW,
        WRITE,
    ]
    .concat();
    let slow = [
        [15, 200],
        LITTLE_ROOM,
        WRITE,
        [17, 255],
        [15, 200],
        ROOM,
        WRITE,
    ]
    .concat();
    let wrong = [&[0, 3, 0x81][..], b"\xff\xc3x", &READ].concat();
    let raw = [&[6, 8][..], &[0x89, 0x82, 1, 2, 3, 4, 5, 6], &READ].concat();
    let scripts = [
        ("watch", [&watch[..], &watch, close, &READ].concat()),
        ("publish", [&publish[..], &publish, close, &READ].concat()),
        ("fragments", [&fragments[..], &publish].concat()),
        ("changes", [&watch[..], &changes, &watch].concat()),
        ("slow", [&slow[..], &slow, &watch].concat()),
        ("wrong", [&watch[..], &wrong].concat()),
        ("raw", [&raw[..], &[19, 255], &READ].concat()),
        (
            "early",
            [&[0, 9][..], &[1, 9], &READ, &[19, 254], &READ, &WRITE].concat(),
        ),
        (
            "interrupted",
            [&[18, 3][..], &[18, 102], &[18, 220], &watch, &publish].concat(),
        ),
    ];
    let roles = scripts.iter().flat_map(|(name, script)| {
        (0..6).map(move |role| {
            let ring = [0, 200][usize::from(role % 2)];
            (
                format!("{name}-{role}"),
                [&[role, ring, 0][..], script].concat(),
            )
        })
    });
    let rest = [2, 200, 12, 0x89, 0x83, 1, 2, 3, 4, 5, 6, 7, 0x83, 0x80, 0];
    let with_rest = (
        "rest".to_owned(),
        [&rest[..], &READ, &ROOM, &WRITE].concat(),
    );
    let chunk = b"\x05\0\x0f4\r\n\x1aE\xdf\xa3\r\n0\r\n";
    let with_chunk = (
        "rest-of-a-body".to_owned(),
        [&chunk[..], &READ, &ROOM, &WRITE].concat(),
    );
    roles.chain([with_rest, with_chunk]).collect()
}

/// Inputs of `ring`: see `Step` there.
fn ring_seeds() -> Vec<(String, Vec<u8>)> {
    const COME: [u8; 2] = [14, 1];
    const KEYFRAME: [u8; 2] = [4, 100];
    const DELTA: [u8; 2] = [0, 50];
    const JOIN: [u8; 2] = [8, 0];
    const READ: [u8; 2] = [9, 0];
    const READ_ALL: [u8; 2] = [11, 0];
    const LATER: [u8; 2] = [6, 20];
    const WAIT: [u8; 2] = [7, 250];
    let gop = [KEYFRAME, DELTA, LATER, DELTA, DELTA].concat();
    let scripts = [
        (
            "watch",
            [&COME[..], &gop, &JOIN, &READ, &READ, &gop, &READ_ALL].concat(),
        ),
        (
            "late",
            [
                &JOIN[..],
                &COME,
                &gop,
                &READ,
                &READ,
                &READ,
                &WAIT,
                &gop,
                &READ_ALL,
            ]
            .concat(),
        ),
        (
            "back",
            [
                &COME[..],
                &gop,
                &JOIN,
                &READ,
                &READ,
                &[12, 0],
                &READ_ALL,
                &[12, 0],
            ]
            .concat(),
        ),
        (
            "gone",
            [
                &COME[..],
                &gop,
                &JOIN,
                &READ_ALL,
                &[13, 0],
                &JOIN,
                &[14, 0],
                &gop,
            ]
            .concat(),
        ),
        (
            "anew",
            [
                &COME[..],
                &gop,
                &JOIN,
                &READ,
                &[15, 12],
                &gop,
                &[15, 13],
                &gop,
            ]
            .concat(),
        ),
        (
            "forgotten",
            [&COME[..], &gop, &JOIN, &READ, &[15, 5], &READ, &gop].concat(),
        ),
    ];
    let limits = scripts.iter().flat_map(|(name, script)| {
        [[255, 255, 255], [40, 9, 60], [4, 0, 0]].map(|limits| {
            let name = format!("{name}-{}", limits[0]);
            (name, [&limits[..], script, &READ_ALL, &[9, 1]].concat())
        })
    });
    limits.collect()
}

/// Inputs of `control`.
fn control_seeds() -> Vec<(String, Vec<u8>)> {
    let texts = [
        (0, r#"{"type":"hello","stream":"a","live":true}"#),
        (
            0,
            r#"{"type":"init","mime":"video/webm; codecs=\"vp8\"","generation":2}"#,
        ),
        (
            0,
            r#"{"type":"skip","from_ms":1,"to_ms":18446744073709551615}"#,
        ),
        (0, r#"{"type":"offline","new":[1,{"a":null}]}"#),
        (0, r#"{"type":"viewers","count":3}"#),
        (0, r#"{"type":"ready","watch":"/live/a"}"#),
        (
            0,
            r#"{"type":"warning","code":"keyframe-interval","message":"no\n\u0000 \ud83d\ude00"}"#,
        ),
        (0, r#"{"type":"restart"}"#),
        (
            1,
            "listen = ['0.0.0.0:80', '[::]:80']\npublish_open = true\nring_bytes = '16MiB'\n",
        ),
        (
            1,
            "publish_key = 'hunter'\nwatch_key = \"hunter\"\nlog = 'json'\nlog_level = 'debug'\n",
        ),
        (1, "publish_key = 'hunter\n"),
        (
            1,
            "allow_origin = ['https://a.example', 'http://b:1']\nhead_timeout = '1m 30s'\n",
        ),
        (
            1,
            "[streams.door]\npublish_key = 'hunter'\nwatch_key = 'hunter '\n",
        ),
        (
            1,
            "max_streams = -1\nblock_bytes = 99999999999\nring_bytes = '1KiB'\n",
        ),
        (
            2,
            "--listen\n127.0.0.1:0\n--publish-key\nhunter\n--max-streams=5",
        ),
        (
            2,
            "serve\n--publish-open\n--ring-bytes=16MiB\n--ring-duration\n30s",
        ),
        (
            2,
            "push\n--loop\nfile.webm\nws://127.0.0.1:8080/publish/live",
        ),
        (
            2,
            "load\nhttp://127.0.0.1:8080/live/live\n--viewers\n9\n--json",
        ),
        (2, "inspect\n--json"),
        (2, "--no-such-flag"),
        (3, "ws://127.0.0.1:8080/publish/live?key=hunter"),
        (3, "http://[::1]:80/live/live.webm"),
        (3, "ws://u:p@a/publish/b"),
        (3, "front-door.2_a"),
    ];
    let named = texts.iter().enumerate().map(|(index, (kind, text))| {
        (
            format!("{kind}-{index}"),
            [text.as_bytes(), &[*kind]].concat(),
        )
    });
    named.collect()
}

/// A promise of `fuzz/`, and inputs to begin with.
type Target = (&'static str, fn(&[u8]), Vec<(String, Vec<u8>)>);

fn targets() -> [Target; 6] {
    [
        ("any_cut", fuzzing::any_cut, any_cut_seeds()),
        ("body", fuzzing::body, body_seeds()),
        ("connection", fuzzing::connection, connection_seeds()),
        ("control", fuzzing::control, control_seeds()),
        ("request", fuzzing::request, request_seeds()),
        ("ring", fuzzing::ring, ring_seeds()),
    ]
}

fn hold_findings(target: &str, promise: impl Fn(&[u8])) {
    let Ok(findings) = std::fs::read_dir(project("fuzz/findings").join(target)) else {
        return;
    };
    for finding in findings {
        let path = finding.expect("a readable folder").path();
        println!("{}", path.display());
        promise(&std::fs::read(path).expect("a readable finding"));
    }
}

#[test]
fn promises_hold_for_every_seed() {
    for (target, promise, seeds) in targets() {
        for (name, seed) in seeds {
            println!("{target} {name}");
            promise(&seed);
        }
    }
}

#[test]
fn seeds_are_what_their_names_say() {
    for (name, bytes) in odd_ones() {
        let segmented = fuzzing::segment(Limits::default(), [Bytes::from(bytes)]);
        let is_wrong = matches!(name, "an-impossible-size" | "no-tracks" | "another-format");
        assert_eq!(segmented.error.is_some(), is_wrong, "{name}: {segmented:?}");
    }
}

#[test]
fn whatever_the_fuzzer_found_stays_mended() {
    for (target, promise, _) in targets() {
        hold_findings(target, promise);
    }
}

/// A target that is not here would find what nobody mends.
#[test]
fn every_target_is_held_here() {
    let manifest = std::fs::read_to_string(project("fuzz/Cargo.toml")).expect("a manifest");
    let script = std::fs::read_to_string(project("tests/run")).expect("a script");
    let names = targets().map(|(name, _, _)| name);
    for name in names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        assert!(
            script.contains(&format!("[{name}]=")),
            "{name} has no dictionary"
        );
    }
    assert_eq!(manifest.matches("[[bin]]").count(), names.len());
}

#[test]
#[ignore = "writes fuzz/corpus, for the fuzzer to start from"]
fn write_seeds() {
    for (target, _, seeds) in targets() {
        let corpus = project("fuzz/corpus").join(target);
        std::fs::create_dir_all(&corpus).expect("a folder that can be made");
        for (name, seed) in seeds {
            std::fs::write(corpus.join(name), seed).expect("a folder that can be written to");
        }
    }
}
