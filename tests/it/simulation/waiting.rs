//! The promise: thousands of requests that wait for a segment take little memory, and no more with time.

use super::memory::Meter;
use super::world::settings_of_many;
use crate::common::media::Sample;
use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::{Duration, Instant};
use videostream::config::Options;
use videostream::hub::{Hub, Time};
use videostream::pages;
use videostream::session::{SessionId, Socket};

const WAITING: usize = 10_000;

/// Its session, its box in the heap, and its places in lists.
const EACH_BYTES_MAX: usize = 768;
const SLOT_BYTES_MAX: usize = 512;

/// What a client has sent, and how many bytes it got. All else of a simulated link would take minutes.
#[derive(Debug, Default, Clone)]
struct Client(Rc<RefCell<(Vec<u8>, usize)>>);

impl Read for Client {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.peek_raw(buffer)?;
        self.discard_raw(length)?;
        Ok(length)
    }
}

impl Write for Client {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().1 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for Client {
    fn detached() -> Client {
        unreachable!("without a service all sessions have peers")
    }

    fn peek_raw(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let sent = &self.0.borrow().0;
        let length = buffer.len().min(sent.len());
        buffer[..length].copy_from_slice(&sent[..length]);
        (length > 0)
            .then_some(length)
            .ok_or(io::ErrorKind::WouldBlock.into())
    }

    fn discard_raw(&mut self, length: usize) -> io::Result<()> {
        self.0.borrow_mut().0.drain(..length);
        Ok(())
    }

    fn shut(&mut self) -> io::Result<bool> {
        Ok(true)
    }
}

fn time(now: Instant) -> Time {
    Time {
        now,
        unix_ms: 0,
        steady_ms: 0,
    }
}

struct Server {
    hub: Hub<Client>,
    memory: Meter,
    now: Instant,
}

impl Server {
    fn new() -> Server {
        let options = Options {
            max_connections: Some(WAITING + 1),
            ..Options::default()
        };
        let now = Instant::now();
        pages::unpack_all();
        let mut memory = Meter::new();
        let allocated = memory.allocated();
        let settings = settings_of_many(options, WAITING + 1);
        let hub = memory.count(|| Hub::new(settings, allocated, time(now)));
        memory.start();
        Server { hub, memory, now }
    }

    fn connect(&mut self, sent: &[u8]) -> (SessionId, Client) {
        let client = Client(Rc::new(RefCell::new((sent.to_vec(), 0))));
        let address = IpAddr::from(Ipv4Addr::LOCALHOST);
        let (hub, plug) = (&mut self.hub, client.clone());
        let id = self.memory.count(|| hub.admit(plug, address, None));
        (id.expect("there is room"), client)
    }

    /// Turns until nothing is left to be done now.
    fn settle(&mut self) {
        let Server { hub, memory, now } = self;
        memory.count(|| {
            loop {
                hub.begin(time(*now));
                hub.turn(&|| *now);
                if hub.next_wake().is_none_or(|wake| wake > *now) {
                    return;
                }
            }
        });
    }

    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(wake) = self.hub.next_wake().filter(|&wake| wake < until) {
            self.now = wake;
            self.settle();
        }
        self.now = until;
        self.settle();
    }
}

#[test]
fn ten_thousand_requests_that_wait_for_a_segment_take_little_memory() {
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let keyframe = sample.blocks[sample.keyframes()[1]].offset as usize;
    let mut server = Server::new();
    let head = b"PUT /publish/demo HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n";
    let (publisher, body) = server.connect(&[head, &sample.bytes[..keyframe]].concat());
    server.run(Duration::from_millis(10));
    // In another millisecond, or both GOPs would share a segment.
    let open = &sample.bytes[keyframe..keyframe + 3000];
    body.0.borrow_mut().0.extend_from_slice(open);
    server.hub.ready(publisher, true, false);
    server.run(Duration::from_secs(1));
    let held = server.memory.held();
    // The clock began in 1970, and the second GOP is open.
    let wanted = ["2.webm", "live.json?after=1"]
        .map(|file| format!("GET /live/demo/{file} HTTP/1.1\r\nHost: a\r\n\r\n"));
    let clients: Vec<(SessionId, Client)> = (0..WAITING)
        .map(|index| {
            let client = server.connect(wanted[index % 2].as_bytes());
            if index % 100 == 99 {
                server.settle();
            }
            client
        })
        .collect();
    let waiting = server.hub.audit().sessions.into_iter();
    let waiting = waiting.filter(|session| session.state == "fetching");
    assert_eq!(waiting.count(), WAITING);
    let each = (server.memory.held() - held) / WAITING;
    assert!(each <= EACH_BYTES_MAX, "{each} bytes for each");
    let at_first = server.memory.held();
    server.run(Duration::from_secs(20));
    let since = server.memory.held().saturating_sub(at_first);
    assert!(since < WAITING, "{since} bytes more after a while");
    assert!(clients.iter().all(|(_, client)| client.0.borrow().1 == 0));
    for (id, _) in &clients {
        server.hub.abandon(*id);
    }
    server.settle();
    // What is left are the slots, for those that come next: a power of two of them.
    let each = server.memory.held().saturating_sub(held) / WAITING;
    assert!(each <= SLOT_BYTES_MAX, "{each} bytes for each are left");
}
