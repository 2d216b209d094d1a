//! A publisher: a picture and a sound every 40 ms, or at another pace, by WebSocket or by request body.

use super::{
    Asked, BINARY, CLOSE, PONG, Peer, check_refusal, frame, status, take_head, upgrade_with,
};
use crate::simulation::guards::{Credential, Right};
use crate::simulation::link::Wire;
use crate::simulation::media::{Books, Mark, picture};
use std::time::{Duration, Instant};
use videostream::fuzzing::frames::{ServerFrame, split_server};
use videostream::fuzzing::recording::{Tracks, head, sound};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    WebSocket,
    Body,
}

/// What it does when its time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    Closing,
    Resetting,
    /// The network drops all packets, without a reset to either end.
    Vanishing,
    /// Its connection stays, and nothing comes. It answers pings.
    Silently,
    /// Its bytes are WebM no more.
    Raving,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublisherSpec {
    pub stream: &'static str,
    pub how: How,
    /// Whether it has a picture and a sound, or a picture alone.
    pub has_sound: bool,
    /// The sound that it has does not come.
    pub mute: bool,
    /// It begins a new recording after so many pictures.
    pub restart_frames: Option<u32>,
    pub frame_every: Duration,
    pub frame_bytes: usize,
    pub gop_frames: u32,
    pub lasts: Duration,
    pub leave: Leave,
    pub credential: Credential,
    /// It is the one whose stream the honest viewers watch: it is never closed or replaced.
    pub is_kept: bool,
}

impl PublisherSpec {
    pub fn honest(stream: &'static str, lasts: Duration) -> PublisherSpec {
        PublisherSpec {
            stream,
            how: How::WebSocket,
            has_sound: true,
            mute: false,
            restart_frames: None,
            frame_every: Duration::from_millis(40),
            frame_bytes: 600,
            gop_frames: 25,
            lasts,
            leave: Leave::Closing,
            credential: Credential::nothing(),
            is_kept: false,
        }
    }
}

pub struct Publisher {
    spec: PublisherSpec,
    asked: Option<Asked>,
    books: Books,
    recording: u32,
    received: Vec<u8>,
    state: State,
    pub said: Vec<String>,
    pub close_code: Option<u16>,
    /// Where it stands still: sends nothing for this long, from then on.
    pub pause: Option<(Instant, Duration)>,
    pub answers_pings: bool,
    ends_at: Option<Instant>,
    was_end_checked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Asking,
    Publishing { began: Instant, frames: u32 },
    Silent,
    Done,
}

impl Publisher {
    pub fn new(spec: PublisherSpec, books: &Books) -> Publisher {
        Publisher {
            spec,
            asked: None,
            books: books.clone(),
            recording: books.new_recording(),
            received: Vec::new(),
            state: State::New,
            said: Vec::new(),
            close_code: None,
            pause: None,
            answers_pings: true,
            ends_at: None,
            was_end_checked: false,
        }
    }

    fn request(&self) -> String {
        let PublisherSpec {
            stream, credential, ..
        } = self.spec;
        let (query, fields) = (credential.query(), credential.fields());
        match self.spec.how {
            How::WebSocket => upgrade_with(&format!("/publish/{stream}"), true, credential),
            How::Body => format!(
                "PUT /publish/{stream}{query} HTTP/1.1\r\nHost: localhost\r\n{fields}\
                 Transfer-Encoding: chunked\r\n\r\n"
            ),
        }
    }

    fn send(&self, wire: &mut Wire, bytes: &[u8]) {
        match self.spec.how {
            How::WebSocket => wire.send(&frame(BINARY, bytes)),
            How::Body => {
                wire.send(format!("{:x}\r\n", bytes.len()).as_bytes());
                wire.send(bytes);
                wire.send(b"\r\n");
            }
        }
    }

    fn new_recording(&mut self) {
        self.recording = self.books.new_recording();
        self.forbid();
    }

    fn forbid(&self) {
        // What is not permitted now is never permitted later: tokens only expire.
        if self
            .asked
            .is_some_and(|asked| asked.is_permitted(&self.books) == Some(false))
        {
            self.books.forbid(self.recording);
        }
    }

    fn check_answer(&self, head: &str) {
        match self.asked {
            Some(asked) if self.said.is_empty() => asked.check(&self.books, head),
            _ => check_refusal(&self.books, head),
        }
    }

    fn send_head(&self, wire: &mut Wire) {
        let tracks = if self.spec.has_sound {
            Tracks::Both
        } else {
            Tracks::Picture
        };
        self.send(wire, &head(tracks));
    }

    fn hear(&mut self, wire: &mut Wire, now: Instant) {
        self.received.extend(wire.take());
        if self.state == State::Done {
            return;
        }
        if self.state == State::Asking {
            let Some(head) = take_head(&mut self.received) else {
                return;
            };
            self.check_answer(&head);
            if status(&head) != 101 {
                self.said.push(head);
                self.state = State::Done;
                wire.half_close();
                return;
            }
            self.send_head(wire);
            self.state = State::Publishing {
                began: now,
                frames: 0,
            };
        }
        if self.spec.how == How::Body {
            if let Some(head) = take_head(&mut self.received) {
                self.check_answer(&head);
                self.said.push(head);
            }
            return;
        }
        let (said, length) = split_server(&self.received);
        self.received.drain(..length);
        for said in said {
            match said {
                ServerFrame::Text(text) => {
                    if text.contains("The recording has stopped") {
                        self.books.count(|counts| counts.recording_warnings += 1);
                    }
                    self.said.push(text);
                }
                ServerFrame::Ping if self.answers_pings => wire.send(&frame(PONG, b"")),
                ServerFrame::Close(payload) => {
                    self.close_code = Some(match payload[..] {
                        [high, low, ..] => u16::from_be_bytes([high, low]),
                        _ => 1005,
                    });
                    wire.send(&frame(CLOSE, &payload));
                    wire.half_close();
                    self.state = State::Done;
                }
                ServerFrame::Ping | ServerFrame::Pong(_) => {}
                ServerFrame::Binary(_) => self.books.fault("media for a publisher".to_owned()),
            }
        }
    }

    fn publish(&mut self, wire: &mut Wire, began: Instant, mut frames: u32, now: Instant) -> State {
        while began + self.spec.frame_every * frames <= now {
            let at = began + self.spec.frame_every * frames;
            let is_paused = self
                .pause
                .is_some_and(|(from, lasts)| at >= from && at < from + lasts);
            if !is_paused {
                let restarts = self.spec.restart_frames;
                if restarts.is_some_and(|every| frames > 0 && frames.is_multiple_of(every)) {
                    self.new_recording();
                    self.send_head(wire);
                }
                let number = self.books.send(self.recording, now);
                let mark = Mark {
                    recording: self.recording,
                    number,
                    is_keyframe: number.is_multiple_of(self.spec.gop_frames),
                };
                let timestamp_ms = u64::from(number) * self.spec.frame_every.as_millis() as u64;
                let mut bytes = picture(mark, timestamp_ms, self.spec.frame_bytes);
                if self.spec.has_sound && !self.spec.mute {
                    bytes.extend(sound(timestamp_ms));
                }
                self.books.note_bytes(self.recording, bytes.len());
                self.send(wire, &bytes);
            }
            frames += 1;
        }
        State::Publishing { began, frames }
    }

    fn leave(&mut self, wire: &mut Wire) -> State {
        match (self.spec.leave, self.spec.how) {
            (Leave::Closing, How::WebSocket) => wire.send(&frame(CLOSE, &1000_u16.to_be_bytes())),
            (Leave::Closing, How::Body) => wire.send(b"0\r\n\r\n"),
            (Leave::Resetting, _) => {
                wire.reset();
                return State::Done;
            }
            (Leave::Vanishing, _) => {
                wire.vanish();
                return State::Done;
            }
            (Leave::Silently, _) => {}
            (Leave::Raving, _) => {
                self.send(
                    wire,
                    b"no element begins like this \0\0\0\0\0\0\0\0\0\0\0\0\0",
                );
            }
        }
        State::Silent
    }
}

impl Peer for Publisher {
    fn act(&mut self, wire: &mut Wire, now: Instant) -> Option<Instant> {
        self.ends_at.get_or_insert(now + self.spec.lasts);
        if self.state == State::New {
            wire.send(self.request().as_bytes());
            let PublisherSpec {
                stream, credential, ..
            } = self.spec;
            self.asked = Some(Asked::now(&self.books, Right::Publish, stream, credential));
            self.forbid();
            self.state = State::Asking;
            if self.spec.how == How::Body {
                self.send_head(wire);
                self.state = State::Publishing {
                    began: now,
                    frames: 0,
                };
            }
        }
        self.hear(wire, now);
        if wire.is_ended() {
            self.state = State::Done;
        }
        if self.spec.is_kept && self.state == State::Done && !self.was_end_checked {
            self.was_end_checked = true;
            if !self.books.is_stopping() && now < self.ends_at.unwrap_or(now) {
                self.books.fault(format!(
                    "the honest publisher is closed: {:?}, {:?}",
                    self.close_code, self.said
                ));
            }
        }
        match self.state {
            State::Publishing { began, .. } if now >= began + self.spec.lasts => {
                self.state = self.leave(wire);
                None
            }
            State::Publishing { began, frames } => {
                self.state = self.publish(wire, began, frames, now);
                match self.state {
                    State::Publishing { began, frames } => {
                        Some((began + self.spec.frame_every * frames).min(began + self.spec.lasts))
                    }
                    _ => None,
                }
            }
            State::New | State::Asking | State::Silent | State::Done => None,
        }
    }

    fn is_done(&self) -> bool {
        self.state == State::Done
    }
}
