//! Both ends of WebSocket's opening handshake, and the frames that are not media (RFC 6455).
//!
//! Of the server's end, the request's fields are in [`http`](super::http), and their check is in
//! [`route`](super::route). Here are the `101`, and the client's end:
//! [`client_request`], then [`check_response`] until it says something.
//!
//! Frames made here are the server's: unmasked (5.1), and whole in one frame.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha1::{Digest as _, Sha1};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::{
    http::FIELDS_MAX,
    response::{push_field, start},
};
use crate::secret::Secret;

/// The subprotocol in which text messages go between the media: see [`super::control`].
pub const SUBPROTOCOL: &str = "videostream.v1";

/// Bytes of payload that a control frame may have (5.5).
pub const CONTROL_BYTES_MAX: usize = 125;

/// Bytes of a response that a client looks at before it gives up.
const RESPONSE_BYTES_MAX: usize = 16 * 1024;

/// Why a WebSocket is closed (7.4.1, and the registry it founded).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    Normal = 1000,
    /// The server is going down.
    GoingAway = 1001,
    Protocol = 1002,
    /// Not the kind of data that we take: not WebM.
    Unsupported = 1003,
    /// The right kind, but broken: text that is not UTF-8, WebM that makes no sense.
    InvalidPayload = 1007,
    Policy = 1008,
    TooBig = 1009,
    /// Something went wrong here, not there.
    Internal = 1011,
    TryAgain = 1013,
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code as Self
    }
}

/// What goes into our `101 Switching Protocols`: the request was a valid WebSocket upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    pub accept: String,
    /// The subprotocol chosen from those offered: `videostream.v1`, or none.
    pub subprotocol: Option<&'static str>,
}

/// `101 Switching Protocols`: after these bytes the connection speaks WebSocket (RFC 6455, 4.2.2).
pub fn switching_protocols(handshake: &Handshake) -> Vec<u8> {
    let mut bytes = start(101);
    push_field(&mut bytes, "Connection", "Upgrade");
    push_field(&mut bytes, "Upgrade", "websocket");
    push_field(&mut bytes, "Sec-WebSocket-Accept", &handshake.accept);
    if let Some(subprotocol) = handshake.subprotocol {
        push_field(&mut bytes, "Sec-WebSocket-Protocol", subprotocol);
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// `Sec-WebSocket-Accept` for this `Sec-WebSocket-Key` (4.2.2, step 5.4).
pub fn accept_key(key: &str) -> String {
    const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    BASE64_STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

/// Ours, if it was offered. Without it the connection carries media alone.
pub fn pick_subprotocol(offered: &[String]) -> Option<&'static str> {
    offered
        .iter()
        .any(|offer| offer == SUBPROTOCOL)
        .then_some(SUBPROTOCOL)
}

/// A close frame. A reason too long for a control frame is cut between two characters.
pub fn close_frame(code: impl Into<u16>, reason: &str) -> Vec<u8> {
    let reason = &reason[..reason.floor_char_boundary(CONTROL_BYTES_MAX - 2)];
    frame(
        OpCode::Control(Control::Close),
        &[&code.into().to_be_bytes(), reason.as_bytes()].concat(),
    )
}

pub fn text_frame(text: &str) -> Vec<u8> {
    frame(OpCode::Data(Data::Text), text.as_bytes())
}

/// A ping. A payload over [`CONTROL_BYTES_MAX`] is cut.
pub fn ping_frame(payload: &[u8]) -> Vec<u8> {
    frame(
        OpCode::Control(Control::Ping),
        &payload[..payload.len().min(CONTROL_BYTES_MAX)],
    )
}

/// One whole message in one frame (5.2).
fn frame(opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader {
        opcode,
        ..FrameHeader::default()
    };
    let length = payload.len() as u64;
    let mut bytes = Vec::with_capacity(header.len(length) + payload.len());
    header
        .format(length, &mut bytes)
        .expect("a Vec takes all that is written");
    bytes.extend_from_slice(payload);
    bytes
}

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
/// `None`: more bytes, please. A refusal's body is waited for as far as its length is told, because
/// it has the reason; should the connection end meanwhile, ask [`refusal_so_far`].
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
        // It goes to a terminal.
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

    use super::{
        super::{
            http::{Method, parse_request},
            refusal::Refusal,
            response::{Connection, Stamp, refuse},
            route::{Route, Via, route},
        },
        *,
    };

    const KEY: &[u8; 16] = b"the sample nonce";

    #[test]
    fn accept_key_of_the_rfc_sample_is_right() {
        assert_eq!(
            accept_key("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    #[test]
    fn switching_says_the_subprotocol_only_if_one_was_chosen() {
        let mut handshake = Handshake {
            accept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned(),
            subprotocol: None,
        };
        assert_eq!(
            String::from_utf8_lossy(&switching_protocols(&handshake)),
            "HTTP/1.1 101 Switching Protocols\r\nServer: videostream\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        );
        handshake.subprotocol = Some("videostream.v1");
        assert!(
            String::from_utf8_lossy(&switching_protocols(&handshake))
                .contains("Protocol: videostream.v1\r\n")
        );
    }

    #[test]
    fn frame_length_takes_the_shortest_form() {
        assert_eq!(text_frame("Hello"), b"\x81\x05Hello");
        let head = |length: usize| text_frame(&"a".repeat(length))[1..][..9].to_vec();
        assert_eq!(head(125)[0], 125);
        assert_eq!(head(126)[..3], [126, 0, 126]);
        assert_eq!(head(65_535)[..3], [126, 255, 255]);
        assert_eq!(head(65_536)[..9], [127, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(ping_frame(b"now"), b"\x89\x03now");
        assert_eq!(ping_frame(&[0; 200]).len(), 2 + 125);
    }

    #[test]
    fn close_reason_is_cut_between_characters() {
        assert_eq!(
            close_frame(CloseCode::GoingAway, "bye"),
            b"\x88\x05\x03\xe9bye"
        );
        assert_eq!(close_frame(1000_u16, ""), b"\x88\x02\x03\xe8");
        let frame = close_frame(CloseCode::Policy, &"é".repeat(100));
        assert_eq!((frame[1], frame.len()), (2 + 122, 2 + 2 + 122));
        assert!(std::str::from_utf8(&frame[4..]).is_ok());
    }

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
        match route(&head) {
            Ok(Route::Watch {
                via: Via::WebSocket(handshake),
                ..
            }) => [&switching_protocols(&handshake)[..], b"frames"].concat(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn client_takes_the_servers_101_at_its_last_byte() {
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
    fn client_doubts_a_101_for_another_key() {
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
    fn client_tells_the_servers_reason() {
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
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), text in ".{0,80}") {
            for start in [&b""[..], b"HTTP/1.1 101 ", b"HTTP/1.1 400 x\r\n", b"HTTP/1.1 200 OK\r\n\r\n"] {
                let _ = check_response(&[start, &bytes].concat(), KEY);
            }
            prop_assert!(close_frame(1000_u16, &text).len() <= 2 + CONTROL_BYTES_MAX);
        }
    }
}
