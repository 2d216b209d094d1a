//! How much work a turn of the event loop does, counted instead of timed.
//!
//! A byte count says little about the work that bytes cause: 1 MiB is one keyframe, or a million
//! laced frames of one byte. So every step has a price, and the sum of prices is bounded.
//!
//! ```text
//! Budget (one turn) ─► Work (the share of one publisher) ─► spend(price) … is_spent()
//!                  ◄── what is left, or overdrawn: then the next shares pay it back
//! ```
//!
//! Prices are nominal nanoseconds: what the step takes on one slow core, rounded up, from
//! `benches/ingest` and the floods of `tests/strain/work_per_turn.rs`. No clock is read, so the same bytes
//! cost the same everywhere, and a test can count.

/// Work for all publishers of one turn together: 3 ms.
///
/// Viewers are written to between two turns, so this and the 4 ms of writing are how long media wait
/// for the media of others. Longer turns would gain nothing: a turn that ends early goes on at once.
pub const TURN_WORK: u64 = 3_000_000;

/// Least share of one publisher in a turn, 1/128 of it: below, visiting costs more than the work.
///
/// With the default of 256 streams, every publisher is served at least every second turn.
pub const SHARE_MIN: u64 = TURN_WORK / 128;

/// Work for all answers of one turn that tell of all streams: 2 ms.
pub const READS_WORK: u64 = 2_000_000;

/// Work for deadlines in one turn: 2 ms. The others have theirs in the next turn.
pub const DEADLINES_WORK: u64 = 2_000_000;

/// Work for media whose time has come by the clock, in one turn: 2 ms.
pub const MEDIA_CLOCK_WORK: u64 = 2_000_000;

/// One read from a socket.
pub const READ: u64 = 3_000;
/// One read from an encrypted socket: some records, each with its own overhead.
pub const READ_ENCRYPTED: u64 = 20_000;
/// One byte read: copied by the kernel, unmasked, looked at.
pub const BYTE: u64 = 1;
/// One WebSocket frame, however empty.
pub const FRAME: u64 = 500;
/// One WebSocket message, or one HTTP chunk of a body.
pub const MESSAGE: u64 = 150;
/// One element of WebM, whatever becomes of it.
pub const ELEMENT: u64 = 40;
/// One byte of an element whose children are read one by one. As a rule there are few; the smallest
/// has two bytes, and takes about 10 ns.
pub const BYTE_OF_CHILDREN: u64 = 2;
/// One block, or one frame of a lace, from the segmenter to the chunk.
pub const BLOCK: u64 = 300;
/// One chunk in the ring, and one that leaves it.
pub const CHUNK: u64 = 500;
/// One recording that begins: its tracks are compared, or make a new init segment.
pub const RECORDING: u64 = 20_000;

/// One stream in an answer that tells of all of them.
pub const REPORT: u64 = 8_000;
/// The last hour of one stream, as an event.
pub const HISTORY: u64 = 150_000;
/// One look at a connection's deadlines.
pub const LOOK: u64 = 50;
/// One connection that is refused, asked whether it is there, or closed.
pub const DEADLINE: u64 = 10_000;
/// One chunk of a ring that is dropped as a whole.
pub const CHUNK_DROPPED: u64 = 80;

/// The work that one party may still do in this turn.
#[derive(Debug)]
pub struct Work {
    granted: i64,
    /// Below zero: overdrawn by the last step.
    left: i64,
}

impl Work {
    pub fn new(share: u64) -> Work {
        let granted = signed(share);
        Work {
            granted,
            left: granted,
        }
    }

    /// For tools and tests, which may take as long as they take.
    pub fn unlimited() -> Work {
        Work::new(u64::MAX)
    }

    /// Pays for a step. A step is never refused: the last one overdraws.
    pub fn spend(&mut self, price: u64) {
        self.left = self.left.saturating_sub(signed(price));
    }

    pub fn is_spent(&self) -> bool {
        self.left <= 0
    }

    /// The work done so far.
    pub fn done(&self) -> u64 {
        self.granted.saturating_sub(self.left).unsigned_abs()
    }
}

/// The work of one turn, and how it is shared.
#[derive(Debug)]
pub struct Budget {
    total: Work,
    share: u64,
}

impl Budget {
    /// Shared evenly by `waiting` parties, but no share is below `share_min`: then some parties wait
    /// for the next turn.
    pub fn new(total: u64, share_min: u64, waiting: usize) -> Budget {
        let waiting = u64::try_from(waiting).unwrap_or(u64::MAX).max(1);
        Budget {
            total: Work::new(total),
            share: (total / waiting).max(share_min),
        }
    }

    pub fn is_spent(&self) -> bool {
        self.total.is_spent()
    }

    /// The work done so far by all parties.
    pub fn done(&self) -> u64 {
        self.total.done()
    }

    /// Pays for a step that belongs to no share.
    pub fn spend(&mut self, price: u64) {
        self.total.spend(price);
    }
}

/// Work that one party overdrew, and pays for with its next shares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Debt(u64);

impl Debt {
    /// The party's share of `budget`, less its debt. `None` when the debt takes the whole share.
    pub fn draw(&mut self, budget: &Budget) -> Option<Work> {
        let paid = budget.share.min(self.0);
        self.0 -= paid;
        (paid < budget.share).then(|| Work::new(budget.share - paid))
    }

    /// Counts a share that was worked with. What was overdrawn is added to the debt.
    pub fn settle(&mut self, share: &Work, budget: &mut Budget) {
        budget.spend(share.done());
        self.0 = self.0.saturating_add(share.left.min(0).unsigned_abs());
    }
}

fn signed(price: u64) -> i64 {
    i64::try_from(price).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    #[test]
    fn last_step_overdraws_and_the_next_shares_pay_for_it() {
        let mut budget = Budget::new(1000, 10, 10);
        let mut debt = Debt::default();
        let mut work = debt.draw(&budget).expect("no debt yet");
        work.spend(90);
        assert!(!work.is_spent());
        work.spend(160);
        assert!(work.is_spent());
        debt.settle(&work, &mut budget);
        assert_eq!((budget.done(), debt), (250, Debt(150)));
        assert!(debt.draw(&budget).is_none());
        assert_eq!(debt, Debt(50));
        let mut work = debt.draw(&budget).expect("half a share is left");
        work.spend(50);
        assert!(work.is_spent() && debt == Debt(0));
    }

    #[test]
    fn budget_ends_when_the_shares_of_all_are_done() {
        let mut budget = Budget::new(1000, 300, 64);
        for expected in [300, 600, 900, 1200] {
            assert!(!budget.is_spent());
            let mut work = Debt::default().draw(&budget).expect("no debt");
            work.spend(300);
            Debt::default().settle(&work, &mut budget);
            assert_eq!(budget.done(), expected);
        }
        assert!(budget.is_spent());
    }

    #[test]
    fn unlimited_work_is_never_spent() {
        let mut work = Work::unlimited();
        work.spend(1 << 62);
        assert!(!work.is_spent());
    }

    /// As the event loop does it: a publisher that was visited and has more goes to the back of the queue.
    #[test]
    fn party_with_little_work_is_served_every_second_turn_beside_floods() {
        for (floods, turns_max) in [(1, 1), (64, 1), (127, 1), (255, 2)] {
            // The largest steps of a flood cost two shares.
            let steps = [40, 3_000, 250, 2 * SHARE_MIN];
            let mut debts = vec![Debt::default(); floods + 1];
            let mut queue: VecDeque<usize> = (0..=floods).collect();
            let mut served_at = Vec::new();
            for turn in 0..100 {
                let mut budget = Budget::new(TURN_WORK, SHARE_MIN, queue.len());
                for _ in 0..queue.len() {
                    if budget.is_spent() {
                        break;
                    }
                    let party = queue.pop_front().expect("as many as were counted");
                    queue.push_back(party);
                    let Some(mut work) = debts[party].draw(&budget) else {
                        continue;
                    };
                    if party == floods {
                        served_at.push(turn);
                        work.spend(READ + 10 * BLOCK);
                    } else {
                        for step in steps.iter().cycle().skip(turn) {
                            work.spend(*step);
                            if work.is_spent() {
                                break;
                            }
                        }
                    }
                    debts[party].settle(&work, &mut budget);
                }
                assert!(budget.done() <= TURN_WORK + 2 * SHARE_MIN);
            }
            let late = served_at.windows(2).map(|two| two[1] - two[0]).max();
            // When all floods overdraw in the same round, at worst.
            assert!(
                late.is_some_and(|late| late <= 3 * turns_max),
                "{floods}: {late:?}"
            );
            assert!(
                served_at.len() * (turns_max + 1) >= 100,
                "{floods}: {served_at:?}"
            );
        }
    }
}
