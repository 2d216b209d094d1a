//! A publisher's bytes, up to where whole elements can be taken from them.
//!
//! An element that arrived in one piece is a slice of that piece; one that was cut is put together in
//! a buffer that never holds more than one element.

use super::element::{ElementHead, ElementId, HEAD_LENGTH_MAX, HeadParse, read_head};
use super::error::WebmError;
use bytes::{Buf, Bytes, BytesMut};
use std::mem;

/// Bytes of an element that is passed over unread, such as the attachments of a finished file.
/// Without a bound, one bad size would swallow the rest of a live stream in silence.
const PASSED_OVER_MAX: u64 = 256 << 20;

/// Bytes for which room is made before they have come: a keyframe of a stream of 5 Mbit/s.
const CARRY_AHEAD_BYTES: usize = 256 << 10;

#[derive(Debug, Default)]
pub(super) struct Intake {
    /// The front of an element that was cut. Invariant: never longer than that element.
    carry: BytesMut,
    /// What was pushed and not yet looked at. Follows `carry`.
    input: Bytes,
    /// Where `carry` (or `input`, if that is empty) begins in the whole stream.
    offset: u64,
    /// Bytes still to be passed over. Invariant: not zero only while `carry` is empty.
    passing_over: u64,
}

impl Intake {
    /// Adds the next bytes. Those before must have been looked at.
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.input = bytes;
    }

    pub(super) fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Where the next element begins in the whole stream.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes taken in so far, whether or not they made a whole element.
    pub(super) fn received(&self) -> u64 {
        self.offset + (self.carry.len() + self.input.len()) as u64
    }

    /// Bytes of memory that an element takes which is not whole yet.
    pub(super) fn held_bytes(&self) -> usize {
        self.carry.capacity() + self.input.len()
    }

    /// Bytes of an element that is not whole yet.
    pub(super) fn unfinished_bytes(&self) -> u64 {
        (self.carry.len() + self.input.len()) as u64
    }

    /// Whether no element has begun that is not whole.
    pub(super) fn is_between_elements(&self) -> bool {
        self.carry.is_empty() && self.passing_over == 0
    }

    /// Drops what is here.
    pub(super) fn clear(&mut self) {
        self.carry = BytesMut::new();
        self.input = Bytes::new();
    }

    /// Reads the next element's head, without taking it. `is_first`: until the first EBML header,
    /// whatever else comes is another format.
    pub(super) fn peek_head(&mut self, is_first: bool) -> Result<Option<ElementHead>, WebmError> {
        let mut need = 1;
        loop {
            let offset = self.offset;
            let Some(bytes) = self.view(need) else {
                // All that came is in `carry`. It may be too little for a head and too much for
                // an EBML header.
                if is_first && !may_begin_ebml(&self.carry) {
                    return Err(WebmError::NotWebm { offset });
                }
                return Ok(None);
            };
            if is_first && !may_begin_ebml(bytes) {
                return Err(WebmError::NotWebm { offset });
            }
            match read_head(bytes) {
                HeadParse::Complete(head) => return Ok(Some(head)),
                HeadParse::Partial(more) => need = more,
                HeadParse::Invalid => return Err(WebmError::ElementHead { offset }),
            }
        }
    }

    /// At least `need` contiguous bytes, or `None` when they have not all come in.
    ///
    /// Bytes are moved into `carry` only as far as one element needs them.
    fn view(&mut self, need: usize) -> Option<&[u8]> {
        if self.carry.is_empty() && self.input.len() >= need {
            return Some(&self.input);
        }
        let missing = need.saturating_sub(self.carry.len());
        let moved = missing.min(self.input.len());
        if moved > 0 {
            // For all of it, and a whole head at least, so that what is there need not move when
            // the rest comes; of a large one for as much again as is there, so that an element that
            // never comes costs little more than what has come.
            let here = self.carry.len() + moved;
            let ahead = missing.min(moved + here.max(CARRY_AHEAD_BYTES));
            self.carry.reserve(ahead.max(HEAD_LENGTH_MAX));
        }
        self.carry.extend_from_slice(&self.input[..moved]);
        self.skip_input(moved);
        (self.carry.len() >= need).then_some(&self.carry)
    }

    /// Takes a whole element, head and payload, once it is all there.
    pub(super) fn take_element(
        &mut self,
        head: ElementHead,
        limit: usize,
    ) -> Result<Option<Bytes>, WebmError> {
        let offset = self.offset;
        let id = head.id;
        let size = head.size.ok_or(WebmError::UnknownSize { offset, id })?;
        if size > limit as u64 {
            return Err(WebmError::ElementTooLarge {
                offset,
                id,
                size,
                limit: limit as u64,
            });
        }
        let whole = head.length + size as usize;
        if self.view(whole).is_none() {
            return Ok(None);
        }
        self.offset += whole as u64;
        Ok(Some(if self.carry.is_empty() {
            self.input.split_to(whole)
        } else if whole > CARRY_AHEAD_BYTES {
            // A large one is rare, and its memory is not kept for the next.
            mem::take(&mut self.carry).freeze()
        } else {
            // `view` never moves more than it was asked for.
            self.carry.split_to(whole).freeze()
        }))
    }

    pub(super) fn take_payload(
        &mut self,
        head: ElementHead,
        limit: usize,
    ) -> Result<Option<Bytes>, WebmError> {
        let element = self.take_element(head, limit)?;
        Ok(element.map(|mut element| element.split_off(head.length)))
    }

    /// Passes bytes of `input`. An empty slice would keep all memory that it was cut from.
    fn skip_input(&mut self, length: usize) {
        if length == self.input.len() {
            self.input = Bytes::new();
        } else {
            self.input.advance(length);
        }
    }

    /// Drops `length` bytes that were viewed: the head of a master element we go into.
    pub(super) fn consume(&mut self, length: usize) {
        if self.carry.is_empty() {
            self.skip_input(length);
        } else {
            self.carry.advance(length);
        }
        self.offset += length as u64;
    }

    /// Passes over an element unread.
    pub(super) fn begin_passing_over(&mut self, head: ElementHead) -> Result<(), WebmError> {
        let offset = self.offset;
        let id = head.id;
        let size = head.size.ok_or(WebmError::UnknownSize { offset, id })?;
        if size > PASSED_OVER_MAX {
            return Err(WebmError::ElementTooLarge {
                offset,
                id,
                size,
                limit: PASSED_OVER_MAX,
            });
        }
        self.consume(head.length);
        self.passing_over = size;
        Ok(())
    }

    /// Whether nothing is left to be passed over.
    pub(super) fn pass_over(&mut self) -> bool {
        let length = self.passing_over.min(self.input.len() as u64);
        self.skip_input(length as usize);
        self.passing_over -= length;
        self.offset += length;
        self.passing_over == 0
    }
}

/// Whether nothing in `bytes` speaks against an EBML header's ID at their front.
fn may_begin_ebml(bytes: &[u8]) -> bool {
    let magic = ElementId::EBML.0.to_be_bytes();
    let length = bytes.len().min(magic.len());
    bytes[..length] == magic[..length]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Void element of three bytes of payload, and the first byte of the next one.
    const BYTES: &[u8] = &[0xec, 0x83, 1, 2, 3, 0xec];

    fn take(intake: &mut Intake) -> Option<Bytes> {
        let head = intake.peek_head(false).unwrap()?;
        intake.take_element(head, 100).unwrap()
    }

    #[test]
    fn whole_element_is_a_slice_of_what_came() {
        let bytes = Bytes::from_static(BYTES);
        let mut intake = Intake::default();
        intake.push(bytes.clone());
        let element = take(&mut intake).unwrap();
        assert_eq!(element.as_ptr(), bytes.as_ptr());
        assert_eq!((&element[..], intake.offset()), (&BYTES[..5], 5));
        assert_eq!(take(&mut intake), None);
    }

    /// Of a read of 64 KiB, and of a message of any size, nothing is kept for an element that is cut.
    #[test]
    fn nothing_is_kept_of_the_memory_that_bytes_came_in() {
        let came = Bytes::from(BYTES.to_vec());
        let mut intake = Intake::default();
        intake.push(came.clone());
        drop(take(&mut intake).unwrap());
        assert_eq!(take(&mut intake), None);
        assert!(!intake.is_between_elements() && came.is_unique());
        // Nor where it is passed over, or a head is taken.
        for (begin, length) in [(0, 5), (5, 1)] {
            let came = Bytes::from(BYTES[begin..begin + length].to_vec());
            let mut intake = Intake::default();
            intake.push(came.clone());
            match intake.peek_head(false).unwrap() {
                Some(head) => intake.begin_passing_over(head).unwrap(),
                None => assert_eq!(begin, 5),
            }
            assert!(begin == 5 || intake.pass_over());
            assert!(came.is_unique());
        }
    }

    #[test]
    fn element_that_came_in_pieces_is_put_together() {
        let mut intake = Intake::default();
        for piece in [&BYTES[..1], &BYTES[1..4]] {
            intake.push(Bytes::from_static(piece));
            assert_eq!(take(&mut intake), None);
            assert!(!intake.has_input() && !intake.is_between_elements());
        }
        intake.push(Bytes::from_static(&BYTES[4..]));
        assert_eq!(take(&mut intake).unwrap(), BYTES[..5]);
        assert_eq!((intake.offset(), intake.received()), (5, 6));
    }
}
