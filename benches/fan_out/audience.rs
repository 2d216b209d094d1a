//! Viewers who look at nothing: the kernel drops what has come for them, and tells how much.

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use std::time::{Duration, Instant};

/// Far more than a chunk takes, even while other builds run on the same machine.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Audience {
    poll: Poll,
    events: Events,
    sockets: Vec<TcpStream>,
    /// Bytes that have come, for each socket and in all.
    received: Vec<u64>,
    total: u64,
    /// What the kernel is asked to fill, and with MSG_TRUNC does not.
    scratch: Vec<u8>,
}

impl Audience {
    pub fn new(sockets: impl Iterator<Item = std::net::TcpStream>) -> Audience {
        let poll = Poll::new().expect("epoll");
        let mut all = Vec::new();
        for socket in sockets {
            socket.set_nonblocking(true).expect("a socket");
            let mut socket = TcpStream::from_std(socket);
            let token = Token(all.len());
            poll.registry()
                .register(&mut socket, token, Interest::READABLE)
                .expect("room in epoll");
            all.push(socket);
        }
        Audience {
            poll,
            events: Events::with_capacity(1024),
            received: vec![0; all.len()],
            sockets: all,
            total: 0,
            scratch: vec![0; 256 << 10],
        }
    }

    pub fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Takes what comes until each viewer has had this many bytes since the start, and no more.
    pub fn wait_for(&mut self, bytes: u64) {
        let deadline = Instant::now() + PATIENCE;
        let due = bytes * self.sockets.len() as u64;
        while self.total < due {
            assert!(
                Instant::now() < deadline,
                "{} of {due} bytes came",
                self.total
            );
            let polled = self.poll.poll(&mut self.events, Some(PATIENCE));
            polled.expect("epoll");
            for event in &self.events {
                let Token(viewer) = event.token();
                let length = discard(&self.sockets[viewer], &mut self.scratch);
                self.received[viewer] += length;
                self.total += length;
            }
        }
        assert!(self.received.iter().all(|&received| received == bytes));
    }
}

/// Bytes that have come since the last time.
fn discard(socket: &TcpStream, scratch: &mut [u8]) -> u64 {
    let mut bytes = 0;
    loop {
        match recv(socket, &mut *scratch, RecvFlags::TRUNC) {
            Ok((_, 0)) => panic!("a viewer was closed"),
            Ok((_, length)) => {
                bytes += length as u64;
                // epoll(7), question 9: less than was asked for is all that there is.
                if length < scratch.len() {
                    return bytes;
                }
            }
            Err(Errno::AGAIN) => return bytes,
            Err(Errno::INTR) => {}
            Err(error) => panic!("a viewer was lost: {error}"),
        }
    }
}
