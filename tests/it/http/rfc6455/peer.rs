//! A WebSocket client made of raw bytes, and as strict about what it is answered.

use crate::common::http::connect;
use crate::common::server::Server;
use crate::common::wire::Wire;
use std::io::{ErrorKind, Read, Write};
use videostream::websocket::{check_response, client_request};

const NONCE: &[u8; 16] = b"sixteen letters.";

/// The role of the socket. Neither offers `videostream.v1`, so the server sends neither a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Viewer,
    Publisher,
}

pub const ROLES: [Role; 2] = [Role::Viewer, Role::Publisher];

pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8a;
/// Without FIN, and with no opcode but "continuation".
pub const MORE: u8 = 0x00;
pub const LAST: u8 = 0x80;
pub const TEXT_BEGINS: u8 = 0x01;
pub const BINARY_BEGINS: u8 = 0x02;

/// What the server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Pong(Vec<u8>),
    /// The payload: nothing, or a code and a reason.
    Close(Vec<u8>),
    Binary(Vec<u8>),
    Text(String),
}

pub fn pong(payload: &[u8]) -> Answer {
    Answer::Pong(payload.to_vec())
}

/// How bytes are cut on their way.
#[derive(Debug, Clone, Copy)]
pub enum Cut {
    Whole,
    /// A byte at a time; of what is long, only the beginning and the end.
    Bytes,
}

/// A frame as a client sends it, its length in the shortest form.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            bytes.push(0xfe);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0xff);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    let masked = payload.iter().zip(mask.iter().cycle());
    bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A close frame with this code and reason.
pub fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes(), reason].concat())
}

/// A message in fragments of these payloads, with `between` after each but the last.
pub fn fragments(opcode: u8, payloads: &[&[u8]], between: &[u8]) -> Vec<u8> {
    let last = payloads.len() - 1;
    let mut bytes = Vec::new();
    for (index, payload) in payloads.iter().enumerate() {
        let begin = if index == 0 { opcode & 0x0f } else { MORE };
        let end = if index == last { LAST } else { 0 };
        bytes.extend(frame(begin | end, payload));
        if index != last {
            bytes.extend_from_slice(between);
        }
    }
    bytes
}

/// One connection.
pub struct Peer {
    stream: Wire,
    received: Vec<u8>,
}

impl Peer {
    pub fn open(server: &Server, role: Role, name: &str) -> Peer {
        let target = match role {
            Role::Viewer => format!("/live/{name}"),
            Role::Publisher => format!("/publish/{name}"),
        };
        let mut stream = connect(server);
        let host = server.address.to_string();
        let request = client_request(&host, &target, NONCE, &[], None);
        stream.write_all(&request).unwrap();
        let mut received = Vec::new();
        loop {
            let mut bytes = [0; 1024];
            let length = stream.read(&mut bytes).unwrap();
            assert_ne!(length, 0, "closed before it was upgraded");
            received.extend_from_slice(&bytes[..length]);
            if let Some((_, length)) = check_response(&received, NONCE).expect("an upgrade") {
                received.drain(..length);
                return Peer { stream, received };
            }
        }
    }

    /// Sends to a peer that may have closed.
    pub fn send(&mut self, bytes: &[u8], cut: Cut) {
        const END: usize = 300;
        let _ = match cut {
            Cut::Whole => self.stream.write_all(bytes),
            Cut::Bytes => {
                let middle =
                    END.min(bytes.len())..bytes.len().saturating_sub(END).max(END.min(bytes.len()));
                let (begin, rest) = bytes.split_at(middle.start);
                let (middle, end) = rest.split_at(middle.len());
                let pieces = begin
                    .chunks(1)
                    .chain(middle.chunks(997))
                    .chain(end.chunks(1));
                let mut pieces = pieces.map(|piece| self.stream.write_all(piece));
                pieces.find(Result::is_err).unwrap_or(Ok(()))
            }
        };
    }

    /// The next frame; `None` at the end of the connection.
    pub fn hear(&mut self) -> Option<Answer> {
        loop {
            if let Some((answer, length)) = parse(&self.received) {
                self.received.drain(..length);
                return Some(answer);
            }
            let mut bytes = [0; 64 << 10];
            match self.stream.read(&mut bytes) {
                Ok(0) => {
                    assert!(self.received.is_empty(), "it ended inside a frame");
                    return None;
                }
                Ok(length) => self.received.extend_from_slice(&bytes[..length]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// All that is said up to the end of the connection.
    pub fn hear_out(&mut self) -> Vec<Answer> {
        std::iter::from_fn(|| self.hear()).collect()
    }
}

/// A whole frame at the front of `bytes`, and its length. A server's frames are not masked, and
/// this one's are not in fragments.
fn parse(bytes: &[u8]) -> Option<(Answer, usize)> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    let (length, at) = match second {
        126 => {
            let length = u16::from_be_bytes(*rest.first_chunk()?);
            assert!(length > 125, "the shortest form of a length");
            (usize::from(length), 4)
        }
        127 => {
            let length = u64::from_be_bytes(*rest.first_chunk()?);
            assert!(length > 0xffff, "the shortest form of a length");
            (usize::try_from(length).unwrap(), 10)
        }
        length => {
            assert!(length < 126, "a server does not mask");
            (usize::from(length), 2)
        }
    };
    let payload = bytes.get(at..at + length)?.to_vec();
    assert!(first & 8 == 0 || length < 126, "a long control frame");
    let answer = match first {
        TEXT => Answer::Text(String::from_utf8(payload).unwrap()),
        BINARY => Answer::Binary(payload),
        CLOSE => Answer::Close(payload),
        PONG => Answer::Pong(payload),
        other => panic!("a frame that begins with {other:#x}"),
    };
    Some((answer, at + length))
}

/// A server to try things on, and how many were tried.
pub struct Lab {
    pub server: Server,
    section: &'static str,
    cases: usize,
}

impl Lab {
    pub fn open(section: &'static str) -> Lab {
        Lab {
            server: Server::with(&["--viewer-message-bytes", "8MiB"]),
            section,
            cases: 0,
        }
    }

    /// A case that was tried elsewhere.
    pub fn count(&mut self) {
        self.cases += 1;
    }

    /// What is answered to these bytes, each time on a new connection.
    pub fn converse(&mut self, role: Role, bytes: &[u8], cut: Cut) -> Vec<Answer> {
        self.cases += 1;
        let mut peer = Peer::open(&self.server, role, &format!("case{}", self.cases));
        peer.send(bytes, cut);
        peer.hear_out()
    }

    /// These bytes are right, and answered so; then the connection still works, and is closed.
    pub fn answers(&mut self, what: &str, bytes: &[u8], expected: &[Answer]) {
        for role in ROLES {
            self.answers_to(role, what, bytes, expected);
        }
    }

    pub fn answers_to(&mut self, role: Role, what: &str, bytes: &[u8], expected: &[Answer]) {
        let bytes = [bytes, &frame(PING, b"still here?"), &close(1000, b"bye")].concat();
        let goodbye = [pong(b"still here?"), Answer::Close(b"\x03\xe8bye".to_vec())];
        let expected = [expected, &goodbye].concat();
        for cut in [Cut::Whole, Cut::Bytes] {
            let answers = self.converse(role, &bytes, cut);
            assert_eq!(answers, expected, "{role:?}, {cut:?}: {what}");
        }
    }

    /// These bytes are right, and nothing is said about them.
    pub fn accepts(&mut self, what: &str, bytes: &[u8]) {
        self.answers(what, bytes, &[]);
    }

    /// These bytes hold whole texts. A viewer's are ignored, whatever is behind them answered so; a
    /// publisher's first ends its connection, and what is before it is answered so.
    pub fn takes_text(&mut self, what: &str, bytes: &[u8], expected: &[Answer]) {
        self.answers_to(Role::Viewer, what, bytes, expected);
        self.refuses_text(what, bytes, expected);
    }

    /// A publisher of text gets the advice to send binary messages.
    fn refuses_text(&mut self, what: &str, bytes: &[u8], before: &[Answer]) {
        let close = [&1003_u16.to_be_bytes()[..], b"send binary messages"].concat();
        let expected = [before, &[Answer::Close(close)]].concat();
        for cut in [Cut::Whole, Cut::Bytes] {
            let answers = self.converse(Role::Publisher, bytes, cut);
            assert_eq!(answers, expected, "{cut:?}: {what}");
        }
    }

    /// These bytes are answered so, and end the connection.
    pub fn ends(&mut self, what: &str, bytes: &[u8], expected: &[Answer]) {
        for role in ROLES {
            self.ends_for(role, what, bytes, expected);
        }
    }

    /// The same behind a whole text, which is where a publisher's connection ends.
    pub fn ends_behind_text(&mut self, what: &str, bytes: &[u8], expected: &[Answer]) {
        self.ends_for(Role::Viewer, what, bytes, expected);
        self.refuses_text(what, bytes, &[]);
    }

    fn ends_for(&mut self, role: Role, what: &str, bytes: &[u8], expected: &[Answer]) {
        for cut in [Cut::Whole, Cut::Bytes] {
            let answers = self.converse(role, bytes, cut);
            assert_eq!(answers, expected, "{role:?}, {cut:?}: {what}");
        }
    }

    /// These bytes break the protocol. What is right before that has been answered; nothing is
    /// answered behind it.
    pub fn refuses(&mut self, what: &str, bytes: &[u8], before: &[Answer], code: u16) {
        for role in ROLES {
            self.refuses_for(role, what, (bytes, before), code);
        }
    }

    /// The same behind a whole text, which is where a publisher's connection ends.
    pub fn refuses_behind_text(&mut self, what: &str, bytes: &[u8], before: &[Answer], code: u16) {
        self.refuses_for(Role::Viewer, what, (bytes, before), code);
        self.refuses_text(what, bytes, &[]);
    }

    fn refuses_for(&mut self, role: Role, what: &str, talk: (&[u8], &[Answer]), code: u16) {
        let (bytes, before) = talk;
        // If what is wrong were taken, this would be answered.
        let bytes = [bytes, &frame(PING, b"not any more")].concat();
        for cut in [Cut::Whole, Cut::Bytes] {
            let mut answers = self.converse(role, &bytes, cut);
            let what = format!("{role:?}, {cut:?}: {what}");
            let Some(Answer::Close(payload)) = answers.pop() else {
                panic!("no close frame: {what}");
            };
            assert_eq!(answers, before, "{what}");
            assert_eq!(payload[..2], code.to_be_bytes(), "{what}");
            assert!(std::str::from_utf8(&payload[2..]).is_ok(), "{what}");
        }
    }

    /// These bytes are wrong, although more of the same frame or message could follow: the answer
    /// does not wait for it.
    pub fn refuses_at_once(&mut self, what: &str, bytes: &[u8], code: u16) {
        for role in ROLES {
            let answers = self.converse(role, bytes, Cut::Whole);
            let [Answer::Close(payload)] = &answers[..] else {
                panic!("{answers:?}, {role:?}: {what}");
            };
            assert_eq!(payload[..2], code.to_be_bytes(), "{role:?}: {what}");
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.server.assert_healthy();
            println!("{}: {} cases", self.section, self.cases);
        }
    }
}
