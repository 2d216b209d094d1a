//! Response heads, and refusals as small plain-text responses.
//!
//! ```
//! use videostream::http::response::{Connection, ResponseHead};
//!
//! let head = ResponseHead::new(200)
//!     .header("Content-Type", "video/webm")
//!     .chunked()
//!     .connection(Connection::Close)
//!     .into_bytes();
//! assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"));
//! ```
//!
//! Every response says `Server: videostream` and `X-Content-Type-Options: nosniff`. Its date, and
//! which page elsewhere may read it, come from outside ([`Stamp`]). The version is always 1.1,
//! ours, for every version of the request (RFC 9110, 6.2); so `Connection` is always spelled out
//! for 1.0 clients.

use std::fmt::Display;

use ::http::StatusCode;

use super::{Method, date::HttpDate, refusal::Refusal};

/// Tells a client that waits with its body to send it (RFC 9110, 15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What a page elsewhere may read of an answer, beside what every page may (Fetch, 3.3.3).
const EXPOSED: &str = "Accept-Ranges, Allow, Content-Range, Date, ETag, Retry-After, WWW-Authenticate, X-Videostream-Generation";

/// What the fields of every answer to a request have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamp {
    /// When it is made; `None` where there is no clock.
    pub date: Option<HttpDate>,
    pub readers: Readers,
}

/// Pages of which other origins may read an answer (Fetch, 3.3: CORS).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Readers {
    /// Only pages of our own origin, for every request.
    #[default]
    Own,
    /// Only pages of our own origin, but a request of another origin would have got another answer.
    OwnThisTime,
    /// Pages of the requesting origin, too.
    Origin(String),
    /// Pages of any origin.
    Any,
}

/// What happens to the connection after this response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    KeepAlive,
    Close,
}

impl Connection {
    /// From [`RequestHead::keep_alive`](super::RequestHead::keep_alive).
    pub fn keep_alive(keep: bool) -> Self {
        if keep { Self::KeepAlive } else { Self::Close }
    }
}

/// How the client finds the end of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyFraming {
    /// There is no body (204, 304), or the connection's end is its end.
    Unsaid,
    Length(u64),
    Chunked,
}

/// A response head in the making.
#[derive(Debug, Clone)]
pub struct ResponseHead {
    status: u16,
    fields: Vec<u8>,
    framing: BodyFraming,
    connection: Connection,
    /// Request fields that the answer depends on (RFC 9110, 12.5.5).
    vary: Vec<&'static str>,
    /// A field that is only for the next hop must be named in `Connection` (RFC 9110, 7.6.1).
    has_upgrade: bool,
}

impl ResponseHead {
    /// A head that keeps the connection alive and does not describe a body; methods change both.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            fields: Vec::with_capacity(256),
            framing: BodyFraming::Unsaid,
            connection: Connection::KeepAlive,
            vary: Vec::new(),
            has_upgrade: false,
        }
    }

    pub fn header(mut self, name: &str, value: impl Display) -> Self {
        self.has_upgrade |= name.eq_ignore_ascii_case("Upgrade");
        push_field(&mut self.fields, name, value);
        self
    }

    /// The answer depends on this field of the request.
    pub fn vary(mut self, name: &'static str) -> Self {
        self.vary.push(name);
        self
    }

    pub fn stamp(mut self, stamp: &Stamp) -> Self {
        if let Some(date) = stamp.date {
            self = self.header("Date", date);
        }
        match &stamp.readers {
            Readers::Own => self,
            Readers::OwnThisTime => self.vary("Origin"),
            Readers::Origin(origin) => self
                .header("Access-Control-Allow-Origin", origin)
                .header("Access-Control-Expose-Headers", EXPOSED)
                .vary("Origin"),
            Readers::Any => self.header("Access-Control-Allow-Origin", "*"),
        }
    }

    /// The body has this many bytes; for HEAD, it would have.
    pub fn length(mut self, bytes: u64) -> Self {
        self.framing = BodyFraming::Length(bytes);
        self
    }

    /// The body comes in chunks. Only for requests in HTTP/1.1 (RFC 9112, 6.1): for one in 1.0, say
    /// nothing and close after the body.
    pub fn chunked(mut self) -> Self {
        self.framing = BodyFraming::Chunked;
        self
    }

    pub fn connection(mut self, connection: Connection) -> Self {
        self.connection = connection;
        self
    }

    /// The whole head, its empty line included.
    pub fn into_bytes(self) -> Vec<u8> {
        let mut bytes = start(self.status);
        push_field(&mut bytes, "X-Content-Type-Options", "nosniff");
        bytes.extend_from_slice(&self.fields);
        if !self.vary.is_empty() {
            push_field(&mut bytes, "Vary", self.vary.join(", "));
        }
        match self.framing {
            BodyFraming::Unsaid => {}
            BodyFraming::Length(length) => push_field(&mut bytes, "Content-Length", length),
            BodyFraming::Chunked => push_field(&mut bytes, "Transfer-Encoding", "chunked"),
        }
        let connection = match (self.connection, self.has_upgrade) {
            (Connection::KeepAlive, false) => "keep-alive",
            (Connection::KeepAlive, true) => "keep-alive, upgrade",
            (Connection::Close, false) => "close",
            (Connection::Close, true) => "close, upgrade",
        };
        push_field(&mut bytes, "Connection", connection);
        bytes.extend_from_slice(b"\r\n");
        bytes
    }
}

/// A refusal as a whole response: its reason as one line of plain text.
///
/// `to` is the method of the request, because HEAD gets no body; for bytes that were no request,
/// give [`Method::Other`].
pub fn refuse(refusal: &Refusal, to: Method, connection: Connection, stamp: &Stamp) -> Vec<u8> {
    let head =
        ResponseHead::new(refusal.status).header("Content-Type", "text/plain; charset=utf-8");
    let head = head.connection(connection).stamp(stamp);
    refuse_with(refusal, head, &format!("{}\n", refusal.reason), to)
}

/// The same with a body of another type, which is all that `head` says so far.
pub fn refuse_with(refusal: &Refusal, head: ResponseHead, body: &str, to: Method) -> Vec<u8> {
    let mut head = head.header("Cache-Control", refusal.cache_control.unwrap_or("no-store"));
    for (name, value) in &refusal.headers {
        head = head.header(name, value);
    }
    let mut bytes = head.length(body.len() as u64).into_bytes();
    if to != Method::Head {
        bytes.extend_from_slice(body.as_bytes());
    }
    bytes
}

pub(crate) fn start(status: u16) -> Vec<u8> {
    // People read the phrase, programs do not (RFC 9110, 15).
    let status = StatusCode::from_u16(status).unwrap_or_default();
    let phrase = status.canonical_reason().unwrap_or_default();
    let mut bytes = Vec::with_capacity(512);
    bytes.extend_from_slice(format!("HTTP/1.1 {} {phrase}\r\n", status.as_u16()).as_bytes());
    push_field(&mut bytes, "Server", "videostream");
    bytes
}

/// Writes one field line. Control characters become spaces: a value that came from a peer or an
/// option can never end its line and begin another (RFC 9110, 5.5).
pub(crate) fn push_field(bytes: &mut Vec<u8>, name: &str, value: impl Display) {
    let mut line = format!("{name}: {value}").into_bytes();
    line.iter_mut()
        .filter(|byte| byte.is_ascii_control())
        .for_each(|byte| *byte = b' ');
    bytes.extend_from_slice(&line);
    bytes.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn head_has_the_fields_that_were_set() {
        let head = ResponseHead::new(200)
            .header("Content-Type", "text/html")
            .length(12)
            .connection(Connection::Close);
        assert_eq!(
            text(head.into_bytes()),
            "HTTP/1.1 200 OK\r\nServer: videostream\r\nX-Content-Type-Options: nosniff\r\n\
             Content-Type: text/html\r\nContent-Length: 12\r\nConnection: close\r\n\r\n"
        );
        let chunked = text(ResponseHead::new(200).chunked().into_bytes());
        assert!(chunked.contains("\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n"));
        let unsaid = text(ResponseHead::new(304).into_bytes());
        assert!(!unsaid.contains("Length") && !unsaid.contains("Transfer"));
    }

    #[test]
    fn value_cannot_begin_another_line() {
        let head = ResponseHead::new(200).header("A", "b\r\nEvil: yes\0");
        assert!(text(head.into_bytes()).contains("\r\nA: b  Evil: yes \r\n"));
    }

    #[test]
    fn refusal_is_a_line_of_text_with_its_headers() {
        let refusal = Refusal::new(405, "not so").with("Allow", "GET");
        let response = text(refuse(
            &refusal,
            Method::Put,
            Connection::KeepAlive,
            &Stamp::default(),
        ));
        assert!(
            response.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"),
            "{response}"
        );
        assert!(
            response.contains("\r\nAllow: GET\r\nContent-Length: 7\r\n"),
            "{response}"
        );
        assert!(
            response.ends_with("\r\nConnection: keep-alive\r\n\r\nnot so\n"),
            "{response}"
        );
        let to_head = text(refuse(
            &refusal,
            Method::Head,
            Connection::Close,
            &Stamp::default(),
        ));
        assert!(to_head.contains("Content-Length: 7") && to_head.ends_with("\r\n\r\n"));
    }

    #[test]
    fn stamp_adds_date_and_access_control() {
        let head = |readers| {
            let date = Some(HttpDate::at(784_111_777));
            let head = ResponseHead::new(304).vary("Accept-Encoding");
            text(head.stamp(&Stamp { date, readers }).into_bytes())
        };
        let own = head(Readers::Own);
        assert!(
            own.contains("\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
            "{own}"
        );
        assert!(own.contains("\r\nVary: Accept-Encoding\r\n"), "{own}");
        assert!(!own.contains("Access-Control"), "{own}");
        let this_time = head(Readers::OwnThisTime);
        assert!(
            this_time.contains("\r\nVary: Accept-Encoding, Origin\r\n"),
            "{this_time}"
        );
        assert!(!this_time.contains("Access-Control"), "{this_time}");
        let other = head(Readers::Origin("https://a.example".to_owned()));
        assert!(
            other.contains("\r\nVary: Accept-Encoding, Origin\r\n"),
            "{other}"
        );
        let allowed = "\r\nAccess-Control-Allow-Origin: https://a.example\r\n";
        assert!(
            other.contains(allowed) && !other.contains("Credentials"),
            "{other}"
        );
    }

    #[test]
    fn upgrade_field_is_named_in_connection() {
        let refusal = Refusal::new(426, "13").with("Upgrade", "websocket");
        let response = text(refuse(
            &refusal,
            Method::Get,
            Connection::Close,
            &Stamp::default(),
        ));
        assert!(
            response.contains("\r\nConnection: close, upgrade\r\n"),
            "{response}"
        );
    }
}
