//! A request head that is coming in.

use crate::http::redirect::to_https;
use crate::http::refusal::Refusal;
use crate::http::{Method, RequestHead, parse_request};
use bytes::BytesMut;
use std::mem;

/// Up to this size a request head is parsed with every read, so that bytes that are not HTTP are
/// refused at once; beyond it, only at the end of a line.
const EAGER_BYTES_MAX: usize = 256;

#[derive(Debug)]
pub struct IncomingHead {
    /// These bytes of it are here.
    bytes: BytesMut,
    place: Position,
    /// The port of https, on a listener that only redirects there.
    redirects_to: Option<u16>,
}

/// Which request of its connection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    /// The first, and the PROXY header before it has not been read.
    BehindProxyHeader,
    First,
    Later,
}

/// A request and what came behind its head, or a refusal and the method to answer.
pub type ParsedHead = Result<(RequestHead, BytesMut), (Refusal, Method)>;

impl IncomingHead {
    /// The first of a connection. `redirects_to` is the port of https: the only answer is a redirect
    /// there.
    pub fn first(has_proxy_header: bool, redirects_to: Option<u16>) -> IncomingHead {
        IncomingHead {
            bytes: BytesMut::new(),
            place: if has_proxy_header {
                Position::BehindProxyHeader
            } else {
                Position::First
            },
            redirects_to,
        }
    }

    /// One that follows a whole answer: these bytes of it are here already.
    pub fn later(bytes: BytesMut) -> IncomingHead {
        IncomingHead {
            bytes,
            place: Position::Later,
            redirects_to: None,
        }
    }

    /// Whether the PROXY header comes first.
    pub fn is_behind_proxy_header(&self) -> bool {
        self.place == Position::BehindProxyHeader
    }

    /// The PROXY header has been read.
    pub fn proxy_header_read(&mut self) {
        self.place = Position::First;
    }

    /// Whether the client is between two requests.
    pub fn is_between_requests(&self) -> bool {
        self.place == Position::Later && self.bytes.is_empty()
    }

    /// Bytes of memory that it takes.
    pub fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Adds bytes. Returns whether the head may be whole by now: a head that comes a byte at a time is not
    /// parsed again for each byte.
    pub fn push(&mut self, bytes: &[u8], limit: usize) -> bool {
        self.bytes.extend_from_slice(bytes);
        let length = self.bytes.len();
        length <= EAGER_BYTES_MAX || length >= limit || bytes.contains(&b'\n')
    }

    /// The request, and the bytes behind its head; `None` while the head is not whole. The bytes of the
    /// head are freed.
    pub fn parse(&mut self, limit: usize) -> Option<ParsedHead> {
        if self.bytes.is_empty() {
            return None;
        }
        match parse_request(&self.bytes, limit) {
            Ok(None) => None,
            Ok(Some((head, length))) => {
                let mut all = mem::take(&mut self.bytes);
                let rest = all.split_off(length);
                Some(match self.redirects_to {
                    None => Ok((head, rest)),
                    Some(port) => Err((to_https(&head, &all, port), head.method)),
                })
            }
            Err(error) => Some(Err((error.into(), Method::Other))),
        }
    }
}
