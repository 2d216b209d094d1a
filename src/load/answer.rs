//! What the server answers to a viewer's request: its head is read, and what follows it kept.

use std::io::{self, Read};

use bytes::Bytes;

use super::options::Protocol;
use super::segments::SegmentReader;
use super::unframe::Unframer;
use super::wire::Wire;
use crate::http::chunked::Decoder;
use crate::websocket::{SUBPROTOCOL, check_response, refusal_so_far};

/// Sixteen bytes that the server proves to have read (RFC 6455, 4.1). There is no attacker here, so
/// they may be the same each time.
pub(super) const NONCE: &[u8; 16] = b"videostream load";

/// Bytes of a response's head, or of a refusal.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Reads the response's head. Returns how the media are framed, whether the connection speaks
/// `videostream.v1`, and what came behind the head; `None` when more bytes are needed.
pub(super) fn ask(
    socket: &mut Wire,
    answer: &mut Vec<u8>,
    (protocol, request): (Protocol, &[u8]),
    scratch: &mut [u8],
) -> Result<Option<(Unframer, bool, Bytes)>, String> {
    if protocol == Protocol::Segments {
        // Each of its answers has a head of its own.
        let segments = SegmentReader::new(request)?;
        return Ok(Some((
            Unframer::Segments(Box::new(segments)),
            false,
            Bytes::new(),
        )));
    }
    loop {
        match socket.read(scratch) {
            Ok(0) => {
                return Err(match refusal_so_far(answer) {
                    Some(refusal) => refusal.to_string(),
                    None => "the server closed the connection without an answer".into(),
                });
            }
            Ok(length) => answer.extend_from_slice(&scratch[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.to_string()),
        }
        let checked = match protocol {
            Protocol::Ws => check_response(answer, NONCE)
                .map(|accepted| {
                    accepted.map(|(accepted, length)| {
                        let is_v1 = accepted.subprotocol.as_deref() == Some(SUBPROTOCOL);
                        (Unframer::websocket(), is_v1, length)
                    })
                })
                .map_err(|error| error.to_string())?,
            Protocol::Http | Protocol::Segments => {
                check_stream(answer)?.map(|(unframer, length)| (unframer, false, length))
            }
        };
        if let Some((unframer, is_v1, length)) = checked {
            let rest = Bytes::copy_from_slice(&answer[length..]);
            return Ok(Some((unframer, is_v1, rest)));
        }
        if answer.len() > ANSWER_BYTES_MAX {
            return Err("the answer's head is too long".into());
        }
    }
}

/// Looks at the head of an HTTP stream.
fn check_stream(answer: &[u8]) -> Result<Option<(Unframer, usize)>, String> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut fields);
    let length = match response.parse(answer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(format!("the answer is not HTTP: {error}")),
    };
    if response.code != Some(200) {
        // Its body tells why; should it not come, its end does.
        let phrase = response.reason.unwrap_or_default();
        let status = response.code.unwrap_or_default();
        return Err(match refusal_so_far(answer) {
            Some(refusal) => refusal.to_string(),
            None => format!("the server answered {status} {phrase}"),
        });
    }
    let is_chunked = response.headers.iter().any(|field| {
        field.name.eq_ignore_ascii_case("Transfer-Encoding")
            && field.value.eq_ignore_ascii_case(b"chunked")
    });
    let unframer = if is_chunked {
        Unframer::Chunked(Decoder::default())
    } else {
        Unframer::UntilClose
    };
    Ok(Some((unframer, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_streams_head_says_how_its_body_is_framed() {
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n";
        let (unframer, length) = check_stream(chunked).unwrap().unwrap();
        assert!(matches!(unframer, Unframer::Chunked(_)));
        assert_eq!(length, chunked.len() - 3);
        assert!(check_stream(&chunked[..length - 1]).unwrap().is_none());
        let (unframer, _) = check_stream(b"HTTP/1.0 200 OK\r\n\r\n").unwrap().unwrap();
        assert!(matches!(unframer, Unframer::UntilClose));
    }

    #[test]
    fn refusal_has_the_reason_of_the_server() {
        let refused = |answer: &[u8]| check_stream(answer).unwrap_err();
        let full =
            b"HTTP/1.1 503 Busy\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nfull\n";
        assert_eq!(refused(full), "the server answered 503: full");
        assert!(refused(b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n").contains("404"));
        assert!(refused(b"ICY 200 OK\r\n\r\n").starts_with("the answer is not HTTP"));
    }
}
