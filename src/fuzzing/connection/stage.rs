//! One connection and its stream, and the reactor's part in their lives.

use super::order::Known;
use super::script::{Role, Step, frame};
use crate::fuzzing::frames::read_server;
use crate::fuzzing::line::Line;
use crate::fuzzing::recording::{Tracks, recording};
use crate::protocol::control::{OfflineReason, ToPublisher};
use crate::protocol::http::Body;
use crate::protocol::websocket::{CloseCode, ping_frame};
use crate::session::body::{BodyReader, ReadBuffer};
use crate::session::bucket::Bucket;
use crate::session::inbound::Inbound;
use crate::session::publisher::{Fed, FeedResult, FeedTurn, Publisher};
use crate::session::turn::After;
use crate::session::viewer::{Item, Progress, Told, Transport, Viewer};
use crate::session::{CLOSING_TIMEOUT, OUTBOX_SLICES_MAX, Session, SessionId, State};
use crate::stream::{Catalog, Cursor, Ingest, Limits, Next, StreamId};
use crate::work::{self, Work};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// Small, so that a fuzzer comes to it.
pub const MESSAGE_BYTES: usize = 3000;

/// However fast a publisher was, it may send again after this time.
const LONG_REST: Duration = Duration::from_secs(3600);

/// Some stop after each step, some never.
const SHARES: [u64; 4] = [1, 300, work::SHARE_MIN, work::TURN_WORK];

/// By so much a share may be overdrawn: the work of a read of 64 KiB full of frames, or of the largest
/// element here, in one step, and of the chunk at the end.
const STEP_MAX: u64 = 2_500_000;

/// One connection, its stream, and all that was said.
pub struct Stage {
    pub role: Role,
    pub connection: Session<Line>,
    pub catalog: Catalog,
    pub stream: StreamId,
    pub limits: Limits,
    /// Bits a second that a publisher may send, where it is limited.
    pub rate: u64,
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
    /// Texts that a publisher was sent.
    pub texts: usize,
    /// The reactor would have let go of it.
    pub is_gone: bool,
    /// The stream ended it, and not the peer.
    pub is_over: bool,
    /// Another publisher came in its place, when this many bytes had been published.
    pub replaced_at: Option<usize>,
    /// Bytes that were read from a publisher.
    pub received: u64,
    /// The work of a publisher in one turn.
    pub share: u64,
    pub now: Instant,
    pub began: Instant,
    pub buffer: ReadBuffer,
    pub items: Vec<Item>,
}

impl Stage {
    /// `rest` are the bytes that came behind the request.
    pub fn new(role: Role, ring: u8, rest: &[u8]) -> Stage {
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
        let mut connection = Session::new(
            SessionId::new(0, 0),
            Line::default(),
            Ipv4Addr::LOCALHOST.into(),
            now,
        );
        if !role.is_publisher() {
            catalog.stream_mut(stream).go_live();
        }
        let viewing = |transport, inbound| State::Viewing {
            viewer: Viewer {
                stream,
                transport,
                cursor: Cursor::join_now(catalog.stream(stream)),
                told: Told::Live,
                audience_index: 0,
                ignored_reads: 0,
                stamp: None,
            },
            inbound,
        };
        let ingest = Ingest::candidate(limits);
        connection.state = match role {
            Role::Viewer { v1 } => {
                let inbound = (!rest.is_empty()).then(|| Inbound::viewer(rest, MESSAGE_BYTES));
                viewing(Transport::WebSocket { v1 }, inbound.map(Box::new))
            }
            Role::HttpViewer => viewing(Transport::Chunked, None),
            Role::OldViewer => viewing(Transport::UntilClose, None),
            Role::Publisher => {
                let inbound = Inbound::publisher(rest, MESSAGE_BYTES);
                let publisher = Publisher::websocket(stream, ingest, inbound, ring >= 64, now);
                State::Publishing(Box::new(publisher))
            }
            Role::HttpPublisher => {
                let body = BodyReader::new(Body::Chunked);
                let publisher = Publisher::body(stream, ingest, body, now);
                State::Publishing(Box::new(publisher))
            }
        };
        let rate = u64::from(ring) << 10;
        if let (State::Publishing(publisher), true) = (&mut connection.state, ring % 2 == 1) {
            publisher.bucket = Some(Bucket::empty(rate, now));
        }
        let mut stage = Stage {
            role,
            connection,
            catalog,
            stream,
            limits,
            rate,
            ingest: (!role.is_publisher()).then(|| Ingest::new(limits)),
            recording: recording(Tracks::Both, 5),
            known: BTreeMap::new(),
            inits: Vec::new(),
            sent: rest.to_vec(),
            pings: 0,
            texts: 0,
            is_gone: false,
            is_over: false,
            replaced_at: None,
            received: 0,
            share: SHARES[usize::from(ring % 4)],
            now,
            began: now,
            buffer: ReadBuffer::new(),
            items: Vec::new(),
        };
        if role == Role::HttpPublisher {
            stage.feed(rest);
        }
        stage
    }

    /// The part of a body that came behind its head.
    fn feed(&mut self, rest: &[u8]) {
        let State::Publishing(publisher) = &mut self.connection.state else {
            return;
        };
        publisher.feed(Bytes::copy_from_slice(rest));
    }

    /// A candidate has its first media.
    fn put_on_air(&mut self) -> After {
        let State::Publishing(publisher) = &mut self.connection.state else {
            return After::Stays;
        };
        let stream = self.catalog.stream_mut(self.stream);
        assert!(!stream.is_live() && stream.ring().live_edge() == 0);
        stream.go_live();
        publisher.go_on_air(stream);
        self.note_chunks();
        After::Stays
    }

    pub fn step(&mut self, step: Step) {
        match step {
            // A body has no other frames than its chunks.
            Step::Frame(first, _) if !self.role.is_websocket() && first != 0x82 => {}
            Step::Frame(first, payload) => self.send_framed(first, &payload),
            Step::Media(first, length) => {
                let length = length.min(self.recording.len());
                let piece = match self.role.is_publisher() {
                    true => self.recording.split_to(length),
                    false => Bytes::from(vec![0xff; length]),
                };
                self.send_framed(first, &piece);
            }
            Step::Close(..) if !self.role.is_websocket() => self.send(b"0\r\n\r\n"),
            Step::Close(code, reason) => {
                self.send_framed(0x88, &[&code.to_be_bytes()[..], &reason].concat());
            }
            Step::Raw(bytes) => self.send(&bytes),
            Step::HangUp => {
                self.connection.socket.is_hung_up = true;
                self.connection.can_read = true;
            }
            Step::Reset => {
                self.connection.socket.is_reset = true;
                self.connection.can_read = true;
                self.connection.can_write = true;
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
                if !self.role.is_publisher() {
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
                if is_open && self.role.is_websocket() {
                    self.pings += 1;
                    self.connection.outbox.push(ping_frame(b""));
                }
            }
            Step::Tell => self.tell(),
        }
    }

    fn send_framed(&mut self, first: u8, payload: &[u8]) {
        match self.role.is_websocket() {
            true => self.send(&frame(first, payload)),
            false if payload.is_empty() => {}
            false => {
                let head = format!("{:x}\r\n", payload.len());
                self.send(&[head.as_bytes(), payload, b"\r\n"].concat());
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
        if self.role.is_publisher() {
            return;
        }
        let Some(ingest) = &mut self.ingest else {
            return;
        };
        let piece = self.recording.split_to(length.min(self.recording.len()));
        let stream = self.catalog.stream_mut(self.stream);
        stream.resume();
        ingest.push(piece, stream).expect("a valid recording");
        self.note_chunks();
    }

    /// Tells a publisher something; to a viewer that its stream is stalled, or is so no longer.
    fn tell(&mut self) {
        if !self.role.is_publisher() {
            let stream = self.catalog.stream_mut(self.stream);
            let _ = stream.resume() || stream.stall(2000);
            return;
        }
        let Session { state, outbox, .. } = &mut self.connection;
        if let State::Publishing(publisher) = state
            && outbox.len() < OUTBOX_SLICES_MAX
        {
            let before = outbox.len();
            publisher.tell(outbox, &ToPublisher::Viewers { count: 3 });
            self.texts += outbox.len() - before;
        }
    }

    fn leave(&mut self) {
        self.note_chunks();
        let published = self.known.values().map(|known| known.payload.len()).sum();
        let Session { state, outbox, .. } = &mut self.connection;
        if let State::Publishing(publisher) = state {
            publisher.close(outbox, CloseCode::Normal, 409, "replaced");
            self.replaced_at = Some(published);
            return self.go_on(After::Ends);
        }
        if self.role.is_publisher() {
            return;
        }
        let stream = self.catalog.stream_mut(self.stream);
        if let Some(mut ingest) = self.ingest.take() {
            ingest.flush(stream);
        }
        stream.go_offline(OfflineReason::Lost);
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
        let has_input = self.connection.has_input();
        if !self.connection.wants_turn() || self.is_gone || (!has_input && self.rests()) {
            return;
        }
        let after = match &self.connection.state {
            State::Publishing(_) => {
                let stream = self.catalog.stream_mut(self.stream);
                // Whatever the share, what is published is the same.
                let mut work = Work::new(self.share);
                let mut turn = FeedTurn {
                    stream,
                    buffer: &mut self.buffer,
                    work: &mut work,
                    now: self.now,
                };
                let result = self.connection.read_publisher(&mut turn);
                let FeedResult { fed, received } = result.expect("it publishes");
                assert!(work.done() <= self.share + STEP_MAX, "{}", work.done());
                self.received += received;
                self.note_chunks();
                self.answer(&fed)
            }
            State::Viewing { .. } => self.connection.read_viewer(MESSAGE_BYTES, self.now),
            State::Closing { is_shut: true, .. } => self.connection.read_nothing(self.now),
            _ => After::Stays,
        };
        self.go_on(after);
    }

    /// Whether it was too fast, and is not read yet.
    fn rests(&mut self) -> bool {
        let State::Publishing(publisher) = &mut self.connection.state else {
            return false;
        };
        let rests = publisher.is_throttled(self.now) || publisher.throttle(self.now).is_some();
        if !rests && publisher.bucket.is_some() {
            // It began with an empty one.
            let elapsed = (self.now - self.began).as_secs_f64();
            assert!(self.received as f64 * 8.0 <= self.rate as f64 * elapsed + 1.0);
        }
        rests
    }

    fn answer(&mut self, fed: &Fed) -> After {
        if let State::Publishing(publisher) = &self.connection.state {
            publisher.answer(fed, &mut self.connection.outbox);
        }
        match fed {
            Fed::Ready => self.put_on_air(),
            Fed::Blocked | Fed::More => After::Stays,
            Fed::Gone => After::Gone,
            Fed::Finished
            | Fed::Aborted
            | Fed::Text
            | Fed::BadFrames(..)
            | Fed::BadBody(_)
            | Fed::BadMedia(_) => After::Ends,
        }
    }

    /// And to write.
    fn write(&mut self) {
        if !self.connection.can_write || self.is_gone {
            return;
        }
        if matches!(self.connection.state, State::Viewing { .. }) {
            let stream = self.catalog.stream(self.stream);
            let sent = self
                .connection
                .write_viewer(stream, &mut self.items, self.now);
            match sent.map(|sent| sent.progress) {
                Ok(Progress::Ended) => {
                    self.is_over = true;
                    self.go_on(After::Ends);
                }
                Ok(_) => {}
                Err(_) => {
                    assert!(self.connection.socket.is_reset);
                    self.go_on(After::Gone);
                }
            }
            return;
        }
        let Ok(is_all) = self.connection.write_outbox(self.now).1 else {
            assert!(self.connection.socket.is_reset);
            return self.go_on(After::Gone);
        };
        assert_eq!(is_all, self.connection.outbox.is_empty());
        assert_eq!(is_all, self.connection.outbox.byte_len() == 0);
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
        for _ in 0..4 * self.sent.len() + self.known.len() + 1000 {
            self.connection.can_write = true;
            self.connection.socket.room = usize::MAX / 2;
            if self.role.is_publisher() {
                self.now += LONG_REST;
            }
            self.read();
            self.write();
            let is_read = !self.connection.wants_turn() || self.is_gone;
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
        let outgoing = std::mem::take(&mut self.connection.socket.outgoing);
        match self.role {
            Role::Viewer { .. } | Role::Publisher => {
                let said = read_server(&outgoing);
                self.check_replies(&said, is_open);
                match self.role {
                    Role::Publisher => self.check_messages(&said, is_open),
                    _ => self.check_media(&said, is_open),
                }
            }
            Role::HttpViewer | Role::OldViewer => self.check_stream(&outgoing, is_open),
            Role::HttpPublisher => self.check_body(&outgoing, is_open),
        }
    }
}
