//! One stream's way through its audience: who is written to next, and when it begins.
//!
//! ```text
//! audience  a b c d e f g h i        new chunks: everybody is visited once more
//!               └──► e f g h i a b   from where the last sweep ended, and a little further
//! ```
//!
//! A sweep that is still under way when new chunks come goes on from where it is, once round:
//! whoever is next is given all that is new for it in one write. So the more viewers there are,
//! the more bytes a write carries and the less a byte costs, without anything being set.
//!
//! The sweep begins a little further each time, so that nobody is always last, and nobody's delay
//! jumps from chunk to chunk either.
//!
//! Pure: the size of the audience and the time come in, indices go out.

use std::time::{Duration, Instant};

/// A sweep begins later than the one before by this part of the audience: within seconds,
/// everybody has been first and last.
const ROTATION: usize = 64;

#[derive(Debug, Default)]
pub struct Sweep {
    /// Index of who is visited next, if the audience reaches so far.
    next: usize,
    /// Visits until everybody has been given the chunks that the sweep is for.
    left: usize,
    /// Newer chunks than that wait until then.
    held_until: Option<Instant>,
    /// When it set out, and visits since then.
    began: Option<Instant>,
    visits: u64,
}

/// A sweep that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    pub began: Instant,
    pub visits: u64,
}

impl Sweep {
    /// There are new chunks. Unless older ones wait already, they wait for `max_delay`.
    pub fn chunks_came(&mut self, now: Instant, max_delay: Duration) {
        self.held_until.get_or_insert(now + max_delay);
    }

    /// Everybody is to be visited now, chunks or not.
    pub fn hurry(&mut self, now: Instant) {
        self.held_until = Some(now);
    }

    /// When there is something to do: `Some(now)` or earlier for at once, `None` for not at all.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        match self.left > 0 {
            true => Some(now),
            false => self.held_until,
        }
    }

    /// Sets out, if it is time.
    pub fn set_out(&mut self, audience: usize, now: Instant) {
        if self.held_until.is_none_or(|until| until > now) {
            return;
        }
        self.held_until = None;
        if self.left == 0 {
            self.next += audience / ROTATION + 1;
            self.began = Some(now);
            self.visits = 0;
        }
        self.left = audience;
    }

    /// The index of who is visited next.
    pub fn next(&mut self, audience: usize) -> Option<usize> {
        // Some have left meanwhile.
        self.left = self.left.min(audience);
        self.left = self.left.checked_sub(1)?;
        if self.next >= audience {
            self.next %= audience;
        }
        let index = self.next;
        self.next += 1;
        self.visits += 1;
        Some(index)
    }

    /// The sweep that has just ended, told once.
    pub fn poll_end(&mut self) -> Option<Swept> {
        if self.left > 0 {
            return None;
        }
        let visits = self.visits;
        self.began.take().map(|began| Swept { began, visits })
    }

    pub fn is_under_way(&self) -> bool {
        self.left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_DELAY: Duration = Duration::ZERO;

    fn visited(sweep: &mut Sweep, audience: usize, most: usize) -> Vec<usize> {
        std::iter::from_fn(|| sweep.next(audience))
            .take(most)
            .collect()
    }

    #[test]
    fn everybody_is_visited_once_and_somebody_else_first_each_time() {
        let now = Instant::now();
        let mut sweep = Sweep::default();
        let mut firsts = Vec::new();
        for _ in 0..3 {
            assert_eq!(sweep.due(now), None);
            sweep.chunks_came(now, NO_DELAY);
            sweep.set_out(3, now);
            let mut order = visited(&mut sweep, 3, usize::MAX);
            firsts.push(order[0]);
            order.sort();
            assert_eq!(order, [0, 1, 2]);
            let swept = sweep.poll_end().map(|swept| swept.visits);
            assert_eq!((swept, sweep.poll_end()), (Some(3), None));
        }
        firsts.sort();
        assert_eq!(firsts, [0, 1, 2]);
    }

    #[test]
    fn new_chunks_send_a_sweep_once_round_from_where_it_is() {
        let now = Instant::now();
        let mut sweep = Sweep::default();
        sweep.chunks_came(now, NO_DELAY);
        sweep.set_out(4, now);
        assert_eq!(visited(&mut sweep, 4, 2), [1, 2]);
        sweep.chunks_came(now, NO_DELAY);
        sweep.set_out(4, now);
        assert_eq!(sweep.poll_end(), None);
        assert_eq!(visited(&mut sweep, 4, usize::MAX), [3, 0, 1, 2]);
        assert_eq!(sweep.poll_end().map(|swept| swept.visits), Some(6));
    }

    #[test]
    fn chunks_wait_for_one_another_as_long_as_is_allowed() {
        let now = Instant::now();
        let after = |ms| now + Duration::from_millis(ms);
        let mut sweep = Sweep::default();
        for ms in [0, 60] {
            sweep.chunks_came(after(ms), Duration::from_millis(100));
            sweep.set_out(2, after(ms));
            assert_eq!(sweep.due(after(ms)), Some(after(100)));
            assert_eq!(sweep.next(2), None);
        }
        sweep.set_out(2, after(101));
        assert_eq!(sweep.due(after(101)), Some(after(101)));
        assert_eq!(visited(&mut sweep, 2, usize::MAX).len(), 2);
        sweep.chunks_came(after(120), Duration::from_millis(100));
        sweep.hurry(after(130));
        sweep.set_out(2, after(130));
        assert!(sweep.is_under_way());
    }

    #[test]
    fn an_audience_that_left_is_not_visited() {
        let now = Instant::now();
        let mut sweep = Sweep::default();
        sweep.chunks_came(now, NO_DELAY);
        sweep.set_out(5, now);
        assert_eq!(visited(&mut sweep, 5, 1), [1]);
        assert_eq!(visited(&mut sweep, 2, usize::MAX), [0, 1]);
        sweep.hurry(now);
        sweep.set_out(5, now);
        assert_eq!(sweep.next(0), None);
        assert!(sweep.poll_end().is_some());
    }
}
