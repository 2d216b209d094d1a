//! What the server costs when it does nothing: memory, time to start, size.
//!
//! `cargo bench --bench footprint` prints the figures of the README.

mod server;

use server::{BINARY, Memory, Server};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;
use videostream::protocol::websocket::SUBPROTOCOL;

/// A WebSocket viewer of a stream that nobody publishes.
fn viewer(server: &Server) -> TcpStream {
    let mut socket = server.websocket("/live/idle", &[SUBPROTOCOL]);
    // Heard once, as every viewer is who answers a ping: a masked, empty pong.
    socket
        .write_all(&[0x8a, 0x80, 0, 0, 0, 0])
        .expect("room for a pong");
    socket
}

fn main() {
    // `cargo bench -- --test`, or `cargo test --benches`: once, and small.
    let is_test = !std::env::args().any(|argument| argument == "--bench")
        || std::env::args().any(|argument| argument == "--test");
    let (starts, few, many) = if is_test {
        (1, 10, 100)
    } else {
        (21, 100, 8000)
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

    let mut viewers: Vec<TcpStream> = (0..few).map(|_| viewer(&server)).collect();
    let before = settled(&server);
    viewers.extend((few..many).map(|_| viewer(&server)));
    let after = settled(&server);
    let slope = (after.resident - before.resident) as f64 / (many - few) as f64;
    println!(
        "idle WebSocket viewer: {slope:.0} bytes resident each, slope from {few} to {many} viewers"
    );
    assert!(slope < 3072.0, "a viewer costs {slope:.0} bytes");
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Memory once the server has read what was sent last.
fn settled(server: &Server) -> Memory {
    std::thread::sleep(Duration::from_millis(500));
    server.memory()
}
