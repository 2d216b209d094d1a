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
//! A publisher that has just come takes the stream over, as it does within one process. One that was there
//! before the bus was goes after a newer one, by the time at which both came.

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

/// A publisher that came so lately, while the bus was there, takes the stream over, whatever other nodes'
/// clocks say.
const NEWCOMER: Duration = Duration::from_secs(10);

/// JetStream's "wrong last sequence".
const WRONG_LAST_SEQUENCE: u64 = 10071;

/// JetStream's "stream name already in use with a different configuration": the bucket is an operator's.
const BUCKET_IS_THERE: u64 = 10058;

/// How long a publisher may be without a lease while the bus is there, before the log says so.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is asked of the server.
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
    /// A newer publisher has it.
    Lost,
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
    /// Until then nothing is asked.
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
            Some(Held { revision, .. }) => (Asked::Renew, Request::Write { expected: revision }),
        };
        self.ask(what, ticket, now);
        Some(request)
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
        let expected = match (message.status, revision) {
            (None, Some(revision)) => {
                let is_deleted = message.header("KV-Operation").is_some();
                let other: Option<Holder> = serde_json::from_slice(&message.payload).ok();
                let other =
                    other.filter(|other| !is_deleted && other.instance != self.holder.instance);
                let is_newcomer =
                    self.is_newcomer && now.saturating_duration_since(self.came_at) < NEWCOMER;
                if other.is_some_and(|other| !is_newcomer && other.since_ms > self.holder.since_ms)
                {
                    self.state = State::Lost;
                    return (None, Some(Change::Lost));
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
        self.ask(Asked::Take, next_ticket, now);
        (Some(Request::Write { expected }), None)
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

    /// Another node tells of a lease of its own, with this epoch. Returns whether ours is lost by that.
    pub fn heard(&mut self, epoch: u64) -> bool {
        let is_lost = self.epoch().is_some_and(|own| own < epoch);
        if is_lost {
            self.state = State::Lost;
        }
        is_lost
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
mod tests {
    use super::*;

    fn holder(instance: &str, since_ms: u64) -> Holder {
        Holder {
            node: instance.to_uppercase(),
            instance: instance.to_owned(),
            since_ms,
        }
    }

    /// The server's answer to a read.
    fn found(holder: &Holder, revision: u64) -> Message {
        let mut message = Message::new("x", serde_json::to_vec(holder).unwrap());
        message.set("Nats-Sequence", revision);
        message
    }

    fn status(status: u16) -> Message {
        Message {
            status: Some(status),
            ..Message::new("x", &b""[..])
        }
    }

    fn written(revision: u64) -> Message {
        Message::new("x", format!(r#"{{"stream":"KV_v","seq":{revision}}}"#))
    }

    fn refused() -> Message {
        let text = r#"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence"}}"#;
        Message::new("x", text)
    }

    const TAKE: fn(u64) -> Option<Request> = |expected| Some(Request::Write { expected });

    #[test]
    fn free_lease_is_taken_renewed_and_given_back() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut lease = Lease::new(holder("a", 5), true, start);
        assert_eq!(
            (lease.poll(1, true, start), lease.epoch()),
            (Some(Request::Read), None)
        );
        assert_eq!(lease.answer(1, &status(404), 2, start), (TAKE(0), None));
        let taken = Some(Change::Taken(7));
        assert_eq!(lease.answer(2, &written(7), 3, start), (None, taken));
        assert_eq!(
            (lease.poll(3, true, after(1)), lease.wake_at()),
            (None, Some(after(2)))
        );
        assert_eq!(lease.poll(3, true, after(2)), TAKE(7));
        // An answer that is late or another's changes nothing.
        assert_eq!(lease.answer(2, &refused(), 4, after(2)), (None, None));
        assert_eq!(lease.answer(3, &written(9), 4, after(2)), (None, None));
        assert_eq!(lease.epoch(), Some(7));
        assert_eq!(lease.release(), Some(Request::Release { expected: 9 }));
    }

    #[test]
    fn newcomer_takes_the_lease_of_another_node_and_of_two_the_later_write_wins() {
        let now = Instant::now();
        let mut first = Lease::new(holder("a", 9), true, now);
        let mut second = Lease::new(holder("b", 5), true, now);
        let other = holder("c", 100);
        for lease in [&mut first, &mut second] {
            assert_eq!(lease.poll(1, true, now), Some(Request::Read));
            assert_eq!(lease.answer(1, &found(&other, 3), 2, now), (TAKE(3), None));
        }
        assert_eq!(
            first.answer(2, &written(4), 3, now).1,
            Some(Change::Taken(4))
        );
        assert_eq!(second.answer(2, &refused(), 3, now), (None, None));
        assert_eq!(second.poll(3, true, now), Some(Request::Read));
        assert_eq!(
            second.answer(3, &found(first.holder(), 4), 4, now),
            (TAKE(4), None)
        );
        assert_eq!(
            second.answer(4, &written(5), 5, now).1,
            Some(Change::Taken(5))
        );
        assert!(first.heard(5) && first.epoch().is_none() && first.release().is_none());
        assert!(!second.heard(4));
    }

    #[test]
    fn publisher_of_before_goes_after_a_newer_one_and_takes_an_older_ones_lease() {
        let start = Instant::now();
        let later = start + NEWCOMER;
        for (since_ms, outcome) in [(50, (None, Some(Change::Lost))), (20, (TAKE(3), None))] {
            let mut lease = Lease::new(holder("a", 30), false, start);
            assert_eq!((lease.poll(1, true, later), lease.wake_at()), (None, None));
            lease.connected(later);
            assert_eq!(lease.poll(1, true, later), Some(Request::Read));
            let other = found(&holder("b", since_ms), 3);
            assert_eq!(lease.answer(1, &other, 2, later), outcome);
        }
    }

    #[test]
    fn lease_that_ran_out_is_taken_with_a_higher_epoch() {
        let now = Instant::now();
        let mut lease = Lease::new(holder("a", 30), true, now);
        lease.poll(1, true, now);
        lease.answer(1, &status(404), 2, now);
        lease.answer(2, &written(7), 3, now);
        lease.disconnected(now);
        // It goes on with its epoch while the bus is away.
        assert_eq!((lease.epoch(), lease.wake_at()), (Some(7), None));
        lease.connected(now);
        assert_eq!(lease.poll(3, true, now), TAKE(7));
        lease.answer(3, &refused(), 4, now);
        assert_eq!(lease.poll(4, true, now), Some(Request::Read));
        assert_eq!(lease.answer(4, &status(404), 5, now), (TAKE(0), None));
        assert_eq!(
            lease.answer(5, &written(8), 6, now).1,
            Some(Change::Taken(8))
        );
    }

    #[test]
    fn missing_bucket_is_made_and_silence_is_asked_again() {
        let now = Instant::now();
        let mut lease = Lease::new(holder("a", 30), true, now);
        assert_eq!(lease.poll(1, false, now), Some(Request::CreateBucket));
        // JetStream is off.
        assert_eq!(lease.answer(1, &status(503), 2, now), (None, None));
        let again = now + RETRY;
        assert_eq!(
            (lease.poll(2, false, now), lease.poll(2, false, again)),
            (None, Some(Request::CreateBucket))
        );
        let made = Message::new("x", r#"{"config":{}}"#);
        assert_eq!(
            lease.answer(2, &made, 3, again),
            (None, Some(Change::HasBucket))
        );
        assert_eq!(lease.poll(3, true, again), Some(Request::Read));
        let late = again + ANSWER_TIMEOUT;
        assert!(!lease.is_unanswered(again) && lease.is_unanswered(late));
        assert_eq!(lease.poll(4, true, late), Some(Request::Read));
        assert_eq!(lease.answer(3, &status(404), 5, late), (None, None));
        let much_later = now + PATIENCE * 2;
        assert!(!lease.poll_missed(late) && lease.poll_missed(much_later));
        assert!(!lease.poll_missed(much_later));
    }
}
