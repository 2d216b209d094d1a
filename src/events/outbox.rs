//! Which event is sent next, and when it is sent again.
//!
//! Each stream has a line of its own, of which only the first event is on its way: so the events of a
//! stream arrive in their order. An event that is not taken is tried again after a pause that doubles,
//! until it is a minute old. First tries go before others, and others never have all threads: a stream
//! whose events are not answered holds up the other streams for one [`TRY_TIMEOUT`] at most.

use super::{Event, Stamps, Tally};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Events sent at once: a receiver that takes 20 ms for each gets 200 a second.
pub const THREADS: usize = 4;

/// How long the receiver may take for an event. It can note the event and work later.
pub const TRY_TIMEOUT: Duration = Duration::from_secs(5);

/// Events that wait, of all streams: about half a MiB. Later ones are dropped.
const WAITING_MAX: usize = 1024;

/// Of them, events that any visitor can cause: the others keep the rest of the room.
const OF_VIEWERS_MAX: usize = WAITING_MAX / 2;

/// After this time an event is dropped.
const AGE_MAX: Duration = Duration::from_secs(60);

/// The pause after the first failure. It doubles with each further one.
const PAUSE: Duration = Duration::from_millis(500);

const PAUSE_MAX: Duration = Duration::from_secs(16);

/// At least so long between two lines of the log about the same trouble.
const LOG_PAUSE: Duration = Duration::from_secs(10);

/// An event on its way. [`Outbox::done`] takes it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub stream: Arc<str>,
    pub body: Bytes,
}

/// What a thread does now.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Send(Letter),
    /// Nothing before this time, unless something changes.
    Wait(Option<Instant>),
}

/// All events that are not delivered.
#[derive(Debug)]
pub struct Outbox {
    stamps: Stamps,
    tally: Tally,
    /// Invariant: no line is empty.
    lines: BTreeMap<Arc<str>, Line>,
    /// Counts events that came.
    serial: u64,
    drops: LogPause,
    failures: LogPause,
}

/// The events of one stream, the oldest first.
#[derive(Debug)]
struct Line {
    waiting: VecDeque<Waiting>,
    /// Whether the first event is on its way.
    is_sending: bool,
    /// How often it was not taken.
    failures: u32,
    /// When it is sent again.
    due: Instant,
}

#[derive(Debug)]
struct Waiting {
    body: Bytes,
    serial: u64,
    came: Instant,
    is_of_viewers: bool,
}

/// Keeps a line of the log from being written again and again.
#[derive(Debug, Default)]
struct LogPause {
    logged_at: Option<Instant>,
    unlogged: u64,
}

impl Line {
    fn expires(&self) -> Option<Instant> {
        self.waiting.front().map(|first| first.came + AGE_MAX)
    }

    fn pop(&mut self, now: Instant) {
        self.waiting.pop_front();
        self.failures = 0;
        self.due = now;
    }
}

impl LogPause {
    /// How many there are to log, if it is time to.
    fn poll(&mut self, now: Instant) -> Option<u64> {
        if self.unlogged == 0 || self.until().is_some_and(|until| now < until) {
            return None;
        }
        self.logged_at = Some(now);
        Some(std::mem::take(&mut self.unlogged))
    }

    fn until(&self) -> Option<Instant> {
        self.logged_at.map(|at| at + LOG_PAUSE)
    }
}

impl Outbox {
    pub fn new(stamps: Stamps, tally: Tally) -> Outbox {
        Outbox {
            stamps,
            tally,
            lines: BTreeMap::new(),
            serial: 0,
            drops: LogPause::default(),
            failures: LogPause::default(),
        }
    }

    /// Puts an event that happened at `time` behind the others of its stream, if there is room.
    pub fn push(&mut self, event: &Event, time: SystemTime, now: Instant) {
        let is_of_viewers = event.what.is_of_viewers();
        let waiting = || self.lines.values().flat_map(|line| &line.waiting);
        let of_viewers = || waiting().filter(|one| one.is_of_viewers).count();
        let is_full = waiting().count() >= WAITING_MAX;
        if is_full || (is_of_viewers && of_viewers() >= OF_VIEWERS_MAX) {
            return self.count_dropped(1);
        }
        self.serial += 1;
        let one = Waiting {
            body: self.stamps.body(event, time),
            serial: self.serial,
            came: now,
            is_of_viewers,
        };
        let line = self.lines.entry(event.stream.clone());
        let line = line.or_insert_with(|| Line {
            waiting: VecDeque::new(),
            is_sending: false,
            failures: 0,
            due: now,
        });
        line.waiting.push_back(one);
        self.count_waiting();
    }

    /// What a thread does now. An event that is too old goes.
    pub fn next(&mut self, now: Instant) -> Next {
        self.expire(now);
        let retries = self.lines.values();
        let retries = retries.filter(|line| line.is_sending && line.failures > 0);
        let may_retry = retries.count() < THREADS - 1;
        let at_rest = self.lines.iter_mut();
        let at_rest = at_rest.filter(|(_, line)| !line.is_sending);
        let may_go = |line: &Line| line.failures == 0 || (may_retry && line.due <= now);
        // First tries first; of them those that no visitor can cause, and the oldest before the others.
        let first = at_rest
            .filter(|(_, line)| may_go(line))
            .min_by_key(|(_, line)| {
                let first = line.waiting.front();
                let first = first.map(|one| (one.is_of_viewers, one.serial));
                (line.failures > 0, first)
            });
        if let Some((stream, line)) = first
            && let Some(one) = line.waiting.front()
        {
            line.is_sending = true;
            return Next::Send(Letter {
                stream: stream.clone(),
                body: one.body.clone(),
            });
        }
        let at_rest = self.lines.values().filter(|line| !line.is_sending);
        let wakes = at_rest.flat_map(|line| [may_retry.then_some(line.due), line.expires()]);
        Next::Wait(wakes.flatten().chain(self.log_at()).min())
    }

    /// An event was taken, or was not.
    pub fn done(&mut self, stream: &str, is_taken: bool, now: Instant) {
        let Some(line) = self.lines.get_mut(stream) else {
            return;
        };
        line.is_sending = false;
        if is_taken {
            line.pop(now);
            self.tally.deliver();
        } else {
            let pause = PAUSE * 2_u32.pow(line.failures.min(10));
            line.failures += 1;
            line.due = now + pause.min(PAUSE_MAX);
            self.tally.fail();
            self.failures.unlogged += 1;
        }
        if line.waiting.is_empty() {
            self.lines.remove(stream);
        }
        self.expire(now);
        self.count_waiting();
    }

    /// The server stops: what waits is sent now, and not later.
    pub fn hurry(&mut self, now: Instant) {
        for line in self.lines.values_mut() {
            line.due = line.due.min(now);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The server has stopped: what waits is dropped. Returns how many events that are.
    pub fn abandon(&mut self) -> u64 {
        let rest = self.lines.values().map(|line| line.waiting.len() as u64);
        let rest = rest.sum();
        self.lines.clear();
        self.tally.drop(rest);
        self.count_waiting();
        rest
    }

    /// How many events were dropped since the last call, if that is to be logged now.
    pub fn poll_drops(&mut self, now: Instant) -> Option<u64> {
        self.drops.poll(now)
    }

    /// How often events were not taken since the last call, if that is to be logged now.
    pub fn poll_failures(&mut self, now: Instant) -> Option<u64> {
        self.failures.poll(now)
    }

    /// When there is something to log. Failures are logged with the next one.
    fn log_at(&self) -> Option<Instant> {
        self.drops.until().filter(|_| self.drops.unlogged > 0)
    }

    fn expire(&mut self, now: Instant) {
        let mut dropped = 0;
        for line in self.lines.values_mut() {
            while !line.is_sending && line.expires().is_some_and(|at| at <= now) {
                line.pop(now);
                dropped += 1;
            }
        }
        if dropped > 0 {
            self.lines.retain(|_, line| !line.waiting.is_empty());
            self.count_dropped(dropped);
            self.count_waiting();
        }
    }

    fn count_dropped(&mut self, events: u64) {
        self.tally.drop(events);
        self.drops.unlogged += events;
    }

    fn count_waiting(&self) {
        let waiting = self.lines.values().map(|line| line.waiting.len()).sum();
        self.tally.set_waiting(waiting);
    }
}

#[cfg(test)]
mod tests {
    use super::super::What;
    use super::*;

    struct Bench {
        outbox: Outbox,
        tally: Tally,
        start: Instant,
        now: Instant,
    }

    impl Bench {
        fn new() -> Bench {
            let (tally, now) = (Tally::default(), Instant::now());
            Bench {
                outbox: Outbox::new(Stamps::new([0; 12], None), tally.clone()),
                tally,
                start: now,
                now,
            }
        }

        fn push(&mut self, stream: &str, what: What) {
            let event = Event {
                stream: stream.into(),
                at: self.now,
                what,
            };
            self.outbox.push(&event, SystemTime::UNIX_EPOCH, self.now);
        }

        fn start_stream(&mut self, stream: &str) {
            self.push(stream, What::PublishStarted);
        }

        /// Takes what is sent now: its stream, and its number.
        fn send(&mut self) -> Option<(String, u64)> {
            match self.outbox.next(self.now) {
                Next::Send(letter) => {
                    let body: serde_json::Value = serde_json::from_slice(&letter.body).unwrap();
                    assert_eq!(body["stream"], *letter.stream);
                    let (_, number) = body["id"].as_str().unwrap().rsplit_once('-').unwrap();
                    Some((letter.stream.to_string(), number.parse().unwrap()))
                }
                Next::Wait(_) => None,
            }
        }

        fn done(&mut self, stream: &str, is_taken: bool) {
            self.outbox.done(stream, is_taken, self.now);
        }

        /// Lets time pass until something is due. Nothing is sent before that.
        fn sleep(&mut self) -> bool {
            let Next::Wait(until) = self.outbox.next(self.now) else {
                panic!("something is due");
            };
            self.now = until.unwrap_or(self.now);
            until.is_some()
        }

        fn after(&self) -> f64 {
            self.now.duration_since(self.start).as_secs_f64()
        }

        fn counts(&self) -> [u64; 4] {
            let tally = &self.tally;
            [
                tally.delivered(),
                tally.failed_tries(),
                tally.dropped(),
                tally.waiting(),
            ]
        }
    }

    fn sent(stream: &str, number: u64) -> Option<(String, u64)> {
        Some((stream.to_owned(), number))
    }

    #[test]
    fn events_of_a_stream_are_sent_one_after_the_other() {
        let mut bench = Bench::new();
        for stream in ["a", "a", "b", "a"] {
            bench.start_stream(stream);
        }
        assert_eq!(bench.send(), sent("a", 1));
        assert_eq!(bench.send(), sent("b", 3));
        assert_eq!(bench.send(), None);
        bench.done("a", true);
        assert_eq!(bench.send(), sent("a", 2));
        bench.done("b", true);
        bench.done("a", true);
        assert_eq!(bench.send(), sent("a", 4));
        assert!(!bench.outbox.is_empty());
        bench.done("a", true);
        assert!(bench.outbox.is_empty());
        assert_eq!(bench.outbox.next(bench.now), Next::Wait(None));
        assert_eq!(bench.counts(), [4, 0, 0, 0]);
    }

    #[test]
    fn event_that_is_not_taken_is_sent_again_until_it_is_a_minute_old() {
        let mut bench = Bench::new();
        bench.start_stream("a");
        let mut tries = Vec::new();
        while !bench.outbox.is_empty() {
            // The same event, with the same id.
            if let Some(letter) = bench.send() {
                assert_eq!(Some(letter), sent("a", 1));
                tries.push(bench.after());
                // While the first waits, a second comes.
                if tries.len() == 7 {
                    bench.push("a", What::LastViewerLeft);
                }
                bench.done("a", false);
            }
            assert!(bench.sleep());
            if bench.after() == 60.0 {
                break;
            }
        }
        assert_eq!(tries, [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 47.5]);
        // The second one's minute ends later.
        assert_eq!(bench.send(), sent("a", 2));
        assert_eq!(bench.counts(), [0, 8, 1, 1]);
        bench.done("a", true);
        assert_eq!(bench.counts(), [1, 8, 1, 0]);
    }

    #[test]
    fn events_that_grew_old_behind_another_go_with_it() {
        let mut bench = Bench::new();
        bench.start_stream("a");
        assert!(bench.send().is_some());
        bench.push("a", What::FirstViewer);
        // No answer for a minute: longer than a try may take, but the clock may jump.
        bench.now += AGE_MAX;
        bench.done("a", false);
        assert!(bench.outbox.is_empty());
        assert_eq!(bench.counts(), [0, 1, 2, 0]);
    }

    #[test]
    fn unanswered_streams_leave_a_thread_for_the_others() {
        let mut bench = Bench::new();
        for stream in ["a", "b", "c", "d"] {
            bench.start_stream(stream);
            assert!(bench.send().is_some());
        }
        for stream in ["a", "b", "c", "d"] {
            bench.done(stream, false);
        }
        bench.now += PAUSE;
        bench.start_stream("e");
        // First tries before others.
        assert_eq!(bench.send(), sent("e", 5));
        let again = ["a", "b", "c"].map(|stream| (bench.send(), stream));
        for (number, (letter, stream)) in (1..).zip(again) {
            assert_eq!(letter, sent(stream, number));
        }
        // Its time has come, but it would be the last thread's.
        bench.done("e", true);
        assert_eq!(bench.send(), None);
        bench.start_stream("f");
        assert_eq!(bench.send(), sent("f", 6));
        bench.done("b", true);
        assert_eq!(bench.send(), sent("d", 4));
    }

    #[test]
    fn full_queue_drops_and_counts_what_comes_and_viewers_do_not_fill_it() {
        let mut bench = Bench::new();
        for number in 0..3 * OF_VIEWERS_MAX {
            bench.push(&format!("s{number}"), What::FirstViewer);
        }
        assert_eq!(bench.counts(), [0, 0, 1024, 512]);
        assert_eq!(bench.outbox.poll_drops(bench.now), Some(1024));
        for number in 0..WAITING_MAX {
            bench.start_stream(&format!("s{number}"));
        }
        assert_eq!(bench.counts(), [0, 0, 1536, 1024]);
        // One line of the log in ten seconds, and a thread that wakes for it.
        assert_eq!(bench.outbox.poll_drops(bench.now), None);
        assert_eq!(bench.outbox.log_at(), Some(bench.now + LOG_PAUSE));
        assert_eq!(bench.outbox.poll_drops(bench.now + LOG_PAUSE), Some(512));
        assert_eq!(bench.outbox.log_at(), None);
        // There is room again.
        bench.send();
        bench.done("s0", true);
        bench.push("s0", What::LastViewerLeft);
        assert_eq!(bench.counts(), [1, 0, 1536, 1024]);
        assert_eq!(bench.outbox.abandon(), 1024);
        assert_eq!(bench.counts(), [1, 0, 2560, 0]);
    }

    #[test]
    fn stopping_server_tries_once_more_without_a_pause() {
        let mut bench = Bench::new();
        bench.start_stream("a");
        for _ in 0..4 {
            assert!(bench.send().is_some());
            bench.done("a", false);
            assert_eq!(bench.send(), None);
            bench.outbox.hurry(bench.now);
        }
        assert_eq!(bench.send(), sent("a", 1));
        assert_eq!(bench.outbox.poll_failures(bench.now), Some(4));
        bench.done("a", true);
        assert!(bench.outbox.is_empty());
    }
}
