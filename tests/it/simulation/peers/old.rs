//! Peers of the old protocol: a page, which publishes and has a listener on each of the other ports, and
//! listeners.

use super::{BINARY, CLOSE, PONG, Peer, frame, status, take_head, upgrade_with};
use crate::simulation::guards::Credential;
use crate::simulation::link::Wire;
use crate::simulation::media::{Books, Mark, picture};
use crate::simulation::old::{Expected, Log};
use std::time::{Duration, Instant};
use videostream::compat::Port;
use videostream::fuzzing::recording::{Tracks, head};

/// How often a page looks whether its message has come back.
const LOOK: Duration = Duration::from_millis(10);

/// Longer than any message of a page takes.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSpec {
    pub seed: u64,
    /// Whether it sends WebM, or bytes that are none.
    pub is_film: bool,
    pub lasts: Duration,
    /// A blob begins after so many messages.
    pub blob_messages: usize,
    pub credential: Credential,
}

/// One of the two sockets by which a page publishes.
pub struct OldPublisher {
    spec: PageSpec,
    port: Port,
    books: Books,
    log: Log,
    chance: fastrand::Rng,
    received: Vec<u8>,
    state: State,
    is_open: bool,
    /// When its last message was sent.
    sent_at: Instant,
    until: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Asking,
    Open,
    Done,
}

impl OldPublisher {
    pub fn new(spec: PageSpec, port: Port, books: &Books, log: &Log) -> OldPublisher {
        OldPublisher {
            spec,
            port,
            books: books.clone(),
            log: log.clone(),
            chance: fastrand::Rng::with_seed(spec.seed),
            received: Vec::new(),
            state: State::New,
            is_open: false,
            sent_at: Instant::now(),
            until: None,
        }
    }

    /// Whose turn it is: every so many messages a blob, between them chunks.
    fn is_next(&self) -> bool {
        let is_blob = self.log.sent().is_multiple_of(self.spec.blob_messages);
        is_blob == (self.port == Port::BlobsIn)
    }

    fn message(&mut self, now: Instant) -> Vec<u8> {
        let number = self.log.sent();
        if !self.spec.is_film {
            // Both sockets draw from the same numbers.
            let mut chance = fastrand::Rng::with_seed(self.spec.seed ^ number as u64);
            let length = [0, 3, 300, 5000, 20_000][chance.usize(..5)];
            return (0..length).map(|_| chance.u8(..)).collect();
        }
        let mut bytes = Vec::new();
        if self.port == Port::BlobsIn {
            bytes = head(Tracks::Picture);
        }
        let recording = self.books.recording_of_page(self.port == Port::BlobsIn);
        let picture_number = self.books.send(recording, now);
        let mark = Mark {
            recording,
            number: picture_number,
            is_keyframe: picture_number.is_multiple_of(10),
        };
        let length = self.chance.usize(30..4000);
        bytes.extend(picture(mark, u64::from(picture_number) * 40, length));
        bytes
    }

    fn hear(&mut self, wire: &mut Wire) {
        self.received.extend(wire.take());
        if self.state == State::Asking {
            let Some(head) = take_head(&mut self.received) else {
                return;
            };
            self.state = State::Open;
            if status(&head) != 101 {
                self.state = State::Done;
                wire.half_close();
                return;
            }
            self.is_open = true;
        }
        if !self.is_open {
            return;
        }
        let (said, length) = split(&self.received);
        self.received.drain(..length);
        for said in said {
            match said.opcode {
                9 => wire.send(&frame(PONG, b"")),
                8 => {
                    wire.send(&frame(CLOSE, &said.payload));
                    wire.half_close();
                    self.state = State::Done;
                }
                10 => {}
                other => self
                    .books
                    .fault(format!("an old publisher is sent a frame of kind {other}")),
            }
        }
    }
}

impl Peer for OldPublisher {
    fn act(&mut self, wire: &mut Wire, now: Instant) -> Option<Instant> {
        if self.state == State::New {
            wire.send(upgrade_with("/", false, self.spec.credential).as_bytes());
            self.state = State::Asking;
            self.sent_at = now;
        }
        let until = *self.until.get_or_insert(now + self.spec.lasts);
        self.hear(wire);
        if wire.is_ended() {
            self.state = State::Done;
        }
        match self.state {
            State::Done => return None,
            State::New | State::Asking => return Some(until.max(now + LOOK)),
            State::Open => {}
        }
        if now >= until {
            wire.send(&frame(CLOSE, &1000_u16.to_be_bytes()));
            wire.half_close();
            self.state = State::Done;
            return None;
        }
        if self.log.is_ready() && self.log.returned() == self.log.sent() && self.is_next() {
            let bytes = self.message(now);
            wire.send(&frame(BINARY, &bytes));
            self.log.send(self.port == Port::BlobsIn, bytes);
            self.sent_at = now;
        }
        let is_waiting = self.log.returned() < self.log.sent() && self.is_last_mine();
        let is_late = now > self.sent_at + PATIENCE;
        let may_be_lost = self.books.is_narrow()
            || self.books.is_stopping()
            || self.books.is_last(now)
            || self.books.has_hook()
            || self.books.is_excused(self.sent_at, now);
        if is_waiting && is_late && !may_be_lost && !self.log.is_broken() {
            self.log.set_broken();
            self.books
                .fault("a message of an old page does not come back".to_owned());
        }
        Some(now + LOOK)
    }

    fn is_done(&self) -> bool {
        self.state == State::Done
    }
}

impl OldPublisher {
    fn is_last_mine(&self) -> bool {
        let number = self.log.sent().saturating_sub(1);
        number.is_multiple_of(self.spec.blob_messages) == (self.port == Port::BlobsIn)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerSpec {
    pub port: Port,
    pub lasts: Duration,
    /// It reads nothing for this long, after its first message.
    pub pause: Option<Duration>,
    /// Its link is good, and it takes all at once: it is never too slow.
    pub is_quick: bool,
    /// It is a page's own.
    pub is_own: bool,
    pub credential: Credential,
}

pub struct OldListener {
    spec: ListenerSpec,
    books: Books,
    log: Log,
    expected: Expected,
    received: Vec<u8>,
    message: Vec<u8>,
    state: State,
    is_open: bool,
    until: Option<Instant>,
    paused_until: Option<Instant>,
    has_paused: bool,
}

impl OldListener {
    pub fn new(spec: ListenerSpec, books: &Books, log: &Log) -> OldListener {
        OldListener {
            spec,
            books: books.clone(),
            log: log.clone(),
            expected: Expected::default(),
            received: Vec::new(),
            message: Vec::new(),
            state: State::New,
            is_open: false,
            until: None,
            paused_until: None,
            has_paused: false,
        }
    }

    fn fault(&self, what: &str) {
        let ListenerSpec { port, .. } = self.spec;
        self.books
            .fault(format!("an old listener ({}) {what}", port.name()));
    }

    fn hear(&mut self, wire: &mut Wire, now: Instant) {
        self.received.extend(wire.take());
        if self.state == State::Asking {
            let Some(head) = take_head(&mut self.received) else {
                return;
            };
            if status(&head) != 101 {
                self.state = State::Done;
                return wire.half_close();
            }
            self.state = State::Open;
            self.is_open = true;
            if self.spec.is_own {
                self.log.note_listener();
            }
        }
        // It was refused, or left before the answer came.
        if !self.is_open {
            return;
        }
        let (said, length) = split(&self.received);
        self.received.drain(..length);
        for said in said {
            match said.opcode {
                0 | 2 => {
                    if (said.opcode == 2) != self.message.is_empty() && !said.payload.is_empty() {
                        self.fault("is sent a fragment that belongs to no message");
                    }
                    self.message.extend(said.payload);
                    if said.is_last {
                        let message = std::mem::take(&mut self.message);
                        self.take(&message, now, wire);
                    }
                }
                9 => wire.send(&frame(PONG, b"")),
                8 => self.close(wire, &said.payload),
                10 => {}
                other => self.fault(&format!("is sent a frame of kind {other}")),
            }
        }
    }

    fn take(&mut self, message: &[u8], now: Instant, wire: &mut Wire) {
        self.books.count(|counts| counts.old_messages += 1);
        if self.books.is_short() {
            self.log.set_short();
        }
        if let Err(fault) = self.expected.take(&self.log, self.spec.port, message) {
            self.fault(&format!("gets {fault}"));
        }
        if self.spec.is_own {
            self.log.note_return();
        }
        if let Some(pause) = self.spec.pause
            && !self.has_paused
        {
            self.has_paused = true;
            self.paused_until = Some(now + pause);
            wire.stall_down(true);
        }
    }

    fn close(&mut self, wire: &mut Wire, payload: &[u8]) {
        let code = match payload {
            [high, low, ..] => u16::from_be_bytes([*high, *low]),
            _ => 1005,
        };
        match code {
            1013 => {
                self.books.count(|counts| counts.overtaken += 1);
                let may_be_slow = !self.spec.is_quick || self.books.is_narrow();
                if !may_be_slow {
                    self.fault("is called too slow, and takes all");
                }
            }
            1000 | 1001 => {}
            other => self.fault(&format!("is closed with {other}")),
        }
        wire.send(&frame(CLOSE, payload));
        wire.half_close();
        self.state = State::Done;
    }
}

impl Peer for OldListener {
    fn act(&mut self, wire: &mut Wire, now: Instant) -> Option<Instant> {
        if self.state == State::New {
            wire.send(upgrade_with("/", false, self.spec.credential).as_bytes());
            self.expected = Expected::ask(&self.log);
            self.state = State::Asking;
        }
        let until = *self.until.get_or_insert(now + self.spec.lasts);
        if self.paused_until.is_some_and(|until| now >= until) {
            self.paused_until = None;
            wire.stall_down(false);
        }
        self.hear(wire, now);
        if wire.is_ended() {
            self.state = State::Done;
        }
        if self.state == State::Done {
            return None;
        }
        if now >= until {
            let is_quiet = self.log.returned() == self.log.sent();
            let is_level = self.expected.is_level(&self.log, self.spec.port);
            if self.spec.is_quick && is_quiet && !is_level && !self.books.is_narrow() {
                self.fault("is not sent what has come");
            }
            wire.send(&frame(CLOSE, &1000_u16.to_be_bytes()));
            wire.half_close();
            self.state = State::Done;
            return None;
        }
        [Some(until), self.paused_until].into_iter().flatten().min()
    }

    fn is_done(&self) -> bool {
        self.state == State::Done
    }
}

/// A frame of the server.
struct Said {
    opcode: u8,
    is_last: bool,
    payload: Vec<u8>,
}

/// The whole frames at the front, and their length.
fn split(all: &[u8]) -> (Vec<Said>, usize) {
    let mut bytes = all;
    let mut frames = Vec::new();
    loop {
        let found = match bytes {
            [first, length @ 0..=125, ..] => Some((*first, usize::from(*length), 2)),
            [first, 126, a, b, ..] => Some((*first, usize::from(u16::from_be_bytes([*a, *b])), 4)),
            [first, 127, rest @ ..] => rest
                .first_chunk()
                .map(|length| (*first, u64::from_be_bytes(*length) as usize, 10)),
            _ => None,
        };
        let frame = found.and_then(|(first, length, at)| {
            let payload = bytes.get(at..at + length)?;
            Some((first, payload.to_vec(), at + length))
        });
        let Some((first, payload, length)) = frame else {
            return (frames, all.len() - bytes.len());
        };
        frames.push(Said {
            opcode: first & 0x0f,
            is_last: first & 0x80 != 0,
            payload,
        });
        bytes = &bytes[length..];
    }
}
