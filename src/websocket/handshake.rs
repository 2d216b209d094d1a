//! The server's end of WebSocket's opening handshake (RFC 6455, 4.2).
//!
//! [`handshake`] checks the fields of a request. [`switching_protocols`] is the answer.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha1::{Digest as _, Sha1};

use super::SUBPROTOCOL;
use crate::http::refusal::Refusal;
use crate::http::response::{push_field, start};
use crate::http::{Body, Method, RequestHead, Version};

/// What goes into our `101 Switching Protocols`: the request was a valid WebSocket upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    pub accept: String,
    /// The subprotocol chosen from those offered: `videostream.v1`, or none.
    pub subprotocol: Option<&'static str>,
}

/// RFC 6455, 4.2.1 and 4.2.2: `None` when no upgrade is asked for, a refusal when it is asked for
/// wrongly.
pub fn handshake(head: &RequestHead) -> Result<Option<Handshake>, Refusal> {
    let Some(upgrade) = &head.upgrade else {
        return Ok(None);
    };
    if head.method != Method::Get || head.body != Body::None {
        return Err(Refusal::new(
            400,
            "a WebSocket begins with a GET that has no body",
        ));
    }
    if head.version != Version::Http11 {
        // A proxy does this if it is not set up to speak 1.1 to us.
        return Err(Refusal::new(
            400,
            "a WebSocket needs HTTP/1.1, and this request came as 1.0",
        ));
    }
    match upgrade.version.as_deref() {
        Some("13") => {}
        Some(_) => {
            return Err(Refusal::new(426, "only WebSocket version 13 is supported")
                .with("Sec-WebSocket-Version", "13")
                .with("Upgrade", "websocket"));
        }
        None => return Err(Refusal::new(400, "Sec-WebSocket-Version is missing")),
    }
    let key = upgrade.key.as_deref().filter(|key| is_nonce(key));
    let Some(key) = key else {
        return Err(Refusal::new(
            400,
            "Sec-WebSocket-Key must be 16 bytes in base64",
        ));
    };
    Ok(Some(Handshake {
        accept: accept_key(key),
        subprotocol: pick_subprotocol(&upgrade.protocols),
    }))
}

fn is_nonce(key: &str) -> bool {
    // 24 characters: so that a long field is not decoded only to be refused.
    key.len() == 24
        && BASE64_STANDARD
            .decode(key)
            .is_ok_and(|bytes| bytes.len() == 16)
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
fn pick_subprotocol(offered: &[String]) -> Option<&'static str> {
    offered
        .iter()
        .any(|offer| offer == SUBPROTOCOL)
        .then_some(SUBPROTOCOL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::parse_request;

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

    const SOCKET: &str = "Connection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    fn refusal(start: &str, lines: &str) -> Refusal {
        let text = format!("{start}\r\nHost: a\r\n{lines}\r\n");
        let parsed = parse_request(text.as_bytes(), 4096).expect("a valid head");
        handshake(&parsed.expect("a whole head").0).expect_err(start)
    }

    #[test]
    fn wrong_upgrades_are_refused() {
        let status = |start: &str, lines: &str| refusal(start, lines).status;
        let refused = |from, to| status("GET / HTTP/1.1", &SOCKET.replace(from, to));
        assert_eq!(refused("Version: 13", "Version: 8"), 426);
        assert_eq!(refused("Sec-WebSocket-Version: 13\r\n", ""), 400);
        assert_eq!(refused("Sec-WebSocket-Key", "X"), 400);
        assert_eq!(refused("dGhl", "dGh"), 400);
        assert_eq!(
            refused("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZTEy"),
            400
        );
        assert_eq!(status("PUT / HTTP/1.1", SOCKET), 400);
        assert_eq!(status("HEAD / HTTP/1.1", SOCKET), 400);
        assert_eq!(status("GET / HTTP/1.0", SOCKET), 400);
        assert_eq!(
            status("GET / HTTP/1.1", &format!("{SOCKET}Content-Length: 2\r\n")),
            400
        );
        let version = refusal("GET / HTTP/1.1", &SOCKET.replace("13", "12"));
        assert!(
            version
                .headers
                .contains(&("Sec-WebSocket-Version", "13".to_owned()))
        );
    }
}
