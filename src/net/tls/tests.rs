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

fn both(versions: &[&'static rustls::SupportedProtocolVersion]) -> (TlsStream, ClientConnection) {
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

/// Lets the client read what has come, and puts its output on the wire.
fn pump(client: &mut ClientConnection, wire: &mut Wire, received: &mut Vec<u8>) {
    let mut bytes = &wire.to_client[..];
    while !bytes.is_empty() {
        client.read_tls(&mut bytes).unwrap();
        client.process_new_packets().unwrap();
        let mut some = [0; 32 << 10];
        while let Ok(length @ 1..) = client.reader().read(&mut some) {
            received.extend_from_slice(&some[..length]);
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
    let (mut wire, mut received, mut read) = (Wire::default(), Vec::new(), Vec::new());
    let all = slices.concat();
    let mut buffer = vec![0; buffer_bytes];
    let (mut told, mut written) = (0, 0);
    for &room in rooms.iter().cycle().take(200_000) {
        (wire.readable, wire.writable) = (room, room);
        told += client.writer().write(&said[told..]).unwrap();
        pump(&mut client, &mut wire, &mut received);
        loop {
            match tls.read(&mut wire, &mut buffer) {
                Ok(length) => read.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        // After "would block" the caller may wait: nothing readable is left here.
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
        pump(&mut client, &mut wire, &mut received);
        let is_done = written == all.len() && !tls.has_unsent() && read.len() == said.len();
        if is_done && !tls.is_handshaking() {
            break;
        }
    }
    assert!(read == said, "{} of {} read", read.len(), said.len());
    assert!(
        received == all,
        "{} of {} received",
        received.len(),
        all.len()
    );

    // Peeked bytes stay.
    client.writer().write_all(b"more").unwrap();
    pump(&mut client, &mut wire, &mut received);
    wire.readable = 1 << 20;
    for _ in 0..2 {
        assert_eq!(tls.peek(&mut wire).unwrap(), 4);
    }
    assert_eq!(tls.read(&mut wire, &mut buffer[..1]).unwrap(), 1);
    assert!(tls.plain == b"ore"[..]);

    // A closing alert that has no room goes out when there is some.
    wire.writable = 0;
    tls.send_close_notify(&mut wire).unwrap();
    assert!(tls.has_unsent());
    wire.writable = 100;
    tls.send_close_notify(&mut wire).unwrap();
    assert!(!tls.has_unsent());
    let mut bytes = &wire.to_client[..];
    client.read_tls(&mut bytes).unwrap();
    assert!(client.process_new_packets().unwrap().peer_has_closed());
    client.send_close_notify();
    pump(&mut client, &mut Wire::default(), &mut received);
}

#[test]
fn bytes_arrive_over_either_version_and_any_narrow_wire() {
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
    fn bytes_arrive_in_order_over_any_wire(
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
fn plain_bytes_are_refused_and_plain_http_is_recognized() {
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
    let (mut wire, mut received) = (Wire::default(), Vec::new());
    client.writer().write_all(b"hello").unwrap();
    for _ in 0..4 {
        (wire.readable, wire.writable) = (1 << 20, 1 << 20);
        pump(&mut client, &mut wire, &mut received);
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
