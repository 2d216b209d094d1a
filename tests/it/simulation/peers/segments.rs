//! A cache, or a player without one: it reads segment after segment on one connection, and compares them
//! with what viewers get.

use super::{Asked, Peer, check_refusal, status, take_head};
use crate::simulation::guards::{Credential, Right};
use crate::simulation::link::Wire;
use crate::simulation::media::{Books, Mark, marks};
use serde_json::Value;
use std::time::{Duration, Instant};
use videostream::fuzzing::reader;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentsSpec {
    pub stream: &'static str,
    pub lasts: Duration,
    /// It reads nothing for this long, now and then.
    pub pause: Option<Duration>,
    /// It asks in HTTP/1.0, which gets segments whole.
    pub is_old: bool,
    pub credential: Credential,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum File {
    List { after: Option<u64> },
    Init(u64),
    Media(u64),
}

pub struct SegmentReader {
    spec: SegmentsSpec,
    books: Books,
    received: Vec<u8>,
    asked: Option<(File, Asked, Instant)>,
    /// The head of the answer, whose body comes in.
    head: Option<String>,
    body: Vec<u8>,
    init: Option<(u64, Vec<u8>)>,
    wants: Option<File>,
    next_at: Option<Instant>,
    /// The last mark of the segment before, and its number.
    last: Option<(u64, Mark)>,
    until: Option<Instant>,
    paused_until: Option<Instant>,
    segments: u64,
    is_done: bool,
}

impl SegmentReader {
    pub fn new(spec: SegmentsSpec, books: &Books) -> SegmentReader {
        SegmentReader {
            spec,
            books: books.clone(),
            received: Vec::new(),
            asked: None,
            head: None,
            body: Vec::new(),
            init: None,
            wants: Some(File::List { after: None }),
            next_at: None,
            last: None,
            until: None,
            paused_until: None,
            segments: 0,
            is_done: false,
        }
    }

    fn fault(&self, what: String) {
        let stream = self.spec.stream;
        self.books
            .fault(format!("a reader of segments of {stream} {what}"));
    }

    fn ask(&mut self, wire: &mut Wire, now: Instant) {
        let Some(file) = self.wants.take() else {
            return;
        };
        let SegmentsSpec {
            stream, credential, ..
        } = self.spec;
        let query = credential.query();
        let (name, query) = match file {
            File::List { after: None } => ("live.json".to_owned(), query),
            File::List { after: Some(after) } => {
                let mark = if query.is_empty() { '?' } else { '&' };
                (
                    "live.json".to_owned(),
                    format!("{query}{mark}after={after}"),
                )
            }
            File::Init(generation) => (format!("init-{generation}.webm"), query),
            File::Media(number) => (format!("{number}.webm"), query),
        };
        let version = if self.spec.is_old { "1.0" } else { "1.1" };
        let fields = credential.fields();
        wire.send(
            format!(
                "GET /live/{stream}/{name}{query} HTTP/{version}\r\nHost: localhost\r\n\
                 Connection: keep-alive\r\n{fields}\r\n"
            )
            .as_bytes(),
        );
        let asked = Asked::now(&self.books, Right::Watch, stream, credential);
        self.asked = Some((file, asked, now));
    }

    /// Takes what has come. Returns whether an answer is whole, and the connection goes on.
    fn hear(&mut self, now: Instant) -> Option<bool> {
        let (_, asked, at) = self.asked.as_ref()?;
        let (asked, at) = (*asked, *at);
        if self.head.is_none() {
            let head = take_head(&mut self.received)?;
            check_refusal(&self.books, &head);
            asked.check(&self.books, &head);
            self.head = Some(head);
            self.body.clear();
        }
        let head = self.head.clone()?.to_ascii_lowercase();
        let is_whole = if head.contains("transfer-encoding: chunked") {
            self.hear_chunks()
        } else {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length = length.and_then(|length| length.trim().parse().ok());
            let length: usize = length.unwrap_or(0);
            let missing = length.saturating_sub(self.body.len());
            let came = missing.min(self.received.len());
            self.body.extend(self.received.drain(..came));
            self.body.len() == length
        };
        if !is_whole {
            return None;
        }
        let goes_on = !head.contains("connection: close");
        if goes_on && self.books.is_last(at) {
            self.fault("goes on at a hub that drains".to_owned());
        }
        let (file, ..) = self.asked.take()?;
        self.head = None;
        let body = std::mem::take(&mut self.body);
        self.answered(file, status(&head), (&head, &body), now);
        Some(goes_on)
    }

    fn hear_chunks(&mut self) -> bool {
        loop {
            let Some(end) = self.received.windows(2).position(|two| two == b"\r\n") else {
                return false;
            };
            let line = String::from_utf8_lossy(&self.received[..end]).into_owned();
            let Ok(length) = usize::from_str_radix(&line, 16) else {
                self.fault(format!("is sent a chunk of length {line:?}"));
                self.received.clear();
                return false;
            };
            let whole = end + 2 + length + 2;
            if self.received.len() < whole {
                return false;
            }
            let chunk: Vec<u8> = self.received.drain(..whole).collect();
            if length == 0 {
                return true;
            }
            self.body.extend(&chunk[end + 2..end + 2 + length]);
        }
    }

    fn answered(&mut self, file: File, status: u16, (head, body): (&str, &[u8]), now: Instant) {
        if [401, 403, 503].contains(&status) {
            self.is_done = true;
            return;
        }
        let later = now + Duration::from_secs(1);
        match (status, file) {
            (200, File::List { .. }) => self.see_list(body, now),
            (200, File::Init(generation)) => {
                self.init = Some((generation, body.to_vec()));
                self.wants = self.last.map(|(number, _)| File::Media(number + 1));
            }
            (200, File::Media(number)) => {
                self.wants = Some(File::Media(number + 1));
                self.see_segment(number, head, body);
            }
            (404, File::Media(_) | File::Init(_) | File::List { .. }) => {
                if !head.contains("max-age=1") && !head.contains("no-store") {
                    self.fault(format!("gets a 404 that caches may keep: {head}"));
                }
                self.init = None;
                self.wants = Some(File::List { after: None });
                self.next_at = Some(later);
            }
            (status, file) => self.fault(format!("asks for {file:?} and gets {status}")),
        }
    }

    fn see_list(&mut self, body: &[u8], now: Instant) {
        let Ok(list) = serde_json::from_slice::<Value>(body) else {
            return self.fault(format!("gets a list that is none: {body:?}"));
        };
        let newest = list["gops"].as_array().and_then(|gops| gops.last());
        let newest = newest.and_then(|gop| gop["n"].as_u64());
        let open = list["open"].as_u64();
        if let (Some(open), Some(newest)) = (open, newest)
            && newest >= open
        {
            self.fault(format!("gets a list with {newest} before {open}, open"));
        }
        if let Some(next) = open.or(newest.map(|newest| newest + 1)) {
            self.wants = Some(File::Media(next));
        } else {
            self.wants = Some(File::List { after: None });
            self.next_at = Some(now + Duration::from_secs(1));
        }
    }

    fn see_segment(&mut self, number: u64, head: &str, body: &[u8]) {
        self.segments += 1;
        self.books.count(|counts| counts.segments += 1);
        let generation = head
            .lines()
            .find_map(|line| line.strip_prefix("x-videostream-generation: "));
        let generation = generation.and_then(|text| text.trim().parse::<u64>().ok());
        let Some(generation) = generation else {
            return self.fault(format!("is not told of a generation: {head}"));
        };
        self.books
            .note_segment(self.spec.stream, number, generation, body);
        let (marks, length) = marks(body);
        if length < body.len() {
            self.fault(format!("gets half an element at the end of {number}"));
        }
        if !marks.first().is_some_and(|mark| mark.is_keyframe) {
            self.fault(format!(
                "gets {number}, which begins with {:?}",
                marks.first()
            ));
        }
        for pair in marks.windows(2) {
            let is_next =
                pair[0].recording == pair[1].recording && pair[0].number + 1 == pair[1].number;
            if !is_next {
                self.fault(format!("gets {pair:?} in {number}"));
            }
        }
        if let Some(mark) = marks
            .iter()
            .find(|mark| self.books.is_forbidden(mark.recording))
        {
            self.fault(format!("sees a forbidden publisher's {mark:?}"));
        }
        let (Some(first), Some(last)) = (marks.first(), marks.last()) else {
            return;
        };
        if let Some((before, mark)) = self.last
            && before + 1 == number
            && mark.recording == first.recording
            && mark.number + 1 != first.number
        {
            self.fault(format!("misses pictures from {mark:?} to {first:?}"));
        }
        self.last = Some((number, *last));
        self.books.note_gop_of_segment(*first, body, &marks);
        match &self.init {
            Some((of, init)) if *of == generation => {
                reader::read(&[&init[..], body].concat());
            }
            _ => self.wants_init(generation),
        }
    }

    /// Before the next segment.
    fn wants_init(&mut self, generation: u64) {
        self.wants = Some(File::Init(generation));
    }

    fn end(&mut self, wire: &mut Wire) {
        wire.half_close();
        self.is_done = true;
    }
}

impl Peer for SegmentReader {
    fn act(&mut self, wire: &mut Wire, now: Instant) -> Option<Instant> {
        let until = *self.until.get_or_insert(now + self.spec.lasts);
        if self.paused_until.is_some_and(|until| now >= until) {
            self.paused_until = None;
            wire.stall_down(false);
        }
        self.received.extend(wire.take());
        while let Some(goes_on) = self.hear(now) {
            if !goes_on || self.is_done {
                self.end(wire);
                return None;
            }
            if let Some(pause) = self.spec.pause
                && self.segments % 3 == 1
            {
                self.paused_until = Some(now + pause);
                wire.stall_down(true);
            }
        }
        if self.is_done {
            return None;
        }
        // What is cut off has no end: that is all that a reader may see of it.
        if wire.is_ended() || now >= until {
            self.end(wire);
            return None;
        }
        if self.asked.is_none() && self.next_at.is_none_or(|at| now >= at) {
            self.next_at = None;
            self.ask(wire, now);
        }
        let next_at = self.next_at.filter(|&at| at > now);
        [Some(until), self.paused_until, next_at]
            .into_iter()
            .flatten()
            .min()
    }

    fn is_done(&self) -> bool {
        self.is_done
    }
}
