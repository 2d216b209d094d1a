//! What it costs to give one chunk to all viewers, over real sockets, beside the least that it can
//! cost.
//!
//! A publisher sends 31 KB, which is 100 ms at 2.5 Mbit/s, to a server in a process of its own,
//! and waits until each viewer's last byte has come. Twice in one group:
//!
//! - **videostream**: the real binary, its publisher and its viewers all on WebSockets.
//! - **the floor**: see `floor.rs`: the same frames to the same viewers, with nothing around it.
//!   Its publisher sends those frames themselves, so it has nothing to parse, unmask or assemble.
//!
//! What is measured is the **server's time on a processor**, not the clock's: publisher and viewers
//! are this bench itself, and would count otherwise. The kernel's work within the server's `send`
//! counts, and that is most of it: on loopback, it includes the receiver's half of TCP. So
//! `1 / thrpt` is processor time for each byte delivered, and is printed below as CPU-s/GB.

mod audience;
mod feed;
mod floor;
#[path = "../server/mod.rs"]
mod server;
#[path = "../workload/mod.rs"]
mod workload;

use audience::Audience;
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group};
use feed::{CHUNK_BYTES, Chunk, Feed};
use server::Server;
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

/// This binary, told to be the floor.
const FLOOR: &str = "floor";

/// Nobody here answers pings.
const OPTIONS: [&str; 4] = ["--ping-interval", "1h", "--publisher-timeout", "1h"];

/// How chunks are sent to the server.
enum Publisher {
    WebSocket(Box<WebSocket<TcpStream>>),
    /// Ready frames, each behind its length.
    Frames(TcpStream),
}

impl Publisher {
    fn send(&mut self, chunk: Chunk) {
        let sent = match self {
            Publisher::WebSocket(socket) => socket.send(Message::Binary(chunk.sent)).is_ok(),
            Publisher::Frames(socket) => {
                let length = (chunk.given.len() as u32).to_be_bytes();
                let bytes = Bytes::from([&length[..], &chunk.given].concat());
                socket.write_all(&bytes).is_ok()
            }
        };
        assert!(sent, "the server takes what is published");
    }
}

/// A server, its publisher and its viewers.
struct FanOut {
    server: Server,
    publisher: Publisher,
    audience: Audience,
    feed: Feed,
    /// Bytes that each viewer is due since the start.
    due: u64,
    /// What was measured so far.
    cpu_time: Duration,
    delivered: u64,
}

impl FanOut {
    fn videostream(viewers: usize) -> FanOut {
        let server = Server::start(&OPTIONS);
        let audience = Audience::new((0..viewers).map(|_| server.websocket("/live/bench", &[])));
        let socket = server.websocket("/publish/bench", &[]);
        let socket = WebSocket::from_raw_socket(socket, Role::Client, None);
        FanOut::new(server, Publisher::WebSocket(Box::new(socket)), audience)
    }

    fn floor(viewers: usize) -> FanOut {
        let this = std::env::current_exe().expect("this binary");
        let server = Server::run(Command::new(this).arg(FLOOR));
        let connect = |_| TcpStream::connect(&server.address).expect("a connection");
        let publisher = Publisher::Frames(connect(0));
        let audience = Audience::new((0..viewers).map(connect));
        FanOut::new(server, publisher, audience)
    }

    fn new(server: Server, publisher: Publisher, audience: Audience) -> FanOut {
        let mut fan_out = FanOut {
            server,
            publisher,
            audience,
            feed: Feed::new(),
            due: 0,
            cpu_time: Duration::ZERO,
            delivered: 0,
        };
        // So that sockets' buffers and the server's memory have found their size.
        for _ in 0..20 {
            fan_out.deliver();
        }
        fan_out
    }

    /// Publishes one chunk, and waits until all viewers have it.
    fn deliver(&mut self) {
        let chunk = self.feed.next();
        self.due += chunk.given.len() as u64;
        self.publisher.send(chunk);
        self.audience.wait_for(self.due);
    }

    /// The server's processor time for so many chunks.
    fn measure(&mut self, chunks: u64) -> Duration {
        let due = self.due;
        let before = self.settled_cpu_time();
        for _ in 0..chunks {
            self.deliver();
        }
        let spent = self.settled_cpu_time() - before;
        self.cpu_time += spent;
        self.delivered += (self.due - due) * self.audience.len() as u64;
        spent
    }

    /// Its processor time once it has nothing left to do.
    fn settled_cpu_time(&self) -> Duration {
        let mut before = self.server.cpu_time();
        loop {
            // Longer than a tick, at which a running thread's time is counted.
            std::thread::sleep(Duration::from_millis(10));
            let after = self.server.cpu_time();
            if after == before {
                return after;
            }
            before = after;
        }
    }
}

fn bench_fan_out(criterion: &mut Criterion) {
    rlimit::increase_nofile_limit(u64::MAX).expect("a higher limit of descriptors");
    let mut group = criterion.benchmark_group("a 31 KB chunk to all viewers");
    group.sampling_mode(SamplingMode::Flat).sample_size(20);
    for viewers in [1, 100, 1000] {
        group.throughput(Throughput::Bytes((CHUNK_BYTES * viewers) as u64));
        for (name, start) in [
            ("the floor", FanOut::floor as fn(usize) -> FanOut),
            ("videostream", FanOut::videostream),
        ] {
            // Started only when the command line's filter asks for it.
            let mut fan_out = None;
            group.bench_function(BenchmarkId::new(name, viewers), |bencher| {
                let fan_out = fan_out.get_or_insert_with(|| start(viewers));
                bencher.iter_custom(|chunks| fan_out.measure(chunks));
            });
            if let Some(fan_out) = fan_out {
                let seconds = fan_out.cpu_time.as_secs_f64();
                let gigabytes = fan_out.delivered as f64 / 1e9;
                println!("{name}/{viewers}: {:.3} CPU-s/GB", seconds / gigabytes);
            }
        }
    }
    group.finish();
}

criterion_group!(benches, bench_fan_out);

fn main() {
    if std::env::args().nth(1).as_deref() == Some(FLOOR) {
        floor::run().expect("sockets that work");
        return;
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
