//! The other ends of simulated connections.

pub mod client;
pub mod publisher;
pub mod stranger;
pub mod viewer;

use super::link::Wire;
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
    let protocol = if is_v1 {
        "Sec-WebSocket-Protocol: videostream.v1\r\n"
    } else {
        ""
    };
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{protocol}\r\n"
    )
}

/// Takes a response head off the front of `bytes`, once it is whole.
pub fn take_head(bytes: &mut Vec<u8>) -> Option<String> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head: Vec<u8> = bytes.drain(..end).collect();
    Some(String::from_utf8_lossy(&head).into_owned())
}

pub fn status(head: &str) -> u16 {
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    status.unwrap_or(0)
}
