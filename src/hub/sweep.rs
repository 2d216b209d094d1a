//! One stream's way through its audience: which viewer is next, and when a sweep begins.
//!
//! ```text
//! audience  a b c d e f g h i        new chunks: each viewer is visited once more
//!               └──► e f g h i a b   from where the last sweep ended, and a little further
//! ```
//!
//! A sweep that is still under way when new chunks come goes on from where it is, once round: each
//! viewer gets all its new chunks in one write. So the more viewers there are, the more bytes a
//! write carries and the less a byte costs, without any setting.
//!
//! Each sweep begins a little further on, so that no viewer is always last and a viewer's delay
//! does not jump from chunk to chunk.
//!
//! Pure: the size of the audience and the time come in, indices go out.

use std::time::{Duration, Instant};

/// A sweep begins later than the one before by this part of the audience: within seconds, each
/// viewer has been first and last.
const ROTATION: usize = 64;

#[derive(Debug, Default)]
pub struct Sweep {
    /// Index of the next viewer, if the audience reaches so far.
    next: usize,
    /// Visits until each viewer has the chunks that the sweep is for.
    left: usize,
    /// Newer chunks than that wait until then.
    held_until: Option<Instant>,
    /// When the round began that is under way, and visits since then.
    began: Option<Instant>,
    visits: u64,
    /// The round that ended last, until it is reported.
    ended: Option<Swept>,
}

/// Once round the audience.
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

    /// All viewers are due for a visit now, with or without new chunks.
    pub fn order_now(&mut self, now: Instant) {
        self.held_until = Some(now);
    }

    /// When there is something to do: `Some(now)` or earlier for at once, `None` for not at all.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        if self.left > 0 {
            Some(now)
        } else {
            self.held_until
        }
    }

    /// Sets out, if it is time.
    pub fn set_out(&mut self, audience: usize, now: Instant) {
        if self.held_until.is_none_or(|until| until > now) {
            return;
        }
        self.held_until = None;
        if self.left == 0 {
            self.next = (self.next + audience / ROTATION + 1) % audience.max(1);
            self.began = Some(now);
        }
        self.left = audience;
    }

    /// A viewer has joined at the end of the audience: one more visit in this round.
    pub fn joined(&mut self) {
        self.left += usize::from(self.left > 0);
    }

    /// The index of the next viewer.
    pub fn next(&mut self, audience: usize, now: Instant) -> Option<usize> {
        // Some viewers may have left since.
        self.left = self.left.min(audience);
        self.left = self.left.checked_sub(1)?;
        if self.next >= audience {
            self.next = 0;
        }
        let index = self.next;
        self.next += 1;
        self.visits += 1;
        // A round, even where newer chunks keep the sweep from ending.
        if self.visits >= audience as u64 || self.left == 0 {
            let visits = std::mem::take(&mut self.visits);
            let began = self.began.replace(now).unwrap_or(now);
            self.ended = Some(Swept { began, visits });
        }
        Some(index)
    }

    /// The round that has just ended; each round is returned once.
    pub fn poll_end(&mut self) -> Option<Swept> {
        self.ended.take()
    }

    pub fn is_under_way(&self) -> bool {
        self.left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NO_DELAY: Duration = Duration::ZERO;

    fn visited(sweep: &mut Sweep, audience: usize, most: usize) -> Vec<usize> {
        std::iter::from_fn(|| sweep.next(audience, Instant::now()))
            .take(most)
            .collect()
    }

    #[test]
    fn each_sweep_visits_every_viewer_once_and_starts_at_another() {
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
    fn new_chunks_extend_a_running_sweep_by_one_round() {
        let now = Instant::now();
        let mut sweep = Sweep::default();
        sweep.chunks_came(now, NO_DELAY);
        sweep.set_out(4, now);
        assert_eq!(visited(&mut sweep, 4, 2), [1, 2]);
        sweep.chunks_came(now, NO_DELAY);
        sweep.set_out(4, now);
        assert_eq!(sweep.poll_end(), None);
        // Twice where it was before them.
        assert_eq!(visited(&mut sweep, 4, 2), [3, 0]);
        assert_eq!(sweep.poll_end().map(|swept| swept.visits), Some(4));
        assert_eq!(visited(&mut sweep, 4, usize::MAX), [1, 2]);
        assert_eq!(sweep.poll_end().map(|swept| swept.visits), Some(2));
    }

    #[test]
    fn chunks_are_batched_until_the_longest_delay() {
        let now = Instant::now();
        let after = |ms| now + Duration::from_millis(ms);
        let mut sweep = Sweep::default();
        for ms in [0, 60] {
            sweep.chunks_came(after(ms), Duration::from_millis(100));
            sweep.set_out(2, after(ms));
            assert_eq!(sweep.due(after(ms)), Some(after(100)));
            assert_eq!(sweep.next(2, now), None);
        }
        sweep.set_out(2, after(101));
        assert_eq!(sweep.due(after(101)), Some(after(101)));
        assert_eq!(visited(&mut sweep, 2, usize::MAX).len(), 2);
        sweep.chunks_came(after(120), Duration::from_millis(100));
        sweep.order_now(after(130));
        sweep.set_out(2, after(130));
        assert!(sweep.is_under_way());
    }

    #[test]
    fn empty_audience_yields_no_visits() {
        let now = Instant::now();
        let mut sweep = Sweep::default();
        sweep.order_now(now);
        sweep.set_out(0, now);
        assert_eq!((sweep.next(0, now), sweep.poll_end()), (None, None));
    }

    /// What happens between two visits.
    #[derive(Debug, Clone)]
    enum Happening {
        Visit,
        Join,
        /// The viewer at this index, of so many as there are.
        Leave(prop::sample::Index),
    }

    proptest! {
        #[test]
        fn staying_viewers_are_visited_while_others_join_and_leave(
            audience in 1..200_usize,
            before in 0..200_usize,
            happenings in prop::collection::vec(
                prop_oneof![
                    4 => Just(Happening::Visit),
                    1 => Just(Happening::Join),
                    1 => any::<prop::sample::Index>().prop_map(Happening::Leave),
                ],
                0..300,
            ),
        ) {
            let now = Instant::now();
            let mut sweep = Sweep { next: before, ..Sweep::default() };
            sweep.order_now(now);
            sweep.set_out(audience, now);
            // The model keeps the audience as the hub does: the last viewer takes the place of one
            // that leaves, and is visited there.
            let mut names: Vec<usize> = (0..audience).collect();
            let mut unseen: std::collections::BTreeSet<usize> = (0..audience).collect();
            let mut visit = |sweep: &mut Sweep, names: &[usize]| {
                let index = sweep.next(names.len(), now)?;
                unseen.remove(&names[index]);
                Some(())
            };
            let (mut joined, mut moved, mut gone) = (audience, Vec::new(), Vec::new());
            for happening in happenings {
                match happening {
                    Happening::Visit => drop(visit(&mut sweep, &names)),
                    Happening::Join => {
                        names.push(joined);
                        joined += 1;
                        sweep.joined();
                    }
                    Happening::Leave(index) if !names.is_empty() => {
                        let index = index.index(names.len());
                        gone.push(names.swap_remove(index));
                        moved.extend(names.get(index).copied());
                    }
                    Happening::Leave(_) => {}
                }
            }
            while visit(&mut sweep, &names).is_some() {}
            for name in moved.into_iter().chain(gone) {
                unseen.remove(&name);
            }
            prop_assert!(unseen.is_empty(), "{unseen:?}");
        }
    }
}
