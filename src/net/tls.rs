//! TLS of one connection: records are taken apart and made, and nothing is kept in between.
//!
//! ```text
//! wire ─► scratch ─► rustls ─► the reader's buffer   (what does not fit waits in `plain`)
//! the writer's slices ─► rustls ─► scratch ─► wire   (what does not fit waits in `unsent`)
//! ```
//!
//! This is rustls' unbuffered interface: all connections share the scratch memory, so an idle
//! viewer costs its keys and no buffer, where rustls' own buffers take 4 KiB and more each. It costs
//! a copy: 0.17 ns a byte where buffers take 0.12 to 0.16, of 0.4 with the kernel's part.
//!
//! What the reactor may rely on, with edge-triggered events:
//! - [`TlsStream::read`] says "would block" only when no plaintext is left here and the kernel has said
//!   so. Plaintext that waits here gets no event of its own.
//! - [`TlsStream::write`] takes nothing while ciphertext waits, and one write's worth at most may wait:
//!   [`WRITE_BYTES`] and what TLS adds to them.
//! - After any of them [`TlsStream::has_unsent`] tells whether the wire was full: then
//!   [`TlsStream::flush`] is to be called when the wire has room, even without anything new to
//!   write.

mod rustls_calls;
mod slices;

use bytes::{Buf, BytesMut};
use rustls::ServerConfig;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls_calls::{encode, encryptor, seal};
use slices::Slices;
use std::cell::RefCell;
use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::rc::Rc;
use std::sync::Arc;

/// Plaintext of one record, at most (RFC 8446, 5.1). A record costs 22 bytes and a start of the
/// cipher, so full ones are made where there is enough.
const RECORD_BYTES: usize = 16 << 10;

/// Plaintext encrypted before the wire is asked to take it: a chunk of a stream of 2.5 Mbit/s. A peer
/// that stops reading makes the server hold as much.
pub const WRITE_BYTES: usize = 32 << 10;

/// Ciphertext taken from the wire at once, by how much the reader wants. At least as much as a
/// handshake's message. What the reader has no room for waits as plaintext: less than [`READ_LEAST`].
const READ_LEAST: usize = 4 << 10;
const READ_MOST: usize = 64 << 10;

/// The beginning of a record, or of a handshake's message, that waits for its end: more than a
/// whole record of either version may have (RFC 5246, 6.2.3).
const INCOMPLETE_BYTES_MAX: usize = 20 << 10;

/// Reads in a row that bring records and no plaintext. The largest record takes five, a handshake
/// as many; a peer that sends empty records without end is cut off.
const EMPTY_READS_MAX: usize = 16;

/// The first byte of every TLS connection: a record of the handshake (RFC 8446, 5.1).
const HANDSHAKE_RECORD: u8 = 22;

/// Makes the TLS side of new connections.
#[derive(Clone)]
pub struct Acceptor {
    config: Arc<ServerConfig>,
    scratch: Rc<RefCell<Scratch>>,
}

/// Memory that every connection uses, one after another.
#[derive(Default)]
struct Scratch {
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    /// Small slices, put together to one record.
    record: Vec<u8>,
}

/// One connection's TLS. Boxed: one without pays for a pointer only.
pub struct TlsStream {
    session: UnbufferedServerConnection,
    scratch: Rc<RefCell<Scratch>>,
    stage: Stage,
    /// The beginning of a record. Invariant: rustls has seen it, and can do nothing with it yet.
    incoming: Vec<u8>,
    /// Decrypted, and not read yet.
    plain: BytesMut,
    /// Ciphertext that the wire had no room for.
    unsent: BytesMut,
    /// The peer has announced that it sends no more.
    has_ended: bool,
    has_sent_close_notify: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing has come.
    New,
    /// The first byte is not TLS but a letter: it may be HTTP.
    Plain,
    Handshaking,
    Open,
}

impl Acceptor {
    pub fn new(config: Arc<ServerConfig>) -> Acceptor {
        Acceptor {
            config,
            scratch: Rc::default(),
        }
    }

    /// Has connections that come from now on use another certificate.
    pub fn renew(&mut self, config: Arc<ServerConfig>) {
        self.config = config;
    }

    pub fn accept(&self) -> Result<TlsStream, rustls::Error> {
        Ok(TlsStream {
            session: UnbufferedServerConnection::new(self.config.clone())?,
            scratch: self.scratch.clone(),
            stage: Stage::New,
            incoming: Vec::new(),
            plain: BytesMut::new(),
            unsent: BytesMut::new(),
            has_ended: false,
            has_sent_close_notify: false,
        })
    }
}

impl TlsStream {
    pub fn is_handshaking(&self) -> bool {
        self.stage != Stage::Open
    }

    /// Whether the peer seems to speak plain HTTP. Then no byte of it has been answered.
    pub fn is_spoken_to_in_plain(&self) -> bool {
        self.stage == Stage::Plain
    }

    /// Bytes that wait here, in either direction.
    pub fn held_bytes(&self) -> usize {
        self.incoming.capacity() + self.plain.capacity() + self.unsent.capacity()
    }

    /// Whether ciphertext waits for room on the wire.
    pub fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Reads plaintext; nothing at the peer's proper end. The handshake runs inside these reads.
    pub fn read(&mut self, wire: &mut (impl Read + Write), buffer: &mut [u8]) -> io::Result<usize> {
        if self.plain.is_empty() {
            let length = self.fetch(wire, buffer)?;
            if length > 0 || self.plain.is_empty() {
                return Ok(length);
            }
        }
        let length = buffer.len().min(self.plain.len());
        self.plain.copy_to_slice(&mut buffer[..length]);
        if self.plain.is_empty() {
            self.plain = BytesMut::new();
        }
        Ok(length)
    }

    /// The length of the plaintext that is here, if need be after a look at the wire; 0 at the
    /// peer's proper end. It stays.
    pub fn peek(&mut self, wire: &mut (impl Read + Write)) -> io::Result<usize> {
        if self.plain.is_empty() {
            self.fetch(wire, &mut [])?;
        }
        Ok(self.plain.len())
    }

    /// Takes from the wire until there is plaintext, in `buffer` as far as it has room and then in
    /// `plain`, or the peer's proper end. Returns the length of what is in `buffer`.
    fn fetch(&mut self, wire: &mut (impl Read + Write), buffer: &mut [u8]) -> io::Result<usize> {
        for _ in 0..EMPTY_READS_MAX {
            if self.has_ended {
                return Ok(0);
            }
            let length = self.read_records(wire, buffer)?;
            if length > 0 || !self.plain.is_empty() {
                return Ok(length);
            }
        }
        Err(bad("records without content"))
    }

    /// Takes what the wire has, once. Returns the length of the plaintext that is in `buffer` now.
    fn read_records(
        &mut self,
        wire: &mut (impl Read + Write),
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let scratch = self.scratch.clone();
        let scratch = &mut scratch.borrow_mut().incoming;
        let before = self.incoming.len();
        let most = before + buffer.len().clamp(READ_LEAST, READ_MOST);
        if scratch.len() < most {
            scratch.resize(most, 0);
        }
        let incoming = &mut scratch[..most];
        let length = loop {
            match wire.read(&mut incoming[before..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Cut off: there is no way to tell whether that was all (RFC 8446, 6.1).
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                result => break result?,
            }
        };
        let incoming = &mut incoming[..before + length];
        incoming[..before].copy_from_slice(&self.incoming);
        if self.stage == Stage::New {
            self.begin(incoming[0])?;
        }
        let mut filled = 0;
        let done = self.process(incoming, |plain, rest| {
            let length = plain.len().min(buffer.len() - filled);
            buffer[filled..filled + length].copy_from_slice(&plain[..length]);
            filled += length;
            rest.extend_from_slice(&plain[length..]);
        });
        // Answers of the handshake; or, if it went wrong, the alert that says why.
        let flushed = self.flush(wire);
        let incomplete = &incoming[done?..];
        flushed?;
        if incomplete.len() > INCOMPLETE_BYTES_MAX {
            return Err(bad("a record without end"));
        }
        self.incoming = incomplete.to_vec();
        Ok(filled)
    }

    fn begin(&mut self, first: u8) -> io::Result<()> {
        self.stage = match first {
            HANDSHAKE_RECORD => Stage::Handshaking,
            first if first.is_ascii_uppercase() => Stage::Plain,
            _ => Stage::New,
        };
        match self.stage {
            Stage::Handshaking => Ok(()),
            _ => Err(bad("no TLS")),
        }
    }

    /// Has rustls look at `incoming`, until it needs more. Plaintext goes to `take`, which puts what
    /// it has no room for behind what waits already. Returns how much of `incoming` is done with.
    fn process(
        &mut self,
        incoming: &mut [u8],
        mut take: impl FnMut(&[u8], &mut BytesMut),
    ) -> io::Result<usize> {
        let mut done = 0;
        loop {
            let UnbufferedStatus { mut discard, state } =
                self.session.process_tls_records(&mut incoming[done..]);
            let mut is_settled = false;
            match state {
                Ok(ConnectionState::ReadTraffic(mut encryptor)) => {
                    while let Some(record) = encryptor.next_record() {
                        let record = record.map_err(bad)?;
                        discard += record.discard;
                        take(record.payload, &mut self.plain);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(message)) => encode(message, &mut self.unsent)?,
                // It is in `unsent`, which goes out before anything else.
                Ok(ConnectionState::TransmitTlsData(transmit)) => transmit.done(),
                Ok(ConnectionState::PeerClosed) => self.has_ended = true,
                Ok(ConnectionState::Closed) => {
                    self.has_ended = true;
                    is_settled = true;
                }
                Ok(ConnectionState::BlockedHandshake) => is_settled = true,
                Ok(ConnectionState::WriteTraffic(_)) => {
                    self.stage = Stage::Open;
                    is_settled = true;
                }
                // Early data, which was not offered.
                Ok(_) => return Err(bad("out of order")),
                Err(error) => {
                    let status = self
                        .session
                        .process_tls_records(&mut incoming[done + discard..]);
                    if let Ok(ConnectionState::EncodeTlsData(alert)) = status.state {
                        encode(alert, &mut self.unsent)?;
                    }
                    return Err(bad(error));
                }
            }
            done += discard;
            if is_settled {
                return Ok(done);
            }
        }
    }

    /// Encrypts and sends. Returns the number of bytes that were taken, which may not have left yet.
    pub fn write(&mut self, wire: &mut impl Write, slices: &[IoSlice]) -> io::Result<usize> {
        self.flush(wire)?;
        if self.has_unsent() || self.is_handshaking() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let scratch = self.scratch.clone();
        let scratch = &mut *scratch.borrow_mut();
        let mut slices = Slices::new(slices);
        let mut taken = 0;
        while !slices.is_empty() && !self.has_unsent() {
            let (plain, length) = self.encrypt(&mut slices, scratch)?;
            taken += plain;
            let outgoing = &scratch.outgoing[..length];
            let sent = write_some(wire, outgoing)?;
            // Exactly as much: it may wait for long, and there may be many.
            if sent < length {
                self.unsent = BytesMut::from(&outgoing[sent..]);
            }
        }
        Ok(taken)
    }

    /// Encrypts the next [`WRITE_BYTES`] into the scratch memory. Returns how many bytes that were,
    /// and how many they are there.
    fn encrypt(
        &mut self,
        slices: &mut Slices,
        scratch: &mut Scratch,
    ) -> io::Result<(usize, usize)> {
        let Scratch {
            outgoing, record, ..
        } = scratch;
        record.clear();
        let mut encryptor = encryptor(&mut self.session, &mut self.incoming)?;
        let (mut plain, mut length) = (0, 0);
        while let Some((slice, is_last)) = slices.front() {
            let room = WRITE_BYTES - plain;
            if room == 0 {
                break;
            }
            let step;
            if record.is_empty() && (is_last || slice.len() >= RECORD_BYTES) {
                // As they are, without a copy. What does not fill a record waits for the next slice.
                step = match slice.len().min(room) {
                    all if is_last => all,
                    some => some - some % RECORD_BYTES,
                };
                length += seal(&mut encryptor, &slice[..step], outgoing, length)?;
            } else {
                step = slice.len().min(room).min(RECORD_BYTES - record.len());
                record.extend_from_slice(&slice[..step]);
                if record.len() == RECORD_BYTES {
                    length += seal(&mut encryptor, record, outgoing, length)?;
                    record.clear();
                }
            }
            plain += step;
            slices.advance(step);
        }
        if !record.is_empty() {
            length += seal(&mut encryptor, record, outgoing, length)?;
        }
        Ok((plain, length))
    }

    /// Tells the peer, once, that no more will come (RFC 8446, 6.1). It may have to be flushed.
    pub fn send_close_notify(&mut self, wire: &mut impl Write) -> io::Result<()> {
        if !self.has_sent_close_notify && !self.is_handshaking() {
            self.has_sent_close_notify = true;
            let mut encryptor = encryptor(&mut self.session, &mut self.incoming)?;
            let mut alert = [0; 64];
            let length = encryptor.queue_close_notify(&mut alert).map_err(bad)?;
            self.unsent.extend_from_slice(&alert[..length]);
        }
        self.flush(wire).map(drop)
    }

    /// Sends what waits, as far as there is room. Returns the number of bytes.
    pub fn flush(&mut self, wire: &mut impl Write) -> io::Result<usize> {
        if self.unsent.is_empty() {
            return Ok(0);
        }
        let sent = write_some(wire, &self.unsent)?;
        self.unsent.advance(sent);
        if self.unsent.is_empty() {
            self.unsent = BytesMut::new();
        }
        Ok(sent)
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("stage", &self.stage)
            .field("plain", &self.plain.len())
            .field("unsent", &self.unsent.len())
            .finish_non_exhaustive()
    }
}

/// One write; 0 when there is no room.
fn write_some(wire: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match wire.write(bytes) {
            Ok(0) if !bytes.is_empty() => return Err(io::ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            result => return result,
        }
    }
}

fn bad(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
#[cfg(test)]
mod tests;
