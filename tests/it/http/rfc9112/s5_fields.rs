//! 5: fields.

use super::talk::{get, refused, taken};
use crate::common::server::Server;

#[test]
fn s5_fields() {
    let server = Server::start();
    let bad = [
        "X : a\r\n",
        "X\t: a\r\n",
        "X a: b\r\n",
        ": a\r\n",
        "X\r\n",
        "X\0: a\r\n",
        "X\x0b: a\r\n",
        "(X): a\r\n",
        "X[]: a\r\n",
        "caf\u{e9}: a\r\n",
        "X: a\0b\r\n",
        "X: a\x01\r\n",
        "X: a\x08\r\n",
        "X: a\x0bb\r\n",
        "X: a\x0cb\r\n",
        "X: a\x1bb\r\n",
        "X: a\x7fb\r\n",
        // 5.2: obsolete folding.
        "X: a\r\n b\r\n",
        "X: a\r\n\tb\r\n",
        "X: a\r\n \r\n",
        "Content-Length:\r\n 5\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
    ];
    refused(&server, "5 fields", 400, &bad.map(get));
    let fine = [
        "X:\r\n",
        "X:   a  \r\n",
        "X:\ta\t\r\n",
        "X: a:b: c\r\n",
        "X: caf\u{e9}\r\n",
        "!#$%&'*+-.^_`|~: a\r\n",
        "X: a\r\nX: b\r\n",
    ];
    taken(&server, "5 fields that are taken", 200, &fine.map(get));
    let many = [
        "X: x\r\n".repeat(64),
        format!("X: {}\r\n", "x".repeat(16 << 10)),
        format!("{}: x\r\n", "x".repeat(16 << 10)),
        "X: x\r\n".repeat(4000),
    ];
    refused(
        &server,
        "5.4 too many or too long",
        431,
        &many.map(|lines| get(&lines)),
    );
    let target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(16 << 10));
    let method = format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "X".repeat(17 << 10));
    let nothing = "\r\n".repeat(9 << 10);
    refused(&server, "3 overlong lines", 431, &[target, method, nothing]);
}
