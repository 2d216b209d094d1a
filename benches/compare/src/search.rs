//! Looks for the largest number of viewers that is held.
//!
//! It doubles the number until one is not held, then halves the gap between the two.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    from: u64,
    step: u64,
    most: u64,
    held: u64,
    /// The smallest number that was not held.
    missed: Option<u64>,
}

impl Search {
    /// Begins at `from`, ends at `most` or when the gap is no wider than `step`.
    pub fn new(from: u64, step: u64, most: u64) -> Search {
        Search {
            from: from.min(most),
            step: step.max(1),
            most,
            held: 0,
            missed: None,
        }
    }

    /// The number to try; `None` when nothing is left to find.
    pub fn next(&self) -> Option<u64> {
        let next = match (self.held, self.missed) {
            (0, None) => self.from,
            (held, None) => (held * 2).min(self.most),
            (held, Some(missed)) if missed - held <= self.step => held,
            // A multiple of the step where there is one in between.
            (held, Some(missed)) => {
                let middle = (held + missed) / 2;
                let round = middle / self.step * self.step;
                if round > held { round } else { middle }
            }
        };
        (next > self.held).then_some(next)
    }

    /// Whether so many were held.
    pub fn tell(&mut self, viewers: u64, held: bool) {
        if held {
            self.held = self.held.max(viewers)
        } else {
            self.missed = Some(self.missed.map_or(viewers, |least| least.min(viewers)))
        }
    }

    /// The largest number that was held so far.
    pub fn held(&self) -> u64 {
        self.held
    }

    /// Whether a larger number might be held: nothing has been too much yet.
    pub fn is_open(&self) -> bool {
        self.missed.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is tried and what is found when this many can be held.
    fn find(mut search: Search, truth: u64) -> (Vec<u64>, u64) {
        let mut tried = Vec::new();
        while let Some(viewers) = search.next() {
            tried.push(viewers);
            search.tell(viewers, viewers <= truth);
        }
        (tried, search.held())
    }

    #[test]
    fn the_gap_is_doubled_then_halved() {
        let tried = vec![2000, 4000, 8000, 16_000, 12_000, 10_000, 9000];
        assert_eq!(find(Search::new(2000, 1000, 19_000), 9500), (tried, 9000));
    }

    #[test]
    fn what_is_found_is_within_a_step_of_the_truth() {
        for truth in 0..5000 {
            let (tried, held) = find(Search::new(300, 100, 4000), truth);
            let most = truth.min(4000);
            assert!(
                held <= most && most - held < 100,
                "{truth}: {held}, {tried:?}"
            );
            assert!(tried.len() < 14, "{tried:?}");
        }
    }

    #[test]
    fn the_most_is_the_end() {
        let mut search = Search::new(1000, 100, 1500);
        search.tell(1000, true);
        assert_eq!(search.next(), Some(1500));
        search.tell(1500, true);
        assert!(search.next().is_none() && search.is_open());
    }
}
