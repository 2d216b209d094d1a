//! One connection and its stream, and the reactor's part in their lives.

use super::order::Known;
use super::script::{Role, Step, frame};
use crate::fuzzing::frames::read_server;
use crate::fuzzing::line::Line;
use crate::fuzzing::recording::{Tracks, recording};
use crate::net::body::ReadBuffer;
use crate::net::connection::{CLOSING_TIMEOUT, Connection, State};
use crate::net::inbound::Inbound;
use crate::net::publisher::{Fed, Publisher};
use crate::net::turn::After;
use crate::net::viewer::{Item, Sent, Transport, Viewer, Wrote};
use crate::protocol::websocket::ping_frame;
use crate::stream::{Catalog, Cursor, Ingest, Limits, Next, StreamId};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Small, so that a fuzzer comes to it.
pub const MESSAGE_BYTES: usize = 3000;

/// One connection, its stream, and all that was said.
pub struct Stage {
    pub role: Role,
    pub connection: Connection<Line>,
    pub catalog: Catalog,
    pub stream: StreamId,
    pub limits: Limits,
    /// Who publishes what a viewer sees, and what is still to come.
    pub ingest: Option<Ingest>,
    pub recording: Bytes,
    /// All chunks that ever were, by sequence.
    pub known: BTreeMap<u64, Known>,
    /// All init segments that ever were.
    pub inits: Vec<Bytes>,
    /// All that the peer sent.
    pub sent: Vec<u8>,
    pub pings: usize,
    /// The reactor would have let go of it.
    pub is_gone: bool,
    /// The stream ended it, and not the peer.
    pub is_over: bool,
    pub now: Instant,
    pub began: Instant,
    pub buffer: ReadBuffer,
    pub items: Vec<Item>,
}

impl Stage {
    pub fn new(role: Role, ring: u8) -> Stage {
        let limits = Limits {
            ring_bytes: match ring {
                0..=127 => Limits::default().ring_bytes,
                small => usize::from(small) << 6,
            },
            lag_ms: u64::from(ring),
            ..Limits::default()
        };
        let mut catalog = Catalog::new(limits);
        let stream = catalog.open("demo");
        let now = Instant::now();
        let mut connection = Connection::new(Line::default(), now);
        catalog.stream_mut(stream).go_live();
        let mut ingest = None;
        let transport = match role {
            Role::Viewer { v1 } => Transport::WebSocket { v1 },
            Role::HttpViewer | Role::Publisher => Transport::Chunked,
        };
        connection.state = if role == Role::Publisher {
            let inbound = Inbound::publisher(&[], MESSAGE_BYTES);
            let publisher = Publisher::websocket(stream, Ingest::new(limits), inbound, false, now);
            State::Publishing(Box::new(publisher))
        } else {
            ingest = Some(Ingest::new(limits));
            let viewer = Viewer {
                stream,
                transport,
                cursor: Cursor::join_now(catalog.stream(stream)),
                told_live: true,
                audience_index: 0,
                ignored_reads: 0,
            };
            State::Viewing {
                viewer,
                inbound: None,
            }
        };
        Stage {
            role,
            connection,
            catalog,
            stream,
            limits,
            ingest,
            recording: recording(Tracks::Both, 5),
            known: BTreeMap::new(),
            inits: Vec::new(),
            sent: Vec::new(),
            pings: 0,
            is_gone: false,
            is_over: false,
            now,
            began: now,
            buffer: ReadBuffer::new(),
            items: Vec::new(),
        }
    }

    pub fn step(&mut self, step: Step) {
        match step {
            Step::Frame(first, payload) => self.send(&frame(first, &payload)),
            Step::Media(first, length) => {
                let length = length.min(self.recording.len());
                if self.role == Role::Publisher {
                    let piece = self.recording.split_to(length);
                    self.send(&frame(first, &piece));
                } else {
                    self.send(&frame(first, &vec![0xff; length]));
                }
            }
            Step::Close(code, reason) => {
                self.send(&frame(0x88, &[&code.to_be_bytes()[..], &reason].concat()));
            }
            Step::Raw(bytes) => self.send(&bytes),
            Step::HangUp => {
                self.connection.socket.is_hung_up = true;
                self.connection.can_read = true;
            }
            Step::Room(room) => {
                self.connection.socket.room += room;
                self.connection.can_write |= room > 0;
            }
            Step::ReadMost(most) => self.connection.socket.read_most = most,
            Step::Interrupt(count) => self.connection.socket.interruptions = count,
            Step::Read => self.read(),
            Step::Write => self.write(),
            Step::Grow(length) => self.grow(length),
            Step::Leave => self.leave(),
            Step::Come(tracks) => {
                self.leave();
                self.recording = recording(tracks, 4);
                if self.role != Role::Publisher {
                    self.ingest = Some(Ingest::new(self.limits));
                    self.catalog.stream_mut(self.stream).go_live();
                }
            }
            Step::Wait(ms) => {
                self.now += Duration::from_millis(ms);
                self.catalog.set_clock(self.now - self.began);
            }
            Step::Ping => {
                let is_open = matches!(
                    self.connection.state,
                    State::Viewing { .. } | State::Publishing(_)
                );
                if is_open && self.role != Role::HttpViewer {
                    self.pings += 1;
                    self.connection.outbox.push(ping_frame(b""));
                }
            }
        }
    }

    /// The peer sends, unless it has hung up.
    fn send(&mut self, bytes: &[u8]) {
        let socket = &mut self.connection.socket;
        if !socket.is_hung_up {
            socket.incoming.extend(bytes);
            self.sent.extend_from_slice(bytes);
            self.connection.can_read = true;
        }
    }

    fn grow(&mut self, length: usize) {
        if self.role == Role::Publisher {
            return;
        }
        let Some(ingest) = &mut self.ingest else {
            return;
        };
        let piece = self.recording.split_to(length.min(self.recording.len()));
        let stream = self.catalog.stream_mut(self.stream);
        ingest.push(piece, stream).expect("a valid recording");
        self.note_chunks();
    }

    fn leave(&mut self) {
        if self.role == Role::Publisher {
            return;
        }
        let stream = self.catalog.stream_mut(self.stream);
        if let Some(mut ingest) = self.ingest.take() {
            ingest.flush(stream);
        }
        stream.go_offline();
        self.note_chunks();
    }

    fn note_chunks(&mut self) {
        let stream = self.catalog.stream(self.stream);
        self.inits
            .extend(stream.init().map(|init| init.chunk.framed.payload()));
        self.inits.dedup();
        let ring = stream.ring();
        for sequence in ring.oldest()..ring.live_edge() {
            let chunk = ring.chunk(sequence).expect("a ring has no gaps");
            self.known.entry(sequence).or_insert_with(|| Known {
                kind: chunk.kind,
                payload: chunk.framed.payload(),
            });
        }
    }

    /// The connection's turn to read, as the reactor gives it.
    fn read(&mut self) {
        if !self.connection.can_read || self.is_gone {
            return;
        }
        let after = match &self.connection.state {
            State::Publishing(_) => {
                let stream = self.catalog.stream_mut(self.stream);
                let mut received = 0;
                let fed = self.connection.read_publisher(
                    stream,
                    &mut self.buffer,
                    &mut received,
                    self.now,
                );
                self.note_chunks();
                self.answer(&fed)
            }
            State::Viewing { .. } => self.connection.read_viewer(MESSAGE_BYTES, self.now),
            State::Closing { is_shut: true, .. } => self.connection.read_nothing(self.now),
            _ => After::Stays,
        };
        self.go_on(after);
    }

    fn answer(&mut self, fed: &Fed) -> After {
        if let State::Publishing(publisher) = &self.connection.state {
            publisher.answer(fed, &mut self.connection.outbox);
        }
        match fed {
            Fed::Blocked | Fed::More => After::Stays,
            Fed::Gone => After::Gone,
            Fed::Finished | Fed::BadFrames(..) | Fed::BadBody(_) | Fed::BadMedia(_) => After::Ends,
        }
    }

    /// And to write.
    fn write(&mut self) {
        if !self.connection.can_write || self.is_gone {
            return;
        }
        if matches!(self.connection.state, State::Viewing { .. }) {
            let mut sent = Sent::default();
            let stream = self.catalog.stream(self.stream);
            match self
                .connection
                .write_viewer(stream, &mut self.items, &mut sent, self.now)
            {
                Ok(Wrote::Ended) => {
                    self.is_over = true;
                    self.go_on(After::Ends);
                }
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
            return;
        }
        let is_all = self
            .connection
            .write_outbox(&mut 0, self.now)
            .expect("a line does not break");
        assert_eq!(is_all, self.connection.outbox.is_empty());
        if let (true, State::Closing { is_shut, .. }) = (is_all, &mut self.connection.state) {
            *is_shut = true;
        }
    }

    fn go_on(&mut self, after: After) {
        match after {
            After::Stays => {}
            After::Ends => {
                let closing = State::Closing {
                    deadline: self.now + CLOSING_TIMEOUT,
                    is_shut: false,
                };
                let before = std::mem::replace(&mut self.connection.state, closing);
                if let State::Publishing(mut publisher) = before {
                    publisher.flush(self.catalog.stream_mut(self.stream));
                    self.note_chunks();
                }
            }
            After::Gone => self.is_gone = true,
        }
    }

    /// All that is on its way arrives; then everything has to be as promised.
    pub fn finish(mut self) {
        self.connection.socket.room = usize::MAX;
        self.connection.socket.interruptions = 0;
        self.connection.socket.read_most = 0;
        for _ in 0..self.sent.len() + self.known.len() + 1000 {
            self.connection.can_write = true;
            self.connection.socket.room = usize::MAX / 2;
            self.read();
            self.write();
            let is_read = !self.connection.can_read || self.is_gone;
            if is_read && self.connection.outbox.is_empty() {
                break;
            }
        }
        // What a sweep would do.
        for _ in 0..1000 {
            self.write();
        }
        let is_open = matches!(
            self.connection.state,
            State::Viewing { .. } | State::Publishing(_)
        );
        assert!(self.is_gone || self.connection.outbox.is_empty());
        if let (State::Viewing { viewer, .. }, false) = (&self.connection.state, self.is_gone) {
            let stream = self.catalog.stream(self.stream);
            let mut cursor = viewer.cursor;
            assert!(matches!(cursor.next(stream), Next::Wait));
        }
        if self.role == Role::HttpViewer {
            return self.check_http(is_open);
        }
        let outgoing = std::mem::take(&mut self.connection.socket.outgoing);
        let said = read_server(&outgoing);
        self.check_replies(&said, is_open);
        match self.role {
            Role::Publisher => self.check_published(is_open),
            _ => self.check_media(&said),
        }
    }
}
