//! What a session reads before it has a role, and between requests: heads, unwanted bodies, posters.

use super::body::ReadBuffer;
use super::head::ParsedHead;
use super::{IncomingHead, QuestionId, Request, Session, Socket, State, Verdict};
use crate::http::proxy_header::{self, HEADER_BYTES_MAX, ProxyHeader};
use bytes::{Bytes, BytesMut};
use std::io;
use std::time::Instant;

/// What a read of a request head came to.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a box would be one more allocation for each request"
)]
pub enum HeadRead {
    Whole(ParsedHead),
    /// There may be more to read.
    Partial,
    Blocked,
    /// The peer speaks plain HTTP to a TLS port, and can get an answer.
    NotTls,
    Gone,
}

/// What a read of an unwanted body came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    Partial,
    /// The session is in [`State::Responding`] now.
    Whole,
    Gone,
}

/// What a step of a TLS handshake came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeStep {
    /// It is over, and the socket can be written to.
    Done,
    Blocked,
    Failed,
}

impl<S: Socket> Session<S> {
    /// Whether a PROXY header comes before the request head.
    pub fn expects_proxy_header(&self) -> bool {
        matches!(&self.state, State::Requesting(head) if head.is_behind_proxy_header())
    }

    /// Takes the PROXY header from the socket. `None` when it is not whole yet.
    pub fn read_proxy_header(&mut self) -> io::Result<Option<ProxyHeader>> {
        let header = take_proxy_header(&mut self.socket)?;
        match &mut self.state {
            State::Requesting(head) if header.is_some() => head.proxy_header_read(),
            // More bytes of the header cause an event of their own, although none have been taken.
            _ => self.readiness.read_blocked(),
        }
        Ok(header)
    }

    /// Reads more of a request head, of `limit` bytes at most.
    pub fn read_head(&mut self, limit: usize) -> HeadRead {
        let State::Requesting(head) = &mut self.state else {
            return HeadRead::Blocked;
        };
        // The bytes behind the last request may be a whole one.
        if let Some(parsed) = head.parse(limit) {
            return HeadRead::Whole(parsed);
        }
        let mut bytes = [0; 4096];
        match self.socket.read(&mut bytes) {
            Ok(0) => HeadRead::Gone,
            Ok(length) => {
                let may_be_whole = head.push(&bytes[..length], limit);
                let parsed = may_be_whole.then(|| head.parse(limit)).flatten();
                parsed.map_or(HeadRead::Partial, HeadRead::Whole)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readiness.read_blocked();
                HeadRead::Blocked
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => HeadRead::Partial,
            Err(_) if self.socket.fall_back() => HeadRead::NotTls,
            Err(error) => {
                if self.socket.is_handshaking() {
                    tracing::debug!(%error, "no TLS connection");
                }
                HeadRead::Gone
            }
        }
    }

    /// Reads on to the end of an unwanted body; the next request comes behind it.
    pub fn drain(&mut self, buffer: &mut ReadBuffer, now: Instant) -> Drained {
        let State::Draining(draining) = &mut self.state else {
            return Drained::Partial;
        };
        match buffer.read(&mut self.socket) {
            Ok(bytes) if bytes.is_empty() => Drained::Gone,
            Ok(mut bytes) => {
                while let Ok(Some(_)) = draining.body.take(&mut bytes) {}
                draining.active_at = now;
                if !draining.body.is_at_end() {
                    return Drained::Partial;
                }
                // `since` stays: it is still the same answer.
                self.state = State::Responding {
                    keep_alive: true,
                    rest: BytesMut::from(&bytes[..]),
                };
                Drained::Whole
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readiness.read_blocked();
                Drained::Partial
            }
            Err(_) => Drained::Gone,
        }
    }

    /// Reads the next bytes of a body; none at the end of the connection. `None` when nothing has come.
    pub fn read_piece(&mut self, buffer: &mut ReadBuffer) -> io::Result<Option<Bytes>> {
        match buffer.read(&mut self.socket) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readiness.read_blocked();
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Goes on with a TLS handshake, for a session that only waits to send its closing answer.
    pub fn shake_hands(&mut self) -> HandshakeStep {
        let result = self.socket.read(&mut [0; 1]);
        if !self.socket.is_handshaking() {
            self.readiness.set_writable();
            return HandshakeStep::Done;
        }
        match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readiness.read_blocked();
                HandshakeStep::Blocked
            }
            _ => HandshakeStep::Failed,
        }
    }

    /// Whether the peer of a waiting request has left. The socket keeps its bytes.
    pub fn has_peer_left(&mut self) -> bool {
        match self.socket.peek() {
            Ok(0) => true,
            // These bytes are for later. If the peer has left behind them, a later read shows it.
            Ok(_) => false,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readiness.read_blocked();
                false
            }
            Err(error) => error.kind() != io::ErrorKind::Interrupted,
        }
    }

    /// Notes the verdict on a request that waits for the answer to this question. Returns whether the
    /// request waits for it.
    pub fn decide(&mut self, question: &QuestionId, verdict: Option<Verdict>) -> bool {
        match &mut self.state {
            State::Pending(pending) if pending.question() == question => {
                pending.decide(verdict);
                // To have its turn.
                self.readiness.set_readable();
                true
            }
            _ => false,
        }
    }

    /// Takes out the request that waited, and the verdict.
    pub fn take_pending(&mut self, now: Instant) -> Option<(Request, Option<Verdict>)> {
        if !matches!(self.state, State::Pending(_)) {
            return None;
        }
        // No read has happened since, so the state of the socket is unknown: what came behind the
        // head is here, or in the kernel.
        self.readiness.set_readable();
        match self.enter(State::Requesting(IncomingHead::later(BytesMut::new())), now) {
            State::Pending(pending) => Some(pending.into_parts()),
            _ => None,
        }
    }
}

/// The header, taken from the socket; `None` when it is not whole yet.
fn take_proxy_header(socket: &mut impl Socket) -> io::Result<Option<ProxyHeader>> {
    let mut bytes = [0; HEADER_BYTES_MAX];
    let length = loop {
        match socket.peek_raw(&mut bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => break length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    };
    let header = proxy_header::parse(&bytes[..length])
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    if let Some(header) = header {
        // The bytes were just peeked at, so they are here.
        socket.discard_raw(header.length)?;
    }
    Ok(header)
}
