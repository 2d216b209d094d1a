//! An init segment, as a recorder wrote it, for a stream whose end is not known.

use super::element::{ElementId, HeadParse, read_head};
use super::vint::read_vint;
use bytes::{Bytes, BytesMut};

/// The same bytes with a Segment of unknown size (RFC 8794, section 6.2), in as many bytes. `None` when
/// no Segment begins in them behind an EBML header.
pub fn with_endless_segment(init: &[u8]) -> Option<Bytes> {
    let mut at = 0;
    loop {
        let HeadParse::Complete(head) = read_head(&init[at..]) else {
            return None;
        };
        if head.id == ElementId::SEGMENT {
            let mut out = BytesMut::from(init);
            // An ID of four bytes comes before the size.
            let size = &mut out[at + 4..at + head.length];
            let length = read_vint(size)?.length;
            size.fill(0xff);
            size[0] = 0xff >> (length - 1);
            return Some(out.freeze());
        }
        let size = usize::try_from(head.size?).ok()?;
        at = at.checked_add(head.length)?.checked_add(size)?;
        if at >= init.len() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EBML: &[u8] = b"\x1a\x45\xdf\xa3\x84\x42\x86\x81\x01";

    #[test]
    fn segment_of_any_size_becomes_endless_in_its_place() {
        for (size, endless) in [
            (&b"\x90"[..], &b"\xff"[..]),
            (b"\x40\x10", b"\x7f\xff"),
            (
                b"\x01\x00\x00\x00\x00\x00\x10\x00",
                b"\x01\xff\xff\xff\xff\xff\xff\xff",
            ),
            (
                b"\x01\xff\xff\xff\xff\xff\xff\xff",
                b"\x01\xff\xff\xff\xff\xff\xff\xff",
            ),
        ] {
            let with = |size: &[u8]| [EBML, b"\xec\x80\x18\x53\x80\x67", size, b"rest"].concat();
            let changed = with_endless_segment(&with(size));
            assert_eq!(changed.as_deref(), Some(&with(endless)[..]));
        }
    }

    #[test]
    fn bytes_without_a_segment_are_no_init_segment() {
        for bytes in [
            &b""[..],
            b"junk",
            EBML,
            b"\x1a\x45\xdf\xa3\xff",
            b"\xec\xfe",
        ] {
            assert_eq!(with_endless_segment(bytes), None, "{bytes:?}");
        }
    }
}
