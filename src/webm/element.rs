//! Element heads, and the IDs we know by name (RFC 9559).

use super::vint::{read_vint, vint_length, write_size};
use bytes::BufMut;
use std::fmt;

/// An EBML element ID with its length marker, as it stands in the file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ElementId(pub u32);

macro_rules! known_ids {
    ($($constant:ident $name:literal $value:literal)*) => {
        impl ElementId {
            $(pub const $constant: ElementId = ElementId($value);)*

            /// The element's name in RFC 8794 or RFC 9559, of those that matter here.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

known_ids! {
    EBML "EBML header" 0x1A45DFA3
    DOC_TYPE "DocType" 0x4282
    VOID "Void" 0xEC
    CRC_32 "CRC-32" 0xBF
    SEGMENT "Segment" 0x18538067
    SEEK_HEAD "SeekHead" 0x114D9B74
    SEEK "Seek" 0x4DBB
    SEEK_ID "SeekID" 0x53AB
    SEEK_POSITION "SeekPosition" 0x53AC
    INFO "Info" 0x1549A966
    TIMESTAMP_SCALE "TimestampScale" 0x2AD7B1
    DURATION "Duration" 0x4489
    DATE_UTC "DateUTC" 0x4461
    TRACKS "Tracks" 0x1654AE6B
    TRACK_ENTRY "TrackEntry" 0xAE
    TRACK_NUMBER "TrackNumber" 0xD7
    TRACK_UID "TrackUID" 0x73C5
    TRACK_TYPE "TrackType" 0x83
    FLAG_ENABLED "FlagEnabled" 0xB9
    FLAG_DEFAULT "FlagDefault" 0x88
    FLAG_FORCED "FlagForced" 0x55AA
    FLAG_LACING "FlagLacing" 0x9C
    DEFAULT_DURATION "DefaultDuration" 0x23E383
    MAX_BLOCK_ADDITION_ID "MaxBlockAdditionID" 0x55EE
    BLOCK_ADDITION_MAPPING "BlockAdditionMapping" 0x41E4
    NAME "Name" 0x536E
    LANGUAGE "Language" 0x22B59C
    LANGUAGE_BCP47 "LanguageBCP47" 0x22B59D
    CODEC_ID "CodecID" 0x86
    CODEC_PRIVATE "CodecPrivate" 0x63A2
    CODEC_NAME "CodecName" 0x258688
    CODEC_DELAY "CodecDelay" 0x56AA
    SEEK_PRE_ROLL "SeekPreRoll" 0x56BB
    VIDEO "Video" 0xE0
    PIXEL_WIDTH "PixelWidth" 0xB0
    PIXEL_HEIGHT "PixelHeight" 0xBA
    AUDIO "Audio" 0xE1
    SAMPLING_FREQUENCY "SamplingFrequency" 0xB5
    CHANNELS "Channels" 0x9F
    CONTENT_ENCODINGS "ContentEncodings" 0x6D80
    CLUSTER "Cluster" 0x1F43B675
    TIMESTAMP "Timestamp" 0xE7
    SIMPLE_BLOCK "SimpleBlock" 0xA3
    BLOCK_GROUP "BlockGroup" 0xA0
    BLOCK "Block" 0xA1
    BLOCK_ADDITIONS "BlockAdditions" 0x75A1
    BLOCK_DURATION "BlockDuration" 0x9B
    REFERENCE_PRIORITY "ReferencePriority" 0xFA
    REFERENCE_BLOCK "ReferenceBlock" 0xFB
    CODEC_STATE "CodecState" 0xA4
    DISCARD_PADDING "DiscardPadding" 0x75A2
    CUES "Cues" 0x1C53BB6B
    CUE_POINT "CuePoint" 0xBB
    CUE_TIME "CueTime" 0xB3
    CUE_TRACK_POSITIONS "CueTrackPositions" 0xB7
    CUE_TRACK "CueTrack" 0xF7
    CUE_CLUSTER_POSITION "CueClusterPosition" 0xF1
    CHAPTERS "Chapters" 0x1043A770
    TAGS "Tags" 0x1254C367
    ATTACHMENTS "Attachments" 0x1941A469
}

impl ElementId {
    /// Whether this is one of those that are read whole, child by child.
    pub fn has_children(self) -> bool {
        matches!(
            self,
            ElementId::EBML | ElementId::INFO | ElementId::TRACKS | ElementId::BLOCK_GROUP
        )
    }

    /// Whether this is a child of Segment (or a new EBML header), which ends a Cluster of
    /// unknown size (RFC 8794, section 6.2).
    pub fn ends_unknown_cluster(self) -> bool {
        matches!(
            self,
            ElementId::EBML
                | ElementId::SEGMENT
                | ElementId::SEEK_HEAD
                | ElementId::INFO
                | ElementId::TRACKS
                | ElementId::CLUSTER
                | ElementId::CUES
                | ElementId::CHAPTERS
                | ElementId::TAGS
                | ElementId::ATTACHMENTS
        )
    }

    /// Writes the ID as it stands in a file.
    pub fn write(self, out: &mut impl BufMut) {
        let skip = self.0.leading_zeros() as usize / 8;
        out.put_slice(&self.0.to_be_bytes()[skip..]);
    }
}

impl fmt::Display for ElementId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "element 0x{:X}", self.0),
        }
    }
}

impl fmt::Debug for ElementId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Longest element head: an ID of 4 bytes and a size of 8.
pub const HEAD_LENGTH_MAX: usize = 12;

/// An element's ID and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ElementHead {
    pub id: ElementId,
    /// Bytes of payload; `None` when unknown.
    pub size: Option<u64>,
    /// Bytes of the head itself: 2 to [`HEAD_LENGTH_MAX`].
    pub length: usize,
}

/// What the first bytes of an element say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadParse {
    Complete(ElementHead),
    /// Nothing wrong so far: the head needs at least this many bytes in all.
    Partial(usize),
    /// No element begins so.
    Invalid,
}

/// Reads an element head from the front of `bytes`.
#[inline]
pub fn read_head(bytes: &[u8]) -> HeadParse {
    let Some(&first) = bytes.first() else {
        return HeadParse::Partial(1);
    };
    let id_length = match vint_length(first) {
        Some(length @ 1..=4) => length,
        _ => return HeadParse::Invalid,
    };
    let Some(&size_first) = bytes.get(id_length) else {
        return HeadParse::Partial(id_length + 1);
    };
    let Some(size_length) = vint_length(size_first) else {
        return HeadParse::Invalid;
    };
    let length = id_length + size_length;
    if bytes.len() < length {
        return HeadParse::Partial(length);
    }
    let id = bytes[..id_length]
        .iter()
        .fold(0u32, |id, &byte| id << 8 | u32::from(byte));
    let size = read_vint(&bytes[id_length..length]).and_then(|vint| vint.value);
    HeadParse::Complete(ElementHead {
        id: ElementId(id),
        size,
        length,
    })
}

/// A child inside a master element that is wholly in memory.
#[derive(Debug, Clone, Copy)]
pub struct Child<'a> {
    pub id: ElementId,
    /// Where its ID begins, from the start of the slice that is walked.
    pub at: usize,
    /// Head and payload.
    pub whole: &'a [u8],
    pub payload: &'a [u8],
}

/// Walks the children of a master element's payload. Yields `Err(at)` once, and ends, where no
/// whole child begins.
pub fn children(payload: &[u8]) -> impl Iterator<Item = Result<Child<'_>, usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= payload.len() {
            return None;
        }
        let begin = at;
        let rest = &payload[begin..];
        let child = match read_head(rest) {
            HeadParse::Complete(head) => head
                .size
                .and_then(|size| usize::try_from(size).ok())
                .and_then(|size| size.checked_add(head.length))
                .filter(|&end| end <= rest.len())
                .map(|end| Child {
                    id: head.id,
                    at: begin,
                    whole: &rest[..end],
                    payload: &rest[head.length..end],
                }),
            HeadParse::Partial(_) | HeadParse::Invalid => None,
        };
        match child {
            Some(child) => {
                at += child.whole.len();
                Some(Ok(child))
            }
            None => {
                at = payload.len();
                Some(Err(begin))
            }
        }
    })
}

/// Writes a whole element.
pub fn write_element(out: &mut impl BufMut, id: ElementId, payload: &[u8]) {
    id.write(out);
    write_size(out, payload.len() as u64);
    out.put_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_how_many_bytes_it_needs() {
        let cluster = [
            0x1F, 0x43, 0xB6, 0x75, 0x01, 255, 255, 255, 255, 255, 255, 255,
        ];
        assert_eq!(read_head(&[]), HeadParse::Partial(1));
        assert_eq!(read_head(&cluster[..1]), HeadParse::Partial(5));
        assert_eq!(read_head(&cluster[..5]), HeadParse::Partial(12));
        let head = ElementHead {
            id: ElementId::CLUSTER,
            size: None,
            length: 12,
        };
        assert_eq!(read_head(&cluster), HeadParse::Complete(head));
    }

    #[test]
    fn an_id_of_more_than_four_bytes_is_invalid() {
        assert_eq!(read_head(&[0x08, 0, 0, 0, 0, 0x81]), HeadParse::Invalid);
    }

    #[test]
    fn children_end_at_the_first_that_overruns() {
        let mut payload = Vec::new();
        write_element(&mut payload, ElementId::TRACK_NUMBER, &[1]);
        payload.extend([0x86, 0x85, b'V']);
        let seen: Vec<_> = children(&payload)
            .map(|child| child.map(|child| child.id))
            .collect();
        assert_eq!(seen, [Ok(ElementId::TRACK_NUMBER), Err(3)]);
    }

    #[test]
    fn ids_are_written_as_they_stand_in_a_file() {
        let mut out = Vec::new();
        ElementId::CLUSTER.write(&mut out);
        ElementId::DOC_TYPE.write(&mut out);
        ElementId::VOID.write(&mut out);
        assert_eq!(out, [0x1F, 0x43, 0xB6, 0x75, 0x42, 0x82, 0xEC]);
    }
}
