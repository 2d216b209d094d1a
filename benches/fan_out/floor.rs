//! The least that a server can do: epoll, and one `send` of one ready frame for each viewer and
//! chunk. It knows no protocol, keeps nothing, and serves nobody who is slow.
//!
//! It runs as a process of its own, as the real server does, so that both are measured alike.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

const LISTENER: Token = Token(usize::MAX);
const PUBLISHER: Token = Token(0);

/// Serves until the publisher is gone: it is who connects first. It sends each frame behind its
/// length.
pub fn run() -> io::Result<()> {
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    println!("listening on http://{}", listener.local_addr()?);
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut sockets = Vec::new();
    let mut input = Input::default();
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                LISTENER => accept(&listener, &poll, &mut sockets)?,
                PUBLISHER => {
                    let (publisher, viewers) = sockets.split_first_mut().expect("a publisher");
                    loop {
                        match input.read(publisher) {
                            Ok(true) => send(viewers, input.frame())?,
                            Ok(false) => return Ok(()),
                            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                            Err(error) => return Err(error),
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

fn accept(listener: &TcpListener, poll: &Poll, sockets: &mut Vec<TcpStream>) -> io::Result<()> {
    loop {
        let mut socket = match listener.accept() {
            Ok((socket, _)) => socket,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        socket.set_nodelay(true)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut socket, Token(sockets.len()), interest)?;
        sockets.push(socket);
    }
}

fn send(viewers: &mut [TcpStream], frame: &[u8]) -> io::Result<()> {
    for viewer in viewers {
        let written = viewer.write(frame)?;
        assert_eq!(
            written,
            frame.len(),
            "a viewer who is not slow takes it all"
        );
    }
    Ok(())
}

/// What the publisher has sent of the next frame.
#[derive(Default)]
struct Input {
    bytes: Vec<u8>,
    filled: usize,
}

impl Input {
    const HEAD: usize = 4;

    /// Reads until a frame is whole; `false` at the end of the connection.
    fn read(&mut self, publisher: &mut TcpStream) -> io::Result<bool> {
        if self.filled == self.bytes.len() {
            self.bytes.resize(Input::HEAD, 0);
            self.filled = 0;
        }
        loop {
            if self.filled == Input::HEAD {
                let head = self.bytes.first_chunk().expect("four bytes");
                let length = u32::from_be_bytes(*head) as usize;
                self.bytes.resize(Input::HEAD + length, 0);
            }
            match publisher.read(&mut self.bytes[self.filled..])? {
                0 => return Ok(false),
                length => self.filled += length,
            }
            if self.filled > Input::HEAD && self.filled == self.bytes.len() {
                return Ok(true);
            }
        }
    }

    fn frame(&self) -> &[u8] {
        &self.bytes[Input::HEAD..]
    }
}
