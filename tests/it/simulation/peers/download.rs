//! A client that reads a recording, in parts, at its own pace.

use super::{Asked, Peer, check_refusal, status, take_head};
use crate::simulation::guards::{Credential, Right};
use crate::simulation::link::Wire;
use crate::simulation::media::Books;
use crate::simulation::shelf::{RECORDING, recording_bytes};
use std::ops::Range;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DownloadSpec {
    pub seed: u64,
    pub requests: usize,
    /// It reads nothing for this long, now and then.
    pub pause: Option<Duration>,
    pub lasts: Duration,
    pub credential: Credential,
}

pub struct Download {
    spec: DownloadSpec,
    books: Books,
    chance: fastrand::Rng,
    received: Vec<u8>,
    /// What was asked for, until the answer's head has come.
    asked: Option<(Asked, Wanted, Instant)>,
    /// What is to come of the body.
    body: Option<Range<usize>>,
    left: usize,
    until: Option<Instant>,
    paused_until: Option<Instant>,
    is_done: bool,
}

/// Part of the file, as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    range: Option<String>,
    status: u16,
    part: Range<usize>,
    is_head: bool,
}

impl Download {
    pub fn new(spec: DownloadSpec, books: &Books) -> Download {
        Download {
            spec,
            books: books.clone(),
            chance: fastrand::Rng::with_seed(spec.seed),
            received: Vec::new(),
            asked: None,
            body: None,
            left: spec.requests,
            until: None,
            paused_until: None,
            is_done: false,
        }
    }

    fn wanted(&mut self) -> Wanted {
        let size = recording_bytes().len();
        let (a, b) = (self.chance.usize(..size), self.chance.usize(..size));
        let (from, to) = (a.min(b), a.max(b));
        // Many parts are short, so that slow links bring some.
        let to = if self.chance.bool() {
            to.min(from + 20_000)
        } else {
            to
        };
        let (range, status, part) = match self.chance.u8(..6) {
            0 => (None, 200, 0..size),
            1 => (Some(format!("{from}-")), 206, from..size),
            2 => (Some(format!("-{}", to + 1)), 206, size - to - 1..size),
            3 => (Some(format!("{}-", size + from)), 416, 0..0),
            _ => (Some(format!("{from}-{to}")), 206, from..to + 1),
        };
        Wanted {
            range,
            status,
            part,
            is_head: self.chance.u8(..8) == 0,
        }
    }

    fn ask(&mut self, wire: &mut Wire, now: Instant) {
        let wanted = self.wanted();
        let credential = self.spec.credential;
        let (query, fields) = (credential.query(), credential.fields());
        let method = if wanted.is_head { "HEAD" } else { "GET" };
        let range = wanted.range.as_ref();
        let range = range.map_or_else(String::new, |range| format!("Range: bytes={range}\r\n"));
        let request = format!(
            "{method} /recordings/honest/{RECORDING}{query} HTTP/1.1\r\nHost: localhost\r\n\
             {fields}{range}\r\n"
        );
        wire.send(request.as_bytes());
        let asked = Asked::now(&self.books, Right::Watch, "honest", credential);
        self.asked = Some((asked, wanted, now));
        self.left -= 1;
    }

    /// Takes the head of an answer. Returns whether the connection goes on.
    fn hear_head(&mut self, head: &str, asked: Asked, wanted: &Wanted, at: Instant) -> bool {
        check_refusal(&self.books, head);
        asked.check(&self.books, head);
        let status = status(head);
        let lower = head.to_ascii_lowercase();
        let length = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length
            .and_then(|length| length.trim().parse().ok())
            .unwrap_or(0);
        let goes_on = !lower.contains("connection: close");
        if goes_on && self.books.is_last(at) {
            self.books
                .fault("a hub that drains goes on after a recording".to_owned());
        }
        if [401, 403, 503].contains(&status) {
            return false;
        }
        if status != wanted.status {
            self.books
                .fault(format!("{wanted:?} of a recording is answered with {head}"));
            return false;
        }
        if status == 416 || wanted.is_head {
            // The reason is a body that is not looked at.
            return false;
        }
        if length != wanted.part.len() {
            self.books
                .fault(format!("{wanted:?} of a recording has {length} bytes"));
        }
        self.body = Some(wanted.part.clone());
        goes_on
    }

    fn hear(&mut self, wire: &mut Wire, now: Instant) {
        self.received.extend(wire.take());
        if self.body.is_none()
            && let Some((asked, wanted, at)) = self.asked.take()
        {
            let Some(head) = take_head(&mut self.received) else {
                self.asked = Some((asked, wanted, at));
                return;
            };
            let goes_on = self.hear_head(&head, asked, &wanted, at);
            if !goes_on && self.body.is_none() {
                return self.end(wire);
            }
            if !goes_on {
                self.left = 0;
            }
        }
        let Some(body) = &mut self.body else {
            return;
        };
        let length = self.received.len().min(body.len());
        let expected = &recording_bytes()[body.start..body.start + length];
        if self.received[..length] != *expected {
            let at = body.start;
            self.books
                .fault(format!("a recording differs behind byte {at}"));
        }
        body.start += length;
        self.received.drain(..length);
        if body.start == body.end {
            self.body = None;
            self.books.count(|counts| counts.parts += 1);
        } else if let Some(pause) = self.spec.pause
            && self.chance.u8(..20) == 0
        {
            self.paused_until = Some(now + pause);
            wire.stall_down(true);
        }
    }

    fn end(&mut self, wire: &mut Wire) {
        wire.half_close();
        self.is_done = true;
    }
}

impl Peer for Download {
    fn act(&mut self, wire: &mut Wire, now: Instant) -> Option<Instant> {
        let until = *self.until.get_or_insert(now + self.spec.lasts);
        if self.paused_until.is_some_and(|until| now >= until) {
            self.paused_until = None;
            wire.stall_down(false);
        }
        self.hear(wire, now);
        if self.is_done {
            return None;
        }
        if wire.is_ended() {
            let may_end = self.books.is_stopping()
                || self.books.is_narrow()
                || self.spec.pause.is_some()
                || (self.asked.is_none() && self.body.is_none());
            if !may_end && self.spec.pause.is_none() && self.body.is_some() {
                self.books.fault(format!(
                    "a recording is cut off, {:?} is missing",
                    self.body
                ));
            }
            self.end(wire);
            return None;
        }
        if now >= until {
            // In the midst of it, perhaps.
            match self.chance.u8(..3) {
                0 => wire.vanish(),
                _ => wire.reset(),
            }
            self.is_done = true;
            return None;
        }
        if self.asked.is_none() && self.body.is_none() {
            if self.left == 0 {
                self.end(wire);
                return None;
            }
            self.ask(wire, now);
        }
        [Some(until), self.paused_until].into_iter().flatten().min()
    }

    fn is_done(&self) -> bool {
        self.is_done
    }
}
