//! A simulated connection: two pipes with buffers of bounded size, a rate, a latency, and faults.
//!
//! ```text
//! peer ─► up:   sending buffer ─► on its way ─► receiving buffer ─► Plug::read  ─► hub
//! peer ◄─ down: receiving buffer ◄─ on its way ◄─ sending buffer ◄─ Plug::write ◄─ hub
//! ```
//!
//! It tells readiness as an edge-triggered `epoll` does, and no more often: a socket is reported only
//! when it becomes readable after "would block", or writable after it was full. A hub that forgets a
//! socket waits for it for ever.

use super::memory::of_the_kernel;
use bytes::{Buf, BytesMut};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};
use videostream::session::Socket;

/// How finely a rate is simulated.
const QUANTUM: Duration = Duration::from_millis(5);

/// After this long the kernel gives up a peer that is gone: `net::listener` asks for a first probe after
/// a minute, and eight more.
const KEEPALIVE: Duration = Duration::from_secs(60 + 9 * 20);

/// What a link is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkSpec {
    pub latency: Duration,
    /// Bytes per second, in each direction.
    pub rate: u64,
    /// Bytes that the server's socket takes before it is full.
    pub send_buffer: usize,
    /// Bytes that wait at either end until they are read.
    pub receive_buffer: usize,
    /// Whether each write of the server is cut short by chance.
    pub is_choppy: bool,
}

impl LinkSpec {
    pub fn good() -> LinkSpec {
        LinkSpec {
            latency: Duration::from_millis(20),
            rate: 4_000_000,
            send_buffer: 256 << 10,
            receive_buffer: 128 << 10,
            is_choppy: false,
        }
    }

    pub fn slow(rate: u64) -> LinkSpec {
        LinkSpec {
            rate,
            send_buffer: 16 << 10,
            receive_buffer: 8 << 10,
            ..LinkSpec::good()
        }
    }
}

/// Where a proxy adds its own fields to a request: behind the one that all of them have.
const HOST: &[u8] = b"Host: localhost\r\n";

/// How a direction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// In order, behind all bytes.
    Whole,
    /// At once: what is on its way is lost.
    Reset,
}

#[derive(Debug)]
struct Pipe {
    sending: BytesMut,
    on_its_way: VecDeque<(Instant, BytesMut)>,
    received: BytesMut,
    /// Bytes in `on_its_way`.
    flying: usize,
    end: Option<End>,
    /// Nothing moves while it is stalled: a dead network, or a peer that reads nothing.
    is_stalled: bool,
    moved_at: Instant,
    /// Bytes that may still go in this quantum.
    allowance: u64,
}

impl Pipe {
    fn new(now: Instant) -> Pipe {
        Pipe {
            sending: BytesMut::new(),
            on_its_way: VecDeque::new(),
            received: BytesMut::new(),
            flying: 0,
            end: None,
            is_stalled: false,
            moved_at: now,
            allowance: 0,
        }
    }

    fn advance(&mut self, spec: &LinkSpec, now: Instant) {
        let passed = now.saturating_duration_since(self.moved_at);
        if passed >= QUANTUM || self.sending.len() as u64 <= self.allowance {
            let earned = passed.as_micros() as u64 * spec.rate / 1_000_000;
            let most = (spec.rate * QUANTUM.as_micros() as u64 / 1_000_000 * 4).max(1500);
            self.allowance = (self.allowance + earned).min(most);
            self.moved_at = now;
        }
        if !self.is_stalled {
            let room = spec
                .receive_buffer
                .saturating_sub(self.received.len() + self.flying);
            let length = room
                .min(self.sending.len())
                .min(usize::try_from(self.allowance).unwrap_or(usize::MAX));
            if length > 0 {
                self.allowance -= length as u64;
                self.flying += length;
                let bytes = self.sending.split_to(length);
                self.on_its_way.push_back((now + spec.latency, bytes));
            }
        }
        while let Some((at, _)) = self.on_its_way.front() {
            if *at > now || self.is_stalled {
                break;
            }
            let (_, bytes) = self.on_its_way.pop_front().expect("it is the front");
            self.flying -= bytes.len();
            self.received.extend_from_slice(&bytes);
        }
    }

    /// When something moves next by itself.
    fn wake_at(&self, spec: &LinkSpec, now: Instant) -> Option<Instant> {
        if self.is_stalled {
            return None;
        }
        let has_room = self.received.len() + self.flying < spec.receive_buffer;
        let sends = (!self.sending.is_empty() && has_room).then(|| now + QUANTUM);
        let arrives = self.on_its_way.front().map(|(at, _)| *at);
        sends.into_iter().chain(arrives).min()
    }

    /// Whether its end has arrived.
    fn is_over(&self) -> bool {
        match self.end {
            None => false,
            Some(End::Reset) => true,
            Some(End::Whole) => {
                self.sending.is_empty() && self.on_its_way.is_empty() && !self.is_stalled
            }
        }
    }

    fn reset(&mut self) {
        self.sending.clear();
        self.on_its_way.clear();
        self.received.clear();
        self.flying = 0;
        self.end = Some(End::Reset);
    }
}

/// What a peer and the server's socket share.
#[derive(Debug)]
pub struct Wire {
    pub spec: LinkSpec,
    up: Pipe,
    down: Pipe,
    /// The hub was told "would block", and has not been told of bytes since.
    wants_read: bool,
    /// The hub has seen so many bytes and left them: it is told of further ones.
    peeked: Option<usize>,
    /// The same of room.
    wants_write: bool,
    /// Whether the end of `up` was told.
    was_end_told: bool,
    /// Whether the hub has let go of its socket.
    pub is_dropped: bool,
    /// Since when the server's socket has not been empty.
    pub backed_up_since: Option<Instant>,
    now: Instant,
    /// When the kernel sees that the peer is gone.
    lost_at: Option<Instant>,
    /// Cuts writes short.
    chance: fastrand::Rng,
    /// What a proxy adds to each request on its way.
    proxy_fields: Option<String>,
    /// TLS is not done yet: nothing can be read or written.
    pub is_handshaking: bool,
    /// Calls and bytes, for the price of a turn.
    pub calls: u64,
    pub bytes: u64,
}

pub type Line = Rc<RefCell<Wire>>;

impl Wire {
    pub fn new(spec: LinkSpec, seed: u64, now: Instant) -> Line {
        Rc::new(RefCell::new(Wire {
            spec,
            up: Pipe::new(now),
            down: Pipe::new(now),
            // A new session is read and written to without being asked.
            wants_read: false,
            peeked: None,
            wants_write: false,
            was_end_told: false,
            is_dropped: false,
            backed_up_since: None,
            now,
            lost_at: None,
            chance: fastrand::Rng::with_seed(seed),
            proxy_fields: None,
            is_handshaking: false,
            calls: 0,
            bytes: 0,
        }))
    }

    pub fn advance(&mut self, now: Instant) {
        self.now = now;
        self.up.advance(&self.spec, now);
        self.down.advance(&self.spec, now);
        if self.lost_at.is_some_and(|at| now >= at) {
            self.lost_at = None;
            self.reset();
        }
        if self.down.sending.is_empty() {
            self.backed_up_since = None;
        }
    }

    pub fn wake_at(&self, now: Instant) -> Option<Instant> {
        let pipes = [&self.up, &self.down].into_iter();
        let moves = pipes.filter_map(|pipe| pipe.wake_at(&self.spec, now));
        moves.chain(self.lost_at).min()
    }

    /// What `epoll` would say now: readable, writable. Each edge once.
    pub fn poll_ready(&mut self) -> Option<(bool, bool)> {
        let has_end = self.up.is_over() && !self.was_end_told;
        let is_reset = self.up.end == Some(End::Reset);
        let received = self.up.received.len();
        let has_more = self.peeked.is_some_and(|peeked| received > peeked);
        let readable = (self.wants_read && received > 0) || has_more || has_end;
        let room = self
            .spec
            .send_buffer
            .saturating_sub(self.down.sending.len());
        let writable = (self.wants_write && room >= self.spec.send_buffer.div_ceil(3))
            || (has_end && is_reset);
        if readable {
            self.wants_read = false;
            self.peeked = None;
            self.was_end_told |= has_end;
        }
        if writable {
            self.wants_write = false;
        }
        (readable || writable).then_some((readable, writable))
    }

    /// Whether the hub could read something now.
    pub fn has_unread(&self) -> bool {
        !self.up.received.is_empty() || self.up.is_over()
    }

    /// Whether the hub has read all that the peer has sent.
    pub fn is_all_read(&self) -> bool {
        let Pipe {
            sending,
            on_its_way,
            received,
            ..
        } = &self.up;
        sending.is_empty() && on_its_way.is_empty() && received.is_empty()
    }

    /// Whether the hub was told "would block", and is to be told of bytes.
    pub fn expects_read(&self) -> bool {
        self.wants_read || self.peeked == Some(self.up.received.len())
    }

    /// Whether the peer has sent more than has come.
    pub fn has_unsent(&self) -> bool {
        !self.is_dropped && !self.up.sending.is_empty()
    }

    /// The same of room.
    pub fn expects_write(&self) -> bool {
        self.wants_write
    }

    /// Whether an event is on its way to the hub anyway.
    pub fn has_news(&self) -> bool {
        self.up.is_over() && !self.was_end_told
    }

    /// Whether something has come from the server.
    pub fn has_come(&self) -> bool {
        !self.down.received.is_empty()
    }

    /// Sends from the peer. What the network does not take waits with the peer.
    pub fn send(&mut self, bytes: &[u8]) {
        if self.up.end.is_some() {
            return;
        }
        let Some(fields) = &self.proxy_fields else {
            return self.up.sending.extend_from_slice(bytes);
        };
        let mut rest = bytes;
        while let Some(place) = rest.windows(HOST.len()).position(|part| part == HOST) {
            let (before, behind) = rest.split_at(place + HOST.len());
            self.up.sending.extend_from_slice(before);
            self.up.sending.extend_from_slice(fields.as_bytes());
            rest = behind;
        }
        self.up.sending.extend_from_slice(rest);
    }

    /// From now on, a proxy adds these fields to each request.
    pub fn add_fields(&mut self, fields: String) {
        self.proxy_fields = Some(fields);
    }

    /// Takes what has come from the server.
    pub fn take(&mut self) -> Vec<u8> {
        self.down.received.split().to_vec()
    }

    /// Whether nothing more comes from the server.
    pub fn is_ended(&self) -> bool {
        let is_closed = self.down.end.is_some() || self.is_dropped;
        let is_empty = self.down.sending.is_empty() && self.down.on_its_way.is_empty();
        is_closed && is_empty && self.down.received.is_empty()
    }

    /// The peer says that it sends no more.
    pub fn half_close(&mut self) {
        self.up.end.get_or_insert(End::Whole);
    }

    pub fn reset(&mut self) {
        self.up.reset();
        self.down.reset();
    }

    /// The link drops all packets, without a reset to either end.
    pub fn vanish(&mut self) {
        self.up.is_stalled = true;
        self.down.is_stalled = true;
        self.lost_at = Some(self.now + KEEPALIVE);
    }

    /// What the peer sends stays where it is, or moves again.
    pub fn stall_up(&mut self, is_stalled: bool) {
        self.up.is_stalled = is_stalled;
    }

    /// The peer reads nothing, or does again.
    pub fn stall_down(&mut self, is_stalled: bool) {
        self.down.is_stalled = is_stalled;
    }
}

/// The server's end.
///
/// Of TLS, the hub asks its socket whether the handshake goes on; nothing else is simulated.
#[derive(Debug)]
pub struct Plug(pub Line);

impl Drop for Plug {
    fn drop(&mut self) {
        self.0.borrow_mut().is_dropped = true;
    }
}

impl Read for Plug {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.peek_raw(buffer)?;
        self.discard_raw(length)?;
        Ok(length)
    }
}

impl Write for Plug {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        wire.calls += 1;
        if wire.down.end.is_some() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let mut room = wire
            .spec
            .send_buffer
            .saturating_sub(wire.down.sending.len());
        if wire.spec.is_choppy && wire.chance.u8(..4) == 0 {
            room = room.min(wire.chance.usize(..2000));
        }
        let mut written = 0;
        for slice in slices {
            let length = slice.len().min(room - written);
            of_the_kernel(|| wire.down.sending.extend_from_slice(&slice[..length]));
            written += length;
        }
        wire.bytes += written as u64;
        // epoll(7), question 9: a stream socket that takes less than it was offered is full.
        if written < offered {
            wire.wants_write = true;
        }
        if !wire.down.sending.is_empty() {
            let now = wire.now;
            wire.backed_up_since.get_or_insert(now);
        }
        match written {
            0 if offered > 0 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(written),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for Plug {
    fn detached() -> Plug {
        let line = Wire::new(LinkSpec::good(), 0, Instant::now());
        line.borrow_mut().up.end = Some(End::Reset);
        Plug(line)
    }

    fn peek_raw(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        wire.calls += 1;
        if wire.is_handshaking && wire.up.end.is_none() {
            wire.wants_read = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if wire.up.end == Some(End::Reset) {
            wire.was_end_told = true;
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let length = buffer.len().min(wire.up.received.len());
        if length > 0 {
            buffer[..length].copy_from_slice(&wire.up.received[..length]);
            wire.peeked = Some(wire.up.received.len());
            return Ok(length);
        }
        if wire.up.is_over() {
            wire.was_end_told = true;
            return Ok(0);
        }
        wire.wants_read = true;
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn discard_raw(&mut self, length: usize) -> io::Result<()> {
        let mut wire = self.0.borrow_mut();
        wire.up.received.advance(length);
        wire.peeked = None;
        wire.bytes += length as u64;
        Ok(())
    }

    fn shut(&mut self) -> io::Result<bool> {
        self.0.borrow_mut().down.end.get_or_insert(End::Whole);
        Ok(true)
    }

    fn is_handshaking(&self) -> bool {
        self.0.borrow().is_handshaking
    }

    fn limit_unsent(&mut self, bytes: u32) {
        // The kernel's own buffer is a bound as well.
        let mut wire = self.0.borrow_mut();
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        wire.spec.send_buffer = wire.spec.send_buffer.min(bytes);
    }
}
