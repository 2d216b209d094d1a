//! Delivery stamps: each chunk says itself when it left the publisher.
//!
//! A stamp is the frame of a block of a track of its own, the last in its chunk. The track is of
//! WebM's kind for metadata, which players pass over and servers pass on.
//!
//! ```text
//! run | sequence | nanoseconds of the machine's monotonic clock | blocks so far | sum of their hashes
//! ```
//!
//! Eight bytes each. The last two show, from two stamps in a row, whether all that was sent between
//! them has come, and nothing else.

use std::hash::{DefaultHasher, Hasher};

use crate::webm::Track;

/// WebM's codec for timed metadata.
pub(super) const CODEC_ID: &str = "D_WEBVTT/METADATA";

/// Track type "metadata" (RFC 9559, 5.1.4.1.3).
pub(super) const TRACK_TYPE: u8 = 0x21;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Tells our stamps from those of another load test, whose clock may be another machine's.
    pub run: u64,
    /// Counts the chunks of one publisher.
    pub sequence: u64,
    pub sent_ns: u64,
    /// All blocks before this one, since the publisher began.
    pub sent: Tally,
}

/// Blocks, in any order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub blocks: u64,
    /// Sum of the hashes of their frames.
    digest: u64,
}

impl Tally {
    /// Of one block with this frame. Our processes are one program, so they hash alike.
    pub fn of(frame: &[u8]) -> Tally {
        let mut hasher = DefaultHasher::new();
        hasher.write(frame);
        Tally {
            blocks: 1,
            digest: hasher.finish(),
        }
    }

    pub fn add(&mut self, other: Tally) {
        self.blocks += other.blocks;
        self.digest = self.digest.wrapping_add(other.digest);
    }

    /// What came after `earlier`.
    pub fn since(self, earlier: Tally) -> Tally {
        Tally {
            blocks: self.blocks.wrapping_sub(earlier.blocks),
            digest: self.digest.wrapping_sub(earlier.digest),
        }
    }
}

impl Stamp {
    pub const LENGTH: usize = 40;

    pub fn to_bytes(self) -> [u8; Stamp::LENGTH] {
        let mut bytes = [0; Stamp::LENGTH];
        let Tally { blocks, digest } = self.sent;
        let values = [self.run, self.sequence, self.sent_ns, blocks, digest];
        for (part, value) in bytes.chunks_mut(8).zip(values) {
            part.copy_from_slice(&value.to_be_bytes());
        }
        bytes
    }

    pub fn read(frame: &[u8]) -> Option<Stamp> {
        let frame: &[u8; Stamp::LENGTH] = frame.try_into().ok()?;
        let (parts, _) = frame.as_chunks::<8>();
        let value = |nth: usize| u64::from_be_bytes(parts[nth]);
        Some(Stamp {
            run: value(0),
            sequence: value(1),
            sent_ns: value(2),
            sent: Tally {
                blocks: value(3),
                digest: value(4),
            },
        })
    }
}

/// Whether a track carries stamps.
pub(super) fn is_stamped(track: &Track) -> bool {
    track.codec_id == CODEC_ID
}

/// The clock of the stamps: the same for all processes of one machine, unlike `Instant`, whose
/// value cannot leave its process.
pub(super) fn now_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_reads_back() {
        let stamp = Stamp {
            run: 7,
            sequence: 1 << 40,
            sent_ns: u64::MAX,
            sent: Tally::of(b"frame"),
        };
        assert_eq!(Stamp::read(&stamp.to_bytes()), Some(stamp));
        assert_eq!(Stamp::read(&stamp.to_bytes()[1..]), None);
    }

    #[test]
    fn tally_finds_missing_and_changed_frames_in_any_order() {
        let tally = |frames: &[&[u8]]| {
            let mut tally = Tally::default();
            for frame in frames {
                tally.add(Tally::of(frame));
            }
            tally
        };
        assert_eq!(tally(&[b"a", b"b"]), tally(&[b"b", b"a"]));
        assert_ne!(tally(&[b"a", b"b"]), tally(&[b"a", b"a"]));
        assert_ne!(tally(&[b"a", b"b"]), tally(&[b"ab"]));
        assert_eq!(tally(&[b"a", b"b"]).since(tally(&[b"a"])), tally(&[b"b"]));
    }

    #[test]
    fn clock_never_goes_back() {
        let before = now_ns();
        assert!(before > 0 && now_ns() >= before);
    }
}
