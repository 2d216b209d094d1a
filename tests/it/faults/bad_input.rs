//! The promise: a peer that sends broken bytes is closed alone, with the reason. Viewers keep what
//! they have, and the server goes on.

use crate::common::http::Http;
use crate::common::media::{Sample, assert_frames};
use crate::common::server::Server;
use crate::common::viewer::{HttpViewer, Viewer};
use crate::common::websocket::{Heard, Publisher, WebSocketClient};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::io::Write;
use std::time::{Duration, Instant};
use tungstenite::Message;
use videostream::webm::{Event, Limits, Segmenter};

/// A SimpleBlock that claims to have this many bytes.
fn impossible_block(size: u64) -> Vec<u8> {
    let size = (size | 1 << 56).to_be_bytes();
    [&[0xa3][..], &size, &[0x81, 0, 0, 0x80]].concat()
}

/// A whole WebSocket frame as a client sends it: the mask is zero.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126);
    [&[first, 0x80 | payload.len() as u8, 0, 0, 0, 0], payload].concat()
}

#[test]
fn other_formats_are_refused_with_the_reason() {
    let server = Server::start();
    for junk in [&b"RIFF....WEBPVP8 "[..], &[0; 100], b"<html>"] {
        let mut publisher = Publisher::open(&server, "demo");
        publisher.send(&Bytes::from_static(junk));
        let reason = "not WebM: expected EBML header at byte 0";
        assert_eq!(publisher.client.closed(), (1003, reason.to_owned()));
        let answer = Http::open(&server).upload("PUT", "/live/demo.webm", &[], junk);
        assert_eq!((answer.status, answer.text()), (415, format!("{reason}\n")));
    }
    server.wait_until_offline("demo");
    server.assert_healthy();
}

#[test]
fn impossible_size_is_refused_at_its_offset_and_earlier_frames_stay() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    let next = Sample::read("chromium-restart-2");
    let broken_at = sample.end_of(&sample.blocks[50]);
    let broken = [&sample.bytes[..broken_at], &impossible_block(1 << 40)].concat();
    let shown = sample.frames(sample.shown(broken_at));
    let reason = format!(
        "SimpleBlock of {} bytes at byte {broken_at}, limit 4194304",
        1u64 << 40
    );

    let mut told = Viewer::v1(&server, "demo");
    let mut chunked = HttpViewer::open(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    told.watch(1);
    chunked.watch(1);
    publisher.send(&Bytes::from(broken.clone()).slice(sample.opening()..));
    assert_eq!(publisher.client.closed(), (1007, reason.clone()));
    told.text("offline");
    told.watch(shown.len());
    chunked.watch(shown.len());

    let mut seen = shown.clone();
    let mut http = Http::open(&server);
    http.ask("PUT", "/live/demo.webm", &["Transfer-Encoding: chunked"]);
    http.send_chunk(&broken);
    let answer = http.answer("PUT");
    assert_eq!((answer.status, answer.text()), (400, reason + "\n"));
    told.text("offline");
    seen.extend(shown);

    let mut publisher = Publisher::open(&server, "demo");
    publisher.send_all(&next.chunks);
    seen.extend(next.all_frames());
    told.watch(seen.len());
    chunked.watch(seen.len());
    assert_frames(&told.screen.frames(), &seen);
    assert_frames(&chunked.screen.frames(), &seen);
    assert_eq!((told.screen.inits, chunked.screen.inits), (1, 1));
    let metrics = Http::open(&server).get("/metrics").text();
    assert!(metrics.contains("publishers_rejected_total 2\n"));
}

#[test]
fn block_over_the_limit_is_refused() {
    let server = Server::with(&["--block-bytes", "2KiB"]);
    let sample = Sample::read("chromium-restart-1");
    let large = sample
        .blocks
        .iter()
        .find(|block| block.element.bytes.len() > 2048 + 16);
    let large = large.unwrap();
    let mut publisher = Publisher::open(&server, "demo");
    publisher.send(&sample.bytes);
    let (code, reason) = publisher.client.closed();
    assert_eq!(code, 1007);
    assert!(
        reason.contains(&format!("at byte {}, limit 2048", large.offset)),
        "{reason}"
    );
}

#[test]
fn truncated_body_is_refused_with_its_offset() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    let block = &sample.blocks[40];
    let body = &sample.bytes[..sample.end_of(block) - 1];
    let mut viewer = Viewer::v1(&server, "demo");
    let mut http = Http::open(&server);
    http.ask("PUT", "/live/demo.webm", &["Transfer-Encoding: chunked"]);
    http.send_chunk(&body[..sample.opening()]);
    viewer.watch(1);
    http.send_chunk(&body[sample.opening()..]);
    http.send("0\r\n\r\n");
    let answer = http.answer("PUT");
    let reason = format!("ends inside an element, at byte {}\n", body.len());
    assert_eq!((answer.status, answer.text()), (400, reason));
    viewer.text("offline");
    assert_frames(
        &viewer.screen.frames(),
        &sample.frames(sample.shown(body.len())),
    );

    // Hanging up says nothing, and is answered nothing.
    let mut http = Http::open(&server);
    http.ask("PUT", "/live/demo.webm", &["Transfer-Encoding: chunked"]);
    http.send_chunk(&body[..sample.opening()]);
    viewer.text("hello");
    drop(http);
    assert_eq!(viewer.text("offline")["reason"], "lost");
    server.assert_healthy();
}

#[test]
fn empty_body_replaces_no_publisher() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    let mut viewer = Viewer::v1(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    viewer.watch(1);
    for target in ["/publish/demo", "/live/demo.webm"] {
        let answer = Http::open(&server).upload("PUT", target, &[], b"");
        assert_eq!(answer.status, 400);
    }
    publisher.go_on(&sample);
    viewer.watch(sample.all_frames().len());
    assert!(!viewer.told().contains(&"offline"));
}

#[test]
fn messages_over_the_limit_close_with_1009() {
    let server = Server::with(&["--publisher-message-bytes", "64KiB"]);
    let mut publisher = Publisher::open(&server, "demo");
    let large = Bytes::from(vec![0; 100_000]);
    publisher.send(&large);
    assert_eq!(publisher.client.closed().0, 1009);
    // Also when it comes in fragments, of which none is too long: no end, and more of the same.
    let mut publisher = Publisher::open(&server, "demo");
    let head = |first: u8| [first, 0xfe, 0x75, 0x30, 0, 0, 0, 0];
    for first in [0x02, 0x00, 0x00] {
        publisher
            .client
            .send_raw(&[&head(first)[..], &large[..0x7530]].concat());
    }
    assert_eq!(publisher.client.closed().0, 1009);

    let mut viewer = Viewer::plain(&server, "demo");
    viewer.client.send(Message::Binary(large.slice(..5000)));
    assert_eq!(viewer.closed().0, 1009);
    server.assert_healthy();
}

#[test]
fn text_that_is_not_utf_8_closes_with_1007() {
    let server = Server::start();
    for target in ["/live/demo", "/publish/demo"] {
        let mut client = WebSocketClient::open(&server, target, &[]);
        client.send_raw(&frame(0x81, b"caf\xe9"));
        assert_eq!(client.closed().0, 1007, "{target}");
    }
}

#[test]
fn breaking_websockets_rules_closes_with_1002() {
    let server = Server::start();
    for target in ["/live/demo", "/publish/demo"] {
        for (bytes, what) in [
            (vec![0x82, 1, b'x'], "no mask"),
            (frame(0xc2, b"x"), "a reserved bit"),
            (frame(0x83, b"x"), "a reserved opcode"),
            (frame(0x8b, b"x"), "a reserved control opcode"),
            (frame(0x09, b"x"), "a ping in fragments"),
            (frame(0x80, b"x"), "the end of nothing"),
            (
                [frame(0x02, b"x"), frame(0x82, b"x")].concat(),
                "a message inside a message",
            ),
            (
                [&[0x89, 0xfe, 0, 126, 0, 0, 0, 0][..], &[b'x'; 126]].concat(),
                "a long ping",
            ),
            (frame(0x88, b"x"), "half a close code"),
        ] {
            let mut client = WebSocketClient::open(&server, target, &[]);
            client.send_raw(&bytes);
            assert_eq!(client.closed().0, 1002, "{target}: {what}");
        }
    }
    server.assert_healthy();
}

#[test]
fn messages_of_a_viewer_are_ignored_until_their_limit_closes_it() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    let mut viewer = Viewer::v1(&server, "demo");
    for _ in 0..30 {
        viewer.client.send(Message::text("{\"type\":\"hello\"}"));
        viewer
            .client
            .send(Message::Binary(sample.bytes.slice(..1000)));
    }
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    viewer.watch(1);
    for _ in 0..10 {
        viewer.client.send(Message::text("anybody?"));
    }
    assert_eq!(viewer.closed(), (1008, "viewers send nothing".to_owned()));
    assert_eq!(server.report("demo").unwrap()["live"], true);
}

#[test]
fn pings_without_end_fill_no_memory() {
    let server = Server::start();
    let many = frame(0x89, &[b'x'; 125]).repeat(1000);
    for target in ["/live/demo", "/publish/demo"] {
        let mut client = WebSocketClient::open(&server, target, &[]);
        // 16 MB of pings, and no pong is read: the client is closed, or the kernel holds the pongs.
        for _ in 0..125 {
            if client.stream().write_all(&many).is_err() {
                break;
            }
        }
        server.assert_healthy();
        while !matches!(client.hear(), Heard::Gone) {}
    }
}

#[test]
fn bytes_from_an_http_viewer_are_ignored() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    let mut http = Http::open(&server);
    http.ask("GET", "/live/demo.webm", &[]);
    http.send(vec![b'x'; 100_000]);
    let mut viewer = HttpViewer::new(http);
    server.report_when("demo", |report| report["viewers_http"] == 1);
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    viewer.watch(1);
}

#[test]
fn no_bytes_break_the_server() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    let damage = vec((0..sample.bytes.len(), any::<u8>()), 1..12);
    let mut runner = TestRunner::new(Config::with_cases(48));
    let publishing = runner.run(&damage, |damage| {
        let mut viewer = WebSocketClient::open(&server, "/live/demo", &[]);
        let mut bytes = sample.bytes.to_vec();
        for (at, byte) in damage {
            bytes[at] = byte;
        }
        let mut publisher = Publisher::open(&server, "demo");
        for chunk in bytes.chunks(1500) {
            let _ = publisher
                .client
                .try_send(Message::Binary(chunk.to_vec().into()));
        }
        // Whether it was refused or taken, it ends with a close frame.
        let _ = publisher.client.try_close();
        let (code, reason) = publisher.client.closed();
        prop_assert!([1000, 1003, 1007].contains(&code), "{code} {reason}");
        prop_assert!(
            code == 1000 || reason.contains("at byte"),
            "{code} {reason}"
        );
        server.wait_until_offline("demo");

        // What the viewer has is a valid stream.
        viewer.try_close().unwrap();
        let mut segmenter = Segmenter::new(Limits::default());
        let mut latest_ms = 0;
        loop {
            match viewer.hear() {
                Heard::Media(bytes) => {
                    segmenter.push(bytes);
                    while let Some(event) = segmenter.poll().expect("a valid stream") {
                        if let Event::Block(block) = event {
                            prop_assert!(block.timestamp_ms >= latest_ms);
                            latest_ms = block.timestamp_ms;
                        }
                    }
                    prop_assert!(segmenter.is_between_elements());
                }
                Heard::Text(text) => panic!("{text}"),
                Heard::Closed(..) => {}
                Heard::Gone => return Ok(()),
            }
        }
    });
    publishing.unwrap();

    let lines = "(GET|PUT|SOURCE|HEAD|DELETE|[A-Z]{1,5}) (/(live|publish|api/streams|assets)/)?\
        [ -~]{0,40} HTTP/1.[01]\r\n(Host: a\r\n)?((Connection|Upgrade|Content-Length|Expect|\
        Transfer-Encoding|Sec-WebSocket-Key|Range|If-None-Match): [ -~]{0,40}\r\n){0,4}\r\n";
    let junk = prop_oneof![
        vec(any::<u8>(), 0..600),
        proptest::string::bytes_regex(lines).unwrap(),
    ];
    let mut runner = TestRunner::new(Config::with_cases(200));
    let asking = runner.run(&junk, |bytes| {
        let mut http = Http::open(&server);
        http.send(&bytes);
        let _ = http.stream().shutdown(std::net::Shutdown::Write);
        let answer = http.rest();
        prop_assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."));
        Ok(())
    });
    asking.unwrap();
    server.assert_healthy();
}

#[test]
fn endless_fragments_delay_no_other_client() {
    let server = Server::start();
    let floods = ["/live/demo", "/publish/other"].map(|target| {
        let client = WebSocketClient::open(&server, target, &[]);
        std::thread::spawn(move || {
            // Empty fragments of a message that never ends, for two seconds.
            let first = frame(0x01, b"");
            let more = frame(0x00, b"").repeat(10_000);
            let until = Instant::now() + Duration::from_secs(2);
            let mut result = client.stream().write_all(&first);
            while result.is_ok() && Instant::now() < until {
                result = client.stream().write_all(&more);
            }
        })
    });
    let mut answers = 0;
    while floods.iter().any(|flood| !flood.is_finished()) {
        assert_eq!(Http::open(&server).get("/healthz").status, 200);
        answers += 1;
    }
    assert!(answers > 5, "{answers} answers");
    for flood in floods {
        flood.join().unwrap();
    }
}
