//! 0: what is offered in the handshake, and frames that do not wait for its answer.

use super::peer::{PING, close, frame};
use crate::common::http::Http;
use crate::common::server::Server;

/// Asks for a WebSocket, with these bytes right behind the request.
fn ask(http: &mut Http, target: &str, behind: &[u8]) {
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    http.send([request.as_bytes(), behind].concat());
}

#[test]
fn frames_may_come_with_the_request() {
    let server = Server::start();
    let ping = frame(PING, b"early");
    let goodbye = close(1000, b"bye");
    let right = [&ping[..], &goodbye].concat();
    let wrong = [&ping[..], &frame(0x83, b"x"), &ping].concat();
    for target in ["/live/demo", "/publish/demo"] {
        for (bytes, close) in [(&right, &b"\x88\x05\x03\xe8bye"[..]), (&wrong, b"\x88")] {
            // All of it, or so much that the rest comes later, in the middle of a frame.
            for at in [
                bytes.len(),
                1,
                3,
                ping.len(),
                ping.len() + 1,
                ping.len() + 5,
            ] {
                let mut http = Http::open(&server);
                ask(&mut http, target, &bytes[..at]);
                assert_eq!(http.head().status, 101);
                http.send(&bytes[at..]);
                let answers = http.rest();
                let behind_pong = answers.strip_prefix(b"\x8a\x05early");
                let behind_pong = behind_pong.expect("a pong first");
                assert!(behind_pong.starts_with(close), "{target}, cut at {at}");
                let code = &behind_pong[2..4];
                let expected: u16 = if bytes == &right { 1000 } else { 1002 };
                assert_eq!(code, expected.to_be_bytes(), "{target}, cut at {at}");
            }
        }
    }
}

#[test]
fn offers_to_compress_are_declined() {
    let server = Server::start();
    for offer in [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover; client_max_window_bits=15",
        "x-webkit-deflate-frame",
        "permessage-deflate, permessage-bzip2",
        "unknown-extension",
    ] {
        for target in ["/live/demo", "/publish/demo"] {
            let mut http = Http::open(&server);
            let extensions = format!("Sec-WebSocket-Extensions: {offer}");
            let fields = [
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                &extensions,
            ];
            http.ask("GET", target, &fields);
            let head = http.head();
            assert_eq!(head.status, 101, "{offer}");
            let accept = head.field("Sec-WebSocket-Accept");
            assert_eq!(accept, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
            assert_eq!(head.field("Sec-WebSocket-Extensions"), None, "{offer}");
            // So the bit that would mean "compressed" means nothing.
            http.send(b"\xc1\x80\0\0\0\0");
            assert_eq!(http.rest()[..4], *b"\x88\x17\x03\xea", "{offer}");
        }
    }
}
