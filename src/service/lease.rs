//! The lease of one stream's publisher: three plain requests against a bucket that JetStream keeps in a
//! file.
//!
//! ```text
//!   Create the bucket, where that is not known to be there
//!   Read ──► free: Write, expecting revision 0 ──► Held ──► renewed each 2 s: Write, expecting its revision
//!    ▲   └─► another node's: Write, expecting that revision: a takeover      │ refused
//!    └──────────────────────────────────── refused: another was quicker ◄────┘
//! ```
//!
//! The revision of the first write is the epoch of all that is published under the lease: revisions only
//! go up, so the epoch of a newer publisher is higher. What the server does not renew is gone after
//! [`MAX_AGE`].
//!
//! A publisher that has just come takes the stream over, as it does within one process, from each that was
//! there before: a lease says how long its publisher had been there when it was written. Where an answer is late
//! and that does not tell which of two is the newer one, clocks decide. One that was there before the bus was goes
//! after a newer one, by the time at which both came. So does one that was cut off and finds another publisher's
//! lease when it is back, unless that one has come meanwhile and taken it over.

use super::message::Message;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Leases that are not renewed are gone after this time.
pub const MAX_AGE: Duration = Duration::from_secs(6);

/// How often a lease is renewed.
const RENEWAL: Duration = Duration::from_secs(2);

/// How long the server has for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(1500);

/// How long after an error the next try comes.
const RETRY: Duration = Duration::from_millis(500);

/// A publisher that came so lately, while the bus was there, takes the stream over from one that was there before
/// it, whatever other nodes' clocks say: what a third one has taken since then has not run out.
const NEWCOMER: Duration = MAX_AGE;

/// Of two that came within this time, each may be the newer one. It is long enough for the first answers of a
/// server that is far away, and shorter than clocks of nodes may differ.
const AT_ONCE: Duration = Duration::from_millis(250);

/// JetStream's "wrong last sequence".
const WRONG_LAST_SEQUENCE: u64 = 10071;

/// JetStream's "stream name already in use with a different configuration": the bucket is an operator's.
const BUCKET_IS_THERE: u64 = 10058;

/// How long a publisher may be without a lease while the bus is there, before the log says so.
const PATIENCE: Duration = Duration::from_secs(5);

/// A request to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    Read,
    /// Writes the lease if its revision is this; 0 for none.
    Write {
        expected: u64,
    },
    /// Gives it back, if its revision is this. No answer is waited for.
    Release {
        expected: u64,
    },
    CreateBucket,
}

/// What became of the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Taken, with this epoch.
    Taken(u64),
    /// A newer publisher has it, with this epoch; 0 where its node does not say.
    Lost(u64),
    /// The bucket is there.
    HasBucket,
}

/// What is written as the lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub node: String,
    /// Names the process.
    pub instance: String,
    /// When the publisher came, in milliseconds since 1970.
    pub since_ms: u64,
    /// For how long it had been there when this was written, in milliseconds: no clock needs to be right for it.
    #[serde(default)]
    pub age_ms: u64,
    /// The epoch that it is held with; 0 in the write that takes it, whose revision is the epoch.
    #[serde(default)]
    pub epoch: Option<u64>,
    /// Whether it had just come when it took the lease: so it is newer than all that had it before.
    #[serde(default)]
    pub takes_over: bool,
}

impl Holder {
    /// The epoch of a lease that has this revision; 0 where that is not known.
    fn epoch_at(&self, revision: u64) -> u64 {
        match self.epoch {
            Some(0) => revision,
            Some(epoch) => epoch,
            None => 0,
        }
    }
}

#[derive(Debug)]
pub struct Lease {
    holder: Holder,
    came_at: Instant,
    /// Whether the bus has been there since the publisher came.
    is_newcomer: bool,
    state: State,
    /// The epoch that it was taken with, and the revision it has now. Stay while it is not renewed.
    held: Option<Held>,
    /// The epoch that it was held with last; 0 before.
    last_epoch: u64,
    /// The bus is there since then.
    connected_at: Option<Instant>,
    /// Whether the log has said that no lease is to be had.
    is_missed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    epoch: u64,
    revision: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No request before then.
    Idle { until: Instant },
    /// A request is on its way.
    Asking {
        ticket: u64,
        what: Asked,
        give_up_at: Instant,
    },
    /// Another publisher has the stream.
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Read,
    /// Takes it.
    Take,
    Renew,
    Create,
}

impl Lease {
    /// A publisher came at `now`.
    pub fn new(holder: Holder, is_connected: bool, now: Instant) -> Lease {
        Lease {
            holder,
            came_at: now,
            is_newcomer: is_connected,
            state: State::Idle { until: now },
            held: None,
            last_epoch: 0,
            connected_at: is_connected.then_some(now),
            is_missed: false,
        }
    }

    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// The epoch that chunks are published with; `None` while the lease is not confirmed.
    pub fn epoch(&self) -> Option<u64> {
        let is_lost = self.state == State::Lost;
        self.held.filter(|_| !is_lost).map(|held| held.epoch)
    }

    /// The epoch of what was published under it last; 0 where nothing was.
    pub fn last_epoch(&self) -> u64 {
        self.last_epoch
    }

    pub fn connected(&mut self, now: Instant) {
        self.connected_at = Some(now);
        self.idle(now);
    }

    pub fn disconnected(&mut self, now: Instant) {
        self.connected_at = None;
        self.is_newcomer = false;
        self.idle(now);
    }

    fn idle(&mut self, until: Instant) {
        if self.state != State::Lost {
            self.state = State::Idle { until };
        }
    }

    pub fn wake_at(&self) -> Option<Instant> {
        match self.state {
            State::Idle { until } if self.connected_at.is_some() => Some(until),
            State::Asking { give_up_at, .. } => Some(give_up_at),
            State::Idle { .. } | State::Lost => None,
        }
    }

    /// Whether the server has given no lease for too long. Says so once.
    pub fn poll_missed(&mut self, now: Instant) -> bool {
        let since = self
            .connected_at
            .filter(|_| self.held.is_none() && self.state != State::Lost);
        let is_missed = since.is_some_and(|since| now.saturating_duration_since(since) > PATIENCE);
        is_missed && !std::mem::replace(&mut self.is_missed, true)
    }

    /// Whether a request has had no answer: the bucket may be gone.
    pub fn is_unanswered(&self, now: Instant) -> bool {
        matches!(self.state, State::Asking { give_up_at, .. } if give_up_at <= now)
    }

    /// The request that is due now. `ticket` names its answer.
    pub fn poll(&mut self, ticket: u64, has_bucket: bool, now: Instant) -> Option<Request> {
        if let State::Asking { give_up_at, .. } = self.state
            && give_up_at <= now
        {
            self.idle(now);
        }
        if self.connected_at.is_none()
            || !matches!(self.state, State::Idle { until } if until <= now)
        {
            return None;
        }
        let (what, request) = match self.held {
            _ if !has_bucket => (Asked::Create, Request::CreateBucket),
            None => (Asked::Read, Request::Read),
            Some(Held { revision, epoch }) => {
                self.holder.epoch = Some(epoch);
                (Asked::Renew, Request::Write { expected: revision })
            }
        };
        self.holder.age_ms = self.age(now).as_millis() as u64;
        self.ask(what, ticket, now);
        Some(request)
    }

    /// For how long the publisher has been there.
    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.came_at)
    }

    fn ask(&mut self, what: Asked, ticket: u64, now: Instant) {
        self.state = State::Asking {
            ticket,
            what,
            give_up_at: now + ANSWER_TIMEOUT,
        };
    }

    /// The answer to a request has come. Returns the next request, to be made with `next_ticket`, and what
    /// became of the lease.
    pub fn answer(
        &mut self,
        ticket: u64,
        message: &Message,
        next_ticket: u64,
        now: Instant,
    ) -> (Option<Request>, Option<Change>) {
        let State::Asking {
            ticket: asked,
            what,
            ..
        } = self.state
        else {
            return (None, None);
        };
        if asked != ticket {
            return (None, None);
        }
        match what {
            Asked::Read => self.answer_read(message, next_ticket, now),
            Asked::Take | Asked::Renew => (None, self.answer_write(what, message, now)),
            Asked::Create => {
                let ack = serde_json::from_slice::<Ack>(&message.payload).ok();
                let is_there = ack.is_some_and(|ack| {
                    ack.error
                        .is_none_or(|error| error.err_code == BUCKET_IS_THERE)
                });
                self.idle(if is_there { now } else { now + RETRY });
                (None, is_there.then_some(Change::HasBucket))
            }
        }
    }

    fn answer_read(
        &mut self,
        message: &Message,
        next_ticket: u64,
        now: Instant,
    ) -> (Option<Request>, Option<Change>) {
        let revision = message.number("Nats-Sequence");
        let mut takes_over = self.is_newcomer && self.age(now) < NEWCOMER;
        let expected = match (message.status, revision) {
            (None, Some(revision)) => {
                let is_deleted = message.header("KV-Operation").is_some();
                let other: Option<Holder> = serde_json::from_slice(&message.payload).ok();
                let other =
                    other.filter(|other| !is_deleted && other.instance != self.holder.instance);
                if let Some(other) = other {
                    takes_over &= self.came_after(&other, now);
                    if self.goes_after(&other, takes_over) {
                        self.state = State::Lost;
                        return (None, Some(Change::Lost(other.epoch_at(revision))));
                    }
                }
                revision
            }
            (Some(404), _) => 0,
            // An error of the server.
            _ => {
                self.idle(now + RETRY);
                return (None, None);
            }
        };
        self.holder.takes_over = takes_over;
        self.holder.age_ms = self.age(now).as_millis() as u64;
        self.holder.epoch = Some(0);
        self.ask(Asked::Take, next_ticket, now);
        (Some(Request::Write { expected }), None)
    }

    /// Whether our publisher came after this one, as far as that is known without clocks: the other one was there
    /// for longer already when its lease was written.
    fn came_after(&self, other: &Holder, now: Instant) -> bool {
        let age = self.age(now);
        age < AT_ONCE || Duration::from_millis(other.age_ms) >= age
    }

    /// Whether the publisher that has the lease now is newer than ours.
    fn goes_after(&self, other: &Holder, takes_over: bool) -> bool {
        let was_taken_over = other.takes_over && self.last_epoch > 0;
        let own = &self.holder;
        // Of two that came in the same millisecond, each finds the same one newer.
        let is_newer = (other.since_ms, &other.instance) > (own.since_ms, &own.instance);
        was_taken_over || (!takes_over && is_newer)
    }

    fn answer_write(&mut self, what: Asked, message: &Message, now: Instant) -> Option<Change> {
        let ack: Option<Ack> = serde_json::from_slice(&message.payload).ok();
        match ack {
            Some(Ack {
                seq: Some(revision),
                error: None,
            }) => {
                let renewed = self.held.filter(|_| what == Asked::Renew);
                let epoch = renewed.map_or(revision, |held| held.epoch);
                self.held = Some(Held { epoch, revision });
                self.last_epoch = epoch;
                self.idle(now + RENEWAL);
                renewed.is_none().then_some(Change::Taken(epoch))
            }
            // It ran out, or another publisher has it: reading tells.
            Some(Ack {
                error: Some(error), ..
            }) if error.err_code == WRONG_LAST_SEQUENCE => {
                self.held = None;
                self.idle(now);
                None
            }
            _ => {
                self.idle(now + RETRY);
                None
            }
        }
    }

    /// Another node tells of a lease of its own, with this epoch, and whether its publisher takes the stream
    /// over. Returns whether our lease is lost by that; if not, reads the server's at once.
    pub fn heard(&mut self, epoch: u64, takes_over: bool, now: Instant) -> bool {
        if self.epoch().is_none_or(|own| own >= epoch) {
            return false;
        }
        if takes_over {
            self.state = State::Lost;
        } else if matches!(self.state, State::Idle { .. }) {
            self.idle(now);
        }
        takes_over
    }

    /// The publisher has left. Returns the last request, if there is one.
    pub fn release(&self) -> Option<Request> {
        let held = self
            .held
            .filter(|_| self.state != State::Lost && self.connected_at.is_some())?;
        Some(Request::Release {
            expected: held.revision,
        })
    }
}

/// JetStream's answer to a write, or to what makes the bucket.
#[derive(Debug, Deserialize)]
struct Ack {
    seq: Option<u64>,
    error: Option<AckError>,
}

#[derive(Debug, Deserialize)]
struct AckError {
    #[serde(default)]
    err_code: u64,
}

#[cfg(test)]
mod tests;
