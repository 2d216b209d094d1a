//! The hook's recent verdicts, so that a page, its socket and its pictures ask only once.

use crate::session::{QuestionId, Verdict};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Answers that are remembered, for all clients together: some 100 bytes each, so a crowd that
/// guesses keys fills half a megabyte.
const VERDICTS_MAX: usize = 4096;

/// Verdicts, each for as long as any other.
#[derive(Debug)]
pub struct Verdicts {
    lifetime: Duration,
    known: HashMap<QuestionId, Verdict>,
    /// Oldest first. Invariant: each of `known` is here once, and nothing else.
    until: VecDeque<(Instant, QuestionId)>,
}

impl Verdicts {
    /// With a lifetime of zero nothing is remembered.
    pub fn new(lifetime: Duration) -> Verdicts {
        Verdicts {
            lifetime,
            known: HashMap::new(),
            until: VecDeque::new(),
        }
    }

    pub fn find(&mut self, question: &QuestionId, now: Instant) -> Option<Verdict> {
        self.forget_old(now);
        self.known.get(question).copied()
    }

    pub fn remember(&mut self, question: QuestionId, verdict: Verdict, now: Instant) {
        self.forget_old(now);
        if self.lifetime.is_zero() {
            return;
        }
        // A known question is not asked again, so it should not be here; if it is, it keeps its
        // time.
        if let Some(known) = self.known.get_mut(&question) {
            *known = verdict;
            return;
        }
        if self.known.len() >= VERDICTS_MAX {
            self.forget_oldest();
        }
        self.known.insert(question, verdict);
        self.until.push_back((now + self.lifetime, question));
    }

    fn forget_old(&mut self, now: Instant) {
        while self.until.front().is_some_and(|(until, _)| now >= *until) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, question)) = self.until.pop_front() {
            self.known.remove(&question);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(number: usize) -> QuestionId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_le_bytes());
        id
    }

    #[test]
    fn verdict_is_valid_for_its_lifetime_and_its_question() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut verdicts = Verdicts::new(Duration::from_secs(10));
        verdicts.remember(question(1), Verdict::Allowed, start);
        verdicts.remember(question(2), Verdict::Forbidden, after(5));
        assert_eq!(
            verdicts.find(&question(1), after(9)),
            Some(Verdict::Allowed)
        );
        assert_eq!(
            verdicts.find(&question(2), after(9)),
            Some(Verdict::Forbidden)
        );
        assert_eq!(verdicts.find(&question(3), after(9)), None);
        assert_eq!(verdicts.find(&question(1), after(10)), None);
        assert_eq!(
            verdicts.find(&question(2), after(14)),
            Some(Verdict::Forbidden)
        );
        assert_eq!(verdicts.find(&question(2), after(15)), None);
        assert!(verdicts.known.is_empty() && verdicts.until.is_empty());
    }

    #[test]
    fn the_oldest_verdicts_make_room_for_new_ones() {
        let now = Instant::now();
        let mut verdicts = Verdicts::new(Duration::from_secs(10));
        for number in 0..VERDICTS_MAX + 3 {
            verdicts.remember(question(number), Verdict::Allowed, now);
            verdicts.remember(question(number), Verdict::Unauthorized, now);
        }
        assert_eq!(verdicts.known.len(), VERDICTS_MAX);
        assert_eq!(verdicts.until.len(), VERDICTS_MAX);
        assert_eq!(verdicts.find(&question(2), now), None);
        assert_eq!(
            verdicts.find(&question(3), now),
            Some(Verdict::Unauthorized)
        );
    }

    #[test]
    fn without_a_lifetime_nothing_is_remembered() {
        let now = Instant::now();
        let mut verdicts = Verdicts::new(Duration::ZERO);
        verdicts.remember(question(1), Verdict::Allowed, now);
        assert_eq!(verdicts.find(&question(1), now), None);
        assert!(verdicts.until.is_empty());
    }
}
