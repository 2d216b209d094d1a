//! One payload, framed once for every viewer.
//!
//! ```text
//! │ HTTP chunk head │ WebSocket head │ payload │ CRLF │   one buffer, shared by all
//!                   └─────────── WebSocket ────┘          one plain `send`
//! └── HTTP, first ──┘                └─ HTTP, second ─┘   one vectored write
//! ```
//!
//! A WebSocket frame from a server is not masked (RFC 6455, section 5.1), so all viewers can share
//! the same bytes; so can they those of an HTTP chunk (RFC 9112, section 7.1).

use bytes::{BufMut, Bytes, BytesMut};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Data, OpCode};

/// Longest WebSocket head without a mask: opcode, 127, and eight bytes of length.
const WEBSOCKET_HEAD_MAX: usize = 10;
/// Longest HTTP chunk head: eight hexadecimal digits and CRLF, for payloads below 4 GiB.
const HTTP_HEAD_MAX: usize = 10;
const CRLF: &[u8] = b"\r\n";

/// Collects a payload behind room for both heads.
#[derive(Debug)]
pub struct Framer {
    buffer: BytesMut,
}

impl Framer {
    /// Room for a payload of `payload_length` bytes; more may be written, at the cost of a copy.
    pub fn with_capacity(payload_length: usize) -> Framer {
        let room = HTTP_HEAD_MAX + WEBSOCKET_HEAD_MAX;
        let mut buffer = BytesMut::with_capacity(room + payload_length + CRLF.len());
        buffer.put_bytes(0, room);
        Framer { buffer }
    }

    /// Where to append the payload.
    pub fn payload(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Writes both heads right before the payload.
    pub fn finish(mut self) -> Framed {
        let payload_at = HTTP_HEAD_MAX + WEBSOCKET_HEAD_MAX;
        let length = self.buffer.len() - payload_at;
        assert!(
            u32::try_from(length).is_ok(),
            "limits of options keep payloads far below 4 GiB"
        );
        self.buffer.put_slice(CRLF);

        let websocket_head = FrameHeader {
            opcode: OpCode::Data(Data::Binary),
            ..FrameHeader::default()
        };
        let websocket_at = payload_at - websocket_head.len(length as u64);
        websocket_head
            .format(
                length as u64,
                &mut &mut self.buffer[websocket_at..payload_at],
            )
            .expect("the room is as long as the head");

        let http_head = format!("{length:x}\r\n");
        let http_at = websocket_at - http_head.len();
        self.buffer[http_at..websocket_at].copy_from_slice(http_head.as_bytes());
        Framed {
            bytes: self.buffer.freeze(),
            http_at: http_at as u8,
            websocket_at: websocket_at as u8,
        }
    }
}

/// A payload with its heads. Cloning, and all slices, share the one buffer.
#[derive(Debug, Clone)]
pub struct Framed {
    bytes: Bytes,
    http_at: u8,
    websocket_at: u8,
}

impl Framed {
    const PAYLOAD_AT: usize = HTTP_HEAD_MAX + WEBSOCKET_HEAD_MAX;

    /// A whole WebSocket message.
    pub fn websocket(&self) -> Bytes {
        let end = self.bytes.len() - CRLF.len();
        self.bytes.slice(usize::from(self.websocket_at)..end)
    }

    /// A whole HTTP chunk, in two parts: its head, and the payload with what ends it.
    pub fn http(&self) -> [Bytes; 2] {
        let head = usize::from(self.http_at)..usize::from(self.websocket_at);
        [self.bytes.slice(head), self.bytes.slice(Self::PAYLOAD_AT..)]
    }

    /// The payload alone.
    pub fn payload(&self) -> Bytes {
        let end = self.bytes.len() - CRLF.len();
        self.bytes.slice(Self::PAYLOAD_AT..end)
    }

    pub fn payload_length(&self) -> usize {
        self.bytes.len() - Self::PAYLOAD_AT - CRLF.len()
    }

    /// Bytes of memory that the whole buffer takes.
    pub fn memory(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(length: usize) -> Framed {
        let mut framer = Framer::with_capacity(length);
        framer.payload().put_bytes(b'x', length);
        framer.finish()
    }

    #[test]
    fn one_buffer_serves_both_protocols() {
        let framed = framed(300);
        assert_eq!(&framed.websocket()[..5], b"\x82\x7e\x01\x2cx");
        assert_eq!(framed.websocket().len(), 304);
        let [head, body] = framed.http();
        assert_eq!(&head[..], b"12c\r\n");
        assert_eq!((body.len(), &body[299..]), (302, &b"x\r\n"[..]));
        assert_eq!(framed.payload().len(), 300);
        assert_eq!(body.as_ptr(), framed.payload().as_ptr());
    }

    #[test]
    fn the_head_is_as_long_as_the_length_needs() {
        for (length, head) in [
            (0, &b"\x82\x00"[..]),
            (125, b"\x82\x7d"),
            (126, b"\x82\x7e\x00\x7e"),
            (65535, b"\x82\x7e\xff\xff"),
            (65536, b"\x82\x7f\0\0\0\0\0\x01\0\0"),
        ] {
            let bytes = framed(length).websocket();
            assert_eq!(&bytes[..head.len()], head);
            assert_eq!(bytes.len(), head.len() + length);
        }
    }
}
