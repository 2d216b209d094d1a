//! The promise: nothing that a client of the old ports does costs the others anything.

use super::old::{OldPage, OldServer, Port, message};
use crate::common::eventually;
use crate::common::http::connect_narrow;
use crate::common::media::{Sample, assert_frames};
use crate::common::viewer::Viewer;
use crate::common::websocket::{Heard, Publisher, WebSocketClient};
use bytes::Bytes;
use tungstenite::Message;

#[test]
fn text_is_refused_and_reaches_no_listener() {
    let server = OldServer::start();
    let mut page = OldPage::open(&server);
    page.blob("one");
    for port in [Port::BlobsIn, Port::ChunksIn] {
        let mut other = server.open(port);
        other.send(Message::text("hello"));
        assert_eq!(other.closed(), (1003, "send binary messages".to_owned()));
    }
    page.chunk("two");
    page.blob("three");
    assert_eq!(
        server.metric("videostream_refusals_total{reason=\"media\"}"),
        2 + 2
    );
}

#[test]
fn what_is_not_webm_reaches_listeners_and_counts_as_refused() {
    let server = OldServer::start();
    let sample = Sample::read("chromium-restart-1");
    let mut page = OldPage::open(&server);
    page.blob("no WebM at all");
    page.chunk("none of it");
    assert_eq!(
        server.metric("videostream_refusals_total{reason=\"media\"}"),
        1
    );
    assert_eq!(server.metric("videostream_publishers_rejected_total"), 1);
    let mut late = server.open(Port::ChunksOut);
    assert_eq!(message(&mut late), "no WebM at allnone of it");
    // Its line is written by a thread of its own.
    server.wait_for_log("old listeners get what is not WebM", 1);
    // The same sockets send a recording: it is on air.
    page.record(&sample.chunks);
    server.report_when("compat", |report| report["live"] == true);
    // Broken in the middle.
    page.chunk(vec![0; 100]);
    server.wait_until_offline("compat");
    page.blob(sample.bytes.clone());
    server.report_when("compat", |report| report["live"] == true);
}

#[test]
fn junk_takes_no_ordinary_publisher_off_air() {
    let server = OldServer::start();
    let sample = Sample::read("chromium-restart-1");
    let mut viewer = Viewer::v1(&server, "compat");
    let mut blobs_out = server.open(Port::BlobsOut);
    let mut publisher = Publisher::open(&server, "compat");
    publisher.open_stream(&sample);
    viewer.watch(1);
    message(&mut blobs_out);
    let mut junk = server.open(Port::BlobsIn);
    junk.send(Bytes::from("junk"));
    assert_eq!(message(&mut blobs_out), "junk");
    publisher.go_on(&sample);
    let all = sample.all_frames();
    viewer.watch(all.len());
    assert_frames(&viewer.screen.frames(), &all);
    // Old listeners return to it with a blob of their own.
    let blob = Sample::parse(message(&mut blobs_out));
    assert!(blob.blocks[0].keyframe);
}

#[test]
fn junk_of_another_old_page_closes_none_of_the_first() {
    let server = OldServer::start();
    let sample = Sample::read("chromium-restart-1");
    let mut page = OldPage::open(&server);
    page.blob(sample.bytes.slice(..sample.opening()));
    server.report_when("compat", |report| report["live"] == true);
    let mut junk = server.open(Port::BlobsIn);
    junk.send(Bytes::from("junk"));
    assert_eq!(message(&mut page.blobs_out), "junk");
    page.chunk(sample.bytes.slice(sample.opening()..));
    page.blob(sample.bytes.clone());
    page.chunk("more");
}

#[test]
fn ordinary_publisher_goes_on_when_a_blob_that_never_went_on_air_leaves() {
    let server = OldServer::start();
    let sample = Sample::read("chromium-restart-1");
    let mut blobs_out = server.open(Port::BlobsOut);
    let mut publisher = Publisher::open(&server, "compat");
    publisher.open_stream(&sample);
    message(&mut blobs_out);
    let mut other = server.open(Port::BlobsIn);
    // Headers alone.
    let headers = sample.bytes.slice(..100);
    other.send(headers.clone());
    assert!(message(&mut blobs_out) == headers);
    other.close();
    publisher.go_on(&sample);
    let blob = Sample::parse(message(&mut blobs_out));
    assert!(blob.blocks[0].keyframe);
}

#[test]
fn message_over_the_limit_is_refused() {
    let options = [
        "--publisher-message-bytes",
        "100KiB",
        "--compat-bytes",
        "100KiB",
    ];
    let server = OldServer::with(&options);
    let mut page = OldPage::open(&server);
    page.blob(vec![1; 100 << 10]);
    let mut large = server.open(Port::BlobsIn);
    let _ = large.try_send(Message::binary(vec![2; (100 << 10) + 1]));
    assert_eq!(large.closed().0, 1009);
    page.chunk("next");
}

#[test]
fn listener_that_talks_is_closed() {
    let server = OldServer::start();
    for port in [Port::BlobsOut, Port::ChunksOut] {
        let mut chatty = server.open(port);
        for _ in 0..64 {
            chatty.send(Message::text("hello"));
        }
        for _ in 0..64 {
            let _ = chatty.try_send(Message::text("hello"));
        }
        assert_eq!(chatty.closed(), (1008, "viewers send nothing".to_owned()));
    }
}

#[test]
fn slow_listener_is_closed_and_costs_the_others_nothing() {
    let options = [
        "--compat-bytes",
        "1MiB",
        "--publisher-message-bytes",
        "1MiB",
    ];
    let server = OldServer::with(&options);
    let slow = |port| {
        let stream = connect_narrow(server.address(port));
        WebSocketClient::open_on(stream, &server.server, "/", &[])
    };
    let mut slow = [Port::BlobsOut, Port::ChunksOut].map(slow);
    let mut page = OldPage::open(&server);
    for round in 0..30_u8 {
        page.blob(vec![round; 300 << 10]);
        page.chunk(vec![round; 300 << 10]);
    }
    eventually("the listener for chunks is closed", || {
        (server.metric("videostream_compat_overtaken_total") > 0).then_some(())
    });
    assert!(server.metric("videostream_compat_kept_bytes") <= 1 << 20);
    page.blob("still here");
    for (slow, may_pass_over) in slow.iter_mut().zip([true, false]) {
        let mut messages = 0;
        loop {
            match slow.hear() {
                // A listener for blobs that has not begun one passes over it, and stays.
                Heard::Media(bytes) if bytes == "still here" && may_pass_over => break,
                // Whole ones, before the end.
                Heard::Media(bytes) => {
                    assert_eq!(bytes.len(), 300 << 10);
                    messages += 1;
                }
                Heard::Closed(code, reason) => {
                    assert_eq!(
                        (code, &*reason),
                        (1013, "too slow for the stream: connect again")
                    );
                    break;
                }
                // It took too long for the goodbye.
                Heard::Gone => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(messages < 30, "{messages}");
    }
}

#[test]
fn listeners_share_the_memory_of_messages() {
    let server = OldServer::start();
    let mut page = OldPage::open(&server);
    let blob = Bytes::from(vec![1; 4 << 20]);
    page.blob(blob.clone());
    let narrow = |_| {
        let stream = connect_narrow(server.address(Port::ChunksOut));
        WebSocketClient::open_on(stream, &server.server, "/", &[])
    };
    let before = server.metric("videostream_held_bytes");
    let crowd: Vec<WebSocketClient> = (0..50).map(narrow).collect();
    eventually("all have joined", || {
        (server.metric("videostream_compat_listeners") == 52).then_some(())
    });
    let each = (server
        .metric("videostream_held_bytes")
        .saturating_sub(before))
        / 50;
    assert!(each < 16 << 10, "{each} bytes for each listener");
    drop(crowd);
}
