//! The index of a recording: where each GOP begins, in memory that is bounded.
//!
//! A cue is kept as two differences to the one before, four to six bytes in all. Where a recording
//! has more GOPs than fit, those go that are closest together.

use crate::webm::element::ElementId;
use crate::webm::vint::{uint_bytes, write_size};
use bytes::{BufMut, BytesMut};

/// Bytes of memory for the cues of one recording: some 400,000, which are four days of a keyframe
/// each second.
pub const CUES_BYTES_DEFAULT: usize = 2 << 20;

/// Least distance in milliseconds between two cues, once a recording has too many for the memory.
const DISTANCE_MS_MIN: u64 = 250;

/// A place to which a player can seek.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cue {
    pub timestamp_ms: u64,
    /// Of its Cluster, from the start of the file.
    pub offset: u64,
}

/// All cues of a recording, in order.
#[derive(Debug)]
pub struct Cues {
    /// Differences of time and offset to the cue before, seven bits a byte, the lowest first.
    deltas: Vec<u8>,
    last: Cue,
    count: u64,
    /// Cues closer together are left out. 0 at first.
    distance_ms: u64,
    bytes_max: usize,
}

impl Cues {
    pub fn new(bytes_max: usize) -> Cues {
        Cues {
            deltas: Vec::new(),
            last: Cue {
                timestamp_ms: 0,
                offset: 0,
            },
            count: 0,
            distance_ms: 0,
            bytes_max,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a cue. Players search by time: one that does not come after the cue before is left out.
    pub fn push(&mut self, cue: Cue) {
        let is_first = self.count == 0;
        let after_ms = cue.timestamp_ms.saturating_sub(self.last.timestamp_ms);
        if !is_first && (after_ms < self.distance_ms.max(1) || cue.offset <= self.last.offset) {
            return;
        }
        write_number(&mut self.deltas, after_ms);
        write_number(&mut self.deltas, cue.offset - self.last.offset);
        self.last = cue;
        self.count += 1;
        while self.deltas.len() > self.bytes_max {
            self.thin_out();
        }
    }

    /// Leaves out the cues that are closest together: of those within twice the present distance, the
    /// first stays.
    pub fn thin_out(&mut self) {
        let distance_ms = (self.distance_ms * 2).max(DISTANCE_MS_MIN);
        let mut thinner = Cues {
            distance_ms,
            bytes_max: usize::MAX,
            ..Cues::new(0)
        };
        self.iter().for_each(|cue| thinner.push(cue));
        thinner.bytes_max = self.bytes_max;
        *self = thinner;
    }

    pub fn iter(&self) -> impl Iterator<Item = Cue> + '_ {
        let mut rest = &self.deltas[..];
        let (mut timestamp_ms, mut offset) = (0, 0);
        std::iter::from_fn(move || {
            timestamp_ms += read_number(&mut rest)?;
            offset += read_number(&mut rest)?;
            Some(Cue {
                timestamp_ms,
                offset,
            })
        })
    }

    /// Bytes of the whole Cues element.
    pub fn element_length(&self, segment_at: u64) -> u64 {
        let mut point = BytesMut::with_capacity(CUE_POINT_MAX);
        let payload: u64 = self
            .iter()
            .map(|cue| {
                point.clear();
                write_cue_point(&mut point, cue, segment_at, 1);
                point.len() as u64
            })
            .sum();
        CUES_HEAD + payload
    }

    /// Writes the whole element, in pieces of some 64 KiB. `segment_at` is where the Segment's
    /// payload begins, from which Matroska counts.
    pub fn write<E>(
        &self,
        segment_at: u64,
        track_number: u8,
        mut write: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        const PIECE: usize = 64 << 10;
        let length = self.element_length(segment_at);
        let mut piece = BytesMut::with_capacity(PIECE + CUE_POINT_MAX);
        ElementId::CUES.write(&mut piece);
        piece.put_slice(&known_size(length - CUES_HEAD));
        for cue in self.iter() {
            write_cue_point(&mut piece, cue, segment_at, track_number);
            if piece.len() >= PIECE {
                write(&piece)?;
                piece.clear();
            }
        }
        write(&piece)
    }
}

/// The head of Cues: an ID of four bytes and a size of eight.
const CUES_HEAD: u64 = 12;

/// Bytes of the longest CuePoint.
const CUE_POINT_MAX: usize = 2 + 10 + 2 + 3 + 10;

fn write_cue_point(out: &mut BytesMut, cue: Cue, segment_at: u64, track_number: u8) {
    let (time, time_length) = uint_bytes(cue.timestamp_ms);
    let (position, position_length) = uint_bytes(cue.offset - segment_at);
    let positions_length = 3 + 2 + position_length;
    ElementId::CUE_POINT.write(out);
    write_size(out, (2 + time_length + 2 + positions_length) as u64);
    ElementId::CUE_TIME.write(out);
    write_size(out, time_length as u64);
    out.put_slice(&time[..time_length]);
    ElementId::CUE_TRACK_POSITIONS.write(out);
    write_size(out, positions_length as u64);
    ElementId::CUE_TRACK.write(out);
    out.put_slice(&[0x81, track_number]);
    ElementId::CUE_CLUSTER_POSITION.write(out);
    write_size(out, position_length as u64);
    out.put_slice(&position[..position_length]);
}

/// An element size that takes eight bytes whatever its value.
pub fn known_size(size: u64) -> [u8; 8] {
    (size | 1 << 56).to_be_bytes()
}

fn write_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webm::element::children;
    use crate::webm::vint::read_uint;
    use proptest::prelude::*;

    fn cue(timestamp_ms: u64, offset: u64) -> Cue {
        Cue {
            timestamp_ms,
            offset,
        }
    }

    proptest! {
        #[test]
        fn cues_read_back_as_they_were_pushed(
            steps in prop::collection::vec((1..u64::MAX >> 24, 1..u64::MAX >> 24), 0..100),
        ) {
            let mut cues = Cues::new(usize::MAX);
            let mut expected = Vec::new();
            let (mut timestamp_ms, mut offset) = (0, 0);
            for (ms, bytes) in steps {
                timestamp_ms += ms;
                offset += bytes;
                cues.push(cue(timestamp_ms, offset));
                expected.push(cue(timestamp_ms, offset));
            }
            prop_assert_eq!(cues.iter().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn cue_that_goes_back_in_time_is_left_out() {
        let mut cues = Cues::new(usize::MAX);
        for (ms, offset) in [(0, 100), (2000, 200), (1000, 300), (2000, 400), (3000, 500)] {
            cues.push(cue(ms, offset));
        }
        let kept: Vec<Cue> = cues.iter().collect();
        assert_eq!(kept, [cue(0, 100), cue(2000, 200), cue(3000, 500)]);
    }

    #[test]
    fn million_keyframes_stay_within_the_memory_and_keep_the_first() {
        let mut cues = Cues::new(10_000);
        for index in 0..1_000_000 {
            cues.push(cue(index * 33, 1000 + index * 5000));
        }
        let kept: Vec<Cue> = cues.iter().collect();
        assert!(cues.deltas.len() <= 10_000 && kept.len() > 1000);
        assert_eq!(kept[0], cue(0, 1000));
        let last_ms = kept.last().unwrap().timestamp_ms;
        assert!(last_ms > 999_999 * 33 - 2 * cues.distance_ms);
        let is_even = |pair: &[Cue]| pair[1].timestamp_ms - pair[0].timestamp_ms;
        assert!(
            kept.windows(2)
                .all(|pair| is_even(pair) >= cues.distance_ms)
        );
    }

    #[test]
    fn element_has_a_point_for_each_cue() {
        let mut cues = Cues::new(usize::MAX);
        cues.push(cue(0, 5000));
        cues.push(cue(70_000, 1 << 33));
        let mut bytes = Vec::new();
        cues.write(48, 2, |piece| {
            bytes.extend_from_slice(piece);
            Ok::<(), ()>(())
        })
        .unwrap();
        assert_eq!(bytes.len() as u64, cues.element_length(48));
        let whole = children(&bytes).next().unwrap().unwrap();
        assert_eq!(
            (whole.id, whole.whole.len()),
            (ElementId::CUES, bytes.len())
        );
        let read: Vec<(u64, u64, u64)> = children(whole.payload)
            .map(|point| {
                let point = point.unwrap();
                let parts: Vec<_> = children(point.payload).map(Result::unwrap).collect();
                let of_track: Vec<_> = children(parts[1].payload).map(Result::unwrap).collect();
                let number = |payload| read_uint(payload).unwrap();
                (
                    number(parts[0].payload),
                    number(of_track[0].payload),
                    number(of_track[1].payload),
                )
            })
            .collect();
        assert_eq!(read, [(0, 2, 4952), (70_000, 2, (1 << 33) - 48)]);
    }
}
