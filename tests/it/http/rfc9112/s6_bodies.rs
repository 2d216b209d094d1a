//! 6: where a body ends.

use super::talk::{SMUGGLED, get, put, refused, taken};
use crate::common::server::Server;

#[test]
fn s6_ambiguous_body_lengths_are_refused() {
    let server = Server::start();
    // 6.2, 6.3: one length, of digits.
    let lengths = [
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "content-length: 0\r\nCONTENT-LENGTH: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 5,5\r\n",
        "Content-Length: 5,6\r\n",
        "Content-Length: 5,\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: -0\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5.0\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: 5;\r\n",
        "Content-Length: \"5\"\r\n",
        "Content-Length: five\r\n",
        "Content-Length: \u{665}\r\n",
        "Content-Length:\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 99999999999999999999999999\r\n",
    ];
    // 6.1: one coding, and no length beside it.
    let both = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length:\r\n",
        "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n",
        "Transfer-Encoding:\r\nContent-Length: 5\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: ,\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        "Transfer-Encoding: chun\0ked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: chunked\r\n : x\r\n",
    ];
    let codings = [
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunkedx\r\n",
        "Transfer-Encoding: chunke\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: 'chunked'\r\n",
        "Transfer-Encoding: chunked \u{a0}\r\n",
    ];
    for with in [get, put] {
        refused(&server, "6.2 lengths", 400, &lengths.map(with));
        refused(&server, "6.1 both, or none", 400, &both.map(with));
        refused(&server, "6.1 codings", 501, &codings.map(with));
    }
    let old = ["GET", "PUT"].map(|method| {
        format!("{method} /live/demo.webm HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")
    });
    refused(&server, "6.1 codings in HTTP/1.0", 400, &old);
    taken(
        &server,
        "6.2 no body by its length",
        200,
        &["0", "00", "0000000000"].map(|length| get(&format!("Content-Length: {length}\r\n"))),
    );
}

#[test]
fn s6_3_unread_body_is_not_the_next_request() {
    let server = Server::start();
    let inside = SMUGGLED.len();
    let lines = format!("Content-Length: {inside}\r\n");
    // A small one is read to its end, and what is behind it is the next request.
    let requests = [
        get(&lines) + SMUGGLED,
        get("Transfer-Encoding: chunked\r\n") + &format!("{inside:x}\r\n{SMUGGLED}\r\n0\r\n\r\n"),
        get("Transfer-Encoding: CHUNKED\r\n") + "0\r\n\r\n",
    ];
    taken(&server, "6.3 bodies of GET", 200, &requests);
    let delete = format!("DELETE /api/streams/demo HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    let delete = delete + SMUGGLED;
    taken(&server, "6.3 a body of DELETE", 404, &[delete]);
    // A large one is not, nor one whose end is not known.
    let requests = [
        get("Content-Length: 1000000\r\n"),
        get("Transfer-Encoding: chunked\r\n") + &format!("{inside:x}\r\n"),
    ];
    refused(&server, "6.3 large bodies of GET", 200, &requests);
}
