//! Viewers of a stream that nobody publishes. They answer pings, and that is all.

use super::server::Server;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};
use videostream::websocket::SUBPROTOCOL;

/// An empty ping, as it comes. No text message has such bytes.
const PING: [u8; 2] = [0x89, 0];
/// An empty pong, masked by zeros.
const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

pub struct Crowd {
    poll: Poll,
    events: Events,
    sockets: Vec<TcpStream>,
}

impl Crowd {
    pub fn new() -> Crowd {
        Crowd {
            poll: Poll::new().expect("epoll"),
            events: Events::with_capacity(1024),
            sockets: Vec::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Further viewers come, up to so many.
    pub fn grow(&mut self, server: &Server, to: usize) {
        while self.sockets.len() < to {
            let mut socket = server.websocket("/live/idle", &[SUBPROTOCOL]);
            // Heard once, as every viewer is who answers a ping.
            socket.write_all(&PONG).expect("room for a pong");
            socket.set_nonblocking(true).expect("a socket");
            let mut socket = TcpStream::from_std(socket);
            let token = Token(self.sockets.len());
            let registered = self
                .poll
                .registry()
                .register(&mut socket, token, Interest::READABLE);
            registered.expect("room in epoll");
            self.sockets.push(socket);
        }
    }

    /// Answers what is asked, for so long.
    pub fn stay(&mut self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let polled = self.poll.poll(&mut self.events, Some(left));
            polled.expect("epoll");
            for event in &self.events {
                answer(&mut self.sockets[event.token().0]);
            }
        }
    }
}

/// Reads what has come for one viewer.
fn answer(socket: &mut TcpStream) {
    let mut bytes = [0; 4096];
    loop {
        match socket.read(&mut bytes) {
            Ok(0) => panic!("a viewer was closed"),
            Ok(length) => {
                if bytes[..length].windows(PING.len()).any(|at| at == PING) {
                    socket.write_all(&PONG).expect("room for a pong");
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("a viewer was lost: {error}"),
        }
    }
}
