//! 12 and 13 have no place here: compression is offered by every browser, and declined.

use crate::common::http::Http;
use crate::common::server::Server;

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
