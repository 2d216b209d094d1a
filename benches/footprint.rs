//! What the server costs when it does nothing: memory, time to start, size.
//!
//! `cargo bench --bench footprint` prints the figures of the README. They are taken from outside,
//! from `/proc`, because the allocator's own counts leave out what the process really holds.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use videostream::protocol::websocket::{SUBPROTOCOL, check_response, client_request};

const BINARY: &str = env!("CARGO_BIN_EXE_videostream");

/// A server on a port of its own, ended when dropped.
struct Server {
    child: Child,
    /// Kept open: the links to open follow the ready line.
    _stdout: BufReader<ChildStdout>,
    address: String,
    start: Duration,
}

impl Server {
    fn start() -> Server {
        let begun = Instant::now();
        let mut child = Command::new(BINARY)
            .args(["--listen", "127.0.0.1:0", "--log-level", "error"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary that cargo has built");
        let stdout = child.stdout.take().expect("it is piped");
        let mut line = String::new();
        let mut stdout = BufReader::new(stdout);
        stdout
            .read_line(&mut line)
            .expect("a line on standard output");
        let start = begun.elapsed();
        let address = line
            .trim()
            .strip_prefix("listening on http://")
            .expect("the ready line")
            .to_owned();
        Server {
            child,
            _stdout: stdout,
            address,
            start,
        }
    }

    /// Bytes of resident memory that are the process's own: without the pages of the binary.
    fn memory(&self) -> Memory {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("/proc");
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
            kib.expect("a field in kB") * 1024
        };
        Memory {
            resident: field("VmRSS:"),
            anonymous: field("RssAnon:"),
        }
    }

    /// A WebSocket viewer of a stream that nobody publishes.
    fn viewer(&self) -> TcpStream {
        let mut socket = TcpStream::connect(&self.address).expect("a connection");
        let key = [7; 16];
        let request = client_request(&self.address, "/live/idle", &key, &[SUBPROTOCOL], None);
        socket.write_all(&request).expect("room for a request");
        let mut response = Vec::new();
        let mut bytes = [0; 1024];
        while check_response(&response, &key)
            .expect("a WebSocket")
            .is_none()
        {
            let length = socket.read(&mut bytes).expect("a response");
            response.extend_from_slice(&bytes[..length]);
        }
        // Heard once, as every viewer is who answers a ping: a masked, empty pong.
        socket
            .write_all(&[0x8a, 0x80, 0, 0, 0, 0])
            .expect("room for a pong");
        socket
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Clone, Copy)]
struct Memory {
    resident: u64,
    anonymous: u64,
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

    let mut times: Vec<Duration> = (0..starts).map(|_| Server::start().start).collect();
    times.sort();
    println!(
        "start to listening, median of {starts}: {:?}",
        times[starts / 2]
    );

    let size = std::fs::metadata(BINARY).expect("the binary").len();
    println!("size of the binary: {:.2} MB", size as f64 / 1e6);

    let server = Server::start();
    let idle = server.memory();
    println!(
        "idle: {:.2} MiB resident, of which {:.2} MiB are not the binary's pages",
        mib(idle.resident),
        mib(idle.anonymous)
    );

    let mut viewers: Vec<TcpStream> = (0..few).map(|_| server.viewer()).collect();
    let before = settled(&server);
    viewers.extend((few..many).map(|_| server.viewer()));
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
