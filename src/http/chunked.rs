//! Chunked request bodies, taken apart without a copy (RFC 9112, 7.1).
//!
//! ```text
//! 1a3;extension CRLF  data (0x1a3 bytes)  CRLF   …   0 CRLF  trailer lines  CRLF
//! └── size line ───┘                                 └─ last chunk ─┘
//! ```
//!
//! Bytes go in through [`Decoder::decode`], which takes what it understood off the front. Data come
//! out as slices of the same memory, as soon as they are there: a chunk of 1 GB is never waited for.
//!
//! A lone LF is no line end here, and a lone CR no anything: two readers that disagree about where
//! a chunk ends would let a request be smuggled in between. Extensions and trailers are read over,
//! within bounds. How the bytes were cut changes only how the data are cut, never the data.

use bytes::{Buf as _, Bytes};

use super::HttpError;

/// Bytes of extensions of one chunk, and of all trailer lines. No client that we know sends either.
const ASIDE_BYTES_MAX: usize = 4 * 1024;

/// Hex digits of a chunk's size: as many as a `u64` holds, so that no size overflows. Leading zeros
/// count, as some clients pad to eight.
const SIZE_DIGITS_MAX: u32 = 16;

/// Where in a chunked body we are.
#[derive(Debug, Clone, Default)]
pub struct Decoder {
    state: State,
}

/// What [`Decoder::decode`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// Some bytes of the body, never none. There may be more in the same input.
    Data(Bytes),
    /// The input is used up: more bytes, please.
    Partial,
    /// The body is over. What is left of the input belongs to the next request.
    End,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Size {
        size: u64,
        digits: u32,
    },
    /// In white space before an extension, of which `length` bytes have come.
    BeforeExtension {
        size: u64,
        length: usize,
    },
    Extension {
        size: u64,
        length: usize,
    },
    /// After the CR of a size line.
    SizeLf {
        size: u64,
    },
    /// Invariant: `remaining` is never 0.
    Data {
        remaining: u64,
    },
    DataCr,
    DataLf,
    /// At the start of a line after the last chunk; `length` counts all trailer bytes.
    TrailerStart {
        length: usize,
    },
    Trailer {
        length: usize,
    },
    TrailerLf {
        length: usize,
    },
    /// After the CR of the empty line that ends the body.
    EndLf,
    End,
}

impl Default for State {
    fn default() -> Self {
        Self::SIZE
    }
}

impl State {
    const SIZE: Self = Self::Size { size: 0, digits: 0 };

    /// Takes one byte of anything that is not data.
    fn step(self, byte: u8) -> Result<Self, HttpError> {
        match self {
            Self::Size { size, digits } => match (char::from(byte).to_digit(16), byte) {
                (Some(_), _) if digits == SIZE_DIGITS_MAX => wrong("size is too large"),
                (Some(digit), _) => Ok(Self::Size {
                    size: size << 4 | u64::from(digit),
                    digits: digits + 1,
                }),
                (None, b'\r') if digits > 0 => Ok(Self::SizeLf { size }),
                (None, b';') if digits > 0 => Ok(Self::Extension { size, length: 0 }),
                // White space before the semicolon is bad manners, but allowed (7.1.1).
                (None, b' ' | b'\t') if digits > 0 => Ok(Self::BeforeExtension { size, length: 1 }),
                (None, _) => wrong("size is not a hex number"),
            },
            Self::BeforeExtension { size, length } => match byte {
                b';' => Ok(Self::Extension { size, length }),
                _ if length == ASIDE_BYTES_MAX => wrong("extension is too long"),
                b' ' | b'\t' => Ok(Self::BeforeExtension {
                    size,
                    length: length + 1,
                }),
                // Some read "1 1" as 1, some as 11.
                _ => wrong("size is not a hex number"),
            },
            Self::Extension { size, .. } if byte == b'\r' => Ok(Self::SizeLf { size }),
            Self::Extension {
                length: ASIDE_BYTES_MAX,
                ..
            } => wrong("extension is too long"),
            Self::Extension { size, length } => {
                plain(byte)?;
                Ok(Self::Extension {
                    size,
                    length: length + 1,
                })
            }
            Self::SizeLf { size: 0 } => line_feed(byte, Self::TrailerStart { length: 0 }),
            Self::SizeLf { size } => line_feed(byte, Self::Data { remaining: size }),
            Self::DataCr if byte == b'\r' => Ok(Self::DataLf),
            Self::DataCr => wrong("data are longer than their size"),
            Self::DataLf => line_feed(byte, Self::SIZE),
            Self::TrailerStart { .. } if byte == b'\r' => Ok(Self::EndLf),
            Self::Trailer { length } if byte == b'\r' => Ok(Self::TrailerLf { length }),
            Self::TrailerStart {
                length: ASIDE_BYTES_MAX,
            }
            | Self::Trailer {
                length: ASIDE_BYTES_MAX,
            } => wrong("trailer is too long"),
            Self::TrailerStart { length } | Self::Trailer { length } => {
                plain(byte)?;
                Ok(Self::Trailer { length: length + 1 })
            }
            Self::TrailerLf { length } => line_feed(byte, Self::TrailerStart { length }),
            Self::EndLf => line_feed(byte, Self::End),
            // `decode` gives these two no byte.
            Self::Data { .. } | Self::End => Ok(self),
        }
    }
}

impl Decoder {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece off the front of `input`. Call again until it says `Partial` or `End`.
    ///
    /// After an error the remaining bytes of the connection mean nothing: close it.
    pub fn decode(&mut self, input: &mut Bytes) -> Result<Decoded, HttpError> {
        loop {
            match self.state {
                State::End => return Ok(Decoded::End),
                _ if input.is_empty() => return Ok(Decoded::Partial),
                State::Data { remaining } => {
                    // On a 32-bit machine a larger size is taken in several pieces.
                    let here = usize::try_from(remaining)
                        .unwrap_or(usize::MAX)
                        .min(input.len());
                    self.state = match remaining - here as u64 {
                        0 => State::DataCr,
                        remaining => State::Data { remaining },
                    };
                    return Ok(Decoded::Data(input.split_to(here)));
                }
                state => self.state = state.step(input.get_u8())?,
            }
        }
    }
}

fn wrong<T>(why: &'static str) -> Result<T, HttpError> {
    Err(HttpError::Chunk(why))
}

fn line_feed(byte: u8, then: State) -> Result<State, HttpError> {
    if byte == b'\n' {
        Ok(then)
    } else {
        wrong("CR without LF")
    }
}

/// Tab, visible characters and what is not ASCII may stand in an extension or a trailer.
fn plain(byte: u8) -> Result<(), HttpError> {
    if byte.is_ascii_control() && byte != b'\t' {
        wrong("control character")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The data, whether the body ended, and what was left over.
    type Outcome = Result<(Vec<u8>, bool, Vec<u8>), HttpError>;

    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
        let (mut decoder, mut data, mut ended) = (Decoder::new(), Vec::new(), false);
        let mut left = Vec::new();
        for piece in pieces {
            let mut input = Bytes::copy_from_slice(piece);
            loop {
                match decoder.decode(&mut input)? {
                    Decoded::Data(some) => {
                        assert!(!some.is_empty());
                        data.extend_from_slice(&some);
                    }
                    Decoded::Partial => break,
                    Decoded::End => {
                        ended = true;
                        break;
                    }
                }
            }
            left.extend_from_slice(&input);
        }
        Ok((data, ended, left))
    }

    fn whole(text: &str) -> Outcome {
        decode([text.as_bytes()])
    }

    #[test]
    fn chunks_become_their_data_and_later_bytes_stay() {
        let body =
            "4\r\nWiki\r\n0006;a=\"b\"\r\npedia \r\nB ;x\r\nin \r\nchunks\r\n0\r\nA: b\r\n\r\nGET";
        let data = b"Wikipedia in \r\nchunks".to_vec();
        assert_eq!(whole(body), Ok((data, true, b"GET".to_vec())));
        assert_eq!(whole("0\r\n\r\n"), Ok((Vec::new(), true, Vec::new())));
        assert_eq!(whole("5\r\nab"), Ok((b"ab".to_vec(), false, Vec::new())));
    }

    #[test]
    fn data_share_the_memory_of_the_input() {
        let mut input = Bytes::from_static(b"3\r\nabc\r\n");
        let expected = input[3..6].as_ptr();
        let Ok(Decoded::Data(data)) = Decoder::new().decode(&mut input) else {
            panic!("data")
        };
        assert_eq!(data.as_ptr(), expected);
    }

    #[test]
    fn bad_sizes_and_line_ends_are_refused() {
        for body in [
            "\r\n",
            "g\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            ";a\r\n",
            " 1\r\n",
            "1\n",
            "1\ra",
            "1;\n",
            "1 \r\n",
            "1 1\r\n",
            "1 \t1\r\n",
            "1;\0\r\n",
            "1\r\nab",
            "1\r\na\n",
            "1\r\na\rb",
            "0\r\n\n",
            "0\r\n\ra",
            "0\r\nA: b\n",
            "10000000000000000\r\n",
            "00000000000000001\r\n",
        ] {
            assert_eq!(
                whole(body).map_err(|error| error.status()),
                Err(400),
                "{body:?}"
            );
        }
        assert_eq!(
            whole("ffffffffffffffff\r\na"),
            Ok((b"a".to_vec(), false, Vec::new()))
        );
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let at = "a".repeat(ASIDE_BYTES_MAX);
        assert!(whole(&format!("1;{at}\r\nb\r\n")).is_ok());
        assert!(whole(&format!("1;{at}a\r\n")).is_err());
        assert!(whole("1 \t ;a\r\nb\r\n").is_ok());
        assert!(whole(&format!("1{}", " ".repeat(ASIDE_BYTES_MAX + 1))).is_err());
        assert!(whole(&format!("0\r\n{at}\r\n\r\n")).is_ok_and(|(_, ended, _)| ended));
        assert!(whole(&format!("0\r\n{at}\r\na")).is_err());
    }

    /// Bodies that are mostly right.
    fn body() -> impl Strategy<Value = Vec<u8>> {
        let chunk = (prop::collection::vec(any::<u8>(), 1..20), "(;[a-z=]{0,5})?").prop_map(
            |(data, extension)| {
                let head = format!("{:x}{extension}\r\n", data.len());
                [head.as_bytes(), &data, b"\r\n"].concat()
            },
        );
        let end = "(0\r\n(a: b\r\n)?\r\n.{0,3}|.{0,5})";
        (prop::collection::vec(chunk, 0..4), end)
            .prop_map(|(chunks, end)| [chunks.concat(), end.into_bytes()].concat())
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_data(body in body(), size in 1_usize..9) {
            prop_assert_eq!(decode(body.chunks(size)), decode([&body[..]]));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode([&bytes[..]]);
            let _ = decode([&b"3;"[..], &bytes[..]]);
        }
    }
}
