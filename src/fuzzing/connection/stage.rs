//! One connection to a whole hub, and all bytes in both directions.

use super::order::Known;
use super::script::{Role, Step, frame};
use crate::config::{Options, Serve};
use crate::fuzzing::frames::read_server;
use crate::fuzzing::line::{Line, ServerEnd};
use crate::fuzzing::recording::{Tracks, recording};
use crate::hub::{Hub, Settings, Time};
use crate::session::SessionId;
use crate::stream::Limits;
use crate::websocket::SUBPROTOCOL;
use crate::work;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::mem;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

/// Small, so that a fuzzer comes to it.
pub const MESSAGE_BYTES: usize = 3000;

/// However fast a publisher was, it may send again after this time.
const LONG_REST: Duration = Duration::from_secs(3600);

/// Longer than any script: what a deadline does has tests of its own.
const NEVER: Duration = Duration::from_secs(1_000_000_000);

pub const PING_INTERVAL: Duration = Duration::from_secs(20);

/// Some stop after each step, some never.
const SHARES: [u64; 4] = [1, 300, work::SHARE_MIN, work::TURN_WORK];

/// By so much a share may be overdrawn: the work of a read of 64 KiB full of frames, or of the largest
/// element here, in one step, and of the chunk at the end.
const STEP_MAX: u64 = 2_500_000;

/// Turns after which a hub must be idle, for any input.
const TURNS_MAX: usize = 10_000;

/// A connection, from its peer's side.
struct Peer {
    id: SessionId,
    line: Line,
}

/// One connection, the hub that serves it, and all bytes in both directions.
pub struct Stage {
    pub role: Role,
    pub hub: Hub<ServerEnd>,
    peer: Peer,
    /// To a publisher, a viewer that keeps its stream; to a viewer, the publisher of what it sees.
    other: Option<Peer>,
    pub limits: Limits,
    /// Bits a second that a publisher may send, where it is limited.
    rate: Option<u64>,
    share: u64,
    pub recording: Bytes,
    /// All chunks that ever were, by sequence.
    pub known: BTreeMap<u64, Known>,
    /// All init segments that ever were.
    pub inits: Vec<Bytes>,
    /// All that the peer sent behind its request.
    pub sent: Vec<u8>,
    /// The connection ended before all bytes were sent.
    pub is_gone: bool,
    /// Its owner ended the publisher, when this many bytes had been published.
    pub ended_at: Option<usize>,
    /// Bytes that were published before the turn in which the connection ended.
    pub published: usize,
    /// Blocks waited while time passed, so that they may have gone out by the clock.
    pub is_timed: bool,
    pub now: Instant,
    pub began: Instant,
}

/// What a client asks to be in this role. `v1`: it understands text messages.
fn request(role: Role, v1: bool) -> String {
    let protocol = if v1 {
        format!("Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n")
    } else {
        String::new()
    };
    let upgrade = format!(
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{protocol}"
    );
    let (line, fields) = match role {
        Role::Viewer { .. } => ("GET /live/demo HTTP/1.1", upgrade),
        Role::Publisher => ("GET /publish/demo HTTP/1.1", upgrade),
        Role::HttpViewer => ("GET /live/demo.webm HTTP/1.1", String::new()),
        Role::OldViewer => ("GET /live/demo.webm HTTP/1.0", String::new()),
        Role::HttpPublisher => (
            "PUT /live/demo.webm HTTP/1.1",
            "Transfer-Encoding: chunked\r\nConnection: close\r\n".to_owned(),
        ),
    };
    format!("{line}\r\nHost: localhost\r\n{fields}\r\n")
}

impl Stage {
    /// `rest` are the bytes that came behind the request.
    pub fn new(role: Role, ring: u8, rest: &[u8]) -> Stage {
        let config = Serve::resolve(Options::default()).expect("the defaults are good");
        let mut settings = Settings::new(&config, 1000);
        let limits = &mut settings.limits;
        limits.ring_bytes = match ring {
            0..=127 => Limits::default().ring_bytes,
            small => usize::from(small) << 6,
        };
        limits.lag_ms = u64::from(ring);
        limits.publisher_message_bytes = MESSAGE_BYTES;
        limits.viewer_message_bytes = MESSAGE_BYTES;
        for timeout in [
            &mut limits.head_timeout,
            &mut limits.publisher_timeout,
            &mut limits.viewer_timeout,
            &mut limits.ping_timeout,
        ] {
            *timeout = NEVER;
        }
        limits.ping_interval = PING_INTERVAL;
        let is_limited = role.is_publisher() && ring % 2 == 1;
        let rate = is_limited.then(|| u64::from(ring) << 10);
        limits.max_publish_bits_per_s = rate;
        let share = SHARES[usize::from(ring % 4)];
        if role.is_publisher() {
            settings.turn_work = share;
        }
        let limits = settings.stream_limits();
        let now = Instant::now();
        let mut hub = Hub::new(settings, || 0, at(now));
        hub.begin(at(now));
        let other = role
            .is_publisher()
            .then(|| connect(&mut hub, request(Role::OldViewer, false).as_bytes()));
        let v1 = match role {
            Role::Viewer { v1 } => v1,
            _ => ring >= 64,
        };
        let head = request(role, v1);
        let peer = connect(&mut hub, &[head.as_bytes(), rest].concat());
        let mut stage = Stage {
            role,
            hub,
            peer,
            other,
            limits,
            rate,
            share,
            recording: recording(Tracks::Both, 5),
            known: BTreeMap::new(),
            inits: Vec::new(),
            sent: rest.to_vec(),
            is_gone: false,
            ended_at: None,
            published: 0,
            is_timed: false,
            now,
            began: now,
        };
        stage.turn();
        let mut wire = stage.peer.line.wire();
        wire.room = 0;
        // What was read until now is the request.
        wire.taken = 0;
        drop(wire);
        stage
    }

    pub fn step(&mut self, step: Step) {
        match step {
            // A body has no other frames than its chunks.
            Step::Frame(first, _) if !self.role.is_websocket() && first != 0x82 => {}
            Step::Frame(first, payload) => self.send_framed(first, &payload),
            Step::Media(first, length) => {
                let length = length.min(self.recording.len());
                let piece = if self.role.is_publisher() {
                    self.recording.split_to(length)
                } else {
                    Bytes::from(vec![0xff; length])
                };
                self.send_framed(first, &piece);
            }
            Step::Close(..) if !self.role.is_websocket() => self.send(b"0\r\n\r\n"),
            Step::Close(code, reason) => {
                self.send_framed(0x88, &[&code.to_be_bytes()[..], &reason].concat());
            }
            Step::Raw(bytes) => self.send(&bytes),
            Step::HangUp => {
                self.peer.line.wire().is_hung_up = true;
                self.hub.ready(self.peer.id, true, false);
            }
            Step::Reset => {
                self.peer.line.wire().is_reset = true;
                self.hub.ready(self.peer.id, true, true);
            }
            Step::Room(room) => {
                self.peer.line.wire().room += room;
                self.hub.ready(self.peer.id, false, room > 0);
            }
            Step::ReadMost(most) => self.peer.line.wire().read_most = most,
            Step::Interrupt(count) => self.peer.line.wire().interruptions = count,
            Step::Read | Step::Write => self.turn(),
            Step::Grow(length) => self.grow(length),
            Step::Leave => self.leave(),
            Step::Come(tracks) => {
                self.leave();
                self.recording = recording(tracks, 4);
            }
            Step::Wait(ms) => self.wait(Duration::from_millis(ms)),
            // Then the server sends a ping.
            Step::Ping => self.wait(PING_INTERVAL),
            // By then the server has sent a publisher its viewer count, or a viewer that its stream
            // is silent.
            Step::Tell => self.wait(Duration::from_secs(3)),
        }
    }

    fn send_framed(&mut self, first: u8, payload: &[u8]) {
        match self.role.is_websocket() {
            true => self.send(&frame(first, payload)),
            false if payload.is_empty() => {}
            false => self.send(&chunk_of(payload)),
        }
    }

    /// The peer sends, unless it has hung up.
    fn send(&mut self, bytes: &[u8]) {
        let mut wire = self.peer.line.wire();
        if !wire.is_hung_up {
            wire.incoming.extend(bytes);
            self.sent.extend_from_slice(bytes);
            drop(wire);
            self.hub.ready(self.peer.id, true, false);
        }
    }

    /// The publisher sends more of what a viewer sees; the first bytes, if there are none yet.
    fn grow(&mut self, length: usize) {
        if self.role.is_publisher() {
            return;
        }
        let hub = &mut self.hub;
        let other = self.other.get_or_insert_with(|| {
            let head = request(Role::HttpPublisher, false);
            connect(hub, head.as_bytes())
        });
        let piece = self.recording.split_to(length.min(self.recording.len()));
        if !piece.is_empty() {
            other.line.wire().incoming.extend(chunk_of(&piece));
        }
        self.hub.ready(other.id, true, false);
        self.turn();
    }

    /// A publisher is ended by its owner; the one of what a viewer sees hangs up.
    fn leave(&mut self) {
        if !self.role.is_publisher() {
            if let Some(other) = self.other.take() {
                other.line.wire().is_hung_up = true;
                self.hub.ready(other.id, true, false);
                self.turn();
            }
            return;
        }
        if !self.hub.is_publishing(self.peer.id) {
            return;
        }
        let published = self.published();
        let end =
            b"DELETE /api/streams/demo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let owner = connect(&mut self.hub, end);
        // What has come already is read first.
        self.turn();
        let answer = mem::take(&mut owner.line.wire().outgoing);
        let is_ended =
            answer.starts_with(b"HTTP/1.1 204 ") && !self.hub.is_publishing(self.peer.id);
        if is_ended && self.ended_at.is_none() {
            self.ended_at = Some(published);
        }
    }

    fn wait(&mut self, time: Duration) {
        self.is_timed |= !time.is_zero() && self.hub.has_waiting_media();
        self.now += time;
        self.turn();
    }

    fn turn(&mut self) {
        let was_open = self.is_open();
        let (now, taken) = (self.now, self.peer.line.wire().taken);
        let published = self.published();
        self.hub.begin(at(now));
        self.hub.turn(&|| now);
        if self.role.is_publisher() {
            let work = self.hub.publishers_work();
            assert!(work <= self.share.max(work::SHARE_MIN) + STEP_MAX, "{work}");
        }
        let has_read = self.peer.line.wire().taken > taken;
        if let (true, Some(rate)) = (has_read && self.is_open(), self.rate) {
            // It began with an empty bucket.
            let elapsed = (self.now - self.began).as_secs_f64();
            assert!(taken as f64 * 8.0 <= rate as f64 * elapsed + 1.0);
        }
        self.note_chunks();
        if was_open && !self.is_open() {
            self.published = published;
        }
    }

    fn published(&self) -> usize {
        self.known.values().map(|known| known.payload.len()).sum()
    }

    fn note_chunks(&mut self) {
        let Some(stream) = self.hub.stream("demo") else {
            return;
        };
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

    /// Whether neither side has ended the connection.
    pub fn is_open(&self) -> bool {
        let wire = self.peer.line.wire();
        !wire.is_shut && !wire.is_closed
    }

    /// All that is on its way arrives; then everything has to be as promised.
    pub fn finish(mut self) {
        let mut wire = self.peer.line.wire();
        wire.interruptions = 0;
        wire.read_most = 0;
        drop(wire);
        for _ in 0..TURNS_MAX + 4 * self.sent.len() {
            self.peer.line.wire().room = usize::MAX / 2;
            self.hub.ready(self.peer.id, true, true);
            if self.rate.is_some() && self.is_open() {
                self.wait(LONG_REST);
            } else {
                self.turn();
            }
            let is_at_rest = self.hub.next_wake().is_none_or(|wake| wake > self.now);
            if is_at_rest && !self.hub.wants_turn(self.peer.id) {
                break;
            }
        }
        let is_open = self.is_open();
        let wire = self.peer.line.wire();
        self.is_gone = wire.is_closed && !wire.is_shut;
        drop(wire);
        assert!(self.is_gone || self.hub.is_level(self.peer.id));
        let outgoing = mem::take(&mut self.peer.line.wire().outgoing);
        match self.role {
            Role::Viewer { .. } | Role::Publisher => {
                let received = read_server(behind_101(&outgoing));
                self.check_replies(&received, is_open);
                match self.role {
                    Role::Publisher => self.check_messages(&received, is_open),
                    _ => self.check_media(&received, is_open),
                }
            }
            Role::HttpViewer | Role::OldViewer => self.check_stream(&outgoing, is_open),
            Role::HttpPublisher => self.check_body(&outgoing, is_open),
        }
    }
}

/// A new connection, on which these bytes have come. It has all the room that there is.
fn connect(hub: &mut Hub<ServerEnd>, bytes: &[u8]) -> Peer {
    let line = Line::default();
    line.wire().incoming.extend(bytes);
    line.wire().room = usize::MAX / 2;
    let id = hub.admit(line.server_end(), Ipv4Addr::LOCALHOST.into(), None);
    let id = id.expect("there is room for a thousand");
    Peer { id, line }
}

/// One chunk of a body.
fn chunk_of(payload: &[u8]) -> Vec<u8> {
    let head = format!("{:x}\r\n", payload.len());
    [head.as_bytes(), payload, b"\r\n"].concat()
}

/// The frames behind the head of a response that accepts a WebSocket.
fn behind_101(bytes: &[u8]) -> &[u8] {
    assert!(bytes.starts_with(b"HTTP/1.1 101 "), "no WebSocket");
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    &bytes[end.expect("it was written at once") + 4..]
}

fn at(now: Instant) -> Time {
    Time {
        now,
        unix_ms: 0,
        steady_ms: 0,
    }
}
