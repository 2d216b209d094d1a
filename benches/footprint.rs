//! What the server costs when it does nothing: memory, time to start, size.
//!
//! `cargo bench --bench footprint` prints the figures of the README.

mod server;

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use server::{BINARY, Memory, Server};
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use videostream::protocol::websocket::SUBPROTOCOL;

/// Heard once, as every viewer is who answers a ping: a masked, empty pong.
const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

/// A WebSocket viewer of a stream that nobody publishes.
fn viewer(server: &Server) -> TcpStream {
    let mut socket = server.websocket("/live/idle", &[SUBPROTOCOL]);
    socket.write_all(&PONG).expect("room for a pong");
    socket
}

/// The same by TLS. Of the client only the socket is kept.
fn encrypted_viewer(server: &Server, config: &Arc<ClientConfig>) -> TcpStream {
    let name = "localhost".try_into().expect("a name");
    let session = ClientConnection::new(config.clone(), name).expect("a client");
    let socket = TcpStream::connect(&server.address).expect("a connection");
    let mut stream = StreamOwned::new(session, socket);
    server.upgrade(&mut stream, "/live/idle", &[SUBPROTOCOL]);
    stream.write_all(&PONG).expect("room for a pong");
    stream.sock
}

/// An encrypted server, and what its clients need.
fn encrypted_server() -> (Server, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let folder = tempfile::tempdir().expect("a folder");
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    std::fs::write(&cert, made.cert.pem()).expect("a file");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    let [cert, key] = [&cert, &key].map(|path| path.to_str().expect("a path in UTF-8"));
    let server = Server::start(&["--tls-cert", cert, "--tls-key", key]);
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a certificate");
    let provider = rustls::crypto::ring::default_provider();
    let config = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("a version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (server, config.into())
}

/// Bytes that each of many viewers costs, beyond what a few cost.
fn slope(server: &Server, [few, many]: [usize; 2], open: impl Fn() -> TcpStream) -> f64 {
    let mut viewers: Vec<TcpStream> = (0..few).map(|_| open()).collect();
    let before = settled(server);
    viewers.extend((few..many).map(|_| open()));
    let after = settled(server);
    after.resident.saturating_sub(before.resident) as f64 / (many - few) as f64
}

fn main() {
    // `cargo bench -- --test`, or `cargo test --benches`: once, and small.
    let is_test = !std::env::args().any(|argument| argument == "--bench")
        || std::env::args().any(|argument| argument == "--test");
    let (starts, few, many) = if is_test {
        (1, 10, 100)
    } else {
        (21, 100, 10_000)
    };
    rlimit::increase_nofile_limit(u64::MAX).expect("a higher limit of descriptors");

    let mut times: Vec<Duration> = (0..starts).map(|_| Server::start(&[]).start).collect();
    times.sort();
    println!(
        "start to listening, median of {starts}: {:?}",
        times[starts / 2]
    );

    let size = std::fs::metadata(BINARY).expect("the binary").len();
    println!("size of the binary: {:.2} MB", size as f64 / 1e6);

    let server = Server::start(&[]);
    let idle = server.memory();
    println!(
        "idle: {:.2} MiB resident, of which {:.2} MiB are not the binary's pages",
        mib(idle.resident),
        mib(idle.anonymous)
    );

    let plain = slope(&server, [few, many], || viewer(&server));
    println!(
        "idle WebSocket viewer: {plain:.0} bytes resident each, slope from {few} to {many} viewers"
    );
    assert!(plain < 1024.0 || is_test, "a viewer costs {plain:.0} bytes");

    let (server, config) = encrypted_server();
    let many = many / 5;
    let encrypted = slope(&server, [few, many], || encrypted_viewer(&server, &config));
    println!("the same by TLS: {encrypted:.0} bytes, from {few} to {many} viewers");
    assert!(
        encrypted < 8192.0 || is_test,
        "an encrypted viewer costs {encrypted:.0} bytes"
    );
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Memory once the server has read what was sent last.
fn settled(server: &Server) -> Memory {
    std::thread::sleep(Duration::from_millis(500));
    server.memory()
}
