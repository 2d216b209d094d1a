//! A client that asks for pages, reports and posters, one after another on one connection.

use super::{Asked, Peer, check_refusal, status, take_head};
use crate::simulation::guards::{Credential, Pass, Right};
use crate::simulation::link::Wire;
use crate::simulation::media::Books;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientSpec {
    pub requests: usize,
    pub pause: Duration,
    pub seed: u64,
    /// How long an answer may take. `None`: its link is slow.
    pub patience: Option<Duration>,
    pub credential: Credential,
}

const PATHS: [&str; 15] = [
    "/",
    "/live/honest",
    "/publish/other",
    "/api/streams",
    "/api/streams/honest",
    "/metrics",
    "/healthz",
    "/live/honest.jpg",
    "/live/honest.webp",
    "/live/honest/poster",
    "/live/honest.webm",
    "/live/.hidden",
    "/nowhere",
    "/player.js",
    "/dashboard",
];

pub struct Client {
    spec: ClientSpec,
    books: Books,
    chance: fastrand::Rng,
    received: Vec<u8>,
    asked: Option<(Instant, &'static str)>,
    /// What that needs.
    needs: Option<Asked>,
    /// Sessions that were closed for memory before it asked.
    closed_before: u64,
    next_at: Option<Instant>,
    left: usize,
    is_done: bool,
    pub statuses: Vec<u16>,
}

impl Client {
    pub fn new(spec: ClientSpec, books: &Books) -> Client {
        Client {
            spec,
            books: books.clone(),
            chance: fastrand::Rng::with_seed(spec.seed),
            received: Vec::new(),
            asked: None,
            needs: None,
            closed_before: 0,
            next_at: None,
            left: spec.requests,
            is_done: false,
            statuses: Vec::new(),
        }
    }

    fn ask(&mut self, wire: &mut Wire, now: Instant) {
        let path = PATHS[self.chance.usize(..PATHS.len())];
        self.asked = Some((now, path));
        self.closed_before = self.books.counts().closed_for_memory;
        self.left -= 1;
        let credential = self.spec.credential;
        let (query, fields) = (credential.query(), credential.fields());
        let needs = |right| Some(Asked::now(&self.books, right, "honest", credential));
        self.needs = match path {
            "/live/honest.jpg"
            | "/live/honest.webp"
            | "/live/honest/poster"
            | "/live/honest.webm"
            | "/api/streams/honest" => needs(Right::Watch),
            _ => None,
        };
        let ends = |pass| !self.books.permits(Right::Publish, "honest", pass);
        if path == "/nowhere" && ends(credential.pass) {
            self.needs = needs(Right::Publish);
            let request = format!(
                "DELETE /api/streams/honest{query} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"
            );
            return wire.send(request.as_bytes());
        }
        if path == "/publish/other" && self.chance.bool() {
            self.needs = needs(Right::Publish);
            let length = 5000;
            wire.send(
                format!(
                    "PUT /live/honest.jpg{query} HTTP/1.1\r\nHost: localhost\r\n{fields}\
                     Content-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n"
                )
                .as_bytes(),
            );
            let mut jpeg = vec![0xff, 0xd8, 0xff];
            jpeg.resize(length, 7);
            wire.send(&jpeg);
            return;
        }
        // The stream itself has no end, but its head can be asked for.
        let method = match path {
            "/live/honest.webm" => "HEAD",
            _ => "GET",
        };
        let request = format!("{method} {path}{query} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        wire.send(request.as_bytes());
    }

    /// A list shows no stream that this client may not watch.
    fn check_list(&self, body: &[u8]) {
        let Some((_, "/api/streams" | "/metrics")) = self.asked else {
            return;
        };
        let body = String::from_utf8_lossy(body);
        for stream in ["honest", "other", "another", "third"] {
            let pass: Pass = self.spec.credential.pass;
            let is_listed = body.contains(&format!("\"{stream}\""));
            if is_listed && !self.books.permits(Right::Watch, stream, pass) {
                self.books
                    .fault(format!("a client with {pass:?} sees {stream}: {body}"));
            }
        }
    }

    /// Takes a whole answer, if it is here. Returns whether the connection goes on.
    fn hear(&mut self, now: Instant) -> Option<bool> {
        let mut bytes = self.received.clone();
        let head = take_head(&mut bytes)?;
        let lower = head.to_ascii_lowercase();
        let length = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = length
            .and_then(|length| length.trim().parse().ok())
            .unwrap_or(0);
        let is_bare = self
            .asked
            .is_some_and(|(_, path)| path == "/live/honest.webm");
        let length = if is_bare { 0 } else { length };
        if bytes.len() < length {
            return None;
        }
        let body: Vec<u8> = bytes.drain(..length).collect();
        self.received = bytes;
        self.statuses.push(status(&head));
        check_refusal(&self.books, &head);
        match self.needs.take() {
            Some(needs) => needs.check(&self.books, &head),
            None => self.check_list(&body),
        }
        let (asked_at, path) = self.asked.take()?;
        let took = now.saturating_duration_since(asked_at);
        if self.spec.patience.is_some_and(|most| took > most)
            && !self.books.is_excused(asked_at, now)
        {
            self.books
                .fault(format!("GET {path} is answered after {took:?}"));
        }
        if ![200, 204, 304, 400, 401, 403, 404, 405, 409, 503].contains(&status(&head)) {
            self.books
                .fault(format!("GET {path} is answered with {head}"));
        }
        let goes_on = !lower.contains("connection: close");
        if goes_on && self.books.is_last(asked_at) {
            self.books
                .fault(format!("a hub that drains serves GET {path}, and goes on"));
        }
        Some(goes_on)
    }
}

impl Peer for Client {
    fn act(&mut self, wire: &mut Wire, now: Instant) -> Option<Instant> {
        self.received.extend(wire.take());
        if wire.is_ended() {
            // Where memory is short, those that hold most are closed.
            let closed = self.books.counts().closed_for_memory;
            let may_be_closed = self.books.is_stopping() || closed > self.closed_before;
            if let Some((_, path)) = self.asked
                && self.spec.patience.is_some()
                && self.hear(now).is_none()
                && !may_be_closed
            {
                self.books
                    .fault(format!("GET {path} is not answered, and cut off"));
            }
            self.is_done = true;
            wire.half_close();
        }
        if self.is_done {
            return None;
        }
        if self.asked.is_some() {
            match self.hear(now) {
                Some(true) => self.next_at = Some(now + self.spec.pause),
                Some(false) => {
                    wire.half_close();
                    self.is_done = true;
                    return None;
                }
                None => return None,
            }
        }
        if self.next_at.is_none_or(|at| now >= at) {
            if self.left == 0 {
                wire.half_close();
                self.is_done = true;
                return None;
            }
            self.ask(wire, now);
        }
        self.next_at.filter(|&at| at > now)
    }

    fn is_done(&self) -> bool {
        self.is_done
    }
}
