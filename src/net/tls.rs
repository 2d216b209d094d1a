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
//! - After any of them [`TlsStream::has_unsent`] tells whether the wire was full: then [`TlsStream::flush`] is
//!   to be called when it has room, although nobody has anything new to write.

use bytes::{Buf, BytesMut};
use rustls::ServerConfig;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError,
    UnbufferedStatus, WriteTraffic,
};
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
/// as many; whoever sends empty ones without end is not to be followed.
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
    /// The peer has said that it sends no more.
    has_ended: bool,
    has_said_goodbye: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing has come.
    New,
    /// The first byte was none of TLS, but of a word: it may be HTTP.
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
            has_said_goodbye: false,
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

    /// Reads plaintext; nothing at the peer's proper end. The handshake happens meanwhile.
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
                // Cut off: whether that is all it had to say, nobody can tell (RFC 8446, 6.1).
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
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
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
        let mut traffic = traffic(&mut self.session, &mut self.incoming)?;
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
                length += seal(&mut traffic, &slice[..step], outgoing, length)?;
            } else {
                step = slice.len().min(room).min(RECORD_BYTES - record.len());
                record.extend_from_slice(&slice[..step]);
                if record.len() == RECORD_BYTES {
                    length += seal(&mut traffic, record, outgoing, length)?;
                    record.clear();
                }
            }
            plain += step;
            slices.advance(step);
        }
        if !record.is_empty() {
            length += seal(&mut traffic, record, outgoing, length)?;
        }
        Ok((plain, length))
    }

    /// Tells the peer, once, that no more will come (RFC 8446, 6.1). It may have to be flushed.
    pub fn say_goodbye(&mut self, wire: &mut impl Write) -> io::Result<()> {
        if !self.has_said_goodbye && !self.is_handshaking() {
            self.has_said_goodbye = true;
            let mut traffic = traffic(&mut self.session, &mut self.incoming)?;
            let mut alert = [0; 64];
            let length = traffic.queue_close_notify(&mut alert).map_err(bad)?;
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

type Traffic<'a> = WriteTraffic<'a, ServerConnectionData>;

/// What encrypts. `incoming` is what rustls has seen already: it may keep places within it.
fn traffic<'a>(
    session: &'a mut UnbufferedServerConnection,
    incoming: &'a mut [u8],
) -> io::Result<Traffic<'a>> {
    match session.process_tls_records(incoming).state.map_err(bad)? {
        ConnectionState::WriteTraffic(traffic) => Ok(traffic),
        // Both sides have said goodbye.
        _ => Err(io::ErrorKind::BrokenPipe.into()),
    }
}

/// Encrypts `plain` to `outgoing`, from `at` on. Returns how much it is there.
fn seal(
    traffic: &mut Traffic,
    plain: &[u8],
    outgoing: &mut Vec<u8>,
    at: usize,
) -> io::Result<usize> {
    loop {
        match traffic.encrypt(plain, &mut outgoing[at..]) {
            Ok(length) => return Ok(length),
            Err(EncryptError::InsufficientSize(InsufficientSizeError { required_size })) => {
                outgoing.resize(at + required_size, 0);
            }
            Err(error) => return Err(bad(error)),
        }
    }
}

/// Puts a message of the handshake behind what waits to be sent.
fn encode(
    mut message: EncodeTlsData<'_, ServerConnectionData>,
    unsent: &mut BytesMut,
) -> io::Result<()> {
    let before = unsent.len();
    let mut length = 1024;
    loop {
        unsent.resize(before + length, 0);
        match message.encode(&mut unsent[before..]) {
            Ok(length) => {
                unsent.truncate(before + length);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => {
                length = required_size;
            }
            Err(error) => {
                unsent.truncate(before);
                return Err(bad(error));
            }
        }
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

/// What is left of the writer's slices.
struct Slices<'a> {
    rest: &'a [IoSlice<'a>],
    /// Bytes of the first that are done with.
    offset: usize,
}

impl<'a> Slices<'a> {
    fn new(slices: &'a [IoSlice<'a>]) -> Slices<'a> {
        let mut slices = Slices {
            rest: slices,
            offset: 0,
        };
        slices.advance(0);
        slices
    }

    fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next bytes, and whether no others follow.
    fn front(&self) -> Option<(&'a [u8], bool)> {
        let first: &'a IoSlice<'a> = self.rest.first()?;
        Some((&first[self.offset..], self.rest.len() == 1))
    }

    fn advance(&mut self, length: usize) {
        self.offset += length;
        while let Some(first) = self.rest.first()
            && self.offset >= first.len()
        {
            self.offset -= first.len();
            self.rest = &self.rest[1..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};
    use std::collections::VecDeque;

    /// What lies between, with as much room as the test gives it.
    #[derive(Default)]
    struct Wire {
        to_server: VecDeque<u8>,
        to_client: Vec<u8>,
        /// Bytes that may still be read, or written, before it blocks.
        readable: usize,
        writable: usize,
    }

    impl Read for Wire {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = self.readable.min(buffer.len());
            let length = self.to_server.read(&mut buffer[..most])?;
            self.readable -= length;
            match length {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                length => Ok(length),
            }
        }
    }

    impl Write for Wire {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let length = self.writable.min(bytes.len());
            self.writable -= length;
            self.to_client.extend_from_slice(&bytes[..length]);
            match length {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                length => Ok(length),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn both(
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> (TlsStream, ClientConnection) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = "localhost".try_into().unwrap();
        let client = ClientConnection::new(Arc::new(client), name).unwrap();
        let tls = Acceptor::new(Arc::new(server)).accept().unwrap();
        (tls, client)
    }

    /// Lets the client read what has come, and puts what it has to say on the wire.
    fn pump(client: &mut ClientConnection, wire: &mut Wire, heard: &mut Vec<u8>) {
        let mut bytes = &wire.to_client[..];
        while !bytes.is_empty() {
            client.read_tls(&mut bytes).unwrap();
            client.process_new_packets().unwrap();
            let mut some = [0; 32 << 10];
            while let Ok(length @ 1..) = client.reader().read(&mut some) {
                heard.extend_from_slice(&some[..length]);
            }
        }
        wire.to_client.clear();
        while client.wants_write() {
            client.write_tls(&mut wire.to_server).unwrap();
        }
    }

    fn pattern(length: usize, seed: u8) -> Vec<u8> {
        (0..length)
            .map(|at| (at / 7) as u8 ^ (at as u8) ^ seed)
            .collect()
    }

    /// Sends `said` one way and `slices` the other, over a wire that has room for a few of `rooms`
    /// each time.
    fn converse(
        version: &'static rustls::SupportedProtocolVersion,
        said: &[u8],
        slices: &[Vec<u8>],
        rooms: &[usize],
        buffer_bytes: usize,
    ) {
        let (mut tls, mut client) = both(&[version]);
        let (mut wire, mut heard, mut read) = (Wire::default(), Vec::new(), Vec::new());
        let all = slices.concat();
        let mut buffer = vec![0; buffer_bytes];
        let (mut told, mut written) = (0, 0);
        for &room in rooms.iter().cycle().take(200_000) {
            (wire.readable, wire.writable) = (room, room);
            told += client.writer().write(&said[told..]).unwrap();
            pump(&mut client, &mut wire, &mut heard);
            loop {
                match tls.read(&mut wire, &mut buffer) {
                    Ok(length) => read.extend_from_slice(&buffer[..length]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => panic!("{error}"),
                }
            }
            // Whoever is told to wait may do so: nothing that can be read is left here.
            assert!(tls.plain.is_empty());
            if tls.has_unsent() {
                tls.flush(&mut wire).unwrap();
            }
            if written < all.len() && !tls.has_unsent() && !tls.is_handshaking() {
                let (mut skip, mut rest) = (written, Vec::new());
                for slice in slices {
                    let step = skip.min(slice.len());
                    skip -= step;
                    rest.push(IoSlice::new(&slice[step..]));
                }
                written += tls.write(&mut wire, &rest).unwrap();
                assert!(tls.unsent.len() <= WRITE_BYTES + 1024, "{tls:?}");
            }
            pump(&mut client, &mut wire, &mut heard);
            let is_done = written == all.len() && !tls.has_unsent() && read.len() == said.len();
            if is_done && !tls.is_handshaking() {
                break;
            }
        }
        assert!(read == said, "{} of {} read", read.len(), said.len());
        assert!(heard == all, "{} of {} heard", heard.len(), all.len());

        // What is only looked at stays.
        client.writer().write_all(b"more").unwrap();
        pump(&mut client, &mut wire, &mut heard);
        wire.readable = 1 << 20;
        for _ in 0..2 {
            assert_eq!(tls.peek(&mut wire).unwrap(), 4);
        }
        assert_eq!(tls.read(&mut wire, &mut buffer[..1]).unwrap(), 1);
        assert!(tls.plain == b"ore"[..]);

        // A goodbye that has no room is said when there is some.
        wire.writable = 0;
        tls.say_goodbye(&mut wire).unwrap();
        assert!(tls.has_unsent());
        wire.writable = 100;
        tls.say_goodbye(&mut wire).unwrap();
        assert!(!tls.has_unsent());
        let mut bytes = &wire.to_client[..];
        client.read_tls(&mut bytes).unwrap();
        assert!(client.process_new_packets().unwrap().peer_has_closed());
        client.send_close_notify();
        pump(&mut client, &mut Wire::default(), &mut heard);
    }

    #[test]
    fn bytes_arrive_over_either_version_however_narrow_the_wire() {
        for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
            for rooms in [&[1][..], &[100], &[1 << 20], &[30_000, 0, 7]] {
                let slices = [
                    pattern(6, 1),
                    pattern(31_000, 2),
                    pattern(0, 3),
                    pattern(20_000, 4),
                ];
                converse(version, &pattern(40_000, 5), &slices, rooms, 256);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn bytes_arrive_in_order_whatever_the_wire_takes(
            said in 0usize..100_000,
            slices in prop::collection::vec(prop_oneof![0usize..50, 0usize..90_000], 0..12),
            rooms in prop::collection::vec(prop_oneof![0usize..200, 500usize..70_000], 1..8),
            buffer_bytes in prop_oneof![1usize..300, 4096usize..70_000],
        ) {
            let slices: Vec<_> = slices.iter().zip(0..).map(|(&length, n)| pattern(length, n)).collect();
            let rooms = [&rooms[..], &[9_000]].concat();
            converse(&rustls::version::TLS13, &pattern(said, 77), &slices, &rooms, buffer_bytes);
        }
    }

    #[test]
    fn who_speaks_no_tls_is_refused_and_plain_words_are_known() {
        for (first, is_plain) in [(&b"GET / HTTP/1.1\r\n"[..], true), (b"\x00\x01", false)] {
            let (mut tls, _) = both(&[&rustls::version::TLS13]);
            let mut wire = Wire {
                readable: 100,
                writable: 100,
                ..Wire::default()
            };
            wire.to_server.extend(first);
            let error = tls.read(&mut wire, &mut [0; 10]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert_eq!(tls.is_spoken_to_in_plain(), is_plain);
            assert!(wire.to_client.is_empty());
        }
    }

    #[test]
    fn an_idle_connection_keeps_no_buffer() {
        let (mut tls, mut client) = both(&[&rustls::version::TLS13]);
        let (mut wire, mut heard) = (Wire::default(), Vec::new());
        client.writer().write_all(b"hello").unwrap();
        for _ in 0..4 {
            (wire.readable, wire.writable) = (1 << 20, 1 << 20);
            pump(&mut client, &mut wire, &mut heard);
            let _ = tls.read(&mut wire, &mut [0; 5]);
        }
        assert!(!tls.is_handshaking());
        let kept = [
            tls.incoming.capacity(),
            tls.plain.capacity(),
            tls.unsent.capacity(),
        ];
        assert_eq!(kept, [0; 3]);
    }
}
