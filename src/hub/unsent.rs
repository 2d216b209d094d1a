//! How much the kernel holds for a viewer that does not keep up.
//!
//! A send buffer grows by itself to megabytes (tcp(7), `tcp_wmem`): many seconds of a stream. A
//! delayed viewer must take all of it before anything newer, and the server cannot take it back. So
//! the part of it that is not on its way yet is bounded (`TCP_NOTSENT_LOWAT`), to a second or two
//! of the stream. What is on its way is not: a long, fast path needs it.

/// Where the stream's bit rate is not known yet.
const UNSENT_BYTES_FIRST: u32 = 256 << 10;

/// A keyframe should fit, of a stream however thin.
const UNSENT_BYTES_LEAST: u32 = 64 << 10;
/// As much as the kernel would hold at most by itself.
const UNSENT_BYTES_MOST: u32 = 4 << 20;

/// The bound for all viewers of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsent {
    bytes: u32,
    is_fixed: bool,
}

impl Unsent {
    /// As an option asks, or by the bit rate as it becomes known.
    pub fn new(asked: Option<u32>) -> Unsent {
        Unsent {
            bytes: asked.unwrap_or(UNSENT_BYTES_FIRST),
            is_fixed: asked.is_some(),
        }
    }

    pub fn bytes(&self) -> u32 {
        self.bytes
    }

    /// Follows the stream's bit rate. Returns whether the bound is another one now.
    pub fn follow(&mut self, bits_per_s: u64) -> bool {
        if self.is_fixed || bits_per_s == 0 {
            return false;
        }
        // One second, rounded up to a power of two: up to two.
        let second = u32::try_from(bits_per_s / 8)
            .unwrap_or(UNSENT_BYTES_MOST)
            .clamp(UNSENT_BYTES_LEAST, UNSENT_BYTES_MOST);
        let bytes = second.next_power_of_two();
        // With some room above two seconds, so that it does not swing with a rate that does.
        let is_too_large = u64::from(self.bytes) * 2 > u64::from(second) * 5;
        let is_other = bytes > self.bytes || (bytes < self.bytes && is_too_large);
        if is_other {
            self.bytes = bytes;
        }
        is_other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsent_limit_is_one_to_two_seconds_of_the_stream() {
        let mut unsent = Unsent::new(None);
        for (bits_per_s, is_other, bytes) in [
            (0, false, 256 << 10),
            (2_500_000, true, 512 << 10),
            (4_400_000, true, 1 << 20),
            // Two seconds and a little.
            (4_100_000, false, 1 << 20),
            (3_000_000, true, 512 << 10),
            (1_000_000, true, 128 << 10),
            (10_000, false, 128 << 10),
            (1_000_000_000, true, 4 << 20),
        ] {
            assert_eq!(unsent.follow(bits_per_s), is_other, "{bits_per_s}");
            assert_eq!(unsent.bytes, bytes, "{bits_per_s}");
        }
    }

    #[test]
    fn option_fixes_the_unsent_limit() {
        let mut unsent = Unsent::new(Some(100_000));
        assert!(!unsent.follow(5_000_000));
        assert_eq!(unsent.bytes, 100_000);
    }
}
