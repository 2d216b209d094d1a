//! Small recordings, made up: every frame says which one it is.

use bytes::Bytes;

const UNKNOWN: [u8; 8] = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

/// What is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracks {
    /// VP8 and Opus.
    Both,
    /// VP9 alone: viewers of the other one cannot go on with it.
    Picture,
}

/// Payload bytes of the frames, in turn: around the lengths at which frames' heads grow, and one
/// too long for the shorter two.
const LENGTHS: [usize; 9] = [30, 93, 94, 95, 150, 5, 64, 700, 40];
const LONG: usize = 66_000;

/// Some GOPs of five blocks. The fourth begins with a long keyframe.
pub fn recording(tracks: Tracks, gops: u8) -> Bytes {
    let mut bytes = head(tracks);
    let mut frames = 0_u16;
    for gop in 0..gops {
        bytes.extend([&id(0x1f43_b675)[..], &UNKNOWN].concat());
        let timestamp = u16::from(gop) * 200;
        bytes.extend(element(0xe7, &timestamp.to_be_bytes()));
        for block in 0..5_u8 {
            let number = match tracks {
                Tracks::Both => 1 + block % 2,
                Tracks::Picture => 1,
            };
            let flags = if block == 0 { 0x80 } else { 0 };
            let length = match (gop, block) {
                (3, 0) => LONG,
                _ => LENGTHS[usize::from(frames) % LENGTHS.len()],
            };
            let mut payload = vec![0x80 | number, 0, block * 40, flags, frame_head(block == 0)];
            payload.extend(frames.to_be_bytes());
            payload.resize(4 + length, frames as u8);
            bytes.extend(element(0xa3, &payload));
            frames += 1;
        }
    }
    bytes.into()
}

/// The beginning of a recording, up to its first Cluster.
pub fn head(tracks: Tracks) -> Vec<u8> {
    let entries = match tracks {
        Tracks::Both => [track(1, 1, b"V_VP8"), track(2, 2, b"A_OPUS")].concat(),
        Tracks::Picture => track(1, 1, b"V_VP9"),
    };
    [
        &element(0x1a45_dfa3, &element(0x4282, b"webm"))[..],
        &id(0x1853_8067),
        &UNKNOWN,
        &element(0x1654_ae6b, &entries),
    ]
    .concat()
}

/// A frame's first byte, by which VP8 and VP9 both tell whether it is a keyframe.
pub fn frame_head(is_keyframe: bool) -> u8 {
    if is_keyframe { 0x82 } else { 0x87 }
}

/// A block of the picture in a Cluster of its own, as short-winded recorders write them. Its flag
/// may say something else than its frame.
pub fn block(timestamp_ms: u64, is_keyframe: bool, is_flagged: bool, length: usize) -> Vec<u8> {
    let flags = if is_flagged { 0x80 } else { 0 };
    let mut payload = vec![0x81, 0, 0, flags, frame_head(is_keyframe)];
    payload.resize(5 + length, 0xaa);
    in_cluster(timestamp_ms, &payload)
}

/// A block of the sound.
pub fn sound(timestamp_ms: u64) -> Vec<u8> {
    in_cluster(timestamp_ms, &[0x82, 0, 0, 0, 0xf8])
}

fn in_cluster(timestamp_ms: u64, payload: &[u8]) -> Vec<u8> {
    [
        &id(0x1f43_b675)[..],
        &UNKNOWN,
        &element(0xe7, &timestamp_ms.to_be_bytes()),
        &element(0xa3, payload),
    ]
    .concat()
}

/// Frames last 40 ms, as the track says, so that the duration need not be guessed.
fn track(number: u8, kind: u8, codec_id: &[u8]) -> Vec<u8> {
    let entry = [
        element(0xd7, &[number]),
        element(0x83, &[kind]),
        element(0x86, codec_id),
        element(0x23_e383, &40_000_000_u32.to_be_bytes()),
    ];
    element(0xae, &entry.concat())
}

fn id(id: u32) -> Vec<u8> {
    let skip = id.leading_zeros() as usize / 8;
    id.to_be_bytes()[skip..].to_vec()
}

/// An element whose size takes four bytes.
fn element(element_id: u32, payload: &[u8]) -> Vec<u8> {
    let size = 0x1000_0000 | payload.len() as u32;
    [&id(element_id)[..], &size.to_be_bytes(), payload].concat()
}
