//! How old a chunk is that another node's clock has stamped.
//!
//! Clocks of two nodes may differ by anything. The quickest message of the last minute tells by how much,
//! together with the shortest way; a message is as old as it is slower than that one.

use std::time::Duration;

/// The quickest message is looked for in the last one to two of these: clocks drift.
const WINDOW_MS: u64 = 60_000;

/// Ages of one publisher's chunks.
#[derive(Debug, Default)]
pub struct Ages {
    window_began_ms: u64,
    /// Our clock less theirs, of the quickest message of this window and of the one before.
    least_ms: [Option<i64>; 2],
}

impl Ages {
    /// How old a chunk is that came to its node at `came_ms` by that node's clock, and here at `now_ms`
    /// by ours.
    pub fn age(&mut self, came_ms: u64, now_ms: u64) -> Duration {
        if now_ms.saturating_sub(self.window_began_ms) > WINDOW_MS {
            self.window_began_ms = now_ms;
            self.least_ms = [None, self.least_ms[0]];
        }
        // Whatever a header says: a chunk whose age makes no sense is dropped as too old, or is not.
        let distance_ms = (now_ms as i64).wrapping_sub(came_ms as i64);
        let newest_ms = self.least_ms[0].map_or(distance_ms, |least_ms| least_ms.min(distance_ms));
        self.least_ms[0] = Some(newest_ms);
        let least_ms = self.least_ms[1].map_or(newest_ms, |least_ms| least_ms.min(newest_ms));
        Duration::from_millis(distance_ms.abs_diff(least_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_is_what_a_message_takes_beyond_the_quickest() {
        let mut ages = Ages::default();
        // Their clock is an hour ahead.
        let theirs = |ms: u64| ms + 3_600_000;
        let ages: Vec<u128> = [(0, 20), (100, 105), (200, 207), (300, 5000), (4990, 5000)]
            .map(|(came_ms, now_ms)| ages.age(theirs(came_ms), now_ms).as_millis())
            .to_vec();
        assert_eq!(ages, [0, 0, 2, 4695, 5]);
    }

    #[test]
    fn drift_of_clocks_is_forgotten_within_two_windows() {
        let mut ages = Ages::default();
        // Their clock loses a millisecond each second.
        for second in 0..600_u64 {
            let now_ms = second * 1000;
            let age = ages.age(now_ms - second, now_ms);
            assert!(age <= Duration::from_millis(125), "{second}: {age:?}");
        }
    }
}
