//! Where chunks begin in a recording that is being written: the newest of them, and older join points.

use std::collections::VecDeque;

/// Chunks whose places are known, the newest: some minutes of them, and more than a ring has as a rule.
pub(super) const RECENT_MARKS_MAX: usize = 8192;

/// Older join points whose places are known. Once there are more, each second one is forgotten, and of those
/// that follow as well: 24 h with a keyframe each two seconds are known by each second one.
pub(super) const JOIN_MARKS_MAX: usize = 32_768;

/// The least that a file has of each of them, however many files share the memory.
pub(super) const MARKS_LEAST: usize = 64;

/// Where one chunk of the stream begins in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub sequence: u64,
    pub offset: u64,
    pub timestamp_ms: u64,
    pub came_ms: u64,
    pub is_join_point: bool,
}

/// A mark, and what was before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    pub(super) mark: Mark,
    /// The sequence behind the chunk before. Another one than the mark's own where chunks are missing.
    pub(super) follows: u64,
}

impl Placed {
    pub(super) fn is_behind_gap(&self) -> bool {
        self.follows != self.mark.sequence
    }
}

#[derive(Default)]
pub(super) struct Index {
    /// Join points older than `recent`, and chunks behind a gap. Both ascend.
    pub(super) joins: Vec<Placed>,
    pub(super) recent: VecDeque<Placed>,
    /// Each 2^`sparse`-th join point comes into `joins`, counted by `passed`.
    sparse: u32,
    passed: u64,
    /// Up to where the file is written, and the sequence of the chunk that comes there.
    pub(super) end: u64,
    pub(super) next: u64,
}

/// How many marks one file may have. Powers of two, as which tables grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MarksMax {
    recent: usize,
    joins: usize,
}

impl MarksMax {
    pub(super) const ALL: MarksMax = MarksMax {
        recent: RECENT_MARKS_MAX,
        joins: JOIN_MARKS_MAX,
    };

    /// Those that fit in this memory.
    pub(super) fn within(bytes: usize) -> MarksMax {
        // The largest power of two in a half of it.
        let half = bytes / size_of::<Placed>() / 2;
        let most = (half / 2 + 1).next_power_of_two().max(MARKS_LEAST);
        MarksMax {
            recent: most.min(RECENT_MARKS_MAX),
            joins: most.min(JOIN_MARKS_MAX),
        }
    }
}

impl Index {
    pub(super) fn add(&mut self, mark: Mark, most: MarksMax) {
        let follows = if self.next == 0 {
            mark.sequence
        } else {
            self.next
        };
        self.next = mark.sequence + 1;
        while self.recent.len() >= most.recent
            && let Some(old) = self.recent.pop_front()
        {
            self.keep_join(old, most);
        }
        self.recent.push_back(Placed { mark, follows });
        // Others have come to share the memory.
        self.recent.shrink_to(most.recent);
        self.joins.shrink_to(most.joins);
    }

    fn keep_join(&mut self, old: Placed, most: MarksMax) {
        let is_due = old.mark.is_join_point && self.passed.is_multiple_of(1 << self.sparse);
        self.passed += u64::from(old.mark.is_join_point);
        if !is_due && !old.is_behind_gap() {
            return;
        }
        if self.joins.len() >= most.joins {
            self.thin_joins(most.joins);
        }
        self.joins.push(old);
    }

    /// Makes room for more. The oldest gaps are forgotten only where nearly all are gaps.
    fn thin_joins(&mut self, most: usize) {
        while self.joins.len() > most / 2 {
            let before = self.joins.len();
            let mut number = 0;
            self.joins.retain(|placed| {
                number += u32::from(!placed.is_behind_gap());
                number % 2 == 1 || placed.is_behind_gap()
            });
            let forgotten = before - self.joins.len();
            self.sparse += u32::from(forgotten > 0);
            if forgotten < most / 8 {
                self.joins
                    .drain(..self.joins.len().saturating_sub(most / 2));
            }
        }
    }

    fn joins(&self) -> impl DoubleEndedIterator<Item = &Mark> {
        let placed = self.joins.iter().chain(&self.recent);
        let marks = placed.map(|placed| &placed.mark);
        marks.filter(|mark| mark.is_join_point)
    }

    /// The newest join point that came at this time at the latest, or the oldest there is.
    pub(super) fn came_by(&self, came_ms: u64) -> Option<Mark> {
        let newest = self.joins().rfind(|mark| mark.came_ms <= came_ms);
        newest.or_else(|| self.joins().next()).copied()
    }

    /// The chunk with this sequence, or the next join point behind it.
    pub(super) fn from(&self, sequence: u64) -> Option<Mark> {
        let at = self
            .recent
            .binary_search_by_key(&sequence, |placed| placed.mark.sequence);
        if let Ok(at) = at {
            return Some(self.recent[at].mark);
        }
        self.joins().find(|mark| mark.sequence >= sequence).copied()
    }

    /// How many chunks are missing before the one at this place.
    pub(super) fn missed_at(&self, offset: u64) -> u64 {
        let at = self
            .joins
            .binary_search_by_key(&offset, |placed| placed.mark.offset);
        let recent = self
            .recent
            .binary_search_by_key(&offset, |placed| placed.mark.offset);
        let placed = at.ok().map(|at| &self.joins[at]);
        let placed = placed.or_else(|| recent.ok().map(|at| &self.recent[at]));
        placed.map_or(0, |placed| placed.mark.sequence - placed.follows)
    }

    /// The newest mark up to this place.
    pub(super) fn passed(&self, offset: u64) -> Option<Mark> {
        let is_passed = |placed: &Placed| placed.mark.offset <= offset;
        let recent = self.recent.partition_point(is_passed);
        let placed = match recent.checked_sub(1) {
            Some(at) => self.recent.get(at),
            None => self.joins[..self.joins.partition_point(is_passed)].last(),
        };
        placed.map(|placed| placed.mark)
    }

    /// The first mark in this part of the file at which a stretch ends: the ring has it, or chunks are
    /// missing before it.
    pub(super) fn end_within(&self, from: u64, until: u64, ring_oldest: u64) -> Option<&Placed> {
        let is_before = |placed: &Placed| placed.mark.offset <= from;
        let joins = &self.joins[self.joins.partition_point(is_before)..];
        let recent = self.recent.range(self.recent.partition_point(is_before)..);
        let within = joins.iter().chain(recent);
        let mut within = within.take_while(|placed| placed.mark.offset <= until);
        within.find(|placed| placed.is_behind_gap() || placed.mark.sequence >= ring_oldest)
    }
}
