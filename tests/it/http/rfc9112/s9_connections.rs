//! 9: connections that go on; and of RFC 9110, what HEAD and Expect do to them.

use super::talk::{Answer, JPEG, SMUGGLED, converse, get, put, refused, taken};
use crate::common::http::{Http, connect};
use crate::common::media::Sample;
use crate::common::server::Server;
use crate::common::websocket::Publisher;
use std::io::{Read, Write};

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
fn s9_3_2_pipelined_requests_are_answered_in_order_at_any_cut() {
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
        stream.write_all(&bytes[..at]).unwrap();
        assert_eq!(other.get("/healthz").status, 200);
        stream.write_all(&bytes[at..]).unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
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
fn s9_3_2_a_fault_of_framing_gets_the_last_answer() {
    let server = Server::start();
    let good = get("");
    let nowhere = "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n".to_owned();
    let last = get("Connection: close\r\n");
    let answers = converse(&server, (nowhere + &good + &last).as_bytes(), &[]);
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [404, 200, 200]);
    for (bad, status) in [
        (get("X : y\r\n"), 400),
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
    for (target, expected) in [("/nowhere", &[404, 200][..]), ("/live/.hidden", &[400])] {
        let bytes = head(target) + SMUGGLED;
        let answers = converse(&server, bytes.as_bytes(), &[true]);
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses, expected, "{target}");
        assert_eq!(answers[0].closes, answers.len() == 1, "{target}");
    }
}

#[test]
fn rfc_9110_10_1_1_continue_is_sent_only_when_expected() {
    let server = Server::start();
    let _publisher = Publisher::on_air(&server, "demo");
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
    // A request that is refused gets no 100 before the refusal.
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
