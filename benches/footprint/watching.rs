//! What a viewer costs while somebody publishes: one who takes all, and one who takes nothing.
//!
//! Few viewers of one server, many of another, each on its own: the ring, which all share, is the
//! same in both. A viewer who stalls costs the kernel more than the server: what was sent, and is
//! not taken, waits there.

use super::audience::Audience;
use super::feed::{CHUNK_BYTES, Feed};
use super::server::Server;
use super::slope;
use std::fs;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

/// Nobody here answers pings; and a ring that is full soon, so that it does not grow meanwhile.
const OPTIONS: [&str; 8] = [
    "--ping-interval",
    "1h",
    "--viewer-timeout",
    "1h",
    "--block-bytes",
    "1MiB",
    "--ring-bytes",
    "2MiB",
];

/// 5 Mbit/s.
const PACE: Duration = Duration::from_millis(50);

/// How many viewers, and how long they watch.
pub struct Watching {
    pub few: usize,
    pub many: usize,
    pub chunks: u32,
}

/// What a server and its kernel hold.
struct Held {
    resident: u64,
    /// Bytes of media that were given to sockets and not taken.
    unsent: u64,
}

impl Watching {
    pub fn measure(&self) {
        for (who, stalls) in [("receiving", false), ("stalled", true)] {
            let [before, after] = [self.few, self.many].map(|viewers| self.hold(viewers, stalls));
            let (few, many) = (self.few, self.many);
            println!(
                "{who} WebSocket viewer of 5 Mbit/s: {:.0} bytes resident each, and {:.0} KB that \
                 the kernel holds unsent, slopes from {few} to {many} viewers",
                slope(before.resident, after.resident, few, many),
                slope(before.unsent, after.unsent, few, many) / 1e3,
            );
            println!(
                "with {many} of them: {:.1} MiB resident, {:.1} MiB unsent in the kernel",
                super::mib(after.resident),
                super::mib(after.unsent)
            );
        }
    }

    /// What is held at the end of some seconds with so many viewers, and one more who takes all.
    fn hold(&self, viewers: usize, stalls: bool) -> Held {
        let server = Server::start(&OPTIONS);
        let mut sockets: Vec<TcpStream> = (0..=viewers)
            .map(|_| server.websocket("/live/bench", &[]))
            .collect();
        let stalled = if stalls {
            sockets.split_off(1)
        } else {
            Vec::new()
        };
        let mut audience = Audience::new(sockets.into_iter());
        let socket = server.websocket("/publish/bench", &[]);
        let mut publisher = WebSocket::from_raw_socket(socket, Role::Client, None);
        let mut feed = Feed::new();
        let mut due = 0;
        let begun = Instant::now();
        for nth in 0..self.chunks {
            let chunk = feed.next();
            due += chunk.given.len() as u64;
            let sent = publisher.send(Message::Binary(chunk.sent));
            sent.expect("the server takes what is published");
            audience.wait_for(due);
            thread::sleep((PACE * nth).saturating_sub(begun.elapsed()));
        }
        assert!(due > u64::from(self.chunks) * CHUNK_BYTES as u64 * 9 / 10);
        let held = Held {
            resident: server.memory().resident,
            unsent: unsent(&server.address),
        };
        drop(stalled);
        held
    }
}

/// Bytes in the send queues of a server's sockets: proc(5), `/proc/net/tcp`.
fn unsent(address: &str) -> u64 {
    let (_, port) = address.rsplit_once(':').expect("a port");
    let port = format!(":{:04X}", port.parse::<u16>().expect("a port"));
    let table = fs::read_to_string("/proc/net/tcp").expect("/proc");
    let queues = table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace();
        let is_ours = fields.nth(1)?.ends_with(&port);
        let (send_queue, _) = fields.nth(2)?.split_once(':')?;
        let bytes = u64::from_str_radix(send_queue, 16).expect("a length");
        is_ours.then_some(bytes)
    });
    queues.sum()
}
