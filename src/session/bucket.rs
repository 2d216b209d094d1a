//! A token bucket: how fast a publisher's bytes are taken.
//!
//! It is kept as the time at which it will be full again, so there is nothing to refill. Taking
//! more than it holds is allowed, because the size of a read is not known before: then it is empty
//! for longer.
//!
//! Pure: the time comes in.

use std::time::{Duration, Instant};

/// The burst that may come at once, in time at the full rate: a keyframe is many times a frame's
/// size.
const BURST: Duration = Duration::from_secs(1);

/// A publisher with an empty bucket is not read for this long, or every few bytes would cost a
/// turn.
const RETRY_AFTER: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    bits_per_s: u64,
    full_at: Instant,
}

impl Bucket {
    /// Full.
    #[cfg(test)]
    pub fn new(bits_per_s: u64, now: Instant) -> Bucket {
        Bucket {
            bits_per_s,
            full_at: now,
        }
    }

    /// An empty bucket: a client that connects again and again gets no burst each time.
    pub fn empty(bits_per_s: u64, now: Instant) -> Bucket {
        Bucket {
            bits_per_s,
            full_at: now + BURST,
        }
    }

    /// Bytes that may be taken now.
    pub fn allowance(&self, now: Instant) -> u64 {
        let taken = self.full_at.saturating_duration_since(now);
        let bits = BURST.saturating_sub(taken).as_nanos() * u128::from(self.bits_per_s) / NANOS;
        u64::try_from(bits / 8).unwrap_or(u64::MAX)
    }

    pub fn take(&mut self, bytes: u64, now: Instant) {
        let nanos = u128::from(bytes) * 8 * NANOS / u128::from(self.bits_per_s.max(1));
        let time = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.full_at = self.full_at.max(now) + time;
    }

    /// When to try again, if no bytes may be taken now.
    pub fn empty_until(&self, now: Instant) -> Option<Instant> {
        let taken = self.full_at.saturating_duration_since(now);
        (taken >= BURST).then(|| now + (taken - BURST) + RETRY_AFTER)
    }
}

/// A publisher's rate limit, and until when the publisher is not read because of it.
#[derive(Debug, Clone, Copy)]
pub struct RateLimit {
    bucket: Bucket,
    throttled_until: Option<Instant>,
}

impl RateLimit {
    pub fn new(bits_per_s: u64, now: Instant) -> RateLimit {
        RateLimit {
            bucket: Bucket::empty(bits_per_s, now),
            throttled_until: None,
        }
    }

    /// Bytes that may be taken now.
    pub fn allowance(&self, now: Instant) -> u64 {
        self.bucket.allowance(now)
    }

    pub fn take(&mut self, bytes: u64, now: Instant) {
        self.bucket.take(bytes, now);
    }

    /// Whether the publisher is not to be read yet.
    pub fn is_throttled(&self, now: Instant) -> bool {
        self.throttled_until.is_some_and(|until| now < until)
    }

    /// Throttles the publisher if it was over its rate. Returns until when.
    pub fn throttle(&mut self, now: Instant) -> Option<Instant> {
        self.throttled_until = self.bucket.empty_until(now);
        self.throttled_until
    }
}

const NANOS: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut bucket = Bucket::new(8_000_000, start);
        assert_eq!(bucket.allowance(start), 1_000_000);
        bucket.take(400_000, start);
        assert_eq!(
            (bucket.allowance(start), bucket.empty_until(start)),
            (600_000, None)
        );
        bucket.take(600_000, start);
        assert_eq!(bucket.allowance(start), 0);
        assert_eq!(bucket.empty_until(start), Some(after(20)));
        assert_eq!(bucket.allowance(after(20)), 20_000);
        // It fills no further than to the brim.
        assert_eq!(bucket.allowance(after(60_000)), 1_000_000);
    }

    #[test]
    fn empty_bucket_fills_at_the_rate() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let bucket = Bucket::empty(8_000_000, start);
        assert_eq!(bucket.allowance(start), 0);
        assert_eq!(bucket.empty_until(start), Some(after(20)));
        assert_eq!(bucket.allowance(after(250)), 250_000);
        assert_eq!(bucket.allowance(after(5000)), 1_000_000);
    }

    #[test]
    fn overdrawn_bucket_is_empty_until_the_debt_is_paid() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut bucket = Bucket::new(8_000_000, start);
        bucket.take(1_500_000, start);
        assert_eq!(bucket.empty_until(start), Some(after(520)));
        assert_eq!(bucket.allowance(after(499)), 0);
        assert_eq!(bucket.allowance(after(520)), 20_000);
    }

    #[test]
    fn bucket_keeps_the_rate_over_a_minute() {
        let start = Instant::now();
        for bits_per_s in [64_000, 2_500_000, 10_000_000_000] {
            let mut bucket = Bucket::new(bits_per_s, start);
            let (mut now, mut taken) = (start, 0_u64);
            while now < start + Duration::from_secs(60) {
                while bucket.allowance(now) > 0 {
                    bucket.take(65_536, now);
                    taken += 65_536;
                }
                now = bucket.empty_until(now).expect("it is empty");
            }
            // The burst, a minute, and one read too many.
            let expected = bits_per_s as f64 / 8.0 * 61.0;
            let off = (taken as f64 - expected).abs();
            assert!(
                off <= 65_536.0 * 2.0 + expected * 0.001,
                "{bits_per_s}: {taken}, {expected}"
            );
        }
    }
}
