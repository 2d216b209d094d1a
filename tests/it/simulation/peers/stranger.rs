//! A peer that sends what it has no business to send, or nothing at all.

use super::{BINARY, PING, Peer, TEXT, frame, upgrade};
use crate::simulation::link::{LinkSpec, Wire};
use std::time::{Duration, Instant};
use videostream::fuzzing::recording::{Tracks, block, head, sound};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Connects, and waits.
    Silent,
    /// Any bytes.
    Junk,
    /// A request head, a byte now and then.
    SlowHead,
    /// A head without end.
    LongHead,
    /// A publisher that sends no WebM.
    JunkPublisher,
    JunkBody,
    /// A publisher that sends nothing, and does not answer pings.
    SilentPublisher,
    /// A body of which nothing comes.
    SilentBody,
    /// A publisher of texts.
    TextPublisher,
    /// A viewer that asks for pongs and reads none.
    Pinging,
    /// A publisher whose frames break RFC 6455.
    BrokenFrames,
    /// Asks for a large page again and again, and reads nothing.
    Unreading,
    /// A poster that does not come to its end.
    HalfPoster,
    /// A publisher of blocks as small as there are, as fast as it can.
    Flood,
    /// The same by WebSocket: messages of one block, and empty ones.
    FloodOfMessages,
    /// Leaves in the middle of a request.
    Leaving,
    /// Most of a poster, and never its end.
    LargePoster,
    /// A publisher whose message is large, and does not come to its end.
    LargeMessage,
    /// A publisher whose block is large, and does not come to its end.
    LargeBlock,
    /// Most of the largest request head.
    LargeHead,
    /// Asks for reports, each of its own making, and reads none.
    Hoarding,
    /// A stream with a large GOP that stays.
    LargeStream,
}

/// Strangers that take as much memory as they can.
pub const GREEDY: [Kind; 6] = [
    Kind::LargePoster,
    Kind::LargeMessage,
    Kind::LargeBlock,
    Kind::LargeHead,
    Kind::Hoarding,
    Kind::LargeStream,
];

pub const KINDS: [Kind; 15] = [
    Kind::Silent,
    Kind::Junk,
    Kind::SlowHead,
    Kind::LongHead,
    Kind::JunkPublisher,
    Kind::JunkBody,
    Kind::SilentPublisher,
    Kind::SilentBody,
    Kind::TextPublisher,
    Kind::Pinging,
    Kind::BrokenFrames,
    Kind::Unreading,
    Kind::HalfPoster,
    Kind::Flood,
    Kind::Leaving,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StrangerSpec {
    pub kind: Kind,
    pub seed: u64,
}

pub struct Stranger {
    spec: StrangerSpec,
    chance: fastrand::Rng,
    steps: usize,
    /// When it goes on. `None`: it has sent all it wants to.
    next_at: Option<Instant>,
    is_done: bool,
}

impl StrangerSpec {
    pub fn link(self) -> LinkSpec {
        match self.kind {
            // It is on the same machine.
            Kind::Flood | Kind::FloodOfMessages => LinkSpec {
                rate: 1_000_000_000,
                receive_buffer: 4 << 20,
                ..LinkSpec::good()
            },
            // What it does not read waits in the hub.
            Kind::Hoarding => LinkSpec {
                send_buffer: 1 << 10,
                receive_buffer: 1 << 10,
                ..LinkSpec::good()
            },
            _ => LinkSpec::good(),
        }
    }
}

impl Stranger {
    pub fn new(spec: StrangerSpec) -> Stranger {
        Stranger {
            spec,
            chance: fastrand::Rng::with_seed(spec.seed),
            steps: 0,
            next_at: None,
            is_done: false,
        }
    }

    /// A picture with a mark of its own, by which the checks know it in a recording.
    fn picture(&self, at_ms: u64, is_keyframe: bool, size: usize) -> Vec<u8> {
        let mut bytes = block(at_ms, is_keyframe, is_keyframe, size);
        let mark_at = bytes.len() - 8;
        let mark = self.spec.seed.wrapping_add(at_ms);
        bytes[mark_at..].copy_from_slice(&mark.to_be_bytes());
        bytes
    }

    fn junk(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.chance.u8(..)).collect()
    }

    /// Sends the next thing. Returns when to go on.
    fn go_on(&mut self, wire: &mut Wire) -> Option<Duration> {
        let ms = Duration::from_millis;
        let is_first = self.steps == 0;
        self.steps += 1;
        let put = "PUT /publish/honest HTTP/1.1\r\nHost: localhost\r\n\
                   Transfer-Encoding: chunked\r\n\r\n";
        match self.spec.kind {
            Kind::Silent => None,
            Kind::Junk => {
                let junk = self.junk(300);
                wire.send(&junk);
                (self.steps < 20).then_some(ms(100))
            }
            Kind::SlowHead => {
                let head = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaa";
                wire.send(&head[self.steps.min(head.len()) - 1..][..1]);
                (self.steps < head.len()).then_some(ms(500))
            }
            Kind::LongHead => {
                if is_first {
                    wire.send(b"GET / HTTP/1.1\r\n");
                }
                wire.send(format!("X-{}: {}\r\n", self.steps, "a".repeat(900)).as_bytes());
                (self.steps < 40).then_some(ms(20))
            }
            Kind::JunkPublisher if is_first => {
                wire.send(upgrade("/publish/honest", true).as_bytes());
                Some(ms(100))
            }
            Kind::JunkPublisher => {
                let junk = self.junk(2000);
                wire.send(&frame(BINARY, &junk));
                (self.steps < 10).then_some(ms(50))
            }
            Kind::JunkBody => {
                if is_first {
                    wire.send(put.as_bytes());
                }
                let junk = self.junk(700);
                wire.send(b"2bc\r\n");
                wire.send(&junk);
                wire.send(b"\r\n");
                (self.steps < 10).then_some(ms(50))
            }
            Kind::SilentPublisher => {
                wire.send(upgrade("/publish/honest", true).as_bytes());
                None
            }
            Kind::SilentBody => {
                wire.send(put.as_bytes());
                None
            }
            Kind::TextPublisher if is_first => {
                wire.send(upgrade("/publish/honest", true).as_bytes());
                Some(ms(100))
            }
            Kind::TextPublisher => {
                wire.send(&frame(TEXT, b"{\"type\":\"hello\"}"));
                None
            }
            Kind::Pinging => {
                if is_first {
                    wire.send(upgrade("/live/honest", true).as_bytes());
                    wire.stall_down(true);
                }
                for _ in 0..50 {
                    wire.send(&frame(PING, &[7; 100]));
                }
                (self.steps < 100).then_some(ms(50))
            }
            Kind::BrokenFrames if is_first => {
                wire.send(upgrade("/publish/honest", false).as_bytes());
                Some(ms(100))
            }
            Kind::BrokenFrames => {
                let junk = self.junk(400);
                wire.send(&junk);
                (self.steps < 10).then_some(ms(50))
            }
            Kind::Unreading => {
                wire.stall_down(true);
                for _ in 0..10 {
                    wire.send(b"GET /dashboard HTTP/1.1\r\nHost: localhost\r\n\r\n");
                }
                (self.steps < 20).then_some(ms(200))
            }
            Kind::HalfPoster => {
                wire.send(
                    b"PUT /live/honest.jpg HTTP/1.1\r\nHost: localhost\r\n\
                      Content-Type: image/jpeg\r\nContent-Length: 9000\r\n\r\n\xff\xd8",
                );
                None
            }
            Kind::Flood => {
                if is_first {
                    wire.send(b"PUT /publish/flood HTTP/1.0\r\nHost: localhost\r\n\r\n");
                    wire.send(&head(Tracks::Both));
                }
                let mut bytes = self.picture(self.steps as u64 * 10, true, 9);
                bytes.extend(sound(self.steps as u64 * 10).repeat(20_000));
                wire.send(&bytes);
                (self.steps < 3).then_some(ms(500))
            }
            Kind::FloodOfMessages if is_first => {
                wire.send(upgrade("/publish/messages", true).as_bytes());
                Some(ms(100))
            }
            Kind::FloodOfMessages => {
                let at_ms = self.steps as u64 * 10;
                let start = [head(Tracks::Both), self.picture(at_ms, true, 9)].concat();
                wire.send(&frame(BINARY, &start));
                wire.send(&frame(BINARY, &sound(at_ms)).repeat(5_000));
                wire.send(&frame(BINARY, b"").repeat(20_000));
                (self.steps < 3).then_some(ms(500))
            }
            Kind::LargePoster => {
                wire.send(
                    b"PUT /live/honest.jpg HTTP/1.1\r\nHost: localhost\r\n\
                      Content-Type: image/jpeg\r\nContent-Length: 262000\r\n\r\n",
                );
                let mut jpeg = vec![0xff, 0xd8, 0xff];
                jpeg.resize(250_000, 7);
                wire.send(&jpeg);
                None
            }
            Kind::LargeMessage if is_first => {
                wire.send(upgrade("/publish/large", true).as_bytes());
                Some(ms(100))
            }
            Kind::LargeMessage => {
                if self.steps == 2 {
                    let mut bytes = vec![BINARY, 0x80 | 127];
                    bytes.extend(6_000_000_u64.to_be_bytes());
                    bytes.extend([0; 4]);
                    wire.send(&bytes);
                }
                wire.send(&vec![0; 300_000]);
                (self.steps < 12).then_some(ms(100))
            }
            Kind::LargeBlock => {
                if is_first {
                    let put = "PUT /publish/block HTTP/1.0\r\nHost: localhost\r\n\r\n";
                    wire.send(put.as_bytes());
                    wire.send(&head(Tracks::Both));
                }
                let whole = block(0, true, true, 3_500_000);
                let part = 300_000;
                let from = (self.steps - 1) * part;
                wire.send(&whole[from..from + part]);
                (self.steps < 11).then_some(ms(100))
            }
            Kind::LargeHead => {
                wire.send(b"GET / HTTP/1.1\r\n");
                wire.send(format!("X: {}\r\n", "a".repeat(15_000)).as_bytes());
                None
            }
            Kind::Hoarding => {
                if is_first {
                    wire.stall_down(true);
                    let ask = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
                    wire.send(ask.as_bytes());
                }
                None
            }
            Kind::LargeStream => {
                if is_first {
                    let put = "PUT /publish/stream HTTP/1.0\r\nHost: localhost\r\n\r\n";
                    wire.send(put.as_bytes());
                    wire.send(&head(Tracks::Both));
                }
                let at_ms = self.steps as u64 * 20;
                wire.send(&self.picture(at_ms, is_first, 20_000));
                wire.send(&sound(at_ms));
                (self.steps < 300).then_some(ms(20))
            }
            Kind::Leaving if is_first => {
                wire.send(b"GET /api/streams/honest HTTP/1.1\r\nHo");
                Some(ms(300))
            }
            Kind::Leaving => {
                if self.chance.bool() {
                    wire.reset();
                } else {
                    wire.half_close();
                }
                self.is_done = true;
                None
            }
        }
    }
}

impl Peer for Stranger {
    fn act(&mut self, wire: &mut Wire, now: Instant) -> Option<Instant> {
        wire.take();
        if wire.is_ended() {
            self.is_done = true;
        }
        if self.is_done {
            return None;
        }
        let is_time = match self.next_at {
            None => self.steps == 0,
            Some(at) => now >= at,
        };
        if is_time {
            self.next_at = self.go_on(wire).map(|pause| now + pause);
        }
        self.next_at
    }

    fn is_done(&self) -> bool {
        self.is_done
    }
}
