//! Tells keyframes by the codec's own bits: container flags lie too often.
//!
//! ```text
//! VP8    frame tag, bit 0: 0 is a keyframe                              (RFC 6386, section 9.1)
//! VP9    marker 2 | profile 2 | (reserved) | show existing | type | …   (VP9 specification, 6.2)
//! AV1    OBU head, OBU head, … frame head: show existing | type 2 | show (AV1, 5.9.2)
//! H.264  NAL units: the first that holds a picture says IDR (5) or not  (ISO/IEC 14496-10, 7.3.1)
//! ```
//!
//! A superframe of VP9 begins with its first frame, so its first byte tells.

use super::tracks::Track;

/// Bytes of one H.264 frame that are searched for its first slice. Parameter sets and messages for
/// players come before it, and take some hundred.
const SEARCH_BYTES_MAX: usize = 64 << 10;

/// Units (OBUs, NAL units) of one frame that are looked at.
const UNITS_MAX: usize = 64;

/// How a track's frames tell keyframes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyframeRule {
    /// Frames that we cannot read: sound, other codecs, encrypted and compressed tracks. The
    /// container's flag counts.
    Container,
    Vp8,
    Vp9,
    Av1,
    /// Each NAL unit behind its length, of this many bytes.
    AvcLengths(u8),
    /// Each NAL unit behind a start code: Chromium's recorder writes no CodecPrivate, and so.
    AvcStartCodes,
}

impl KeyframeRule {
    pub fn of(track: &Track) -> KeyframeRule {
        if track.has_content_encodings() {
            return KeyframeRule::Container;
        }
        match track.codec_id.as_str() {
            "V_VP8" => KeyframeRule::Vp8,
            "V_VP9" => KeyframeRule::Vp9,
            "V_AV1" => KeyframeRule::Av1,
            // AVCDecoderConfigurationRecord (ISO/IEC 14496-15, section 5.3.3.1).
            "V_MPEG4/ISO/AVC" => match track.codec_private[..] {
                [1, _, _, _, lengths, ..] => KeyframeRule::AvcLengths((lengths & 3) + 1),
                _ => KeyframeRule::AvcStartCodes,
            },
            _ => KeyframeRule::Container,
        }
    }

    /// Whether a decoder can start with `frame`; `flagged` is what the container says.
    pub fn is_keyframe(self, frame: &[u8], flagged: bool) -> bool {
        match self {
            KeyframeRule::Container => flagged,
            KeyframeRule::Vp8 => frame.first().is_some_and(|tag| tag & 1 == 0),
            KeyframeRule::Vp9 => frame.first().is_some_and(|&head| vp9(head)),
            KeyframeRule::Av1 => av1(frame).unwrap_or(false),
            // Some writers say one thing in CodecPrivate and do the other. Start codes come second:
            // a length of 256 to 511 bytes looks like one.
            KeyframeRule::AvcLengths(length) => avc_lengths(frame, length)
                .or_else(|| avc_start_codes(frame).filter(|_| begins_with_start_code(frame)))
                .unwrap_or(false),
            KeyframeRule::AvcStartCodes => avc_start_codes(frame).unwrap_or(false),
        }
    }
}

/// Reads the first byte of the uncompressed header. Profile 3 has a reserved bit before the rest.
fn vp9(head: u8) -> bool {
    let is_profile_3 = head & 0x30 == 0x30;
    let (show_existing, is_inter) = if is_profile_3 {
        (head & 0x04 != 0, head & 0x02 != 0)
    } else {
        (head & 0x08 != 0, head & 0x04 != 0)
    };
    head >> 6 == 2 && !show_existing && !is_inter
}

/// Walks the OBUs of a temporal unit up to its first frame head; `None` when it has none.
fn av1(mut unit: &[u8]) -> Option<bool> {
    const SEQUENCE_HEADER: u8 = 1;
    const FRAME_HEADER: u8 = 3;
    const FRAME: u8 = 6;

    let mut is_still_picture = false;
    for _ in 0..UNITS_MAX {
        let (&head, rest) = unit.split_first()?;
        let rest = if head & 0x04 != 0 {
            rest.get(1..)?
        } else {
            rest
        };
        let (payload, after) = if head & 0x02 != 0 {
            let (size, rest) = leb128(rest)?;
            rest.split_at_checked(size)?
        } else {
            // It is the last.
            (rest, &[][..])
        };
        match (head >> 3) & 0x0f {
            // seq_profile 3, still_picture 1, reduced_still_picture_header 1.
            SEQUENCE_HEADER => is_still_picture = payload.first()? & 0x08 != 0,
            FRAME_HEADER | FRAME if is_still_picture => return Some(true),
            // show_existing_frame 1, frame_type 2 (0 is a keyframe), show_frame 1.
            FRAME_HEADER | FRAME => return Some(payload.first()? & 0xf0 == 0x10),
            _ => {}
        }
        unit = after;
    }
    None
}

/// An AV1 integer of up to eight bytes, seven bits each, the lowest first.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0u64;
    for (index, &byte) in bytes.iter().enumerate().take(8) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, &bytes[index + 1..]));
        }
    }
    None
}

/// Whether a NAL unit says that its picture is, or is not, one that a decoder can start with; `None`
/// when it says nothing of it.
///
/// An IDR picture is one (type 5). Encoders that write open GOPs mark the others by a recovery point
/// (supplemental information, type 6) in front of the picture.
fn nal_unit(unit: &[u8]) -> Option<bool> {
    match unit.first()? & 0x1f {
        5 => Some(true),
        1..=4 => Some(false),
        6 => has_recovery_point(&unit[1..]).then_some(true),
        _ => None,
    }
}

/// Whether a message of supplemental information is a recovery point of no frames: from this picture
/// on all are right (H.264, sections 7.3.2.3.1 and D.1.8).
fn has_recovery_point(mut messages: &[u8]) -> bool {
    /// Messages that are looked at. x264 writes one or two.
    const MESSAGES_MAX: usize = 8;
    const RECOVERY_POINT: usize = 6;

    for _ in 0..MESSAGES_MAX {
        let Some((kind, rest)) = sei_number(messages) else {
            return false;
        };
        let Some((size, payload)) = sei_number(rest) else {
            return false;
        };
        if kind == RECOVERY_POINT {
            // `recovery_frame_cnt`, an Exp-Golomb number: its first bit is set where it is 0.
            return payload.first().is_some_and(|byte| byte & 0x80 != 0);
        }
        messages = payload.get(size..).unwrap_or_default();
    }
    false
}

/// A number of supplemental information: bytes of 255, and one that is less, are added up.
fn sei_number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let full = bytes.iter().take_while(|&&byte| byte == 0xff).count();
    let last = usize::from(*bytes.get(full)?);
    Some((full * 0xff + last, &bytes[full + 1..]))
}

fn avc_lengths(mut frame: &[u8], length: u8) -> Option<bool> {
    for _ in 0..UNITS_MAX {
        let (size, rest) = frame.split_at_checked(usize::from(length))?;
        let size = size
            .iter()
            .fold(0usize, |size, &byte| size << 8 | usize::from(byte));
        if let Some(is_keyframe) = nal_unit(&rest[..size.min(rest.len())]) {
            return Some(is_keyframe);
        }
        frame = rest.get(size..)?;
    }
    None
}

fn begins_with_start_code(frame: &[u8]) -> bool {
    frame.starts_with(&[0, 0, 0, 1]) || frame.starts_with(&[0, 0, 1])
}

fn avc_start_codes(frame: &[u8]) -> Option<bool> {
    let searched = &frame[..frame.len().min(SEARCH_BYTES_MAX)];
    let starts = (0..searched.len()).filter(|&at| searched[at..].starts_with(&[0, 0, 1]));
    starts.map(|at| &searched[at + 3..]).find_map(nal_unit)
}

#[cfg(test)]
mod tests {
    use super::KeyframeRule::{Av1, AvcLengths, AvcStartCodes, Container, Vp8, Vp9};

    #[test]
    fn vp8_keyframe_follows_bit_0_of_the_frame_tag_and_not_the_flag() {
        for flagged in [false, true] {
            assert!(Vp8.is_keyframe(&[0x10, 2, 0, 0x9d, 1, 0x2a], flagged));
            assert!(!Vp8.is_keyframe(&[0x31, 2, 0], flagged));
            assert!(!Vp8.is_keyframe(&[], flagged));
        }
    }

    #[test]
    fn vp9_keyframe_follows_the_uncompressed_header_in_all_profiles() {
        for (head, is_keyframe) in [
            (0x82, true),  // profile 0, shown
            (0x80, true),  // not shown: the first frame of a superframe
            (0x86, false), // inter
            (0x8a, false), // shows an existing frame
            (0xa2, true),  // profile 1
            (0x92, true),  // profile 2
            (0xb1, true),  // profile 3, whose bits stand one later
            (0xb3, false), // inter
            (0xb5, false), // shows an existing frame
            (0x42, false), // no VP9
        ] {
            assert_eq!(
                Vp9.is_keyframe(&[head, 0x49], !is_keyframe),
                is_keyframe,
                "{head:x}"
            );
        }
        assert!(!Vp9.is_keyframe(&[], true));
    }

    #[test]
    fn av1_keyframe_follows_the_first_frame_header() {
        let sequence = [0x0a, 0x02, 0x00, 0x00];
        let delimiter = [0x12, 0x00];
        let unit = |obus: &[&[u8]]| obus.concat();
        for (frame, is_keyframe) in [
            (unit(&[&sequence, &[0x32, 0x02, 0x10, 0xff]]), true),
            (
                unit(&[&delimiter, &sequence, &[0x32, 0x02, 0x10, 0xff]]),
                true,
            ),
            // A frame header of its own; an extension; no size.
            (unit(&[&[0x1a, 0x01, 0x10]]), true),
            (unit(&[&[0x36, 0x00, 0x02, 0x10, 0xff]]), true),
            (unit(&[&[0x30, 0x10, 0xff]]), true),
            // A size of two bytes.
            (
                unit(&[&[0x2a, 0x81, 0x00, 0xff], &[0x32, 0x01, 0x10]]),
                true,
            ),
            // Inter, intra-only, a keyframe that is not shown, one shown again.
            (unit(&[&sequence, &[0x32, 0x01, 0x30]]), false),
            (unit(&[&[0x32, 0x01, 0x50]]), false),
            (unit(&[&[0x32, 0x01, 0x00]]), false),
            (unit(&[&[0x1a, 0x01, 0x80]]), false),
            // A still picture has no more to say.
            (unit(&[&[0x0a, 0x01, 0x18], &[0x32, 0x01, 0xff]]), true),
            // Broken, empty, endless.
            (unit(&[&[0x32, 0x7f, 0x10]]), false),
            (Vec::new(), false),
            ([0x12, 0x00].repeat(10_000), false),
        ] {
            assert_eq!(
                Av1.is_keyframe(&frame, !is_keyframe),
                is_keyframe,
                "{frame:x?}"
            );
        }
    }

    #[test]
    fn h264_keyframe_follows_the_first_slice_after_lengths_of_any_size() {
        let unit = |length: usize, units: &[&[u8]]| {
            let with_length = |unit: &&[u8]| {
                let size = (unit.len() as u32).to_be_bytes();
                [&size[4 - length..], unit].concat()
            };
            units.iter().flat_map(with_length).collect::<Vec<u8>>()
        };
        for length in 1..=4 {
            let rule = AvcLengths(length as u8);
            let idr = unit(length, &[&[0x09, 0xf0], &[0x67, 1], &[0x68, 1], &[0x65, 8]]);
            assert!(rule.is_keyframe(&idr, false));
            let delta = unit(length, &[&[0x06, 5], &[0x41, 8]]);
            assert!(!rule.is_keyframe(&delta, true));
            let no_picture = unit(length, &[&[0x67, 1], &[]]);
            assert!(!rule.is_keyframe(&no_picture, true));
        }
        assert!(!AvcLengths(4).is_keyframe(&[0; 100_000], true));
        assert!(!AvcLengths(4).is_keyframe(&[0xff; 5], true));
        // A length that looks like a start code, before what looks like an IDR slice.
        let delta = [&[0, 0, 1, 0x25, 0x41][..], &[8; 0x124]].concat();
        assert!(!AvcLengths(4).is_keyframe(&delta, true));
        // Start codes, although CodecPrivate says lengths.
        assert!(AvcLengths(4).is_keyframe(b"\0\0\0\x01\x67\x01\0\0\x01\x65\x08", false));
    }

    #[test]
    fn h264_keyframe_follows_the_first_slice_after_start_codes() {
        let idr = b"\0\0\0\x01\x09\xf0\0\0\0\x01\x67\x01\0\0\x01\x68\0\0\x01\x65\x08";
        assert!(AvcStartCodes.is_keyframe(idr, false));
        assert!(!AvcStartCodes.is_keyframe(b"\0\0\0\x01\x41\x9a\0\0\x01\x65", true));
        assert!(!AvcStartCodes.is_keyframe(b"\0\0\x01", true));
        assert!(!AvcStartCodes.is_keyframe(&[], true));
    }

    #[test]
    fn keyframe_of_an_unknown_codec_follows_the_container() {
        assert!(Container.is_keyframe(b"x", true));
        assert!(!Container.is_keyframe(b"x", false));
    }

    #[test]
    fn recovery_point_of_h264_is_a_keyframe_and_a_gradual_one_is_not() {
        // A message of 300 bytes before it, then the recovery point, then a slice that is no IDR.
        let mut sei = vec![0x06, 5, 255, 45];
        sei.extend([0; 300]);
        for (recovery, is_keyframe) in [(0x84, true), (0x44, false)] {
            let unit = [&sei[..], &[6, 1, recovery, 0x80]].concat();
            let start_codes = [&[0, 0, 0, 1][..], &unit, &[0, 0, 1, 0x41, 0x9a]].concat();
            assert_eq!(
                AvcStartCodes.is_keyframe(&start_codes, !is_keyframe),
                is_keyframe
            );
            let size = (unit.len() as u32).to_be_bytes();
            let lengths = [&size[..], &unit, &[0, 0, 0, 2, 0x41, 0x9a]].concat();
            assert_eq!(
                AvcLengths(4).is_keyframe(&lengths, !is_keyframe),
                is_keyframe
            );
        }
    }
}
