//! The promise: what time does to the clients of the old ports.

use super::old::{OldPage, OldServer, Port, message};
use crate::common::eventually;
use crate::common::http::{Http, prepare};
use crate::common::media::Sample;
use crate::common::server::{Orphan, program};
use crate::common::websocket::{Heard, WebSocketClient};
use bytes::Bytes;
use rustix::process::Signal;
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tungstenite::Message;

#[test]
fn silent_publisher_leaves_the_air_and_keeps_its_sockets() {
    let server = OldServer::with(&["--publisher-timeout", "300ms"]);
    let sample = Sample::read("chromium-restart-1");
    let mut page = OldPage::open(&server);
    for _ in 0..2 {
        page.blob(sample.bytes.clone());
        server.report_when("compat", |report| report["live"] == true);
        server.wait_until_offline("compat");
    }
    page.chunk("it still goes on with the blob");
}

#[test]
fn listener_that_answers_no_ping_is_dropped() {
    let server = OldServer::with(&["--ping-interval", "100ms", "--ping-timeout", "300ms"]);
    let silent = server.open(Port::BlobsOut);
    let mut page = OldPage::open(&server);
    eventually("the silent one is gone", || {
        // Reading answers pings.
        page.blob("one");
        page.chunk("two");
        (server.metric("videostream_compat_listeners") == 2).then_some(())
    });
    drop(silent);
}

#[test]
fn publish_rate_holds_on_both_ports() {
    // 100 kB a second.
    let server = OldServer::with(&["--max-publish-rate", "800k"]);
    let mut page = OldPage::open(&server);
    let began = Instant::now();
    page.blob(vec![1; 100_000]);
    page.chunk(vec![1; 100_000]);
    page.chunk(vec![1; 100_000]);
    // Each socket has a rate of its own.
    let took = began.elapsed();
    assert!(took > Duration::from_millis(1500), "{took:?}");
}

#[test]
fn blobs_without_end_stay_within_the_memory_limit() {
    let options = ["--max-memory", "24MiB", "--ring-bytes", "16MiB"];
    let server = OldServer::with(&options);
    let mut page = OldPage::open(&server);
    for round in 0..40_u8 {
        page.blob(vec![round; 1 << 20]);
        page.chunk(vec![round; 1 << 20]);
        let held = server.metric("videostream_held_bytes");
        assert!(held < 28 << 20, "{held}");
    }
    // And for all others there is room.
    let answer = Http::open(&server.server).get("/");
    assert_eq!(answer.status, 200);
}

#[test]
fn handover_keeps_the_old_ports_open() {
    let server = OldServer::with(&["--drain-timeout", "500ms"]);
    let mut page = OldPage::open(&server);
    page.blob("one");
    server.signal(Signal::USR2);
    let orphan = Orphan::of(&server.server);
    server.wait_for_log("handed over", 1);
    let open = |port| {
        let stream = TcpStream::connect(server.address(port)).unwrap();
        prepare(&stream);
        WebSocketClient::open_on(stream, &server.server, "/", &[])
    };
    // Nothing is kept by the newer process yet.
    let mut chunks = open(Port::ChunksOut);
    let mut publisher = open(Port::ChunksIn);
    publisher.send(Message::Binary(Bytes::from("new")));
    assert_eq!(message(&mut chunks), "new");
    assert!(matches!(
        page.chunks_out.hear(),
        Heard::Closed(1001, _) | Heard::Gone
    ));
    orphan.signal(Signal::TERM);
    orphan.wait();
}

#[test]
fn ports_that_listen_uses_are_bad_usage() {
    let output = program()
        .args(["--listen", "127.0.0.1:9", "--compat-node-videostream=9"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(
        said,
        "error: --compat-node-videostream 9: needs four ports that --listen 127.0.0.1:9 does not use\n"
    );
}
