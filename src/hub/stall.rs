//! Whether a publisher's media still come.
//!
//! A publisher that is connected may send nothing: its network is gone and the kernel does not know
//! yet, or its camera stands still. Viewers get a message when that has lasted for two seconds.
//!
//! Some streams are sparse by nature: a slide that is recorded without sound comes as one frame in
//! ten seconds, a recorder may be asked for a piece every five. The gaps between their chunks show
//! it: only a silence of more than twice the usual gap counts as a stall. The usual gap is half the
//! last gap plus half the usual gap before. A gap that was reported as a stall counts only when the
//! next gap is like it: so an interruption leaves the usual gap as it is, and a stream that has
//! always been slow is reported as stalled at its first two gaps, and then no more.
//!
//! Pure: the time is passed in.

use std::time::{Duration, Instant};

/// Shorter silences are no stall.
const SILENCE_MIN: Duration = Duration::from_secs(2);

/// A silence this long is a stall for any stream: two frames at the lowest rate there is, 0.1 a
/// second.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// How many usual gaps make a silence.
const GAPS: u32 = 2;

/// When a publisher's bytes and chunks came.
#[derive(Debug, Clone, Copy)]
pub struct Arrivals {
    /// Any bytes of media, whole or not.
    bytes_at: Instant,
    /// The last whole chunk. `None` before the first.
    chunk_at: Option<Instant>,
    /// `None` before the first gap between two chunks.
    usual_gap: Option<Duration>,
    /// The last gap, if it was reported as a stall.
    reported_gap: Option<Duration>,
}

impl Arrivals {
    pub fn new(now: Instant) -> Arrivals {
        Arrivals {
            bytes_at: now,
            chunk_at: None,
            usual_gap: None,
            reported_gap: None,
        }
    }

    /// Bytes of media came.
    pub fn bytes_came(&mut self, now: Instant) {
        self.bytes_at = now;
    }

    /// These bytes held the end of a chunk.
    pub fn chunk_came(&mut self, now: Instant) {
        if let Some(before) = self.chunk_at.replace(now) {
            let gap = now.saturating_duration_since(before);
            let is_reported = gap >= self.allowed();
            let reported_before = self.reported_gap.take();
            if is_reported && !reported_before.is_some_and(|other| are_alike(gap, other)) {
                self.reported_gap = Some(gap);
                return;
            }
            self.usual_gap = Some(match self.usual_gap {
                Some(usual) if !is_reported => (usual + gap) / 2,
                _ => gap,
            });
        }
    }

    /// How long nothing has come, if that is too long.
    pub fn silence(&self, now: Instant) -> Option<Duration> {
        let silence = now.saturating_duration_since(self.bytes_at);
        (silence >= self.allowed()).then_some(silence)
    }

    fn allowed(&self) -> Duration {
        (self.usual_gap.unwrap_or_default() * GAPS).clamp(SILENCE_MIN, SILENCE_MAX)
    }
}

/// Whether one is at most twice the other.
fn are_alike(one: Duration, other: Duration) -> bool {
    one <= other * 2 && other <= one * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chunks this many milliseconds after one another, the first at 0. Returns, for each gap, the
    /// milliseconds of silence after which it was, or would have been, reported as a stall.
    fn stalls_after(gaps_ms: &[u64]) -> Vec<u64> {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        let mut now = start;
        let mut stalls = Vec::new();
        for &gap_ms in gaps_ms {
            arrivals.bytes_came(now);
            arrivals.chunk_came(now);
            let silent = |ms: &u64| arrivals.silence(now + Duration::from_millis(*ms)).is_some();
            stalls.push((0..60_000).step_by(50).find(silent).unwrap());
            now += Duration::from_millis(gap_ms);
        }
        stalls
    }

    #[test]
    fn silence_is_reported_after_two_seconds() {
        assert_eq!(stalls_after(&[33, 33, 33, 100]), [2000; 4]);
        // A recorder that delivers a second at a time.
        assert_eq!(stalls_after(&[1000, 1000, 1000]), [2000; 3]);
    }

    #[test]
    fn slow_pace_is_learned_from_two_gaps() {
        assert_eq!(
            stalls_after(&[10_000, 10_000, 10_000, 10_000]),
            [2000, 2000, 20_000, 20_000]
        );
        assert_eq!(stalls_after(&[3000, 3000, 3000, 3000])[2..], [6000, 6000]);
        assert_eq!(
            stalls_after(&[33, 33, 5000, 5000, 5000])[2..],
            [2000, 2000, 10_000]
        );
    }

    #[test]
    fn interruption_does_not_make_a_stream_sparse() {
        let stalls = stalls_after(&[100, 100, 10_000, 100, 100, 100, 100]);
        assert_eq!(stalls, [2000; 7]);
    }

    #[test]
    fn silence_of_a_sparse_stream_is_reported_after_twenty_seconds() {
        assert_eq!(
            stalls_after(&[60_000, 60_000, 60_000]),
            [2000, 2000, 20_000]
        );
    }

    #[test]
    fn part_of_a_chunk_ends_a_silence() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut arrivals = Arrivals::new(start);
        arrivals.chunk_came(start);
        assert_eq!(arrivals.silence(after(1999)), None);
        assert_eq!(
            arrivals.silence(after(2043)),
            Some(Duration::from_millis(2043))
        );
        arrivals.bytes_came(after(2500));
        assert_eq!(arrivals.silence(after(4000)), None);
        assert!(arrivals.silence(after(4500)).is_some());
    }
}
