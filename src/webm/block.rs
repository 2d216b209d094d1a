//! SimpleBlock and BlockGroup (RFC 9559, sections 10 and 5.1.3.5): whose frame, when, and
//! whether a decoder can start there.
//!
//! ```text
//! SimpleBlock  A3 size | track vint | relative timestamp i16 | flags | frame(s)
//! BlockGroup   A0 size | BlockAdditions… Block(A1 size | track | i16 | flags | frame) ReferenceBlock
//! ```
//!
//! What leaves here always has a track number of one byte followed by the two bytes of relative
//! timestamp, both to be set by [`super::ClusterWriter`], and never laces frames: Chromium's
//! Media Source Extensions end a stream at a lace, and at a track number above 127.

use super::element::{Child, ElementId, children, write_element};
use super::vint::{VINT_LENGTH_MAX, read_vint, vint_length, write_size};
use bytes::{BufMut, Bytes, BytesMut};

/// SimpleBlock flag: decodable without any other frame.
const FLAG_KEYFRAME: u8 = 0x80;
/// Both SimpleBlock and Block: how frames are laced.
const FLAG_LACING: u8 = 0x06;
/// A track number of one byte, two bytes of relative timestamp, flags.
const BLOCK_HEAD_LENGTH: usize = 4;
/// Most frames in one lace: the count is one byte, less one.
const LACE_FRAMES_MAX: usize = 256;

/// The head of a SimpleBlock's or Block's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BlockHead {
    track_number: u64,
    track_number_length: usize,
    /// Ticks from the Cluster's timestamp.
    relative: i16,
    flags: u8,
}

impl BlockHead {
    fn read(payload: &[u8]) -> Option<BlockHead> {
        let vint = read_vint(payload)?;
        let rest = payload.get(vint.length..vint.length + 3)?;
        Some(BlockHead {
            track_number: vint.value?,
            track_number_length: vint.length,
            relative: i16::from_be_bytes([rest[0], rest[1]]),
            flags: rest[2],
        })
    }

    fn length(&self) -> usize {
        self.track_number_length + 3
    }
}

/// One element of a Cluster that carries frames, as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawBlock {
    pub track_number: u64,
    /// Ticks from the Cluster's timestamp.
    pub relative: i16,
    pub keyframe: bool,
    pub frames: Frames,
}

/// How the frames of a block stand in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frames {
    /// A whole element, to be sent on as it is but for the track number and the timestamp.
    One(BlockElement),
    /// The frames of a lace, each in an element of its own, and the lace's BlockDuration in
    /// ticks if it has one.
    Laced(Vec<BlockElement>, Option<u64>),
}

/// A whole SimpleBlock or BlockGroup, unlaced, with a track number of one byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockElement {
    pub bytes: Bytes,
    /// Where the track number stands, of `BLOCK_HEAD_LENGTH` bytes with the relative timestamp and
    /// the flags. The frame follows.
    pub track_at: usize,
    pub frame_length: usize,
}

impl BlockElement {
    /// The encoded frame.
    pub fn frame(&self) -> &[u8] {
        let frame_at = self.track_at + BLOCK_HEAD_LENGTH;
        &self.bytes[frame_at..frame_at + self.frame_length]
    }

    /// The element as viewers get it: players trust its flag, or in a BlockGroup the ReferenceBlock,
    /// so these say `is_keyframe`, where that is known. DiscardPadding is left out: it belongs at the
    /// end of a file, and a live stream goes on. Copied only where something has to change.
    pub fn for_viewers(self, is_keyframe: Option<bool>) -> BlockElement {
        if self.is_group() {
            self.with_group(is_keyframe)
        } else {
            self.with_flag(is_keyframe)
        }
    }

    fn is_group(&self) -> bool {
        self.bytes.first() == Some(&(ElementId::BLOCK_GROUP.0 as u8))
    }

    fn with_flag(mut self, is_keyframe: Option<bool>) -> BlockElement {
        let flags_at = self.track_at + 3;
        let flags = self.bytes[flags_at];
        if is_keyframe.is_some_and(|is_keyframe| is_keyframe != (flags & FLAG_KEYFRAME != 0)) {
            let mut bytes = BytesMut::from(&self.bytes[..]);
            bytes[flags_at] = flags ^ FLAG_KEYFRAME;
            self.bytes = bytes.freeze();
        }
        self
    }

    fn with_group(self, is_keyframe: Option<bool>) -> BlockElement {
        let Some(payload) = group_payload(&self.bytes) else {
            return self;
        };
        let (mut refers, mut has_padding) = (false, false);
        for child in children(payload).flatten() {
            refers |= child.id == ElementId::REFERENCE_BLOCK;
            has_padding |= child.id == ElementId::DISCARD_PADDING;
        }
        let should_refer = is_keyframe.map_or(refers, |is_keyframe| !is_keyframe);
        if refers == should_refer && !has_padding {
            return self;
        }
        rebuilt_group(payload, |id| {
            is_kept_in_group(id)
                && id != ElementId::DISCARD_PADDING
                && (id != ElementId::REFERENCE_BLOCK || should_refer)
        })
        .map(|group| {
            if should_refer && !refers {
                group.with_reference()
            } else {
                group
            }
        })
        .unwrap_or(self)
    }

    /// Says that the frame needs another, without saying which: "the value 0 MAY be used" (RFC 9559,
    /// section 5.1.3.5.5).
    fn with_reference(self) -> BlockElement {
        let payload = group_payload(&self.bytes).unwrap_or_default();
        let mut group = BytesMut::with_capacity(payload.len() + 3);
        group.put_slice(payload);
        write_element(&mut group, ElementId::REFERENCE_BLOCK, &[0]);
        let mut bytes = BytesMut::with_capacity(group.len() + 1 + VINT_LENGTH_MAX);
        write_element(&mut bytes, ElementId::BLOCK_GROUP, &group);
        let moved = (bytes.len() - group.len()) - (self.bytes.len() - payload.len());
        BlockElement {
            bytes: bytes.freeze(),
            track_at: self.track_at + moved,
            frame_length: self.frame_length,
        }
    }
}

/// What is in a whole BlockGroup.
fn group_payload(element: &[u8]) -> Option<&[u8]> {
    let child = children(element).next()?.ok()?;
    Some(child.payload)
}

/// Reads a whole SimpleBlock element whose head takes `head_length` bytes.
// Inlined, because it runs for each block.
#[inline(always)]
pub(super) fn read_simple_block(element: Bytes, head_length: usize) -> Option<RawBlock> {
    let head = BlockHead::read(&element[head_length..])?;
    let keyframe = head.flags & FLAG_KEYFRAME != 0;
    let frames = if head.flags & FLAG_LACING != 0 {
        Frames::Laced(unlace(&element[head_length..], &head, keyframe)?, None)
    } else if head.track_number_length == 1 {
        let frame_at = head_length + head.length();
        Frames::One(BlockElement {
            frame_length: element.len() - frame_at,
            bytes: element,
            track_at: head_length,
        })
    } else {
        let frame = &element[head_length + head.length()..];
        Frames::One(simple_block(frame, head.flags))
    };
    Some(RawBlock {
        track_number: head.track_number,
        relative: head.relative,
        keyframe,
        frames,
    })
}

/// Reads a whole BlockGroup element whose head takes `head_length` bytes. It is a keyframe when
/// it refers to no other block (RFC 9559, section 5.1.3.5.5), which only its end tells.
pub(super) fn read_block_group(element: Bytes, head_length: usize) -> Option<RawBlock> {
    let mut block: Option<Child> = None;
    let mut keyframe = true;
    let mut duration = None;
    let mut all_known = true;
    for child in children(&element[head_length..]) {
        let child = child.ok()?;
        match child.id {
            ElementId::BLOCK if block.is_some() => return None,
            ElementId::BLOCK => block = Some(child),
            ElementId::REFERENCE_BLOCK => keyframe = false,
            ElementId::BLOCK_DURATION => duration = super::vint::read_uint(child.payload),
            id => all_known &= is_kept_in_group(id),
        }
    }
    let block = block?;
    let head = BlockHead::read(block.payload)?;
    let frames = if head.flags & FLAG_LACING != 0 {
        Frames::Laced(unlace(block.payload, &head, keyframe)?, duration)
    } else if head.track_number_length == 1 && all_known {
        let block_end = head_length + block.at + block.whole.len();
        let track_at = block_end - block.payload.len();
        let frame_at = track_at + head.length();
        Frames::One(BlockElement {
            bytes: element,
            track_at,
            frame_length: block_end - frame_at,
        })
    } else {
        Frames::One(rebuilt_group(&element[head_length..], is_kept_in_group)?)
    };
    Some(RawBlock {
        track_number: head.track_number,
        relative: head.relative,
        keyframe,
        frames,
    })
}

/// The children of a BlockGroup that players know. A CRC-32 is not among them: our changes to
/// the timestamp would break it.
fn is_kept_in_group(id: ElementId) -> bool {
    matches!(
        id,
        ElementId::BLOCK
            | ElementId::BLOCK_ADDITIONS
            | ElementId::BLOCK_DURATION
            | ElementId::REFERENCE_PRIORITY
            | ElementId::REFERENCE_BLOCK
            | ElementId::CODEC_STATE
            | ElementId::DISCARD_PADDING
    )
}

/// A BlockGroup with a short track number and only the children that `is_kept` names.
fn rebuilt_group(payload: &[u8], is_kept: impl Fn(ElementId) -> bool) -> Option<BlockElement> {
    let mut group = BytesMut::with_capacity(payload.len());
    let mut track_at = 0;
    let mut frame_length = 0;
    for child in children(payload) {
        let child = child.ok()?;
        if child.id == ElementId::BLOCK {
            let head = BlockHead::read(child.payload)?;
            let frame = &child.payload[head.length()..];
            frame_length = frame.len();
            ElementId::BLOCK.write(&mut group);
            write_size(&mut group, frame.len() as u64 + 4);
            track_at = group.len();
            group.put_slice(&[0x80, 0, 0, head.flags]);
            group.put_slice(frame);
        } else if is_kept(child.id) {
            group.put_slice(child.whole);
        }
    }
    let mut bytes = BytesMut::with_capacity(group.len() + 1 + VINT_LENGTH_MAX);
    write_element(&mut bytes, ElementId::BLOCK_GROUP, &group);
    let track_at = track_at + bytes.len() - group.len();
    Some(BlockElement {
        bytes: bytes.freeze(),
        track_at,
        frame_length,
    })
}

/// A SimpleBlock around one frame; track number and timestamp are set later.
fn simple_block(frame: &[u8], flags: u8) -> BlockElement {
    let mut bytes = BytesMut::with_capacity(frame.len() + 5 + VINT_LENGTH_MAX);
    let (_, frame_at, _) = write_simple_block(&mut bytes, frame, flags);
    BlockElement {
        bytes: bytes.freeze(),
        track_at: frame_at - BLOCK_HEAD_LENGTH,
        frame_length: frame.len(),
    }
}

/// Takes the frames out of a lace (RFC 9559, section 10.3).
fn unlace(payload: &[u8], head: &BlockHead, keyframe: bool) -> Option<Vec<BlockElement>> {
    let mut rest = payload.get(head.length()..)?;
    let count = usize::from(*rest.first()?) + 1;
    rest = &rest[1..];
    // An empty frame is none; 256 of them in seven bytes would be an attack.
    if rest.len() < count {
        return None;
    }
    let mut sizes: Vec<usize> = Vec::with_capacity(LACE_FRAMES_MAX.min(count));
    match head.flags & FLAG_LACING {
        // Xiph: each size but the last is a run of 255s and what remains.
        0x02 => {
            for _ in 1..count {
                let mut size = 0;
                loop {
                    let (&byte, after) = rest.split_first()?;
                    rest = after;
                    size += usize::from(byte);
                    if byte != 255 {
                        break;
                    }
                }
                sizes.push(size);
            }
        }
        // Fixed: all the same size.
        0x04 => {
            if rest.len() % count != 0 {
                return None;
            }
            sizes.extend(std::iter::repeat_n(rest.len() / count, count - 1));
        }
        // EBML: the first size, then signed differences, but for the last frame.
        _ => {
            let mut size: i64 = 0;
            for index in 1..count {
                let length = vint_length(*rest.first()?)?;
                let value = read_vint(rest)?.value? as i64;
                rest = &rest[length..];
                size = if index == 1 {
                    value
                } else {
                    size + (value - ((1 << (7 * length - 1)) - 1))
                };
                if size > payload.len() as i64 {
                    return None;
                }
                sizes.push(usize::try_from(size).ok()?);
            }
        }
    }
    let flags = if keyframe { FLAG_KEYFRAME } else { 0 };
    // One buffer for all: a lace may hold 256 frames of one byte.
    let mut bytes = BytesMut::with_capacity(rest.len() + count * (5 + VINT_LENGTH_MAX));
    let mut places = Vec::with_capacity(count);
    for size in sizes {
        if size == 0 || size > rest.len() {
            return None;
        }
        let (frame, after) = rest.split_at(size);
        places.push(write_simple_block(&mut bytes, frame, flags));
        rest = after;
    }
    places.push(write_simple_block(&mut bytes, rest, flags));
    let bytes = bytes.freeze();
    let element = |(begin, frame_at, end): (usize, usize, usize)| BlockElement {
        bytes: bytes.slice(begin..end),
        track_at: frame_at - begin - BLOCK_HEAD_LENGTH,
        frame_length: end - frame_at,
    };
    Some(places.into_iter().map(element).collect())
}

/// Returns where the element begins, its frame begins, and both end.
fn write_simple_block(bytes: &mut BytesMut, frame: &[u8], flags: u8) -> (usize, usize, usize) {
    let begin = bytes.len();
    ElementId::SIMPLE_BLOCK.write(bytes);
    write_size(bytes, frame.len() as u64 + 4);
    bytes.put_slice(&[0x80, 0, 0, flags & !FLAG_LACING]);
    let frame_at = bytes.len();
    bytes.put_slice(frame);
    (begin, frame_at, bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(id: ElementId, payload: &[u8]) -> (Bytes, usize) {
        let mut bytes = BytesMut::new();
        write_element(&mut bytes, id, payload);
        let head_length = bytes.len() - payload.len();
        (bytes.freeze(), head_length)
    }

    fn frames(raw: &RawBlock) -> Vec<&[u8]> {
        match &raw.frames {
            Frames::One(one) => vec![one.frame()],
            Frames::Laced(laced, _) => laced.iter().map(BlockElement::frame).collect(),
        }
    }

    #[test]
    fn a_simple_block_is_passed_on_untouched() {
        let (bytes, head) = element(ElementId::SIMPLE_BLOCK, b"\x82\x01\x02\x80frame");
        let raw = read_simple_block(bytes.clone(), head).unwrap();
        assert_eq!(
            (raw.track_number, raw.relative, raw.keyframe),
            (2, 258, true)
        );
        let Frames::One(one) = &raw.frames else {
            panic!()
        };
        assert_eq!(one.bytes, bytes);
        assert_eq!(one.frame(), b"frame");
    }

    #[test]
    fn a_long_track_number_is_cut_to_one_byte() {
        let (bytes, head) = element(ElementId::SIMPLE_BLOCK, b"\x40\xc8\x00\x05\x00frame");
        let raw = read_simple_block(bytes, head).unwrap();
        assert_eq!((raw.track_number, raw.relative), (200, 5));
        let Frames::One(one) = &raw.frames else {
            panic!()
        };
        assert_eq!(&one.bytes[..], b"\xa3\x89\x80\x00\x00\x00frame");
        assert_eq!((one.track_at, one.frame()), (2, &b"frame"[..]));
    }

    #[test]
    fn xiph_fixed_and_ebml_laces_are_split() {
        let xiph = b"\x81\x00\x00\x82\x02\x01\x02AbbCcc";
        let fixed = b"\x81\x00\x00\x84\x02AaBbCc";
        // Sizes 3, then 3-1, then the rest.
        let ebml = b"\x81\x00\x00\x86\x02\x83\xbeAaaBbCccc";
        let apart = |payload: &[u8]| {
            let (bytes, head) = element(ElementId::SIMPLE_BLOCK, payload);
            let raw = read_simple_block(bytes, head).unwrap();
            frames(&raw).iter().map(|f| f.to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(apart(xiph), [&b"A"[..], b"bb", b"Ccc"]);
        assert_eq!(apart(fixed), [b"Aa", b"Bb", b"Cc"]);
        assert_eq!(apart(ebml), [&b"Aaa"[..], b"Bb", b"Cccc"]);
    }

    #[test]
    fn a_lace_that_claims_more_than_it_holds_is_malformed() {
        for payload in [
            &b"\x81\x00\x00\x82\x02\xff\x09AbbCcc"[..],
            b"\x81\x00\x00\x84\x02AaBbC",
            b"\x81\x00\x00\x86\x02\x83\x80A",
            b"\x81\x00\x00\x86",
            // Empty frames.
            b"\x81\x00\x00\x84\xff",
            b"\x81\x00\x00\x82\x02\x00\x01abc",
            // Sizes that leave 64 bits.
            b"\x81\x00\x00\x86\x03\x01\xff\xff\xff\xff\xff\xff\xfe\x01\xff\xff\xff\xff\xff\xff\xfe\x81",
        ] {
            let (bytes, head) = element(ElementId::SIMPLE_BLOCK, payload);
            assert_eq!(read_simple_block(bytes, head), None);
        }
    }

    #[test]
    fn a_group_without_reference_is_a_keyframe() {
        let mut payload = Vec::new();
        write_element(&mut payload, ElementId::BLOCK, b"\x81\x00\x10\x00frame");
        let (bytes, head) = element(ElementId::BLOCK_GROUP, &payload);
        let raw = read_block_group(bytes.clone(), head).unwrap();
        assert!(raw.keyframe);
        let Frames::One(one) = &raw.frames else {
            panic!()
        };
        assert_eq!((&one.bytes, one.frame()), (&bytes, &b"frame"[..]));

        write_element(&mut payload, ElementId::REFERENCE_BLOCK, &[0xdf]);
        let (bytes, head) = element(ElementId::BLOCK_GROUP, &payload);
        assert!(!read_block_group(bytes, head).unwrap().keyframe);
    }

    #[test]
    fn block_group_keeps_only_elements_known_to_players() {
        let mut payload = Vec::new();
        write_element(&mut payload, ElementId::CRC_32, &[1, 2, 3, 4]);
        write_element(&mut payload, ElementId::BLOCK, b"\x81\x00\x10\x00frame");
        write_element(&mut payload, ElementId::DISCARD_PADDING, &[7]);
        let (bytes, head) = element(ElementId::BLOCK_GROUP, &payload);
        let raw = read_block_group(bytes, head).unwrap();
        let Frames::One(one) = &raw.frames else {
            panic!()
        };
        assert_eq!(
            &one.bytes[..],
            b"\xa0\x8f\xa1\x89\x80\x00\x00\x00frame\x75\xa2\x81\x07"
        );
        assert_eq!(
            (one.bytes[one.track_at], one.frame()),
            (0x80, &b"frame"[..])
        );
    }

    fn one(raw: RawBlock) -> BlockElement {
        match raw.frames {
            Frames::One(one) => one,
            Frames::Laced(..) => panic!("a lace"),
        }
    }

    #[test]
    fn simple_block_flag_follows_the_frame() {
        for (flags, is_keyframe, expected) in [
            (0x80, Some(false), 0x00),
            (0x00, Some(true), 0x80),
            (0x89, Some(false), 0x09),
            (0x08, Some(true), 0x88),
            (0x80, Some(true), 0x80),
            (0x80, None, 0x80),
            (0x00, None, 0x00),
        ] {
            let payload = [&[0x81, 0, 7, flags][..], b"frame"].concat();
            let (bytes, head) = element(ElementId::SIMPLE_BLOCK, &payload);
            let block = one(read_simple_block(bytes.clone(), head).unwrap());
            let viewed = block.for_viewers(is_keyframe);
            assert_eq!(viewed.bytes[5], expected);
            assert_eq!(viewed.frame(), b"frame");
            let is_copied = viewed.bytes.as_ptr() != bytes.as_ptr();
            assert_eq!(is_copied, flags != expected);
        }
    }

    #[test]
    fn group_refers_to_another_block_unless_its_frame_is_a_keyframe() {
        const BLOCK: &[u8] = b"\xa1\x89\x81\0\x10\0frame";
        const REFERENCE: &[u8] = b"\xfb\x81\xdf";
        const UNKNOWN: &[u8] = b"\xfb\x81\0";
        const DURATION: &[u8] = b"\x9b\x81\x21";
        const PADDING: &[u8] = b"\x75\xa2\x81\x07";
        const REBUILT: &[u8] = b"\xa1\x89\x80\0\0\0frame";
        for (children, is_keyframe, expected) in [
            (&[BLOCK][..], Some(true), &[BLOCK][..]),
            (&[BLOCK, REFERENCE], Some(false), &[BLOCK, REFERENCE]),
            (&[BLOCK], None, &[BLOCK]),
            (&[BLOCK], Some(false), &[REBUILT, UNKNOWN]),
            (
                &[DURATION, BLOCK],
                Some(false),
                &[DURATION, REBUILT, UNKNOWN],
            ),
            (
                &[BLOCK, REFERENCE, DURATION],
                Some(true),
                &[REBUILT, DURATION],
            ),
            (&[BLOCK, PADDING], None, &[REBUILT]),
            (&[BLOCK, PADDING], Some(false), &[REBUILT, UNKNOWN]),
            (
                &[PADDING, BLOCK, REFERENCE],
                Some(false),
                &[REBUILT, REFERENCE],
            ),
        ] {
            let (bytes, head) = element(ElementId::BLOCK_GROUP, &children.concat());
            let viewed = one(read_block_group(bytes, head).unwrap()).for_viewers(is_keyframe);
            let (expected, _) = element(ElementId::BLOCK_GROUP, &expected.concat());
            assert_eq!(viewed.bytes, expected, "{children:x?} {is_keyframe:?}");
            assert_eq!(viewed.frame(), b"frame");
            assert_eq!(viewed.bytes[viewed.track_at] & 0x80, 0x80);
        }
    }

    #[test]
    fn a_group_with_no_block_or_two_is_malformed() {
        let mut payload = Vec::new();
        write_element(&mut payload, ElementId::BLOCK_DURATION, &[7]);
        let (bytes, head) = element(ElementId::BLOCK_GROUP, &payload);
        assert_eq!(read_block_group(bytes, head), None);
        write_element(&mut payload, ElementId::BLOCK, b"\x81\x00\x10\x00a");
        write_element(&mut payload, ElementId::BLOCK, b"\x81\x00\x10\x00b");
        let (bytes, head) = element(ElementId::BLOCK_GROUP, &payload);
        assert_eq!(read_block_group(bytes, head), None);
    }
}
