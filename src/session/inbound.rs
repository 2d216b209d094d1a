//! What a WebSocket peer sends: frames read by tungstenite, which also answers pings and closes.
//!
//! Each byte passes a [`FrameCheck`] first, so that a protocol violation is answered when its byte
//! arrives, and not when tungstenite has the whole frame. Whole frames before it are handled first.
//!
//! tungstenite never writes to the socket. Its replies go into the outbox, so that a control
//! frame starts only between media frames.

use super::outbox::Outbox;
use crate::websocket::CloseCode;
use crate::websocket::frame_check::{FrameCheck, Violation};
use bytes::Bytes;
use std::io::{self, Read, Write};
use std::mem;
use std::num::NonZeroU16;
use tungstenite::error::{Error, ProtocolError};
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Message, error::CapacityError};

/// Bytes of tungstenite's read buffer for a viewer, which sends pongs and little else. Its default
/// of 128 KiB, zeroed on first read, would cost 1.3 GB with 10,000 viewers.
const VIEWER_BUFFER_BYTES: usize = 256;

/// The same for a publisher: two turns of what a recorder sends at 2.5 Mbit/s every 50 ms.
const PUBLISHER_BUFFER_BYTES: usize = 32 << 10;

/// Bytes read from one socket before others have their turn. tungstenite reads on by itself while
/// frames come that complete no message, such as empty fragments without end.
const READ_BYTES_MAX: u64 = 64 << 10;

/// The same, counted in frames: 64 KiB may hold 10,000 empty fragments, at 200 ns each.
const READ_FRAMES_MAX: u64 = 256;

/// Bytes of one read from a peer that sends frames of less than 32 bytes: what has been read cannot be
/// left for the next turn.
const DENSE_READ_BYTES: usize = 2 << 10;
const DENSE_FRAME_BYTES: u64 = 32;

/// One side of a WebSocket: the frames that come in.
#[derive(Debug)]
pub struct Inbound {
    context: WebSocketContext,
    check: FrameCheck,
    /// The peer's violation, behind sound bytes that are still to be handled.
    wrong: Option<Violation>,
    /// Whether the last bytes were frames of some bytes each.
    is_dense: bool,
    /// Unrequested data messages.
    pub ignored: u8,
    /// The code of the peer's close frame.
    close_code: Option<NonZeroU16>,
}

/// What came from the peer.
#[derive(Debug)]
pub enum Received {
    /// A whole binary message.
    Binary(Bytes),
    /// A whole text message.
    Text,
    /// A ping, answered in the outbox, or a pong.
    Control,
    /// Nothing more for now.
    Blocked,
    /// Its turn is over, and no message is whole.
    Unfinished,
    /// The closing handshake is done: our answer is in the outbox.
    Closed,
    /// The peer is gone without a close frame.
    Gone,
    /// The peer broke the protocol; the close frame gets this code and reason.
    Bad(CloseCode, String),
}

impl Inbound {
    /// A reader for a viewer. `rest` are the bytes that came behind its request.
    pub fn viewer(rest: &[u8], message_bytes: usize) -> Inbound {
        Inbound::new(rest, VIEWER_BUFFER_BYTES, message_bytes)
    }

    /// For a publisher.
    pub fn publisher(rest: &[u8], message_bytes: usize) -> Inbound {
        Inbound::new(rest, PUBLISHER_BUFFER_BYTES, message_bytes)
    }

    fn new(rest: &[u8], buffer_bytes: usize, message_bytes: usize) -> Inbound {
        let config = WebSocketConfig::default()
            .read_buffer_size(buffer_bytes)
            .write_buffer_size(0)
            .max_message_size(Some(message_bytes))
            .max_frame_size(Some(message_bytes));
        let mut check = FrameCheck::default();
        let (sound, wrong) = match check.look(rest) {
            Ok(()) => (rest, None),
            Err((length, violation)) => (&rest[..length], Some(violation)),
        };
        Inbound {
            context: WebSocketContext::from_partially_read(
                sound.to_vec(),
                Role::Server,
                Some(config),
            ),
            check,
            wrong,
            is_dense: false,
            ignored: 0,
            close_code: None,
        }
    }

    /// Whole frames that the last read brought: each is work.
    pub fn frames(&self) -> u64 {
        self.check.frames()
    }

    /// Bytes of memory that it takes: the message that is not whole yet, for a frame of which room is
    /// made when its head has come.
    pub fn held_bytes(&self) -> usize {
        let coming = self
            .check
            .payload_left()
            .saturating_add(self.check.unfinished());
        coming.saturating_add(mem::size_of::<Inbound>())
    }

    /// Whether a peer that has closed did so on purpose: it is done (1000), its page is left (1001),
    /// or it gave no code, as `close()` in a browser does. Any other code names a fault.
    pub fn closed_well(&self) -> bool {
        let well = [CloseCode::Normal, CloseCode::GoingAway].map(u16::from);
        self.close_code
            .is_none_or(|code| well.contains(&code.get()))
    }

    /// Reads the next message. Returns it, and the number of bytes that came from the socket.
    pub fn read(&mut self, socket: &mut impl Read, outbox: &mut Outbox) -> (Received, u64) {
        self.check.count_anew();
        let mut wire = CheckedSocket {
            socket,
            check: &mut self.check,
            wrong: &mut self.wrong,
            replies: Vec::new(),
            received: 0,
            read_max: if self.is_dense {
                DENSE_READ_BYTES
            } else {
                usize::MAX
            },
            is_spent: false,
        };
        let result = self.context.read(&mut wire);
        let is_spent = wire.is_spent;
        let came = wire.received;
        outbox.push(wire.replies);
        if came > 0 {
            self.is_dense = self.check.frames() * DENSE_FRAME_BYTES > came;
        }
        let message = match result {
            // Nothing is read behind the violation, so all sound bytes have been handled.
            Err(Error::Io(_)) if let Some(violation) = self.wrong => {
                Received::Bad(violation.code, violation.reason.to_owned())
            }
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock && is_spent => {
                Received::Unfinished
            }
            Ok(Message::Binary(bytes)) => Received::Binary(bytes),
            Ok(Message::Text(_)) => Received::Text,
            Ok(Message::Ping(_) | Message::Pong(_)) => Received::Control,
            // The answer is queued. The next read writes it and reports the close.
            Ok(Message::Close(frame)) => {
                self.close_code = frame.and_then(|frame| NonZeroU16::new(frame.code.into()));
                Received::Control
            }
            Ok(Message::Frame(_)) => Received::Control,
            Err(error) => Received::from(error),
        };
        (message, came)
    }
}

impl From<Error> for Received {
    fn from(error: Error) -> Received {
        match error {
            Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock => Received::Blocked,
            Error::ConnectionClosed | Error::AlreadyClosed => Received::Closed,
            Error::Io(_) | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                Received::Gone
            }
            Error::Capacity(CapacityError::MessageTooLong { max_size, .. }) => Received::Bad(
                CloseCode::TooBig,
                format!("a message has at most {max_size} bytes"),
            ),
            Error::Utf8(_) => Received::Bad(CloseCode::InvalidPayload, "text is not UTF-8".into()),
            other => Received::Bad(CloseCode::Protocol, other.to_string()),
        }
    }
}

/// The socket as tungstenite sees it.
struct CheckedSocket<'a, S> {
    socket: &'a mut S,
    check: &'a mut FrameCheck,
    wrong: &'a mut Option<Violation>,
    replies: Vec<u8>,
    received: u64,
    /// Bytes of one read from the socket.
    read_max: usize,
    /// Whether it returned "would block" because the turn was over.
    is_spent: bool,
}

impl<S: Read> Read for CheckedSocket<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.wrong.is_some() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if self.received >= READ_BYTES_MAX || self.check.frames() >= READ_FRAMES_MAX {
            self.is_spent = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let room = buffer.len().min(self.read_max);
        loop {
            match self.socket.read(&mut buffer[..room]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(length) => {
                    self.received += length as u64;
                    let Err((sound, violation)) = self.check.look(&buffer[..length]) else {
                        return Ok(length);
                    };
                    *self.wrong = Some(violation);
                    // None would mean the end of the connection.
                    return match sound {
                        0 => Err(io::ErrorKind::InvalidData.into()),
                        sound => Ok(sound),
                    };
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl<S> Write for CheckedSocket<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.replies.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
