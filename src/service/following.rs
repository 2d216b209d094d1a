//! One stream that is published on another node and watched on this one.
//!
//! ```text
//! join request ─► snapshot: init segment, newest GOP   7 8 9 ┐
//! live subject ─► held until the snapshot is through     8 9 10 11 ├─► 7 8 9 10 11 12 … to the hub
//!                                                              12 ┘
//! ```
//!
//! Sequences of an epoch go up by one. What comes twice is dropped; where one is missing, or one is too
//! old to be shown, all is dropped up to the next join point, and viewers skip to it. An epoch ends when a
//! chunk of a higher one comes; chunks of lower ones are dropped.

use super::age::Ages;
use super::message::{Kind, Marks};
use super::parts::Assembler;
use crate::offline_reason::OfflineReason;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long an answer to a join request may take, each of its messages.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// How long after a failed request the next one is made.
const RETRY: Duration = Duration::from_millis(250);

/// How long a join point is waited for on the live subject before the newest GOP is asked for.
const GAP_PATIENCE: Duration = Duration::from_secs(1);

/// How often a node looks for a publisher while it knows none: news of one may have been lost.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Live media that are held until the snapshot is through.
const HELD_BYTES_MAX: usize = 16 << 20;

/// What a held chunk takes besides its bytes.
const HELD_CHUNK_BYTES: usize = 256;

/// What the hub is to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A publisher with this epoch comes. Its init segment follows.
    Begin(u64),
    /// The bytes of a chunk that follows the one before.
    Bytes(Bytes),
    /// What follows is not what came next: viewers skip.
    Gap,
    /// The publisher has left.
    End(OfflineReason),
}

/// What was dropped, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Losses {
    /// Chunks that were too old.
    pub stale: u64,
    /// Chunks of an epoch that is over.
    pub fenced: u64,
    /// Times that media were missing.
    pub gaps: u64,
}

#[derive(Debug)]
pub struct Following {
    max_lag: Duration,
    /// The highest that was seen; 0 before the first.
    epoch: u64,
    /// What the hub has of it.
    feed: Option<Feed>,
    /// Of a feed that is over: its origin, and the sequence that would have come.
    before: Option<(u64, u64)>,
    /// The request that is not answered to its end.
    asked: Option<Asked>,
    /// When to ask again.
    ask_at: Option<Instant>,
    /// Live chunks that wait for the snapshot, by sequence.
    held: BTreeMap<u64, (Marks, Bytes)>,
    held_bytes: usize,
    ages: Ages,
    live_parts: Assembler,
    snapshot_parts: Assembler,
    steps: Vec<Step>,
    losses: Losses,
}

#[derive(Debug, Clone, Copy)]
struct Feed {
    /// Of its sequences and generations.
    origin: u64,
    generation: u32,
    /// Sequence of the chunk to come.
    next: u64,
    /// Whether something is missing before the next chunk.
    is_broken: bool,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    ticket: u64,
    give_up_at: Instant,
    /// The first sequence behind the snapshot, once its head has come.
    until: Option<u64>,
}

/// The time by both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    pub instant: Instant,
    /// Milliseconds since 1970.
    pub unix_ms: u64,
}

impl Following {
    /// Asks at once. Chunks below this epoch are dropped.
    pub fn above(epoch: u64, max_lag: Duration, now: Instant) -> Following {
        Following {
            max_lag,
            epoch,
            feed: None,
            before: None,
            asked: None,
            ask_at: Some(now),
            held: BTreeMap::new(),
            held_bytes: 0,
            ages: Ages::default(),
            live_parts: Assembler::default(),
            snapshot_parts: Assembler::default(),
            steps: Vec::new(),
            losses: Losses::default(),
        }
    }

    /// What the hub is to do, in order.
    pub fn take_steps(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }

    pub fn take_losses(&mut self) -> Losses {
        std::mem::take(&mut self.losses)
    }

    /// The hub's publisher for it is gone: what comes begins anew.
    pub fn feed_gone(&mut self, now: Instant) {
        if self.drop_feed() {
            self.asked = None;
            self.ask_at = Some(now + RETRY);
        }
    }

    /// When [`Following::poll_ask`] has something to say.
    pub fn wake_at(&self) -> Option<Instant> {
        let give_up = self.asked.map(|asked| asked.give_up_at);
        give_up.or(self.ask_at)
    }

    /// Whether a join request is to be made now, with this ticket.
    pub fn poll_ask(&mut self, ticket: u64, now: Instant) -> bool {
        if self.asked.is_some_and(|asked| asked.give_up_at <= now) {
            self.fail(now);
        }
        if self.asked.is_some() || self.ask_at.is_none_or(|at| at > now) {
            return false;
        }
        self.ask_at = None;
        self.snapshot_parts.clear();
        self.asked = Some(Asked {
            ticket,
            give_up_at: now + ANSWER_TIMEOUT,
            until: None,
        });
        true
    }

    /// News, or a node's report, name a publisher.
    pub fn heard(&mut self, epoch: u64, now: Instant) {
        if epoch > self.epoch {
            self.asked = None;
            self.ask_by(now);
        } else if epoch == self.epoch && self.feed.is_none() {
            self.ask_by(now + RETRY);
        }
    }

    /// The bus is there, perhaps again.
    pub fn connected(&mut self, now: Instant) {
        self.ask_by(now);
    }

    pub fn disconnected(&mut self) {
        self.asked = None;
        self.ask_at = None;
        self.drop_held();
        self.live_parts.clear();
        self.break_feed();
    }

    /// A chunk, or a part of one, came on the live subject.
    pub fn live(&mut self, marks: Marks, payload: Bytes, now: Now) {
        if marks.epoch < self.epoch {
            self.losses.fenced += 1;
            return;
        }
        if marks.epoch > self.epoch {
            self.begin_epoch(&marks, now.instant);
        }
        let age = self.ages.age(marks.came_ms, now.unix_ms);
        if marks.kind != Kind::End && age > self.max_lag {
            self.losses.stale += 1;
            let is_next = |feed: &Feed| marks.sequence >= feed.next;
            if self.feed.as_ref().is_some_and(is_next) {
                self.break_feed();
                self.ask_by(now.instant + GAP_PATIENCE);
            }
            return;
        }
        let Some(bytes) = self.live_parts.push(&marks, payload) else {
            return;
        };
        if self.asked.is_some() || self.feed.is_none() {
            self.hold(marks, bytes);
            self.ask_by(now.instant);
            self.go_on_with_join_point(now.instant);
        } else {
            self.take_live(marks, bytes, now.instant);
        }
    }

    /// A message of the answer to a join request. `None`: it is none of ours, so the request failed.
    pub fn answer(&mut self, ticket: u64, marks: Option<Marks>, payload: Bytes, now: Instant) {
        let Some(asked) = self.asked.as_mut().filter(|asked| asked.ticket == ticket) else {
            return;
        };
        let Some(marks) = marks else {
            // No publisher: the news will tell of one.
            self.asked = None;
            self.drop_held();
            self.ask_at = Some(now + LOOK_AGAIN);
            return;
        };
        if marks.epoch < self.epoch {
            self.losses.fenced += 1;
            self.fail(now);
            return;
        }
        asked.give_up_at = now + ANSWER_TIMEOUT;
        let Some(bytes) = self.snapshot_parts.push(&marks, payload) else {
            return;
        };
        match marks.kind {
            Kind::Snapshot => self.begin_snapshot(marks, bytes, now),
            _ => self.take_snapshot(marks, bytes, now),
        }
        self.finish_snapshot(now);
    }

    fn ask_by(&mut self, at: Instant) {
        if self.asked.is_none() {
            self.ask_at = Some(self.ask_at.map_or(at, |other| other.min(at)));
        }
    }

    fn fail(&mut self, now: Instant) {
        self.asked = None;
        self.ask_at = Some(now + RETRY);
    }

    /// A publisher has a newer lease. Where it is the same ring that goes on, its sequences do.
    fn begin_epoch(&mut self, marks: &Marks, now: Instant) {
        let is_first = self.epoch == 0;
        self.epoch = marks.epoch;
        if self.feed.is_some_and(|feed| feed.origin == marks.origin) {
            return;
        }
        self.drop_feed();
        self.drop_held();
        self.ages = Ages::default();
        // One that is on its way may be for a node that is gone.
        if !is_first {
            self.asked = None;
        }
        self.ask_by(now);
    }

    /// Returns whether there was one.
    fn drop_feed(&mut self) -> bool {
        let dropped = self.feed.take();
        if let Some(feed) = dropped {
            self.before = Some((feed.origin, feed.next));
        }
        dropped.is_some()
    }

    fn drop_held(&mut self) {
        self.held.clear();
        self.held_bytes = 0;
    }

    fn hold(&mut self, marks: Marks, bytes: Bytes) {
        let length = bytes.len() + HELD_CHUNK_BYTES;
        if self.held.insert(marks.sequence, (marks, bytes)).is_none() {
            self.held_bytes += length;
        }
        while self.held_bytes > HELD_BYTES_MAX
            && let Some((_, (_, oldest))) = self.held.pop_first()
        {
            let length = oldest.len() + HELD_CHUNK_BYTES;
            self.held_bytes = self.held_bytes.saturating_sub(length);
        }
    }

    /// Something is missing before the next chunk.
    fn break_feed(&mut self) {
        if let Some(feed) = &mut self.feed
            && !std::mem::replace(&mut feed.is_broken, true)
        {
            self.losses.gaps += 1;
        }
    }

    /// A join point on the live subject heals a gap as well as a snapshot does.
    fn go_on_with_join_point(&mut self, now: Instant) {
        let Some(feed) = self.feed.filter(|feed| feed.is_broken) else {
            return;
        };
        if self.asked.is_some_and(|asked| asked.until.is_some()) {
            return;
        }
        let heals = |(marks, _): &&(Marks, Bytes)| {
            let is_newer = marks.sequence >= feed.next && marks.generation == feed.generation;
            marks.kind == Kind::JoinPoint && is_newer
        };
        if self.held.values().any(|one| heals(&one)) {
            self.asked = None;
            self.ask_at = None;
            self.release_held(now);
        }
    }

    fn release_held(&mut self, now: Instant) {
        let held = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        for (marks, bytes) in held.into_values() {
            self.take_live(marks, bytes, now);
        }
    }

    fn take_live(&mut self, marks: Marks, bytes: Bytes, now: Instant) {
        let Some(feed) = &mut self.feed else {
            return;
        };
        if marks.kind == Kind::End {
            self.end(&bytes);
            return;
        }
        if marks.sequence < feed.next {
            return;
        }
        let is_next = marks.sequence == feed.next && !feed.is_broken;
        match marks.kind {
            Kind::Init if is_next => feed.generation = marks.generation,
            Kind::JoinPoint if !is_next && marks.generation == feed.generation => {
                if !std::mem::replace(&mut feed.is_broken, false) {
                    self.losses.gaps += 1;
                }
                self.steps.push(Step::Gap);
                self.ask_at = None;
            }
            _ if marks.generation != feed.generation => {
                // Its init segment was missed.
                self.break_feed();
                self.ask_by(now);
                return;
            }
            _ if !is_next => {
                self.break_feed();
                self.ask_by(now + GAP_PATIENCE);
                return;
            }
            _ => {}
        }
        feed.next = marks.sequence.saturating_add(1);
        self.steps.push(Step::Bytes(bytes));
    }

    fn end(&mut self, reason: &[u8]) {
        let reason = serde_json::from_slice(reason).unwrap_or_default();
        self.steps.push(Step::End(reason));
        self.drop_feed();
        self.asked = None;
        self.ask_at = None;
        self.drop_held();
    }

    fn begin_snapshot(&mut self, marks: Marks, init: Bytes, now: Instant) {
        if marks.epoch > self.epoch {
            let asked = self.asked;
            self.begin_epoch(&marks, now);
            (self.asked, self.ask_at) = (asked, None);
        }
        let Some(asked) = &mut self.asked else {
            return;
        };
        asked.until = Some(marks.sequence.saturating_add(marks.count));
        match &mut self.feed {
            None => {
                self.steps.push(Step::Begin(marks.epoch));
                self.steps.push(Step::Bytes(init));
                // What the feed before has had does not come twice.
                let before = self.before.filter(|(origin, _)| *origin == marks.origin);
                let next = before.map_or(0, |(_, next)| next).max(marks.sequence);
                self.feed = Some(Feed {
                    origin: marks.origin,
                    generation: marks.generation,
                    next,
                    is_broken: false,
                });
            }
            Some(feed) if feed.generation != marks.generation => {
                self.steps.push(Step::Gap);
                self.steps.push(Step::Bytes(init));
                *feed = Feed {
                    origin: marks.origin,
                    generation: marks.generation,
                    next: marks.sequence.max(feed.next),
                    is_broken: false,
                };
            }
            Some(feed) => {
                if marks.sequence > feed.next {
                    self.steps.push(Step::Gap);
                    feed.next = marks.sequence;
                }
                feed.is_broken = false;
            }
        }
    }

    fn take_snapshot(&mut self, marks: Marks, bytes: Bytes, now: Instant) {
        let (Some(feed), Some(asked)) = (&mut self.feed, &self.asked) else {
            return;
        };
        if asked.until.is_none() || marks.epoch != self.epoch || marks.sequence < feed.next {
            return;
        }
        if marks.sequence > feed.next || marks.generation != feed.generation {
            self.break_feed();
            self.fail(now);
            return;
        }
        feed.next = feed.next.saturating_add(1);
        self.steps.push(Step::Bytes(bytes));
    }

    /// The snapshot is through: what came live meanwhile follows.
    fn finish_snapshot(&mut self, now: Instant) {
        let (Some(feed), Some(asked)) = (&self.feed, &self.asked) else {
            return;
        };
        if asked.until.is_some_and(|until| feed.next >= until) {
            self.asked = None;
            self.ask_at = None;
            self.release_held(now);
        }
    }
}

#[cfg(test)]
mod tests;
