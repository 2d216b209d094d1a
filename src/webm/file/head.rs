//! The head of a recording's file, and the places in it that are filled in when it is finished.

use super::cues::known_size;
use crate::webm::cluster::UNKNOWN_SIZE;
use crate::webm::element::{ElementId, write_element};
use crate::webm::tracks::{Recording, write_info};
use bytes::{BufMut, Bytes, BytesMut};

/// Bytes in front of the first Cluster that wait for Cues: some 1,700, or an hour with a keyframe each
/// two seconds. Longer recordings have theirs at the end.
pub const RESERVE_BYTES: u64 = 32 << 10;

/// Bytes of a Seek element with a position of eight bytes.
pub const SEEK_LENGTH: usize = 3 + 7 + 11;

/// Bytes of Duration with a float of eight bytes.
pub const DURATION_LENGTH: usize = 3 + 8;

/// Between 1970 and 2001, where Matroska's dates begin (RFC 9559, section 5.1.2.4), in nanoseconds.
const EPOCH_NS: i64 = 978_307_200 * 1_000_000_000;

/// Where what is filled in stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// The size field of the Segment. Its payload follows, from which positions count.
    pub segment_size_at: u64,
    pub seek_cues_at: u64,
    pub duration_at: u64,
    pub reserve_at: u64,
    pub reserve_bytes: u64,
}

impl Places {
    /// Where the Segment's payload begins.
    pub fn segment_at(&self) -> u64 {
        self.segment_size_at + 8
    }

    /// Where the first Cluster begins.
    pub fn clusters_at(&self) -> u64 {
        self.reserve_at + self.reserve_bytes
    }
}

/// The head of a file that grows: `began_unix_ms` is when its first block came, if that is known.
pub fn head(
    recording: &Recording,
    began_unix_ms: Option<u64>,
    reserve_bytes: u64,
) -> (Bytes, Places) {
    let mut info = BytesMut::new();
    write_info(&mut info);
    if let Some(unix_ms) = began_unix_ms {
        let since_epoch = i64::try_from(unix_ms)
            .unwrap_or(i64::MAX)
            .saturating_mul(1_000_000)
            .saturating_sub(EPOCH_NS);
        write_element(&mut info, ElementId::DATE_UTC, &since_epoch.to_be_bytes());
    }
    info.put_slice(&void(DURATION_LENGTH as u64));
    let tracks = recording.tracks_element();

    let mut out = recording.ebml_header();
    ElementId::SEGMENT.write(&mut out);
    let segment_size_at = out.len() as u64;
    out.put_slice(&UNKNOWN_SIZE);
    // The ID takes four bytes, the size one.
    let seek_head_at = out.len();
    let info_at = seek_head_at + 5 + 3 * SEEK_LENGTH;
    let info_length = {
        let mut whole = BytesMut::new();
        write_element(&mut whole, ElementId::INFO, &info);
        whole.len()
    };
    let segment_at = seek_head_at as u64;
    let mut seek_head = BytesMut::new();
    seek_head.put_slice(&seek(ElementId::INFO, info_at as u64 - segment_at));
    let tracks_at = (info_at + info_length) as u64;
    seek_head.put_slice(&seek(ElementId::TRACKS, tracks_at - segment_at));
    seek_head.put_slice(&void(SEEK_LENGTH as u64));
    write_element(&mut out, ElementId::SEEK_HEAD, &seek_head);
    let seek_cues_at = (out.len() - SEEK_LENGTH) as u64;
    write_element(&mut out, ElementId::INFO, &info);
    let duration_at = (out.len() - DURATION_LENGTH) as u64;
    out.put_slice(&tracks);
    let reserve_at = out.len() as u64;
    out.put_slice(&void(reserve_bytes));
    let places = Places {
        segment_size_at,
        seek_cues_at,
        duration_at,
        reserve_at,
        reserve_bytes,
    };
    (out.freeze(), places)
}

/// A Seek element, as long as the Void that it is written over.
pub fn seek(id: ElementId, position: u64) -> BytesMut {
    let mut id_bytes = BytesMut::new();
    id.write(&mut id_bytes);
    let mut payload = BytesMut::new();
    write_element(&mut payload, ElementId::SEEK_ID, &id_bytes);
    write_element(
        &mut payload,
        ElementId::SEEK_POSITION,
        &position.to_be_bytes(),
    );
    let mut out = BytesMut::with_capacity(SEEK_LENGTH);
    write_element(&mut out, ElementId::SEEK, &payload);
    out
}

/// Duration, as long as the Void that it is written over.
pub fn duration(duration_ms: u64) -> BytesMut {
    let mut out = BytesMut::with_capacity(DURATION_LENGTH);
    let value = (duration_ms as f64).to_be_bytes();
    write_element(&mut out, ElementId::DURATION, &value);
    out
}

/// A Void of so many bytes in all, at least two.
pub fn void(length: u64) -> BytesMut {
    let mut out = void_head(length);
    out.resize(length as usize, 0);
    out
}

/// The head of such a Void. What it covers does not matter.
pub fn void_head(length: u64) -> BytesMut {
    let mut out = BytesMut::with_capacity(9);
    ElementId::VOID.write(&mut out);
    match length.checked_sub(9) {
        Some(payload) => out.put_slice(&known_size(payload)),
        None => out.put_u8(0x80 | length.saturating_sub(2) as u8),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webm::element::children;

    #[test]
    fn void_of_any_length_is_one_element() {
        for length in [2, 3, 8, 9, 10, 11, 21, 128, 129, 70_000] {
            let bytes = void(length);
            let child = children(&bytes).next().unwrap().unwrap();
            assert_eq!(
                (child.id, child.whole.len() as u64),
                (ElementId::VOID, length)
            );
        }
    }

    #[test]
    fn what_is_filled_in_is_as_long_as_its_void() {
        assert_eq!(seek(ElementId::CUES, u64::MAX >> 8).len(), SEEK_LENGTH);
        assert_eq!(duration(u64::MAX >> 20).len(), DURATION_LENGTH);
    }
}
