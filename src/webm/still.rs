//! A picture out of a stream: a VP8 keyframe is what a WebP file holds, so that it is wrapped and
//! not decoded (RFC 9649, 2.5; RFC 6386, 9.1).
//!
//! ```text
//! Cluster | Timestamp | SimpleBlock: audio | SimpleBlock: keyframe | …
//!                                                         │
//! RIFF size WEBP | VP8 size ◄─────────────────────────────┘
//! ```

use super::element::{ElementId, HeadParse, read_head};
use super::vint::read_vint;
use bytes::{BufMut, Bytes, BytesMut};

/// A block's relative timestamp and flags, between its track number and its frame.
const TIMESTAMP_AND_FLAGS_BYTES: usize = 3;

/// Bytes from the beginning of a VP8 keyframe to its size: frame tag, start code, width and height.
const KEYFRAME_HEAD_BYTES: usize = 10;

const START_CODE: [u8; 3] = [0x9d, 0x01, 0x2a];

/// The first frame of a track in `cluster`, which is a Cluster, or its beginning, as we write it.
pub fn first_frame(cluster: &[u8], track_number: u64) -> Option<&[u8]> {
    let mut rest = cluster;
    loop {
        let HeadParse::Complete(head) = read_head(rest) else {
            return None;
        };
        rest = &rest[head.length..];
        match head.id {
            // Into it.
            ElementId::CLUSTER | ElementId::BLOCK_GROUP => continue,
            ElementId::SIMPLE_BLOCK | ElementId::BLOCK => {
                let block = rest.get(..usize::try_from(head.size?).ok()?)?;
                let number = read_vint(block)?;
                if number.value == Some(track_number) {
                    return block.get(number.length + TIMESTAMP_AND_FLAGS_BYTES..);
                }
            }
            _ => {}
        }
        rest = rest.get(usize::try_from(head.size?).ok()?..)?;
    }
}

/// Bytes of the longest keyframe that is shown as a picture. One of 1920 × 1080 at 4 Mbit/s has some
/// 150 KiB; a longer one costs more memory for each client that asks than a picture is worth.
pub const STILL_BYTES_MAX: usize = 1 << 20;

/// Width and height of a VP8 keyframe, in pixels (RFC 6386, 9.1); `None` for what is none.
pub fn keyframe_size(frame: &[u8]) -> Option<(u16, u16)> {
    let head = frame.get(..KEYFRAME_HEAD_BYTES)?;
    // The two bits above say how much larger to show it, which no WebP reader does.
    let number = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]) & 0x3fff;
    (head[3..6] == START_CODE).then(|| (number(6), number(8)))
}

/// A WebP file with this VP8 frame as its picture; `None` for what is no whole keyframe that is to
/// be shown, or is too long.
///
/// It is a simple file in the lossy format (RFC 9649, 2.5). The alpha channel of a stream that has one is
/// a VP8 frame of its own, which WebP does not take: the picture is without it.
pub fn webp(frame: &[u8]) -> Option<Bytes> {
    let head = frame.get(..KEYFRAME_HEAD_BYTES)?;
    let tag = u32::from_le_bytes([head[0], head[1], head[2], 0]);
    let (is_keyframe, profile, is_shown) = (tag & 1 == 0, tag >> 1 & 7, tag >> 4 & 1 == 1);
    let first_partition = usize::try_from(tag >> 5).ok()?;
    let is_picture = is_keyframe
        && is_shown
        && profile <= 3
        && frame.len() <= STILL_BYTES_MAX
        && head[3..6] == START_CODE
        && first_partition <= frame.len() - KEYFRAME_HEAD_BYTES;
    if !is_picture {
        return None;
    }
    // Chunks have an even length (RFC 9649, 2.3).
    let padding = frame.len() % 2;
    let length = u32::try_from(frame.len()).ok()?;
    let file = length.checked_add(12)?.checked_add(padding as u32)?;
    let mut out = BytesMut::with_capacity(frame.len() + 21);
    out.put_slice(b"RIFF");
    out.put_u32_le(file);
    out.put_slice(b"WEBPVP8 ");
    out.put_u32_le(length);
    out.put_slice(frame);
    out.put_bytes(0, padding);
    Some(out.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest that looks like a keyframe: its first partition is empty.
    const KEYFRAME: [u8; 11] = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 2, 0, 2, 0, 9];

    #[test]
    fn keyframe_is_wrapped_as_it_is() {
        let picture = webp(&KEYFRAME).expect("a picture");
        let expected = [&b"RIFF\x18\0\0\0WEBPVP8 \x0b\0\0\0"[..], &KEYFRAME, &[0]];
        assert_eq!(picture, expected.concat());
    }

    #[test]
    fn frames_other_than_shown_keyframes_yield_no_picture() {
        let with = |at: usize, byte: u8| {
            let mut frame = KEYFRAME;
            frame[at] = byte;
            webp(&frame)
        };
        // A delta frame, one that is not shown, an unknown profile, a partition beyond its end.
        for first in [0x11, 0x00, 0x18, 0x50] {
            assert_eq!(with(0, first), None, "{first:#x}");
        }
        assert_eq!(with(3, 0), None);
        let long = |length: usize| webp(&[&KEYFRAME[..], &vec![0; length - 11]].concat());
        assert!(long(STILL_BYTES_MAX).is_some() && long(STILL_BYTES_MAX + 1).is_none());
        assert_eq!(webp(&KEYFRAME[..9]), None);
        assert_eq!(webp(&[]), None);
    }

    #[test]
    fn keyframe_tells_its_size() {
        let mut frame = KEYFRAME;
        // 640 × 360, to be shown twice as large.
        frame[6..10].copy_from_slice(&[0x80, 0x42, 0x68, 0x41]);
        assert_eq!(keyframe_size(&frame), Some((640, 360)));
        assert_eq!(keyframe_size(&frame[..9]), None);
        assert_eq!(keyframe_size(&[0; 10]), None);
    }

    #[test]
    fn first_frame_of_a_track_is_behind_those_of_others() {
        let audio = [0xa3, 0x86, 0x82, 0, 0, 0x80, 1, 2];
        let group = [0xa0, 0x88, 0xa1, 0x86, 0x81, 0, 0, 0, 7, 8];
        let cluster = [
            &[0x1f, 0x43, 0xb6, 0x75, 0xff, 0xe7, 0x81, 5][..],
            &audio,
            &group,
        ]
        .concat();
        assert_eq!(first_frame(&cluster, 1), Some(&[7, 8][..]));
        assert_eq!(first_frame(&cluster, 2), Some(&[1, 2][..]));
        assert_eq!(first_frame(&cluster, 3), None);
        for length in 0..cluster.len() {
            assert_eq!(first_frame(&cluster[..length], 1), None, "{length}");
        }
    }
}
