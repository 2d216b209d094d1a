//! A request body as it comes in: pieces of media, or a poster.

use crate::http::chunked::{Decoded, Decoder};
use crate::http::{Body, HttpError};
use bytes::{Bytes, BytesMut};
use std::io::{self, Read};

/// Where the end of the body is.
#[derive(Debug)]
pub enum BodyReader {
    /// Bytes still to come.
    Length(u64),
    Chunked(Decoder),
    UntilClose,
}

impl BodyReader {
    pub fn new(body: Body) -> BodyReader {
        match body {
            Body::None => BodyReader::Length(0),
            Body::Length(length) => BodyReader::Length(length),
            Body::Chunked => BodyReader::Chunked(Decoder::new()),
            Body::UntilClose => BodyReader::UntilClose,
        }
    }

    /// Takes the next piece of the body out of `input`; `None` when more has to come in or the
    /// body is at its end. Bytes behind the end stay in `input`.
    pub fn take(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, HttpError> {
        match self {
            _ if input.is_empty() => Ok(None),
            BodyReader::Length(0) => Ok(None),
            BodyReader::Length(left) => {
                let length = (*left).min(input.len() as u64);
                *left -= length;
                Ok(Some(input.split_to(length as usize)))
            }
            BodyReader::UntilClose => Ok(Some(input.split_off(0))),
            BodyReader::Chunked(decoder) => match decoder.decode(input)? {
                Decoded::Data(bytes) => Ok(Some(bytes)),
                Decoded::Partial => Ok(None),
                Decoded::End => {
                    *self = BodyReader::Length(0);
                    Ok(None)
                }
            },
        }
    }

    /// Whether the last byte has been taken.
    pub fn is_at_end(&self) -> bool {
        matches!(self, BodyReader::Length(0))
    }

    /// Whether the end of the connection is the body's proper end.
    pub fn ends_with_connection(&self) -> bool {
        matches!(self, BodyReader::UntilClose)
    }
}

/// Memory that sockets are read into, and that what was read is a slice of.
///
/// A new piece is taken, zeroed by the allocator, when little is left of the one before: so no
/// byte is copied, and none is zeroed twice.
#[derive(Debug)]
pub struct ReadBuffer {
    room: BytesMut,
}

impl ReadBuffer {
    /// What one read may bring: a recorder's 250 ms at 2 Mbit/s.
    pub const PIECE_BYTES: usize = 64 << 10;
    /// Reads into less room than this would be many.
    const ROOM_LEAST: usize = 4 << 10;

    pub fn new() -> ReadBuffer {
        ReadBuffer {
            room: BytesMut::new(),
        }
    }

    /// One read. Empty at the end of the stream.
    pub fn read(&mut self, socket: &mut impl Read) -> io::Result<Bytes> {
        if self.room.len() < Self::ROOM_LEAST {
            self.room = BytesMut::zeroed(Self::PIECE_BYTES);
        }
        loop {
            match socket.read(&mut self.room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result.map(|length| self.room.split_to(length).freeze()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_with_a_length_ends_there() {
        let mut reader = BodyReader::new(Body::Length(5));
        let mut input = Bytes::from_static(b"123");
        assert_eq!(reader.take(&mut input).unwrap().unwrap(), "123");
        assert!(!reader.is_at_end());
        let mut input = Bytes::from_static(b"45GET /");
        assert_eq!(reader.take(&mut input).unwrap().unwrap(), "45");
        assert!(reader.is_at_end());
        assert_eq!(
            (reader.take(&mut input), &input[..]),
            (Ok(None), &b"GET /"[..])
        );
    }

    #[test]
    fn a_chunked_body_ends_at_the_last_chunk() {
        let mut reader = BodyReader::new(Body::Chunked);
        let mut input = Bytes::from_static(b"3\r\nabc\r\n0\r\n\r\nGET /");
        assert_eq!(reader.take(&mut input).unwrap().unwrap(), "abc");
        assert_eq!(reader.take(&mut input), Ok(None));
        assert!(reader.is_at_end());
        assert_eq!(&input[..], b"GET /");
    }

    #[test]
    fn read_pieces_outlive_the_next_read() {
        let mut buffer = ReadBuffer::new();
        let mut socket: &[u8] = &[7; 100_000];
        let mut pieces = Vec::new();
        loop {
            let piece = buffer.read(&mut socket).unwrap();
            if piece.is_empty() {
                break;
            }
            pieces.push(piece);
        }
        assert_eq!(pieces.concat(), [7; 100_000]);
    }
}
