//! One stream's bytes in and out, and its bit rate.

use std::time::{Duration, Instant};

/// How long a bit rate is counted over.
const BITRATE_WINDOW: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct Traffic {
    received_bytes: u64,
    sent_bytes: u64,
    skips: u64,
    bitrate_bps: u64,
    /// The longest way to the last viewer since it was taken; `None` without viewers.
    longest_sweep: Option<Duration>,
    /// When the bit rate was counted last, and `received_bytes` then.
    counted: (Instant, u64),
}

impl Traffic {
    pub fn new(now: Instant) -> Traffic {
        Traffic {
            received_bytes: 0,
            sent_bytes: 0,
            skips: 0,
            bitrate_bps: 0,
            longest_sweep: None,
            counted: (now, 0),
        }
    }

    pub fn received(&mut self, bytes: u64) {
        self.received_bytes += bytes;
    }

    /// A write to a viewer.
    pub fn sent(&mut self, bytes: u64, skips: u64) {
        self.sent_bytes += bytes;
        self.skips += skips;
    }

    /// All viewers have been written to: it took so long from the first to the last.
    pub fn swept(&mut self, took: Duration) {
        self.longest_sweep = self.longest_sweep.max(Some(took));
    }

    pub fn take_longest_sweep(&mut self) -> Option<Duration> {
        self.longest_sweep.take()
    }

    /// Brings the bit rate up to date, about every two seconds.
    pub fn count_bitrate(&mut self, now: Instant) {
        let (since, bytes) = self.counted;
        let window = now.saturating_duration_since(since);
        if window >= BITRATE_WINDOW {
            let bits = (self.received_bytes - bytes) * 8;
            self.bitrate_bps = (bits as f64 / window.as_secs_f64()) as u64;
            self.counted = (now, self.received_bytes);
        }
    }

    /// The publisher has left.
    pub fn reset_bitrate(&mut self) {
        self.bitrate_bps = 0;
    }

    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    pub fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    pub fn skips(&self) -> u64 {
        self.skips
    }

    pub fn bitrate_bps(&self) -> u64 {
        self.bitrate_bps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bit_rate_is_that_of_the_last_two_seconds() {
        let start = Instant::now();
        let mut traffic = Traffic::new(start);
        traffic.received(250_000);
        traffic.count_bitrate(start + Duration::from_secs(1));
        assert_eq!(traffic.bitrate_bps(), 0);
        traffic.count_bitrate(start + Duration::from_secs(2));
        assert_eq!(traffic.bitrate_bps(), 1_000_000);
    }
}
