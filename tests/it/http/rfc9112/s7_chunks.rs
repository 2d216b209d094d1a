//! 7: chunks.

use super::talk::{JPEG, SMUGGLED, chunked, converse, refused};
use crate::common::server::Server;
use crate::common::websocket::Publisher;

#[test]
fn s7_1_chunks() {
    let server = Server::start();
    let long = "x".repeat(4097);
    let bad = [
        "\r\n",
        "x\r\n",
        "g\r\n",
        "-1\r\n",
        "+1\r\n",
        "0x1\r\n",
        " 1\r\n",
        "\t1\r\n",
        "1 \r\n",
        "1 1\r\n",
        "1_0\r\n",
        "1,\r\n",
        ";x\r\n",
        "\u{661}\r\n",
        "1\n\x1a\r\n0\r\n\r\n",
        "1\r\r\n",
        "1\r\x1a",
        "10000000000000000\r\n",
        "00000000000000001\r\n",
        "fffffffffffffffff\r\n",
        // Data longer or shorter than their size.
        "1\r\n\x1a\x45\r\n",
        "1\r\n\x1a0\r\n\r\n",
        "1\r\n\x1a\n",
        "1\r\n\x1a\rX",
        // Extensions and trailers.
        "1;x\n\x1a",
        "1;x\0\r\n",
        "1;x\x7f\r\n",
        "1;x\rX",
        "1;\u{1}\r\n",
        &format!("1;{long}\r\n"),
        &format!("1{}", " ".repeat(4097)),
        "0\r\nX: y\n\r\n",
        "0\r\nX: y\rX",
        "0\r\nX: y\0\r\n\r\n",
        "0\r\n\n",
        "0\r\n\rX",
        &format!("0\r\nX: {long}\r\n\r\n"),
        &format!("0\r\n{}", "X: y\r\n".repeat(1000)),
    ];
    refused(&server, "7.1 bad chunks", 400, &bad.map(chunked));

    // A poster's body is read to its end, so the connection goes on behind it.
    let publisher = Publisher::on_air(&server, "demo");
    let size = JPEG.len();
    let jpeg = [
        format!("{size:x}"),
        format!("{size:016x}"),
        format!("{size:X}"),
    ];
    let sizes = jpeg.iter().map(|size| (size.clone(), ""));
    let asides = [
        (format!("{size:x};a=b"), ""),
        (format!("{size:x};a=\"b;c\""), ""),
        (format!("{size:x} ;a"), ""),
        (format!("{size:x} \t ; a = b"), ""),
        (format!("{size:x};caf\u{e9}"), ""),
        (format!("{size:x};{}", "x".repeat(4095)), ""),
        (format!("{size:x}"), "X: y\r\n"),
        (
            format!("{size:x}"),
            "X: y\r\nContent-Length: 5\r\nTransfer-Encoding: gzip\r\n",
        ),
        (format!("{size:x}"), "GET /healthz HTTP/1.1\r\n"),
    ];
    let mut count = 0;
    for (size, trailer) in sizes.chain(asides) {
        let head = "PUT /live/demo.jpg HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let body = [
            size.as_bytes(),
            b"\r\n",
            JPEG,
            b"\r\n0\r\n",
            trailer.as_bytes(),
            b"\r\n",
        ];
        let bytes = [head.as_bytes(), &body.concat(), SMUGGLED.as_bytes()].concat();
        let answers = converse(&server, &bytes, &[]);
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [204, 200], "{size:?} {trailer:?}");
        count += 1;
    }
    println!("7.1 chunks that are taken: {count} cases");
    drop(publisher);
}
