//! Takes the media out of what a server sends: WebSocket frames, HTTP chunks, or a plain body.
//!
//! Bytes come in any pieces; media come out as slices of them, not waiting for a frame to end.

use std::io::Cursor;

use bytes::{Buf, Bytes};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::segments::SegmentReader;
use crate::http::chunked::{Decoded, Decoder};

/// Bytes of a text message, or of a frame's head.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// One thing that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Some bytes of the stream.
    Media(Bytes),
    Text(String),
    /// To be answered with the same payload.
    Ping(Bytes),
    /// The server's end of the stream, and its reason.
    End(String),
    /// The next request, to be sent.
    Ask(Bytes),
}

#[derive(Debug)]
pub(super) enum Unframer {
    WebSocket(FrameReader),
    Chunked(Decoder),
    UntilClose,
    Segments(Box<SegmentReader>),
}

impl Unframer {
    pub fn websocket() -> Unframer {
        Unframer::WebSocket(FrameReader::default())
    }

    /// The next piece at the front of `input`, or `None` when more bytes are needed.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Piece>, String> {
        match self {
            Unframer::WebSocket(frames) => frames.next(input),
            Unframer::Segments(segments) => segments.next(input),
            Unframer::Chunked(decoder) => match decoder.decode(input) {
                Ok(Decoded::Data(bytes)) => Ok(Some(Piece::Media(bytes))),
                Ok(Decoded::Partial) => Ok(None),
                Ok(Decoded::End) if input.is_empty() => Ok(Some(Piece::End("its end".into()))),
                Ok(Decoded::End) => Err("bytes follow the last chunk".into()),
                Err(error) => Err(error.to_string()),
            },
            Unframer::UntilClose if input.is_empty() => Ok(None),
            Unframer::UntilClose => Ok(Some(Piece::Media(input.split_to(input.len())))),
        }
    }
}

/// RFC 6455, section 5.
#[derive(Debug, Default)]
pub(super) struct FrameReader {
    /// The front of a frame's head that was cut, or a text, ping or close that is not whole.
    carry: Vec<u8>,
    open: Option<OpenFrame>,
    /// Whether the message that goes on in continuation frames is text.
    is_text: bool,
    has_ended: bool,
}

#[derive(Debug, Clone, Copy)]
struct OpenFrame {
    kind: MessageKind,
    is_final: bool,
    remaining: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MessageKind {
    Binary,
    Text,
    Ping,
    Pong,
    Close,
}

impl FrameReader {
    fn next(&mut self, input: &mut Bytes) -> Result<Option<Piece>, String> {
        loop {
            if self.has_ended {
                input.clear();
                return Ok(None);
            }
            let Some(frame) = &mut self.open else {
                if !self.open_frame(input)? {
                    return Ok(None);
                }
                continue;
            };
            let here = frame.remaining.min(input.len() as u64) as usize;
            if here == 0 && frame.remaining > 0 {
                return Ok(None);
            }
            frame.remaining -= here as u64;
            let bytes = input.split_to(here);
            let frame = *frame;
            if frame.remaining == 0 {
                self.open = None;
            }
            if frame.kind == MessageKind::Binary {
                if bytes.is_empty() {
                    continue;
                }
                return Ok(Some(Piece::Media(bytes)));
            }
            self.carry.extend_from_slice(&bytes);
            if self.carry.len() > TEXT_BYTES_MAX {
                return Err(format!("a text of over {TEXT_BYTES_MAX} bytes"));
            }
            if frame.remaining > 0 || (frame.kind == MessageKind::Text && !frame.is_final) {
                continue;
            }
            let whole = std::mem::take(&mut self.carry);
            match frame.kind {
                MessageKind::Text => {
                    let text = String::from_utf8(whole).map_err(|_| "a text that is not UTF-8")?;
                    return Ok(Some(Piece::Text(text)));
                }
                MessageKind::Ping => return Ok(Some(Piece::Ping(whole.into()))),
                MessageKind::Close => {
                    self.has_ended = true;
                    return Ok(Some(Piece::End(close_reason(&whole))));
                }
                MessageKind::Pong | MessageKind::Binary => {}
            }
        }
    }

    /// Reads a frame's head; `false` when more bytes are needed.
    fn open_frame(&mut self, input: &mut Bytes) -> Result<bool, String> {
        // The front of a text in several frames also waits in `carry`: of a head there, at most 13
        // bytes. The server we test sends no such texts, and viewers get none from other servers.
        if !self.carry.is_empty() {
            if self.is_text {
                return Err("a text in several frames".into());
            }
            self.carry.extend_from_slice(input);
            *input = Bytes::from(std::mem::take(&mut self.carry));
        }
        let mut cursor = Cursor::new(&input[..]);
        let Some((header, length)) =
            FrameHeader::parse(&mut cursor).map_err(|error| error.to_string())?
        else {
            self.carry = input.split_to(input.len()).to_vec();
            self.is_text = false;
            return Ok(false);
        };
        let head_length = cursor.position() as usize;
        input.advance(head_length);
        if header.mask.is_some() {
            return Err("a masked frame from a server".into());
        }
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err("a frame with reserved bits".into());
        }
        let kind = match header.opcode {
            OpCode::Data(Data::Binary | Data::Continue) => MessageKind::Binary,
            OpCode::Data(Data::Text) => MessageKind::Text,
            OpCode::Control(Control::Ping) => MessageKind::Ping,
            OpCode::Control(Control::Pong) => MessageKind::Pong,
            OpCode::Control(Control::Close) => MessageKind::Close,
            OpCode::Data(Data::Reserved(code)) | OpCode::Control(Control::Reserved(code)) => {
                return Err(format!("a frame with the reserved opcode {code}"));
            }
        };
        let is_control = matches!(
            kind,
            MessageKind::Ping | MessageKind::Pong | MessageKind::Close
        );
        if is_control && (length > 125 || !header.is_final) {
            return Err("a control frame of over 125 bytes, or in pieces".into());
        }
        self.is_text = kind == MessageKind::Text && !header.is_final;
        self.open = Some(OpenFrame {
            kind,
            is_final: header.is_final,
            remaining: length,
        });
        Ok(true)
    }
}

fn close_reason(payload: &[u8]) -> String {
    let Some((code, reason)) = payload.split_at_checked(2) else {
        return "a close frame".into();
    };
    let code = u16::from_be_bytes([code[0], code[1]]);
    match String::from_utf8_lossy(reason).replace(char::is_control, " ") {
        reason if reason.is_empty() => format!("close {code}"),
        reason => format!("close {code}: {reason}"),
    }
}

/// A client's pong. Its mask is zero, so that the payload stands as it is (RFC 6455, 5.3): there is
/// no proxy to protect here.
pub(super) fn masked_pong(payload: &[u8]) -> Vec<u8> {
    let payload = &payload[..payload.len().min(125)];
    [&[0x8a, 0x80 | payload.len() as u8, 0, 0, 0, 0], payload].concat()
}

/// A client's close frame, code 1000.
pub(super) const MASKED_CLOSE: &[u8] = b"\x88\x82\0\0\0\0\x03\xe8";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::{CloseCode, close_frame, ping_frame, text_frame};

    /// All pieces of `bytes`, given in cuts of `cut`; neighbouring media joined.
    fn pieces(mut unframer: Unframer, bytes: &[u8], cut: usize) -> Result<Vec<Piece>, String> {
        let mut pieces: Vec<Piece> = Vec::new();
        for part in bytes.chunks(cut) {
            let mut input = Bytes::copy_from_slice(part);
            while let Some(piece) = unframer.next(&mut input)? {
                match (pieces.last_mut(), piece) {
                    (Some(Piece::Media(before)), Piece::Media(media)) => {
                        *before = [&before[..], &media].concat().into();
                    }
                    (_, Piece::End(reason)) => {
                        pieces.push(Piece::End(reason));
                        return Ok(pieces);
                    }
                    (_, piece) => pieces.push(piece),
                }
            }
        }
        Ok(pieces)
    }

    #[test]
    fn frames_are_split_at_any_cut() {
        let long = vec![7; 70_000];
        let bytes = [
            &text_frame(r#"{"type":"offline"}"#)[..],
            b"\x82\x05media",
            &ping_frame(b"now"),
            b"\x82\x00",
            b"\x82\x7f\0\0\0\0\0\x01\x11\x70",
            &long,
            &close_frame(CloseCode::GoingAway, "bye"),
        ]
        .concat();
        let expected = [
            Piece::Text(r#"{"type":"offline"}"#.into()),
            Piece::Media(Bytes::from_static(b"media")),
            Piece::Ping(Bytes::from_static(b"now")),
            Piece::Media(long.into()),
            Piece::End("close 1001: bye".into()),
        ];
        for cut in [1, 2, 3, 7, 1000, bytes.len()] {
            assert_eq!(
                pieces(Unframer::websocket(), &bytes, cut).unwrap(),
                expected,
                "{cut}"
            );
        }
    }

    #[test]
    fn frames_forbidden_to_a_server_are_an_error() {
        for bytes in [
            &b"\x82\x81\0\0\0\0x"[..],
            b"\xc2\x01x",
            b"\x83\x01x",
            b"\x09\x01x",
            b"\x81\x01\xff",
        ] {
            assert!(
                pieces(Unframer::websocket(), bytes, 1).is_err(),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn chunks_and_plain_bodies_come_apart() {
        let chunked = b"5\r\nmedia\r\n4\r\nmore\r\n0\r\n\r\n";
        for cut in [1, 4, 100] {
            let chunked = pieces(Unframer::Chunked(Decoder::default()), chunked, cut).unwrap();
            let media = Piece::Media(Bytes::from_static(b"mediamore"));
            assert_eq!(chunked, [media.clone(), Piece::End("its end".into())]);
            let plain = pieces(Unframer::UntilClose, b"mediamore", cut).unwrap();
            assert_eq!(plain, [media]);
        }
    }

    #[test]
    fn a_clients_frames_are_masked() {
        assert_eq!(masked_pong(b"now"), b"\x8a\x83\0\0\0\0now");
        assert_eq!(masked_pong(&[1; 200]).len(), 6 + 125);
    }
}
