//! A whole hub, with sockets in memory and a time that the test passes in.

use super::{HookAnswer, HookSettings, Hub, Settings, Time};
use crate::config::{Options, Serve};
use crate::session::{SessionId, Socket, Verdict};
use std::cell::RefCell;
use std::io::{self, IoSlice, Read, Write};
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What a peer and its socket share.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    to_server: Vec<u8>,
    pub(super) from_server: Vec<u8>,
    /// Bytes that it still takes; `None` for any number.
    pub(super) room: Option<usize>,
    is_shut: bool,
    is_dropped: bool,
}

/// The server's end.
#[derive(Debug)]
pub(super) struct Plug(Rc<RefCell<Pipe>>);

impl Drop for Plug {
    fn drop(&mut self) {
        self.0.borrow_mut().is_dropped = true;
    }
}

impl Read for Plug {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.peek_raw(buffer)?;
        self.0.borrow_mut().to_server.drain(..length);
        Ok(length)
    }
}

impl Write for Plug {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    /// A socket that takes less than it was offered is full, so it takes all.
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let Pipe {
            from_server, room, ..
        } = &mut *self.0.borrow_mut();
        let before = from_server.len();
        for slice in slices {
            let length = slice.len().min(room.unwrap_or(usize::MAX));
            from_server.extend_from_slice(&slice[..length]);
            if let Some(room) = room {
                *room -= length;
            }
        }
        match from_server.len() - before {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            length => Ok(length),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for Plug {
    fn detached() -> Plug {
        Plug(Rc::default())
    }

    fn peek_raw(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let pipe = self.0.borrow();
        let length = buffer.len().min(pipe.to_server.len());
        if length == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        buffer[..length].copy_from_slice(&pipe.to_server[..length]);
        Ok(length)
    }

    fn discard_raw(&mut self, length: usize) -> io::Result<()> {
        self.0.borrow_mut().to_server.drain(..length);
        Ok(())
    }

    fn shut(&mut self) -> io::Result<bool> {
        self.0.borrow_mut().is_shut = true;
        Ok(true)
    }
}

pub(super) struct Peer {
    pub(super) id: SessionId,
    pub(super) pipe: Rc<RefCell<Pipe>>,
}

impl Peer {
    pub(super) fn received(&self) -> String {
        String::from_utf8_lossy(&self.pipe.borrow().from_server).into_owned()
    }

    pub(super) fn is_dropped(&self) -> bool {
        self.pipe.borrow().is_dropped
    }
}

pub(super) struct World {
    pub(super) hub: Hub<Plug>,
    now: Instant,
}

impl World {
    pub(super) fn new() -> World {
        World::with_hook(None)
    }

    pub(super) fn with_hook(hook: Option<HookSettings>) -> World {
        World::with(Options::default(), hook)
    }

    pub(super) fn with(options: Options, hook: Option<HookSettings>) -> World {
        let config = Serve::resolve(options).expect("these options are good");
        let most = config.limits.max_connections.unwrap_or(100);
        let mut settings = Settings::new(&config, most);
        settings.hook = hook;
        let now = Instant::now();
        World {
            hub: Hub::new(settings, || 0, at(now)),
            now,
        }
    }

    pub(super) fn connect(&mut self, request: &str) -> Peer {
        let pipe = Rc::new(RefCell::new(Pipe::default()));
        pipe.borrow_mut().to_server.extend(request.as_bytes());
        let plug = Plug(pipe.clone());
        let id = self.hub.admit(plug, Ipv4Addr::LOCALHOST.into(), None);
        let id = id.expect("there is room");
        Peer { id, pipe }
    }

    pub(super) fn send(&mut self, peer: &Peer, bytes: &[u8]) {
        peer.pipe.borrow_mut().to_server.extend(bytes);
        self.hub.ready(peer.id, true, false);
    }

    /// Turns until nothing is left to be done now.
    pub(super) fn settle(&mut self) {
        // A turn does a bounded amount of work.
        for _ in 0..100 + self.hub.sessions() {
            let now = self.now;
            self.hub.begin(at(now));
            self.hub.turn(&|| now);
            if self.hub.next_wake().is_none_or(|wake| wake > now) {
                return;
            }
        }
        panic!("the hub does not come to rest");
    }

    pub(super) fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(wake) = self.hub.next_wake().filter(|&wake| wake < until) {
            self.now = self.now.max(wake);
            self.settle();
        }
        self.now = until;
        self.settle();
    }
}

#[test]
fn request_is_answered_without_a_real_socket() {
    let mut world = World::new();
    let peer = world.connect("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    world.settle();
    let response = peer.received();
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(response.ends_with("\r\n\r\nok\n"), "{response}");
    assert!(response.contains("Date: Thu, 01 Jan 1970 00:00:00 GMT"));
    // The connection is kept, until it has been idle for too long.
    world.wait(Duration::from_secs(9));
    assert!(!peer.pipe.borrow().is_shut);
    world.wait(Duration::from_secs(2));
    assert!(peer.pipe.borrow().is_shut && !peer.is_dropped());
    world.wait(Duration::from_secs(3));
    assert!(peer.is_dropped());
    assert_eq!((world.hub.sessions(), world.hub.next_wake()), (0, None));
}

#[test]
fn viewer_gets_the_media_of_a_publisher() {
    let mut world = World::new();
    let viewer = world.connect("GET /live/demo.webm HTTP/1.0\r\nHost: localhost\r\n\r\n");
    let publisher = world.connect(
        "PUT /publish/demo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    world.settle();
    assert_eq!(viewer.received(), "");
    let recording = include_bytes!("../../tests/data/chromium-vp8-opus-100ms.webm");
    let head = format!("{:x}\r\n", recording.len());
    world.send(&publisher, head.as_bytes());
    world.send(&publisher, recording);
    world.wait(Duration::from_secs(1));
    let response = viewer.received();
    assert!(
        response.starts_with("HTTP/1.1 200 OK\r\n"),
        "{response:.200}"
    );
    let length = viewer.pipe.borrow().from_server.len();
    // All came at once, so it joins at the newest keyframe.
    assert!(length > 10_000, "{length}");
    // Silence ends the publisher, and the stream with it.
    world.wait(Duration::from_secs(40));
    assert!(
        publisher.received().contains("408"),
        "{}",
        publisher.received()
    );
    assert!(publisher.is_dropped() && !viewer.is_dropped());
}

#[test]
fn request_waits_only_for_the_hook() {
    let hook = HookSettings {
        timeout: Duration::from_secs(5),
        cache: Duration::from_secs(10),
    };
    let mut world = World::with_hook(Some(hook));
    let request = "GET /api/streams/demo HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let [first, second] = [(); 2].map(|()| world.connect(request));
    world.settle();
    let question = world.hub.poll_question().expect("one for both");
    assert!(world.hub.poll_question().is_none());
    assert_eq!(
        (first.received(), second.received()),
        (String::new(), String::new())
    );
    world.hub.hook_answered(&HookAnswer {
        id: question.id,
        verdict: Some(Verdict::Forbidden),
        trouble: None,
    });
    world.settle();
    for peer in [&first, &second] {
        assert!(
            peer.received().starts_with("HTTP/1.1 403"),
            "{}",
            peer.received()
        );
    }
    // What is known is not asked again; what the hook does not answer in time is refused.
    let third = world.connect(request);
    world.settle();
    assert!(third.received().starts_with("HTTP/1.1 403"));
    let other = world.connect("GET /api/streams/other HTTP/1.1\r\nHost: localhost\r\n\r\n");
    world.settle();
    assert!(world.hub.poll_question().is_some());
    world.wait(Duration::from_secs(6));
    assert!(
        other.received().starts_with("HTTP/1.1 503"),
        "{}",
        other.received()
    );
}

fn at(now: Instant) -> Time {
    Time {
        now,
        unix_ms: 0,
        steady_ms: 0,
    }
}
