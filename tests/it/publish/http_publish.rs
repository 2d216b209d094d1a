//! The promise: a client can publish with each way of sending a request body.

use crate::common::http::{Http, Response};
use crate::common::media::{Sample, assert_frames};
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use std::net::Shutdown;

/// How the body travels.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Framing {
    Length,
    Chunked,
    UntilClose,
}

/// Publishes a recording, and returns the answers' heads: what comes before the body, if anything
/// is expected, and what comes after it.
fn publish(
    method: &str,
    target: &str,
    fields: &[&str],
    framing: Framing,
    expects_first: bool,
) -> (Option<Response>, Response) {
    let server = Server::start();
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut viewer = Viewer::v1(&server, "demo");
    let mut http = Http::open(&server);
    let length = format!("Content-Length: {}", sample.bytes.len());
    let body = match framing {
        Framing::Length => length.as_str(),
        Framing::Chunked => "Transfer-Encoding: chunked",
        Framing::UntilClose => "User-Agent: tests",
    };
    http.ask(method, target, &[fields, &[body]].concat());
    let first = expects_first.then(|| http.head());
    let mut send = |bytes: &[u8]| match framing {
        Framing::Chunked => http.send_chunk(bytes),
        Framing::Length | Framing::UntilClose => http.send(bytes),
    };
    send(&sample.bytes[..sample.opening()]);
    viewer.watch(1);
    for chunk in sample.chunks_after(sample.opening()) {
        if !chunk.is_empty() {
            send(&chunk);
        }
    }
    let all = sample.all_frames();
    viewer.watch(all.len());
    assert_frames(&viewer.screen.frames(), &all);
    match framing {
        Framing::Length => {}
        Framing::Chunked => http.send("0\r\n\r\n"),
        Framing::UntilClose => http.stream().shutdown(Shutdown::Write).unwrap(),
    }
    let last = http.answer(method);
    viewer.text("offline");
    (first, last)
}

#[test]
fn body_may_have_a_length_chunks_or_neither() {
    for method in ["PUT", "POST"] {
        for target in ["/publish/demo", "/live/demo.webm"] {
            for framing in [Framing::Length, Framing::Chunked, Framing::UntilClose] {
                let (_, answer) = publish(method, target, &[], framing, false);
                let asked = format!("{method} {target} {framing:?}");
                assert_eq!(answer.status, 200, "{asked}: {}", answer.text());
            }
        }
    }
}

#[test]
fn expect_continue_gets_100_before_the_body() {
    let expect = ["Expect: 100-continue"];
    for framing in [Framing::Length, Framing::Chunked, Framing::UntilClose] {
        let (first, last) = publish("PUT", "/live/demo.webm", &expect, framing, true);
        assert_eq!((first.unwrap().status, last.status), (100, 200));
    }
}

#[test]
fn expect_continue_gets_a_refusal_before_the_body() {
    let server = Server::with(&["--publish-key", "right"]);
    let fields = ["Expect: 100-continue", "Transfer-Encoding: chunked"];
    let answer = Http::open(&server).request("PUT", "/live/demo.webm", &fields);
    assert_eq!(answer.status, 401);
}

#[test]
fn icecast_source_publishes_with_its_password() {
    let server = Server::with(&["--publish-key", "hackme"]);
    let sample = Sample::read("ffmpeg-live");
    let mut viewer = Viewer::v1(&server, "demo");
    let mut http = Http::open(&server);
    // User `source`, password `hackme`.
    http.send(
        "SOURCE /live/demo.webm HTTP/1.0\r\nAuthorization: Basic c291cmNlOmhhY2ttZQ==\r\n\
         Content-Type: video/webm\r\nIce-Name: tests\r\n\r\n",
    );
    let answer = http.head();
    assert_eq!((&*answer.version, answer.status), ("HTTP/1.0", 200));
    http.send(&sample.bytes[..sample.opening()]);
    viewer.watch(1);
    http.send(&sample.bytes[sample.opening()..]);
    viewer.watch(sample.all_frames().len());
    assert_frames(&viewer.screen.frames(), &sample.all_frames());
    drop(http);
    viewer.text("offline");
}

#[test]
fn body_may_begin_in_the_packet_of_its_head() {
    let server = Server::start();
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut viewer = Viewer::v1(&server, "demo");
    let mut http = Http::open(&server);
    let head = format!(
        "PUT /publish/demo HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
        server.address,
        sample.bytes.len()
    );
    let opening = &sample.bytes[..sample.opening()];
    http.send([head.as_bytes(), opening].concat());
    viewer.watch(1);
    http.send([&sample.bytes[opening.len()..], b"\r\n0\r\n\r\n"].concat());
    assert_eq!(http.answer("PUT").status, 200);
    viewer.watch(sample.all_frames().len());
    assert_frames(&viewer.screen.frames(), &sample.all_frames());
}

#[test]
fn matroska_is_served_with_its_own_type() {
    let server = Server::start();
    let sample = Sample::read("chromium-vp8-opus-100ms");
    // DocType webm, size 4, becomes matroska, size 8; the EBML header grows by as much.
    let mut bytes = sample.bytes.to_vec();
    let doc_type = bytes.windows(7).position(|at| at == b"\x42\x82\x84webm");
    let doc_type = doc_type.unwrap();
    bytes.splice(doc_type..doc_type + 7, *b"\x42\x82\x88matroska");
    assert_eq!(&bytes[..4], b"\x1a\x45\xdf\xa3");
    bytes[4] += 4;
    let mut http = Http::open(&server);
    http.ask("PUT", "/live/demo.webm", &["Transfer-Encoding: chunked"]);
    http.send_chunk(&bytes);
    let report = server.report_when("demo", |report| !report["mime"].is_null());
    assert_eq!(report["mime"], "video/x-matroska;codecs=\"vp8,opus\"");
    let mut viewer = Http::open(&server);
    viewer.ask("GET", "/live/demo.webm", &[]);
    assert_eq!(
        viewer.head().field("Content-Type"),
        Some("video/x-matroska")
    );
}
