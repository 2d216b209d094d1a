//! A request body, in any framing.

use super::{cut, split_lengths};
use crate::http::{Body, HttpError};
use crate::session::body::BodyReader;
use bytes::Bytes;

/// However the bytes of a body are cut, it has the same data and the same end: those that a simple
/// reader finds, which has all bytes at once.
///
/// The body comes first in `input`, then piece lengths, one byte each, how many of them, and last
/// how it is framed: chunked if that is even.
pub fn body(input: &[u8]) {
    let Some((&framing, input)) = input.split_last() else {
        return;
    };
    let (bytes, lengths) = split_lengths(input);
    let body = match framing {
        even if even % 2 == 0 => Body::Chunked,
        255 => Body::UntilClose,
        odd => Body::Length(u64::from(odd) * 5),
    };
    same_however_cut(body, &bytes, &lengths);
}

/// The data of a body, whether it ended, and what came behind it.
type Reading = Result<(Vec<u8>, bool, Vec<u8>), HttpError>;

pub fn same_however_cut(body: Body, bytes: &Bytes, lengths: &[usize]) {
    let whole = read(body, vec![bytes.clone()]);
    assert_eq!(read(body, cut(bytes, lengths)), whole);
    assert_eq!(read(body, cut(bytes, &[1])), whole);
    let expected = match body {
        Body::None => owned(&[], true, bytes),
        Body::UntilClose => owned(bytes, false, &[]),
        Body::Length(length) => {
            let here = bytes.len().min(length as usize);
            let (data, behind) = bytes.split_at(here);
            owned(data, here as u64 == length, behind)
        }
        Body::Chunked => {
            let mut data = Vec::new();
            unchunk(bytes, &mut data)
                .and_then(|end| owned(&data, end.is_some(), end.unwrap_or_default()))
        }
    };
    assert_eq!(whole.ok(), expected);
}

/// Data, whether they are all, and what is behind them.
type Found = Option<(Vec<u8>, bool, Vec<u8>)>;

fn owned(data: &[u8], is_whole: bool, behind: &[u8]) -> Found {
    Some((data.to_vec(), is_whole, behind.to_vec()))
}

fn read(body: Body, pieces: Vec<Bytes>) -> Reading {
    let mut reader = BodyReader::new(body);
    let mut data = Vec::new();
    let mut behind = Vec::new();
    for mut piece in pieces {
        while let Some(some) = reader.take(&mut piece)? {
            assert!(!some.is_empty());
            data.extend_from_slice(&some);
        }
        assert!(piece.is_empty() || reader.is_at_end());
        behind.extend_from_slice(&piece);
    }
    Ok((data, reader.is_at_end(), behind))
}

/// Bytes of extensions of one chunk, and of all trailers: the same as in `http::chunked`.
const ASIDE_BYTES_MAX: usize = 4 * 1024;

/// RFC 9112, 7.1, read with all bytes at hand: `data` are added to, and what is behind the body is
/// returned, if that has ended. `None` when the bytes are no chunked body, nor the beginning of one.
pub fn unchunk<'a>(bytes: &'a [u8], data: &mut Vec<u8>) -> Option<Option<&'a [u8]>> {
    let mut rest = bytes;
    loop {
        let line = line(rest)?;
        let size = size(line.text, line.is_ended)?;
        let Some(behind) = line.behind else {
            return Some(None);
        };
        rest = behind;
        if size == 0 {
            return trailers(rest);
        }
        let here = size.min(rest.len() as u64) as usize;
        data.extend_from_slice(&rest[..here]);
        rest = &rest[here..];
        match rest {
            [] | [b'\r'] => return Some(None),
            [b'\r', b'\n', behind @ ..] => rest = behind,
            _ => return None,
        }
    }
}

/// The first line of what has come.
struct Line<'a> {
    text: &'a [u8],
    /// Whether the CR is there that ends it.
    is_ended: bool,
    /// What is behind the LF, if that is there.
    behind: Option<&'a [u8]>,
}

/// `None` for a control character where none has a place.
fn line(bytes: &[u8]) -> Option<Line<'_>> {
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    let end = bytes.iter().position(is_control).unwrap_or(bytes.len());
    let (text, end) = bytes.split_at(end);
    let (is_ended, behind) = match end {
        [] => (false, None),
        [b'\r'] => (true, None),
        [b'\r', b'\n', behind @ ..] => (true, Some(behind)),
        _ => return None,
    };
    Some(Line {
        text,
        is_ended,
        behind,
    })
}

fn size(line: &[u8], is_ended: bool) -> Option<u64> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
    let (digits, aside) = line.split_at(digits.count());
    if digits.len() > 16 {
        return None;
    }
    let blank = aside
        .iter()
        .take_while(|byte| b" \t".contains(byte))
        .count();
    let is_extension = match aside.get(blank) {
        Some(b';') => !digits.is_empty(),
        Some(_) => false,
        None => !is_ended && (blank == 0 || !digits.is_empty()),
    };
    let is_plain = aside.is_empty() && !digits.is_empty();
    // But for the semicolon that begins an extension.
    let is_bounded = aside.len() - usize::from(aside.len() > blank) <= ASIDE_BYTES_MAX;
    let digits = std::str::from_utf8(digits).expect("hex digits");
    let size = u64::from_str_radix(digits, 16).unwrap_or(0);
    ((is_extension || is_plain) && is_bounded).then_some(size)
}

/// What is behind the empty line; `Some(None)` when it has not come yet.
fn trailers(mut bytes: &[u8]) -> Option<Option<&[u8]>> {
    let mut length = 0;
    loop {
        let line = line(bytes)?;
        length += line.text.len();
        if length > ASIDE_BYTES_MAX {
            return None;
        }
        match line.behind {
            None => return Some(None),
            Some(behind) if line.text.is_empty() => return Some(Some(behind)),
            Some(behind) => bytes = behind,
        }
    }
}
