//! The promise: requests are read to the letter of RFC 9112, cut anywhere, and whatever two readers
//! could understand differently is refused before anybody acts on it.
//!
//! Section numbers are those of the standard.

mod common;

use common::http::{Http, connect};
use common::media::Sample;
use common::server::Server;
use common::websocket::Publisher;
use std::io::{Read, Write};

const JPEG: &[u8] = b"\xff\xd8\xff\xe0 a picture";

/// What would be smuggled. If it were taken for a request, there would be a second answer.
const SMUGGLED: &str = "GET /healthz HTTP/1.1\r\nHost: smuggled\r\nConnection: close\r\n\r\n";

/// An answer, as strict a reader as httparse sees it.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    closes: bool,
    body: Vec<u8>,
}

/// All answers to these bytes, up to the end of the connection. `heads` tells for each whether its
/// request was a HEAD.
fn converse(server: &Server, bytes: &[u8], heads: &[bool]) -> Vec<Answer> {
    let mut stream = connect(server);
    // The server may have closed before it has taken all.
    let _ = stream.write_all(bytes);
    let mut received = Vec::new();
    if let Err(error) = stream.read_to_end(&mut received) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    }
    let mut rest = &received[..];
    let mut answers = Vec::new();
    while !rest.is_empty() {
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(length) = head.parse(rest).unwrap() else {
            panic!("half an answer: {:?}", String::from_utf8_lossy(rest));
        };
        rest = &rest[length..];
        let status = head.code.unwrap();
        let value = |name: &str| {
            let mut fields = head.headers.iter();
            let field = fields.find(|field| field.name.eq_ignore_ascii_case(name))?;
            Some(std::str::from_utf8(field.value).unwrap())
        };
        let is_head = heads.get(answers.len()) == Some(&true);
        let has_body = status >= 200 && status != 204 && status != 304 && !is_head;
        let length = value("Content-Length").filter(|_| has_body);
        let (body, behind) = rest.split_at(length.map_or(0, |length| length.parse().unwrap()));
        rest = behind;
        answers.push(Answer {
            status,
            closes: value("Connection") == Some("close"),
            body: body.to_vec(),
        });
    }
    answers
}

/// These requests are refused with this status, once, and what comes behind is never looked at.
fn refused(server: &Server, section: &str, status: u16, requests: &[String]) {
    for request in requests {
        let bytes = [request.as_bytes(), SMUGGLED.as_bytes()].concat();
        let answers = converse(server, &bytes, &[]);
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [status], "{section}: {request:?}");
        assert!(answers[0].closes, "{section}: {request:?}");
    }
    server.assert_healthy();
    println!("{section}: {} cases", requests.len());
}

/// These requests are answered with this status, and the one behind them as well.
fn taken(server: &Server, section: &str, status: u16, requests: &[String]) {
    for request in requests {
        let bytes = [request.as_bytes(), SMUGGLED.as_bytes()].concat();
        let answers = converse(server, &bytes, &[]);
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [status, 200], "{section}: {request:?}");
        assert!(!answers[0].closes, "{section}: {request:?}");
    }
    println!("{section}: {} cases", requests.len());
}

/// `GET /healthz` with these lines.
fn get(lines: &str) -> String {
    format!("GET /healthz HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

/// `PUT` of a stream with these lines: a body follows.
fn put(lines: &str) -> String {
    format!("PUT /live/demo.webm HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

/// `PUT` with this body, chunked as it claims.
fn chunked(body: &str) -> String {
    put("Transfer-Encoding: chunked\r\n") + body
}

fn strings<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).into()
}

#[test]
fn s2_2_lines_end_with_cr_and_lf() {
    let server = Server::start();
    let fields = [
        "X: a\nY: b\r\n",
        "X: a\n\r\n",
        "X: a\rb\r\n",
        "X: a\r\r\n",
        "\rX: a\r\n",
        "\nX: a\r\n",
    ];
    let mut requests: Vec<String> = fields.map(get).into();
    requests.extend(strings([
        "GET /healthz HTTP/1.1\nHost: a\r\n\r\n",
        "GET /healthz HTTP/1.1\nHost: a\n\n",
        "GET /healthz HTTP/1.1\rHost: a\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\n\n",
        "GET /healthz HTTP/1.1\r\nHost: a\r\n\rX",
        "GET /healthz\r HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /healthz\n HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n\tX: b\r\nHost: a\r\n\r\n",
        "\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        "\rGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        " GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        "\0GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    ]));
    refused(&server, "2.2 refused", 400, &requests);
    let empty_lines = ["\r\n", "\r\n\r\n"].map(|lines| lines.to_owned() + &get(""));
    taken(
        &server,
        "2.2 empty lines before a request",
        200,
        &empty_lines,
    );
}

#[test]
fn s3_request_lines() {
    let server = Server::start();
    let with = |line: &str| format!("{line}\r\nHost: a\r\n\r\n");
    let lines = [
        "GET  /healthz HTTP/1.1",
        "GET /healthz  HTTP/1.1",
        "GET /healthz HTTP/1.1 ",
        "GET\t/healthz HTTP/1.1",
        "GET /healthz\tHTTP/1.1",
        "GET /healthz HTTP/1.1 more",
        "GET /health z HTTP/1.1",
        "GET /healthz",
        "GET /healthz ",
        "GET HTTP/1.1",
        "GET",
        "/healthz HTTP/1.1",
        "G(T /healthz HTTP/1.1",
        "GÉT /healthz HTTP/1.1",
        "GET: /healthz HTTP/1.1",
        "GET /healthz http/1.1",
        "GET /healthz HTTP/1",
        "GET /healthz HTTP/1.",
        "GET /healthz HTTP/11",
        "GET /healthz HTTP/1.10",
        "GET /healthz HTTP/01.1",
        "GET /healthz HTTP/1,1",
        "GET /healthz HTTP/0.9",
        "GET /healthz HTTP/1.2",
        "GET /healthz HTTP/2.0",
        "GET /healthz HTTP/3",
        "GET /healthz ICE/1.0",
        "PRI * HTTP/2.0",
    ];
    refused(&server, "3 request lines", 400, &lines.map(with));
    let methods = [
        "BREW",
        "get",
        "Get",
        "TRACE",
        "PATCH",
        "OPTIONS",
        "DELETE",
        "X-!#$%&'*+.^_`|~1",
    ];
    let requests = methods.map(|method| with(&format!("{method} /healthz HTTP/1.1")));
    refused(&server, "3.1 other methods", 405, &requests);
}

#[test]
fn s3_2_targets_and_hosts() {
    let server = Server::start();
    let with = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    let bad = [
        "healthz",
        "a:80",
        "a:80/healthz",
        "?healthz",
        "ftp://a/healthz",
        "//\x7f",
        "/healthz\0",
        "/healthz\x0b",
        "/%",
        "/%1",
        "/%g1",
        "/%00",
        "/%0d%0aX:%20a",
        "/%0a",
        "/%7f",
        "/%ff",
        "/%c0%af",
        "/%ed%a0%80",
        "/#top",
        "/healthz#top",
        "http://u:p@a/healthz",
        "http://a b/healthz",
        "http://a\\b/healthz",
    ];
    refused(&server, "3.2 targets", 400, &bad.map(with));
    let nowhere = [
        "*",
        "/*",
        "//healthz",
        "/./healthz",
        "/../healthz",
        "/healthz/",
        "/HEALTHZ",
        "http://a/*",
    ];
    refused(&server, "3.2 targets of nothing", 404, &nowhere.map(with));
    let connect = "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n".to_owned();
    refused(&server, "3.2.3 authority form", 400, &[connect]);
    let options = "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".to_owned();
    refused(&server, "3.2.4 asterisk form", 404, &[options]);
    let fine = [
        "/healthz",
        "/%68ealthz",
        "/healthz?",
        "/healthz?a=b&c",
        "/healthz??",
        "http://a/healthz",
        "HTTP://other:1/healthz",
        "https://[::1]:1/healthz?x",
    ];
    taken(
        &server,
        "3.2 origin and absolute form",
        200,
        &fine.map(with),
    );

    let hosts = [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nhost: b\r\n",
        "Host: a, b\r\n",
        "Host: a b\r\n",
        "Host: a/b\r\n",
        "Host: u@a\r\n",
        "Host: a\\b\r\n",
        "Host: a?b\r\n",
        "Host: a#b\r\n",
        "Host: caf\u{e9}\r\n",
    ];
    let with = |lines: &str| format!("GET /healthz HTTP/1.1\r\n{lines}\r\n");
    refused(&server, "3.2 hosts", 400, &hosts.map(with));
    // Whatever the target says.
    let absolute = "GET http://a/healthz HTTP/1.1\r\n\r\n".to_owned();
    refused(
        &server,
        "3.2.2 absolute form without Host",
        400,
        &[absolute],
    );
    let fine = [
        "Host:\r\n",
        "Host: \r\n",
        "Host: a:1\r\n",
        "Host: [::1]:80\r\n",
        "HOST:a\r\n",
        "Host:\ta\t\r\n",
    ];
    taken(&server, "3.2 hosts that are taken", 200, &fine.map(with));
}

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

#[test]
fn s6_bodies_whose_length_is_in_doubt() {
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
fn s6_3_a_body_that_nobody_reads_is_not_the_next_request() {
    let server = Server::start();
    let inside = SMUGGLED.len();
    let requests = [
        get(&format!("Content-Length: {inside}\r\n")),
        get("Transfer-Encoding: chunked\r\n") + &format!("{inside:x}\r\n"),
        get("Transfer-Encoding: CHUNKED\r\n") + "0\r\n\r\n",
    ];
    refused(&server, "6.3 bodies of GET", 200, &requests);
    let lines = format!("Content-Length: {inside}\r\n");
    let delete = format!("DELETE /api/streams/demo HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    refused(&server, "6.3 a body of DELETE", 404, &[delete]);
}

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
    let publisher = Publisher::open(&server, "demo");
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

#[test]
fn s9_3_connections_that_persist_and_those_that_do_not() {
    let server = Server::start();
    let old = |lines: &str| format!("GET /healthz HTTP/1.0\r\n{lines}\r\n");
    taken(
        &server,
        "9.3 kept",
        200,
        &[
            get(""),
            get("Connection: keep-alive\r\n"),
            get("Connection: Upgrade\r\n"),
            get("Connection:\r\n"),
            old("Connection: keep-alive\r\n"),
            old("Connection: x, Keep-Alive\r\n"),
        ],
    );
    refused(
        &server,
        "9.6 closed",
        200,
        &[
            get("Connection: close\r\n"),
            get("Connection: CLOSE\r\n"),
            get("Connection: keep-alive, close\r\n"),
            get("Connection: keep-alive\r\nConnection: close\r\n"),
            old(""),
            old("Connection: close\r\n"),
            old("Connection: keep-alive, close\r\n"),
            old("Keep-Alive: timeout=5\r\n"),
        ],
    );
}

#[test]
fn s9_3_2_pipelined_requests_are_answered_in_order_however_they_are_cut() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.send_all(&sample.chunks);
    let newer = [JPEG, b" and a newer one"].concat();
    let put = |picture: &[u8]| {
        let length = picture.len();
        let head =
            format!("PUT /live/demo.jpg HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        [head.as_bytes(), picture].concat()
    };
    let size = format!("\r\n{:x}\r\n", newer.len() - 4);
    let chunked = [
        &b"POST /live/demo.jpg HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4;x\r\n"[..],
        &newer[..4],
        size.as_bytes(),
        &newer[4..],
        b"\r\n0\r\nX: y\r\n\r\n",
    ];
    let picture = b"GET /live/demo.jpg HTTP/1.1\r\nHost: a\r\n\r\n";
    let bytes = [
        get("").as_bytes(),
        &put(JPEG),
        picture,
        &chunked.concat(),
        picture,
        b"HEAD /live/demo.jpg HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        b"\r\n",
        get("Connection: close\r\n").as_bytes(),
    ]
    .concat();
    let heads = [false, false, false, false, false, true];
    let check = |answers: &[Answer], what: &str| {
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [200, 204, 200, 204, 200, 200, 200, 200], "{what}");
        assert_eq!(
            (&answers[2].body[..], &answers[4].body),
            (JPEG, &newer),
            "{what}"
        );
        assert_eq!(
            (&answers[6].body[..], &answers[7].body[..]),
            (&b"ok\n"[..], &b"ok\n"[..])
        );
        assert!(answers[7].closes && answers[..7].iter().all(|answer| !answer.closes));
    };
    check(&converse(&server, &bytes, &heads), "whole");

    // The other connection is answered in the same turn as what came before its request, or in a
    // later one. So each part has been read before the next is sent.
    let mut other = Http::open(&server);
    for at in 1..bytes.len() {
        let mut stream = connect(&server);
        let mut reader = stream.try_clone().unwrap();
        stream.write_all(&bytes[..at]).unwrap();
        assert_eq!(other.get("/healthz").status, 200);
        stream.write_all(&bytes[at..]).unwrap();
        let mut received = Vec::new();
        reader.read_to_end(&mut received).unwrap();
        let count = received
            .windows(9)
            .filter(|window| *window == b"HTTP/1.1 ")
            .count();
        assert_eq!(count, 8, "cut at {at}");
        assert!(received.ends_with(b"\r\n\r\nok\n"), "cut at {at}");
    }
    for byte in [1, 2, 3, 7] {
        let mut stream = connect(&server);
        for piece in bytes.chunks(byte) {
            stream.write_all(piece).unwrap();
        }
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        assert!(received.ends_with(b"\r\n\r\nok\n"), "{byte} at a time");
    }
    println!("9.3.2 cuts: {} cases", bytes.len() + 4);
}

#[test]
fn s9_3_2_a_refusal_is_the_last_answer() {
    let server = Server::start();
    let good = get("");
    for (bad, status) in [
        (get("X : y\r\n"), 400),
        ("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 404),
        (put("Content-Length: 5, 5\r\n"), 400),
    ] {
        let bytes = [good.clone(), good.clone(), bad.clone(), good.clone()].concat();
        let answers = converse(&server, bytes.as_bytes(), &[]);
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, [200, 200, status], "{bad:?}");
    }
}

#[test]
fn rfc_9110_9_3_2_the_answer_to_head_has_no_body() {
    let server = Server::start();
    let head = |target: &str| format!("HEAD {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    let bytes = [head("/healthz"), head("/api/streams"), SMUGGLED.to_owned()].concat();
    let answers = converse(&server, bytes.as_bytes(), &[true, true]);
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 200, 200]);
    // Nor has a refusal.
    for target in ["/nowhere", "/live/.hidden"] {
        let bytes = head(target) + SMUGGLED;
        let answers = converse(&server, bytes.as_bytes(), &[true]);
        assert_eq!(answers.len(), 1, "{target}");
        assert!(answers[0].closes && answers[0].status >= 400, "{target}");
    }
}

#[test]
fn rfc_9110_10_1_1_only_who_expects_it_is_told_to_continue() {
    let server = Server::start();
    let _publisher = Publisher::open(&server, "demo");
    let ask = |version: &str, lines: &str| {
        let length = JPEG.len();
        let head = format!(
            "PUT /live/demo.jpg HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{lines}\r\n"
        );
        let bytes = [head.as_bytes(), JPEG].concat();
        let answers = converse(&server, &bytes, &[]);
        let statuses = answers.iter().map(|answer| answer.status);
        statuses.collect::<Vec<u16>>()
    };
    for (version, lines, expected) in [
        ("1.1", "", &[204][..]),
        ("1.1", "Expect: 100-continue\r\n", &[100, 204]),
        ("1.1", "expect: 100-CONTINUE\r\n", &[100, 204]),
        ("1.1", "Expect: something-else\r\n", &[204]),
        ("1.1", "Expect:\r\n", &[204]),
        ("1.0", "Expect: 100-continue\r\n", &[204]),
        (
            "1.1",
            "Expect: 100-continue\r\nExpect: 100-continue\r\n",
            &[400],
        ),
    ] {
        assert_eq!(ask(version, lines), expected, "{version} {lines:?}");
    }
    // No body is asked for that would be refused.
    let requests = [
        ("/live/nobody.jpg", "5", 404),
        ("/live/demo.jpg", "999999999", 413),
        ("/nowhere", "5", 404),
        ("/healthz", "5", 405),
    ];
    for (target, length, status) in requests {
        let request = format!(
            "PUT {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\
             Expect: 100-continue\r\n\r\n"
        );
        refused(
            &server,
            "10.1.1 refused before the body",
            status,
            &[request],
        );
    }
}
