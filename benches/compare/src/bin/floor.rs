//! The floor: what no server gets below while every chunk goes out at once.
//!
//! One thread, one epoll, one `send` of one prebuilt frame for each viewer and chunk. It knows no
//! WebM: newcomers get the publisher's first message, where the init segment is, and then what is
//! live. A viewer that is behind misses whole frames.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, bail, ensure};
use bytes::{Buf, Bytes};
use clap::Parser;
use httparse::{Header, Status};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::{Role as Side, WebSocketContext};
use tungstenite::{Error, Message};

/// Relay a publisher's WebSocket messages to all viewers, and do nothing else.
#[derive(Parser)]
struct Options {
    /// Port on the loopback address
    #[arg(long)]
    port: u16,

    /// Messages of the publisher that go out in one frame
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    chunks_per_send: u32,
}

const LISTENER: Token = Token(usize::MAX);

/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;

struct Relay {
    poll: Poll,
    listener: TcpListener,
    connections: Slab<Connection>,
    /// The frame for newcomers; empty while nobody publishes.
    first: Bytes,
    /// Messages that wait for the others of their frame.
    waiting: Vec<Bytes>,
    chunks_per_send: usize,
}

struct Connection {
    socket: TcpStream,
    role: Role,
}

enum Role {
    /// Has sent so much of its request's head.
    Asking(Vec<u8>),
    Publisher(Box<WebSocketContext>),
    /// The kernel did not take so much of the last frame.
    Viewer(Bytes),
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    rlimit::increase_nofile_limit(u64::MAX)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let mut listener = TcpListener::bind(address).with_context(|| address.to_string())?;
    let poll = Poll::new()?;
    let registry = poll.registry();
    registry.register(&mut listener, LISTENER, Interest::READABLE)?;
    let relay = Relay {
        poll,
        listener,
        connections: Slab::new(),
        first: Bytes::new(),
        waiting: Vec::new(),
        chunks_per_send: options.chunks_per_send as usize,
    };
    relay.run()
}

impl Relay {
    fn run(mut self) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error)?,
                _ => {}
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(key) if self.turn(key).is_err() => self.end(key),
                    Token(_) => {}
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            socket.set_nodelay(true)?;
            let slot = self.connections.vacant_entry();
            let interest = Interest::READABLE | Interest::WRITABLE;
            let registry = self.poll.registry();
            registry.register(&mut socket, Token(slot.key()), interest)?;
            slot.insert(Connection {
                socket,
                role: Role::Asking(Vec::new()),
            });
        }
    }

    /// A connection has news. An error is its end.
    fn turn(&mut self, key: usize) -> anyhow::Result<()> {
        // One that ended earlier in this batch of events.
        let Some(Connection { socket, role }) = self.connections.get_mut(key) else {
            return Ok(());
        };
        match role {
            Role::Asking(head) => {
                if let Some(next) = ask(socket, head, &self.first)? {
                    *role = next;
                    // A publisher's first messages may have come with its request.
                    return self.turn(key);
                }
                Ok(())
            }
            Role::Viewer(rest) => {
                flush(socket, rest)?;
                discard(socket)
            }
            Role::Publisher(context) => {
                let mut messages = Vec::new();
                let ended = loop {
                    match context.read(socket) {
                        Ok(Message::Binary(message)) => messages.push(message),
                        Ok(_) => {}
                        Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                            break Ok(());
                        }
                        Err(error) => break Err(error.into()),
                    }
                };
                for message in messages {
                    self.take(message);
                }
                ended
            }
        }
    }

    /// One message of the publisher.
    fn take(&mut self, message: Bytes) {
        if self.first.is_empty() {
            self.first = frame(std::slice::from_ref(&message));
        }
        self.waiting.push(message);
        if self.waiting.len() < self.chunks_per_send {
            return;
        }
        let frame = frame(&self.waiting);
        self.waiting.clear();
        for (_, Connection { socket, role }) in &mut self.connections {
            if let Role::Viewer(rest) = role {
                // What fails here ends when its own event comes.
                let _ = send(socket, rest, &frame);
            }
        }
    }

    fn end(&mut self, key: usize) {
        if let Some(connection) = self.connections.try_remove(key)
            && let Role::Publisher(_) = connection.role
        {
            self.first = Bytes::new();
            self.waiting.clear();
        }
    }
}

/// Reads a request's head, and answers it; what the connection is from then on.
fn ask(socket: &mut TcpStream, head: &mut Vec<u8>, first: &Bytes) -> anyhow::Result<Option<Role>> {
    let mut buffer = [0; 4096];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => bail!("no request"),
            Ok(length) => head.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => Err(error)?,
        }
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut fields);
        let Status::Complete(length) = request.parse(head)? else {
            ensure!(head.len() < HEAD_BYTES_MAX, "a head without an end");
            continue;
        };
        let is_publisher = request
            .path
            .is_some_and(|path| path.starts_with("/publish"));
        let is_key = |field: &&Header| field.name.eq_ignore_ascii_case("Sec-WebSocket-Key");
        let key = request.headers.iter().find(is_key).context("no key")?;
        let accept = derive_accept_key(key.value);
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        // An answer is shorter than any socket's buffer.
        socket.write_all(answer.as_bytes())?;
        if is_publisher {
            let rest = head.split_off(length);
            let context = WebSocketContext::from_partially_read(rest, Side::Server, None);
            return Ok(Some(Role::Publisher(Box::new(context))));
        }
        let mut rest = Bytes::new();
        send(socket, &mut rest, first)?;
        return Ok(Some(Role::Viewer(rest)));
    }
}

/// All viewers are sent these bytes.
fn frame(messages: &[Bytes]) -> Bytes {
    let header = FrameHeader {
        opcode: OpCode::Data(Data::Binary),
        ..FrameHeader::default()
    };
    let length: usize = messages.iter().map(Bytes::len).sum();
    let mut frame = Vec::with_capacity(header.len(length as u64) + length);
    header
        .format(length as u64, &mut frame)
        .expect("a Vec takes all");
    for message in messages {
        frame.extend_from_slice(message);
    }
    frame.into()
}

/// Sends a frame, or nothing of it to a viewer that is still busy with the one before.
fn send(socket: &mut TcpStream, rest: &mut Bytes, frame: &Bytes) -> io::Result<()> {
    if !rest.is_empty() {
        flush(socket, rest)?;
    }
    if !rest.is_empty() || frame.is_empty() {
        return Ok(());
    }
    match socket.write(frame) {
        Ok(length) if length == frame.len() => Ok(()),
        Ok(length) => {
            *rest = frame.slice(length..);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
    }
}

/// Edge-triggered: until all is sent or the kernel takes no more.
fn flush(socket: &mut TcpStream, rest: &mut Bytes) -> io::Result<()> {
    while !rest.is_empty() {
        match socket.write(rest) {
            Ok(length) => rest.advance(length),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What viewers say is of no interest, but for their going.
fn discard(socket: &mut TcpStream) -> anyhow::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => bail!("it is gone"),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => Err(error)?,
        }
    }
}
