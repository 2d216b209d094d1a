//! The client's end of WebSocket's opening handshake (RFC 6455, 4.1).
//!
//! [`client_request`], then [`check_response`] until it says something.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::handshake::accept_key;
use crate::http::FIELDS_MAX;
use crate::http::response::push_field;
use crate::secret::Secret;

/// Bytes of a response that a client looks at before it gives up.
const RESPONSE_BYTES_MAX: usize = 16 * 1024;

/// What would end a target early. It may come from a command line, with anything in it.
const TARGET_ESCAPES: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS.add(b' ').add(b'#');

/// A client's request to open a WebSocket (4.1).
///
/// `host` is the server's name, and its port unless it is the scheme's own; `target` the path and
/// query; `key` 16 random bytes, new for each connection.
pub fn client_request(
    host: &str,
    target: &str,
    key: &[u8; 16],
    subprotocols: &[&str],
    bearer: Option<&Secret>,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    let target = percent_encoding::utf8_percent_encode(target, TARGET_ESCAPES);
    bytes.extend_from_slice(format!("GET {target} HTTP/1.1\r\n").as_bytes());
    push_field(&mut bytes, "Host", host);
    push_field(&mut bytes, "User-Agent", "videostream");
    push_field(&mut bytes, "Connection", "Upgrade");
    push_field(&mut bytes, "Upgrade", "websocket");
    push_field(&mut bytes, "Sec-WebSocket-Version", "13");
    push_field(&mut bytes, "Sec-WebSocket-Key", BASE64_STANDARD.encode(key));
    if !subprotocols.is_empty() {
        push_field(
            &mut bytes,
            "Sec-WebSocket-Protocol",
            subprotocols.join(", "),
        );
    }
    if let Some(bearer) = bearer {
        push_field(&mut bytes, "Authorization", bearer.authorization());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// The server agreed: what follows its head are frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    pub subprotocol: Option<String>,
}

/// Why a client got no WebSocket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    #[error("the answer is not HTTP: {0}")]
    Malformed(httparse::Error),
    #[error("the answer's head is over {RESPONSE_BYTES_MAX} bytes")]
    TooLarge,
    /// `reason` is the first line of a plain-text body, or the status line's phrase.
    #[error("the server answered {status}: {reason}")]
    Refused { status: u16, reason: String },
    #[error("the answer has a wrong {0} for a WebSocket")]
    Field(&'static str),
}

/// Looks at the answer to [`client_request`], of which `bytes` have come in so far.
///
/// `None`: more bytes, please. We wait for a refusal's body as far as its length is known, because
/// it has the reason; if the connection ends before that, ask [`refusal_so_far`].
pub fn check_response(
    bytes: &[u8],
    key: &[u8; 16],
) -> Result<Option<(Accepted, usize)>, HandshakeError> {
    let Some((head_length, response)) = parse_response(bytes)? else {
        return Ok(None);
    };
    if response.status != 101 {
        let body = &bytes[head_length..];
        let is_whole = response
            .content_length
            .is_none_or(|length| body.len() >= length);
        if !is_whole && bytes.len() < RESPONSE_BYTES_MAX {
            return Ok(None);
        }
        return Err(response.refused(body));
    }
    let says = |value: &Option<String>, word: &str| {
        let words = value.as_deref().unwrap_or_default().split(',');
        words
            .map(str::trim)
            .any(|found| found.eq_ignore_ascii_case(word))
    };
    if !says(&response.upgrade, "websocket") {
        return Err(HandshakeError::Field("Upgrade"));
    }
    if !says(&response.connection, "upgrade") {
        return Err(HandshakeError::Field("Connection"));
    }
    if response.accept != Some(accept_key(&BASE64_STANDARD.encode(key))) {
        return Err(HandshakeError::Field("Sec-WebSocket-Accept"));
    }
    if response.has_extensions {
        // We offered none (4.1).
        return Err(HandshakeError::Field("Sec-WebSocket-Extensions"));
    }
    Ok(Some((
        Accepted {
            subprotocol: response.subprotocol,
        },
        head_length,
    )))
}

/// The refusal in these bytes, although the connection ended before its body was whole.
pub fn refusal_so_far(bytes: &[u8]) -> Option<HandshakeError> {
    let (head_length, response) = parse_response(bytes).ok()??;
    (response.status != 101).then(|| response.refused(&bytes[head_length..]))
}

/// The fields of a response that a client looks at.
#[derive(Default)]
struct Response {
    status: u16,
    phrase: String,
    content_length: Option<usize>,
    is_text: bool,
    upgrade: Option<String>,
    connection: Option<String>,
    accept: Option<String>,
    subprotocol: Option<String>,
    has_extensions: bool,
}

impl Response {
    fn refused(self, body: &[u8]) -> HandshakeError {
        let body = String::from_utf8_lossy(&body[..body.len().min(1024)]);
        let first_line = body.lines().next().unwrap_or_default().trim();
        let reason = match first_line {
            "" => &self.phrase,
            _ if !self.is_text => &self.phrase,
            line => line,
        };
        // The text goes to a terminal.
        let reason = reason
            .chars()
            .filter(|character| !character.is_control())
            .collect();
        HandshakeError::Refused {
            status: self.status,
            reason,
        }
    }
}

fn parse_response(bytes: &[u8]) -> Result<Option<(usize, Response)>, HandshakeError> {
    let mut lines = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut parsed = httparse::Response::new(&mut lines);
    let length = match parsed.parse(&bytes[..bytes.len().min(RESPONSE_BYTES_MAX)]) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() >= RESPONSE_BYTES_MAX => {
            return Err(HandshakeError::TooLarge);
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(HandshakeError::Malformed(error)),
    };
    let mut response = Response {
        status: parsed.code.unwrap_or_default(),
        phrase: parsed.reason.unwrap_or_default().to_owned(),
        ..Response::default()
    };
    for line in parsed.headers {
        let value = String::from_utf8_lossy(line.value).trim().to_owned();
        match line.name.to_ascii_lowercase().as_str() {
            "content-length" => response.content_length = value.parse().ok(),
            "content-type" => response.is_text = value.starts_with("text/plain"),
            "upgrade" => response.upgrade = Some(value),
            "connection" => response.connection = Some(value),
            "sec-websocket-accept" => response.accept = Some(value),
            "sec-websocket-protocol" => response.subprotocol = Some(value),
            "sec-websocket-extensions" => response.has_extensions = !value.is_empty(),
            _ => {}
        }
    }
    Ok(Some((length, response)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::refusal::Refusal;
    use crate::http::response::{Connection, Stamp, refuse};
    use crate::http::{Method, parse_request};
    use crate::websocket::{SUBPROTOCOL, handshake, switching_protocols};

    const KEY: &[u8; 16] = b"the sample nonce";

    #[test]
    fn nothing_in_a_clients_request_can_end_its_line() {
        let bytes = client_request(
            "a\r\nb",
            "/a b\r\n#c",
            KEY,
            &[],
            Some(&"k\r\nEvil: x".into()),
        );
        let text = String::from_utf8(bytes).expect("text");
        assert!(
            text.starts_with("GET /a%20b%0D%0A%23c HTTP/1.1\r\nHost: a  b\r\n"),
            "{text}"
        );
        assert!(
            text.ends_with("\r\nAuthorization: Basic c291cmNlOmsNCkV2aWw6IHg=\r\n\r\n"),
            "{text}"
        );
    }

    fn server_answer() -> Vec<u8> {
        let bytes = client_request(
            "a",
            "/live/a?b",
            KEY,
            &["x", SUBPROTOCOL],
            Some(&"k".into()),
        );
        let (head, length) = parse_request(&bytes, 4096).expect("valid").expect("whole");
        assert_eq!((length, &head.keys[..]), (bytes.len(), &["k".into()][..]));
        let handshake = handshake(&head).expect("valid").expect("an upgrade");
        [&switching_protocols(&handshake)[..], b"frames"].concat()
    }

    #[test]
    fn client_accepts_a_101_at_its_last_byte() {
        let bytes = server_answer();
        let head_length = bytes.len() - b"frames".len();
        for cut in 0..head_length {
            assert_eq!(check_response(&bytes[..cut], KEY), Ok(None), "{cut}");
        }
        let accepted = Accepted {
            subprotocol: Some(SUBPROTOCOL.to_owned()),
        };
        assert_eq!(
            check_response(&bytes, KEY),
            Ok(Some((accepted, head_length)))
        );
    }

    #[test]
    fn client_refuses_a_101_for_another_key() {
        let error = Err(HandshakeError::Field("Sec-WebSocket-Accept"));
        assert_eq!(check_response(&server_answer(), b"another 16 bytes"), error);
        let text = String::from_utf8(server_answer()).expect("text");
        let without = text.replace("Upgrade: websocket\r\n", "");
        assert_eq!(
            check_response(without.as_bytes(), KEY),
            Err(HandshakeError::Field("Upgrade"))
        );
    }

    #[test]
    fn client_error_has_the_reason_of_the_server() {
        let bytes = refuse(
            &Refusal::unauthorized(),
            Method::Get,
            Connection::Close,
            &Stamp::default(),
        );
        let reason = Refusal::unauthorized().reason.into_owned();
        let refused = HandshakeError::Refused {
            status: 401,
            reason,
        };
        for cut in 0..bytes.len() {
            assert_eq!(check_response(&bytes[..cut], KEY), Ok(None), "{cut}");
        }
        assert_eq!(check_response(&bytes, KEY), Err(refused.clone()));
        assert_eq!(refusal_so_far(&bytes[..bytes.len() - 1]), Some(refused));
        let page = b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n\r\n<html>";
        let refused = HandshakeError::Refused {
            status: 502,
            reason: "Bad Gateway".to_owned(),
        };
        assert_eq!(check_response(page, KEY), Err(refused));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            for start in [&b""[..], b"HTTP/1.1 101 ", b"HTTP/1.1 400 x\r\n", b"HTTP/1.1 200 OK\r\n\r\n"] {
                let _ = check_response(&[start, &bytes].concat(), KEY);
            }
        }
    }
}
