//! Delivery stamps: each chunk says itself when it left the publisher.
//!
//! A stamp is the frame of a block of a track of its own, the last in its chunk. The track is of
//! WebM's kind for metadata, which players pass over and servers pass on.
//!
//! ```text
//! run 8 bytes | sequence 8 bytes | nanoseconds of the machine's monotonic clock 8 bytes
//! ```

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
}

impl Stamp {
    pub const LENGTH: usize = 24;

    pub fn to_bytes(self) -> [u8; Stamp::LENGTH] {
        let mut bytes = [0; Stamp::LENGTH];
        for (part, value) in bytes
            .chunks_mut(8)
            .zip([self.run, self.sequence, self.sent_ns])
        {
            part.copy_from_slice(&value.to_be_bytes());
        }
        bytes
    }

    pub fn read(frame: &[u8]) -> Option<Stamp> {
        let frame: &[u8; Stamp::LENGTH] = frame.try_into().ok()?;
        let (parts, _) = frame.as_chunks::<8>();
        Some(Stamp {
            run: u64::from_be_bytes(parts[0]),
            sequence: u64::from_be_bytes(parts[1]),
            sent_ns: u64::from_be_bytes(parts[2]),
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
        };
        assert_eq!(Stamp::read(&stamp.to_bytes()), Some(stamp));
        assert_eq!(Stamp::read(&stamp.to_bytes()[1..]), None);
    }

    #[test]
    fn the_clock_goes_on() {
        let before = now_ns();
        assert!(before > 0 && now_ns() >= before);
    }
}
