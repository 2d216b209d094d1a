//! A viewer, which looks at everything that it is given.

use super::{Asked, BINARY, CLOSE, PING, PONG, Peer, frame, status, take_head, upgrade_to};
use crate::simulation::guards::{Credential, Right};
use crate::simulation::link::Wire;
use crate::simulation::media::{Books, Mark, end_of_blocks, marks};
use std::time::{Duration, Instant};
use videostream::fuzzing::frames::{ServerFrame, split_server};
use videostream::fuzzing::reader;
use videostream::websocket::messages::ToViewer;

const EBML: [u8; 4] = [0x1a, 0x45, 0xdf, 0xa3];
const CLUSTER: [u8; 4] = [0x1f, 0x43, 0xb6, 0x75];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    V1,
    WebSocket,
    Chunked,
    UntilClose,
}

/// What it does beside watching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// It takes everything at once, and leaves when its time is over. It is never late, and never skips.
    Honest,
    /// It is honest, but its link may be anything.
    Patient,
    /// It reads nothing for this long, from its first media on.
    Pausing(Duration),
    /// It leaves without a word, or its network does.
    Resetting,
    Vanishing,
    /// It sends messages, which it has no business to.
    Talking,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewerSpec {
    pub stream: &'static str,
    pub how: How,
    pub habit: Habit,
    pub lasts: Duration,
    /// Of the server: no viewer skips what has waited for less.
    pub lag: Duration,
    pub credential: Credential,
    /// How far behind live it begins.
    pub back: Duration,
    /// Of such a viewer: how long the server keeps media for it at least.
    pub keeps: Option<Duration>,
}

impl ViewerSpec {
    pub fn honest(stream: &'static str, how: How, lasts: Duration) -> ViewerSpec {
        ViewerSpec {
            stream,
            how,
            habit: Habit::Honest,
            lasts,
            lag: Duration::from_secs(1),
            credential: Credential::nothing(),
            back: Duration::ZERO,
            keeps: None,
        }
    }

    /// The query of its request.
    fn query(&self) -> String {
        let query = self.credential.query();
        if self.back.is_zero() {
            return query;
        }
        let mark = if query.is_empty() { '?' } else { '&' };
        format!("{query}{mark}t=-{}", self.back.as_secs_f64())
    }
}

pub struct Viewer {
    pub spec: ViewerSpec,
    asked: Option<Asked>,
    books: Books,
    state: State,
    has_head: bool,
    received: Vec<u8>,
    screen: Screen,
    pub said: Vec<ToViewer>,
    pub close_code: Option<u16>,
    pub answers_pings: bool,
    paused_until: Option<Instant>,
    has_paused: bool,
    talked: u32,
    until: Option<Instant>,
    is_cut_off: bool,
    /// How often something to see came.
    pub arrivals: u32,
    /// With which it was refused.
    pub status: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Asking,
    Watching,
    Leaving,
    Done,
}

/// What it was given, checked as it comes.
#[derive(Debug, Default)]
struct Screen {
    init: Vec<u8>,
    /// The GOP before, and the one that comes in.
    before: Vec<u8>,
    gop: Vec<u8>,
    /// The end of bytes without messages: an element that is not whole.
    tail: Vec<u8>,
    /// All bytes without messages, which are read when the last has come.
    whole: Vec<u8>,
    first: Option<(Mark, Instant)>,
    last: Option<Mark>,
    began_at: Option<Instant>,
    /// It was told of a skip to this time since its last media.
    skips_to: Option<u64>,
    has_skipped: bool,
    expects_init: bool,
    was_told_live: bool,
    pictures: u64,
    gaps: u64,
    largest_delay: Duration,
}

impl Viewer {
    pub fn new(spec: ViewerSpec, books: &Books) -> Viewer {
        Viewer {
            spec,
            asked: None,
            books: books.clone(),
            state: State::New,
            has_head: false,
            received: Vec::new(),
            screen: Screen::default(),
            said: Vec::new(),
            close_code: None,
            answers_pings: true,
            paused_until: None,
            has_paused: false,
            talked: 0,
            until: None,
            is_cut_off: false,
            arrivals: 0,
            status: None,
        }
    }

    pub fn pictures(&self) -> u64 {
        self.screen.pictures
    }

    /// The picture that it began with, and how old that was then.
    pub fn first(&self) -> Option<(Mark, Duration)> {
        let (mark, at) = self.screen.first?;
        let sent_at = self.books.sent_at(mark.recording, mark.number)?;
        Some((mark, at.saturating_duration_since(sent_at)))
    }

    /// The newest picture that it has.
    pub fn last(&self) -> Option<Mark> {
        self.screen.last
    }

    pub fn gaps(&self) -> u64 {
        self.screen.gaps
    }

    /// How long the picture took that took longest, of those that were sent while it watched.
    pub fn largest_delay(&self) -> Duration {
        self.screen.largest_delay
    }

    /// Whether the server has closed its socket.
    pub fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }

    pub fn has_ended(&self) -> bool {
        self.state == State::Done
    }

    fn is_websocket(&self) -> bool {
        matches!(self.spec.how, How::V1 | How::WebSocket)
    }

    fn request(&self) -> String {
        let ViewerSpec {
            stream,
            how,
            credential,
            ..
        } = self.spec;
        let query = self.spec.query();
        let get = |version: &str| {
            let fields = credential.fields();
            format!(
                "GET /live/{stream}.webm{query} HTTP/{version}\r\nHost: localhost\r\n{fields}\r\n"
            )
        };
        match how {
            How::V1 | How::WebSocket => {
                let is_v1 = how == How::V1;
                upgrade_to(&format!("/live/{stream}{query}"), is_v1, credential)
            }
            How::Chunked => get("1.1"),
            How::UntilClose => get("1.0"),
        }
    }

    fn hear(&mut self, wire: &mut Wire, now: Instant) {
        self.received.extend(wire.take());
        if self.state == State::Done {
            return;
        }
        if !self.has_head {
            let Some(head) = take_head(&mut self.received) else {
                return;
            };
            if let Some(asked) = self.asked {
                asked.check(&self.books, &head);
            }
            if ![101, 200].contains(&status(&head)) {
                self.state = State::Done;
                wire.half_close();
                self.status = Some(status(&head));
                let may_be_full = self.books.is_narrow() || self.books.is_stopping();
                let may_be_refused = status(&head) == 503 && may_be_full;
                if self.spec.habit == Habit::Honest && !may_be_refused {
                    self.fault(format!("is refused: {head}"));
                }
                return;
            }
            self.has_head = true;
            if self.state == State::Asking {
                self.state = State::Watching;
            }
        }
        match self.spec.how {
            How::V1 | How::WebSocket => self.hear_frames(wire, now),
            How::Chunked => self.hear_chunks(wire, now),
            How::UntilClose => {
                let bytes = std::mem::take(&mut self.received);
                self.watch_bytes(&bytes, now);
            }
        }
    }

    fn hear_frames(&mut self, wire: &mut Wire, now: Instant) {
        let (said, length) = split_server(&self.received);
        self.received.drain(..length);
        for said in said {
            match said {
                ServerFrame::Text(text) => match ToViewer::parse(&text) {
                    Some(message) if self.spec.how == How::V1 => self.hear_text(message),
                    _ => self.fault(format!("is told {text}")),
                },
                ServerFrame::Binary(bytes) => self.watch(&bytes, now),
                ServerFrame::Ping if self.answers_pings => wire.send(&frame(PONG, b"")),
                ServerFrame::Ping | ServerFrame::Pong(_) => {}
                ServerFrame::Close(payload) => {
                    self.close_code = Some(match payload[..] {
                        [high, low, ..] => u16::from_be_bytes([high, low]),
                        _ => 1005,
                    });
                    let is_wrong = ![1000, 1001].contains(&self.close_code.unwrap_or(0));
                    if is_wrong && self.spec.habit == Habit::Honest {
                        self.fault(format!("is closed with {:?}", self.close_code));
                    }
                    if self.state != State::Leaving {
                        wire.send(&frame(CLOSE, &payload));
                    }
                    wire.half_close();
                    self.state = State::Done;
                }
            }
        }
    }

    fn hear_text(&mut self, message: ToViewer) {
        match &message {
            ToViewer::Hello { live, .. } => self.screen.was_told_live = *live,
            ToViewer::Init { .. } => self.screen.expects_init = true,
            ToViewer::Skip { from_ms, to_ms } => {
                if from_ms > to_ms {
                    self.fault(format!("skips back: {message:?}"));
                }
                self.screen.skips_to = Some(*to_ms);
                self.screen.has_skipped = true;
            }
            ToViewer::Offline { .. } => self.screen.was_told_live = false,
            ToViewer::Stalled { since_ms } if *since_ms < 2000 => {
                self.fault(format!("is told too early: {message:?}"));
            }
            ToViewer::Stalled { .. }
            | ToViewer::Resumed
            | ToViewer::Viewers { .. }
            | ToViewer::Recording { .. } => {}
        }
        let is_first_hello = matches!(message, ToViewer::Hello { .. });
        if self.said.is_empty() && !is_first_hello {
            self.fault(format!("is told first: {message:?}"));
        }
        self.said.push(message);
    }

    fn hear_chunks(&mut self, wire: &mut Wire, now: Instant) {
        loop {
            let Some(end) = self.received.windows(2).position(|two| two == b"\r\n") else {
                return;
            };
            let line = String::from_utf8_lossy(&self.received[..end]).into_owned();
            let Ok(length) = usize::from_str_radix(&line, 16) else {
                self.fault(format!("is sent a chunk of length {line:?}"));
                self.received.clear();
                return;
            };
            let whole = end + 2 + length + 2;
            if self.received.len() < whole {
                return;
            }
            if length == 0 {
                wire.half_close();
                self.state = State::Done;
                return;
            }
            let chunk: Vec<u8> = self.received.drain(..whole).collect();
            self.watch(&chunk[end + 2..end + 2 + length], now);
        }
    }

    /// Bytes that are cut anywhere.
    fn watch_bytes(&mut self, bytes: &[u8], now: Instant) {
        self.screen.whole.extend(bytes);
        self.screen.tail.extend(bytes);
        let (marks, length) = marks(&self.screen.tail);
        self.screen.tail.drain(..length);
        self.see_marks(&marks, now);
    }

    /// A message or a chunk, which ends at a whole element.
    fn watch(&mut self, bytes: &[u8], now: Instant) {
        if self.spec.how == How::V1 {
            if !self.screen.was_told_live {
                self.fault("is sent media of a stream that is offline".to_owned());
            }
            let is_init = bytes.starts_with(&EBML);
            if std::mem::take(&mut self.screen.expects_init) != is_init {
                self.fault("is told of an init segment that is none, or not of one".to_owned());
            }
        }
        if bytes.starts_with(&EBML) {
            self.check_media();
            self.screen.init = bytes.to_vec();
            self.screen.before.clear();
            self.screen.gop.clear();
            return;
        }
        if bytes.starts_with(&CLUSTER) {
            if let Some(to_ms) = self.screen.skips_to.take() {
                let began_ms = cluster_ms(bytes);
                if began_ms != Some(to_ms) {
                    self.fault(format!("skips to {began_ms:?} and is told {to_ms}"));
                }
            }
            self.check_media();
            // Of a skip, the GOP before is a part.
            let is_whole = self.spec.how == How::V1 && !self.screen.has_skipped;
            if is_whole && begins_with_keyframe(bytes) {
                self.books.note_gop(&self.screen.gop);
            }
            self.screen.before = std::mem::take(&mut self.screen.gop);
        } else if self.screen.skips_to.is_some() {
            self.fault("is told of a skip, and goes on".to_owned());
        }
        self.screen.gop.extend(bytes);
        let (marks, length) = marks(bytes);
        if length < bytes.len() {
            self.fault("is sent half an element in a message of its own".to_owned());
        }
        self.see_marks(&marks, now);
    }

    fn see_marks(&mut self, marks: &[Mark], now: Instant) {
        for &mark in marks {
            self.see(mark, now);
        }
    }

    fn see(&mut self, mark: Mark, now: Instant) {
        if self.books.is_forbidden(mark.recording) {
            self.fault(format!("sees a forbidden publisher's {mark:?}"));
        }
        self.screen.pictures += 1;
        let is_behind = !self.spec.back.is_zero();
        self.books.count(|counts| {
            counts.pictures += 1;
            counts.behind += u64::from(is_behind);
        });
        let began_at = *self.screen.began_at.get_or_insert(now);
        let Some(sent_at) = self.books.sent_at(mark.recording, mark.number) else {
            return self.fault(format!("sees a picture that was not sent: {mark:?}"));
        };
        self.screen.first.get_or_insert((mark, now));
        let last = self.screen.last.replace(mark);
        let was_told = std::mem::take(&mut self.screen.has_skipped);
        match last {
            Some(last) if last.recording == mark.recording => {
                if mark.number <= last.number {
                    self.fault(format!("goes back from {last:?} to {mark:?}"));
                } else if mark.number > last.number + 1 {
                    self.see_gap(last, mark, was_told, now);
                } else if was_told {
                    self.fault(format!("is told of a skip before {mark:?}"));
                }
            }
            Some(_) | None => {
                if !mark.is_keyframe {
                    self.fault(format!("begins with {mark:?}"));
                }
            }
        }
        let is_live = last.is_some() && sent_at >= began_at;
        if is_live {
            let delay = now.saturating_duration_since(sent_at);
            self.screen.largest_delay = self.screen.largest_delay.max(delay);
        }
        if self.spec.habit == Habit::Honest && is_live {
            self.books.note_delay(sent_at, now);
        }
    }

    fn see_gap(&mut self, last: Mark, mark: Mark, was_told: bool, now: Instant) {
        self.screen.gaps += 1;
        self.books.count(|counts| counts.skips += 1);
        if !mark.is_keyframe {
            self.fault(format!("goes from {last:?} to {mark:?}, no keyframe"));
        }
        if self.spec.how == How::V1 && !was_told {
            self.fault(format!("is not told of a skip from {last:?} to {mark:?}"));
        }
        let Some(missed_at) = self.books.sent_at(mark.recording, last.number + 1) else {
            return;
        };
        let waited = now.saturating_duration_since(missed_at);
        // A ring that is full goes by that, whatever the time.
        let has_left_ring = self
            .books
            .may_have_left_ring(mark.recording, last.number + 1, now);
        if waited < self.lag() && !has_left_ring {
            self.fault(format!("skips after {waited:?}: {last:?} to {mark:?}"));
        }
        let is_honest = self.spec.habit == Habit::Honest;
        if is_honest && !self.books.is_excused(missed_at, now) {
            self.fault(format!("skips from {last:?} to {mark:?}, and takes all"));
        }
    }

    /// What media have waited for at least before it skips them for the first time. A viewer behind live is
    /// not skipped for that, and is live from its first skip on.
    fn lag(&self) -> Duration {
        let is_behind = |said: &ToViewer| match said {
            ToViewer::Hello { behind_ms, .. } => *behind_ms > 0,
            _ => false,
        };
        let is_behind = self.said.first().is_some_and(is_behind);
        match self.spec.keeps {
            Some(keeps) if is_behind && self.screen.gaps == 1 => keeps,
            Some(_) => Duration::ZERO,
            None => self.spec.lag,
        }
    }

    /// Reads the last two GOPs strictly.
    fn check_media(&self) {
        let screen = &self.screen;
        if !screen.init.is_empty() {
            reader::read(&[&screen.init[..], &screen.before, &screen.gop].concat());
        }
    }

    fn fault(&self, what: String) {
        let ViewerSpec { stream, how, .. } = self.spec;
        self.books
            .fault(format!("a viewer of {stream} ({how:?}) {what}"));
    }

    fn leave(&mut self, wire: &mut Wire) {
        self.state = match self.spec.habit {
            Habit::Vanishing => {
                wire.vanish();
                State::Done
            }
            Habit::Resetting => {
                wire.reset();
                State::Done
            }
            _ if self.is_websocket() => {
                wire.send(&frame(CLOSE, &1000_u16.to_be_bytes()));
                State::Leaving
            }
            _ => {
                wire.half_close();
                State::Leaving
            }
        };
    }
}

/// Whether a Cluster is a join point, and no further one of a long GOP.
fn begins_with_keyframe(bytes: &[u8]) -> bool {
    let (marks, _) = marks(bytes);
    marks.first().is_some_and(|mark| mark.is_keyframe)
}

/// The timestamp of the Cluster that these bytes begin with.
fn cluster_ms(bytes: &[u8]) -> Option<u64> {
    let [0xe7, size, rest @ ..] = bytes.get(12..)? else {
        return None;
    };
    let number = rest.get(..usize::from(size & 0x7f))?;
    Some(
        number
            .iter()
            .fold(0, |number, &byte| number << 8 | u64::from(byte)),
    )
}

impl Peer for Viewer {
    fn act(&mut self, wire: &mut Wire, now: Instant) -> Option<Instant> {
        if self.state == State::New {
            wire.send(self.request().as_bytes());
            self.state = State::Asking;
            let ViewerSpec {
                stream, credential, ..
            } = self.spec;
            self.asked = Some(Asked::now(&self.books, Right::Watch, stream, credential));
        }
        self.is_cut_off |= wire.is_dropped;
        let until = *self.until.get_or_insert(now + self.spec.lasts);
        if self.paused_until.is_some_and(|until| now >= until) {
            self.paused_until = None;
            wire.stall_down(false);
        }
        let before = self.screen.pictures;
        self.hear(wire, now);
        self.arrivals += u32::from(self.screen.pictures > before);
        let is_watching = matches!(self.state, State::Asking | State::Watching);
        if wire.is_ended() {
            let has_no_end = self.is_websocket() || self.spec.how == How::Chunked;
            // A server that stops leaves what it has not read.
            let is_unread =
                self.state == State::Asking && self.books.is_stopping() && !wire.is_all_read();
            if self.spec.habit == Habit::Honest && is_watching && has_no_end && !is_unread {
                self.fault("is cut off".to_owned());
            }
            self.state = State::Done;
            wire.half_close();
            return None;
        }
        if !is_watching {
            return None;
        }
        if now >= until {
            self.leave(wire);
            return None;
        }
        if let Habit::Pausing(pause) = self.spec.habit
            && self.screen.pictures > 0
            && !self.has_paused
        {
            self.has_paused = true;
            self.paused_until = Some(now + pause);
            wire.stall_down(true);
        }
        if self.spec.habit == Habit::Talking && self.is_websocket() && self.talked < 100 {
            self.talked += 1;
            let first = if self.talked.is_multiple_of(3) {
                PING
            } else {
                BINARY
            };
            wire.send(&frame(first, b"hello"));
            return Some(now + Duration::from_millis(300));
        }
        let looks = self.has_paused.then(|| now + Duration::from_millis(100));
        [Some(until), self.paused_until, looks]
            .into_iter()
            .flatten()
            .min()
    }

    fn is_done(&self) -> bool {
        self.state == State::Done
    }

    fn check_at_the_end(&self) {
        self.check_media();
        let whole = &self.screen.whole;
        reader::read(&whole[..end_of_blocks(whole)]);
    }
}
