//! A client of `/api/events`: the last hour first, then what changes, once a second.
//!
//! Each event is put into the outbox when the one before is written: a client that does not read
//! holds one event, and misses those that it has no time for.

use crate::http::RequestHead;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Reads of what such a client sends, which means nothing, before it is closed.
const IGNORED_MAX: u8 = 64;

#[derive(Debug)]
pub struct Follower {
    /// Its keys say what it may see. They are checked for each event: a token may expire.
    head: RequestHead,
    /// Whether the web hook let it see streams.
    is_admitted: bool,
    has_process: bool,
    /// Streams whose history it has.
    known: BTreeSet<Arc<str>>,
    /// The second whose state it has.
    state_of_s: Option<u32>,
    /// When the event in its outbox was put there.
    sent_at: Instant,
    ignored: u8,
}

impl Follower {
    pub fn new(head: RequestHead, is_admitted: bool, now: Instant) -> Follower {
        Follower {
            head,
            is_admitted,
            has_process: false,
            known: BTreeSet::new(),
            state_of_s: None,
            sent_at: now,
            ignored: 0,
        }
    }

    pub fn head(&self) -> &RequestHead {
        &self.head
    }

    pub fn is_admitted(&self) -> bool {
        self.is_admitted
    }

    /// Whether the history of the process goes out now.
    pub fn takes_process(&mut self) -> bool {
        !std::mem::replace(&mut self.has_process, true)
    }

    /// The next of these streams whose history goes out now. A stream that is not among them any
    /// more is forgotten.
    pub fn next_stream(&mut self, names: &[Arc<str>]) -> Option<Arc<str>> {
        if self.known.len() > names.len() || !names.iter().all(|name| self.known.contains(name)) {
            self.known.retain(|known| names.contains(known));
        }
        let next = names.iter().find(|name| !self.known.contains(*name))?;
        self.known.insert(next.clone());
        Some(next.clone())
    }

    /// Whether the state of this second goes out now.
    pub fn takes_state(&mut self, of_s: u32) -> bool {
        self.state_of_s.replace(of_s) != Some(of_s)
    }

    /// An event is in the outbox.
    pub fn sent(&mut self, now: Instant) {
        self.sent_at = now;
    }

    /// Whether it has been taking one event for so long.
    pub fn has_stood_still(&self, time: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.sent_at) >= time
    }

    /// Counts a read of bytes without meaning. Returns whether there were too many.
    pub fn ignores_too_much(&mut self) -> bool {
        self.ignored = self.ignored.saturating_add(1);
        self.ignored > IGNORED_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{HEAD_BYTES_DEFAULT, parse_request};

    fn follower(now: Instant) -> Follower {
        let request = b"GET /api/events HTTP/1.1\r\nHost: a\r\n\r\n";
        let parsed = parse_request(request, HEAD_BYTES_DEFAULT).expect("a valid head");
        Follower::new(parsed.expect("a whole head").0, true, now)
    }

    fn names(names: &[&str]) -> Vec<Arc<str>> {
        names.iter().map(|&name| name.into()).collect()
    }

    #[test]
    fn each_history_goes_out_once_and_again_after_the_stream_returned() {
        let mut follower = follower(Instant::now());
        assert!(follower.takes_process() && !follower.takes_process());
        let two = names(&["a", "b"]);
        assert_eq!(follower.next_stream(&two).as_deref(), Some("a"));
        assert_eq!(follower.next_stream(&two).as_deref(), Some("b"));
        assert_eq!(follower.next_stream(&two), None);
        assert_eq!(follower.next_stream(&names(&["b"])), None);
        assert_eq!(follower.next_stream(&two).as_deref(), Some("a"));
        // One goes as another comes.
        let other = names(&["a", "c"]);
        assert_eq!(follower.next_stream(&other).as_deref(), Some("c"));
        assert_eq!(follower.next_stream(&two).as_deref(), Some("b"));
    }

    #[test]
    fn state_of_a_second_goes_out_once() {
        let mut follower = follower(Instant::now());
        assert!(follower.takes_state(0) && !follower.takes_state(0));
        assert!(follower.takes_state(1));
    }

    #[test]
    fn event_that_is_not_taken_has_a_deadline_from_when_it_was_sent() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut follower = follower(start);
        follower.sent(after(100));
        assert!(!follower.has_stood_still(Duration::from_secs(30), after(129)));
        assert!(follower.has_stood_still(Duration::from_secs(30), after(130)));
    }
}
