//! The other ends of simulated connections.

pub mod client;
pub mod download;
pub mod old;
pub mod publisher;
pub mod segments;
pub mod stranger;
pub mod viewer;

use super::guards::{Credential, Right};
use super::link::Wire;
use super::media::Books;
use std::time::Instant;

/// What happens at the other end of a connection.
pub trait Peer {
    /// Takes what has come, and sends what it wants to. Returns when it wants to act next, whatever
    /// comes before; `None` for not before something comes.
    fn act(&mut self, wire: &mut Wire, now: Instant) -> Option<Instant>;

    /// Whether it has nothing left to do: the connection may still be open.
    fn is_done(&self) -> bool;

    /// What must be true once its connection is over.
    fn check_at_the_end(&self) {}
}

/// A client's WebSocket frame. The mask is zero.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length @ 126..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

pub const BINARY: u8 = 0x82;
pub const TEXT: u8 = 0x81;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8a;

/// The request that opens a WebSocket.
pub fn upgrade(path: &str, is_v1: bool) -> String {
    upgrade_with(path, is_v1, Credential::nothing())
}

/// The same, with a key or a token.
pub fn upgrade_with(path: &str, is_v1: bool, credential: Credential) -> String {
    upgrade_to(&format!("{path}{}", credential.query()), is_v1, credential)
}

/// The same for a whole target, whose query has the credential where that belongs there.
pub fn upgrade_to(target: &str, is_v1: bool, credential: Credential) -> String {
    let fields = credential.fields();
    let protocol = if is_v1 {
        "Sec-WebSocket-Protocol: videostream.v1\r\n"
    } else {
        ""
    };
    format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{protocol}{fields}\r\n"
    )
}

/// Takes a response head off the front of `bytes`, once it is whole.
pub fn take_head(bytes: &mut Vec<u8>) -> Option<String> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head: Vec<u8> = bytes.drain(..end).collect();
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// What a peer asked for, and whether the server permitted it then.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    right: Right,
    stream: &'static str,
    credential: Credential,
    was_permitted: bool,
}

impl Asked {
    pub fn now(books: &Books, right: Right, stream: &'static str, credential: Credential) -> Asked {
        Asked {
            right,
            stream,
            credential,
            was_permitted: books.permits(right, stream, credential.pass),
        }
    }

    /// Whether the server permits it; `None` where that has changed since the question.
    pub fn is_permitted(&self, books: &Books) -> Option<bool> {
        let is_permitted = books.permits(self.right, self.stream, self.credential.pass);
        (is_permitted == self.was_permitted).then_some(is_permitted)
    }

    /// Compares an answer with what is permitted.
    pub fn check(&self, books: &Books, head: &str) {
        check_refusal(books, head);
        let status = status(head);
        let is_wrong = match self.is_permitted(books) {
            Some(true) => status == 401 && !books.has_hook(),
            Some(false) => status < 300,
            None => false,
        };
        books.count(|counts| match self.is_permitted(books) {
            Some(false) => counts.unauthorized += 1,
            Some(true) if !books.is_open(self.right, self.stream) => counts.permitted += 1,
            _ if status == 503 => counts.full += 1,
            _ => {}
        });
        if is_wrong {
            books.fault(format!("{self:?} is answered with {head}"));
        }
    }
}

/// A server that is full says when to come again.
pub fn check_refusal(books: &Books, head: &str) {
    if status(head) == 503 && !head.to_ascii_lowercase().contains("\r\nretry-after: ") {
        books.fault(format!("it is not said when to come again: {head}"));
    }
}

pub fn status(head: &str) -> u16 {
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    status.unwrap_or(0)
}
