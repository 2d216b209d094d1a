//! The promise: a viewer that joins at any time gets the newest GOP at once and then every block,
//! as soon as its last byte has arrived.

use crate::common::http::Http;
use crate::common::media::{Sample, assert_frames};
use crate::common::server::Server;
use crate::common::viewer::{HttpViewer, Viewer};
use crate::common::websocket::Publisher;
use bytes::Bytes;
use std::ops::Range;
use videostream::webm::CLUSTER_HEAD_MAX;

/// A stream of which `sent` bytes have been published and seen by its first viewer.
struct OnAir {
    publisher: Publisher,
    witness: Viewer,
    sent: usize,
    /// Dropped last: it waits until the clients above have closed.
    server: Server,
}

impl OnAir {
    /// Publishes the first chunks of a recorder, up to somewhere inside a GOP.
    fn mid_gop(sample: &Sample) -> OnAir {
        let server = Server::start();
        let mut witness = Viewer::v1(&server, "demo");
        let mut publisher = Publisher::open(&server, "demo");
        publisher.open_stream(sample);
        witness.watch(1);
        let mut sent = sample.opening();
        for chunk in sample.chunks_after(sent) {
            // A few blocks into the last GOP.
            if sample.shown(sent).end > *sample.keyframes().last().unwrap() + 3 {
                break;
            }
            publisher.send(&chunk);
            sent += chunk.len();
        }
        witness.watch(sample.shown(sent).len());
        OnAir {
            server,
            publisher,
            witness,
            sent,
        }
    }

    fn publish_the_rest(&mut self, sample: &Sample) {
        self.publisher.send(&sample.bytes.slice(self.sent..));
        self.sent = sample.bytes.len();
    }
}

/// What a newcomer may be sent before the first new chunk: the GOP and what it takes to play it.
fn backlog_most(sample: &Sample, gop: &Range<usize>) -> usize {
    let blocks = sample.blocks[gop.clone()].iter();
    let media: usize = blocks.map(|block| block.element.bytes.len()).sum();
    // A picture that does not say how long its frames last gets a DefaultDuration.
    const DEFAULT_DURATION: usize = 8;
    sample.recording.init_segment().len() + DEFAULT_DURATION + CLUSTER_HEAD_MAX + media
}

#[test]
fn newcomer_gets_the_newest_gop_at_once_and_then_everything() {
    for name in [
        "chromium-vp8-opus-100ms",
        "chromium-vp9-opus-100ms",
        "chromium-vp8-only-100ms",
        "chromium-canvas-vp8-opus-100ms",
        "firefox-vp8-opus-100ms",
        "ffmpeg-live",
        "ffmpeg-finished",
    ] {
        let sample = Sample::read(name);
        let mut on_air = OnAir::mid_gop(&sample);
        let gop = sample.newest_gop(on_air.sent);
        let backlog = sample.frames(gop.clone());
        assert!(gop.start > 0 && gop.len() > 3, "{name}");

        let server = &on_air.server;
        let mut told = Viewer::v1(server, "demo");
        let mut plain = Viewer::plain(server, "demo");
        let mut chunked = HttpViewer::open(server, "demo");
        let mut ancient = HttpViewer::open_1_0(server, "demo");
        told.watch(gop.len());
        plain.watch(gop.len());
        chunked.watch(gop.len());
        ancient.watch(gop.len());
        assert_eq!(told.told(), ["hello", "init"]);
        assert_eq!(told.texts[0]["live"], true);
        assert_eq!(told.texts[1]["generation"], 1);
        assert_eq!(told.texts[1]["backlog"], told.media - 1, "{name}");
        assert_eq!(told.texts[1]["mime"], sample.recording.mime());
        for screen in [
            &told.screen,
            &plain.screen,
            &chunked.screen,
            &ancient.screen,
        ] {
            assert_frames(&screen.frames(), &backlog);
            assert!(screen.bytes.len() <= backlog_most(&sample, &gop), "{name}");
            let keyframe = &sample.blocks[gop.start];
            assert_eq!(screen.frames[0].timestamp_ms, keyframe.timestamp_ms);
        }

        on_air.publish_the_rest(&sample);
        let rest = sample.frames(gop.start..sample.blocks.len());
        told.watch(rest.len());
        plain.watch(rest.len());
        chunked.watch(rest.len());
        ancient.watch(rest.len());
        for screen in [
            &told.screen,
            &plain.screen,
            &chunked.screen,
            &ancient.screen,
        ] {
            assert_frames(&screen.frames(), &rest);
            assert_eq!(screen.inits, 1, "{name}");
        }
        on_air.witness.watch(sample.all_frames().len());
        assert_frames(&on_air.witness.screen.frames(), &sample.all_frames());
    }
}

#[test]
fn keyframe_in_the_middle_of_a_cluster_is_a_join_point() {
    // Every one of this recording is.
    let sample = Sample::read("ffmpeg-live");
    let on_air = OnAir::mid_gop(&sample);
    let mut viewer = Viewer::plain(&on_air.server, "demo");
    viewer.watch(1);
    let keyframe = &sample.blocks[sample.newest_gop(on_air.sent).start];
    assert_eq!(viewer.screen.frames[0].bytes, keyframe.element.frame());
}

#[test]
fn audio_only_stream_can_be_joined_within_its_last_second() {
    let sample = Sample::read("chromium-opus-only-100ms");
    let mut on_air = OnAir::mid_gop(&sample);
    let sent = sample.shown(on_air.sent).end;
    let mut viewer = Viewer::v1(&on_air.server, "demo");
    viewer.watch(1);
    let behind_ms = sample.blocks[sent - 1].timestamp_ms - viewer.screen.frames[0].timestamp_ms;
    assert!((0..=1000).contains(&behind_ms), "{behind_ms}");
    on_air.publish_the_rest(&sample);
    on_air.witness.watch(sample.blocks.len());
    let first = viewer.screen.frames[0].timestamp_ms;
    let first = sample
        .blocks
        .iter()
        .position(|block| block.timestamp_ms == first)
        .unwrap();
    viewer.watch(sample.blocks.len() - first);
    assert_frames(
        &viewer.screen.frames(),
        &sample.frames(first..sample.blocks.len()),
    );
}

#[test]
fn viewer_before_the_publisher_sees_everything_from_the_first_keyframe() {
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let server = Server::start();
    let mut told = Viewer::v1(&server, "demo");
    let mut plain = Viewer::plain(&server, "demo");
    let mut chunked = HttpViewer::open(&server, "demo");
    let mut ancient = HttpViewer::open_1_0(&server, "demo");
    assert_eq!(told.texts[0]["live"], false);
    server.report_when("demo", |report| report["viewers"] == 4);

    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    assert_eq!(told.text("hello")["live"], true);
    told.watch(1);
    plain.watch(1);
    chunked.watch(1);
    ancient.watch(1);
    publisher.go_on(&sample);
    let all = sample.all_frames();
    told.watch(all.len());
    plain.watch(all.len());
    chunked.watch(all.len());
    ancient.watch(all.len());
    assert_eq!(told.told(), ["hello", "hello", "init"]);
    for screen in [
        &told.screen,
        &plain.screen,
        &chunked.screen,
        &ancient.screen,
    ] {
        assert_frames(&screen.frames(), &all);
    }
    let head = chunked.head();
    assert_eq!(head.field("Content-Type"), Some("video/webm"));
    assert_eq!(head.field("Cache-Control"), Some("no-store"));
}

#[test]
fn block_goes_out_with_its_last_byte() {
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let server = Server::start();
    let mut told = Viewer::v1(&server, "demo");
    let mut chunked = HttpViewer::open(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    // The first blocks wait until each track has one, and the picture two.
    let mut sent = sample.opening();
    let opening = sample.shown(sent).end;
    assert!(opening <= 4, "{opening} blocks");
    publisher.open_stream(&sample);
    // Delta frames, and one block of sound at least.
    for (index, block) in sample.blocks.iter().enumerate().take(16).skip(opening) {
        let end = sample.end_of(block);
        publisher.send(&sample.bytes.slice(sent..end - 1));
        told.watch(index);
        chunked.watch(index);
        assert_eq!(told.screen.frames.len(), index);
        publisher.send(&sample.bytes.slice(end - 1..end));
        told.watch(index + 1);
        chunked.watch(index + 1);
        sent = end;
    }
    // In the middle of the next block the publisher falls silent: all before it has come.
    publisher.send(&sample.bytes.slice(sent..sent + 20));
    server.report_when("demo", |report| {
        report["received_bytes"].as_u64().unwrap() > sent as u64 + 20
    });
    assert_frames(&told.screen.frames(), &sample.frames(0..16));
    assert_frames(&chunked.screen.frames(), &sample.frames(0..16));
}

#[test]
fn waiting_viewer_gets_the_newest_gop_of_a_finished_upload() {
    // As `curl -T FILE` does.
    let server = Server::start();
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut told = Viewer::v1(&server, "demo");
    let mut chunked = HttpViewer::open(&server, "demo");
    server.report_when("demo", |report| report["viewers"] == 2);
    let put = Http::open(&server).upload("PUT", "/live/demo.webm", &[], &sample.bytes);
    assert_eq!(put.status, 200);
    let gop = sample.frames(sample.newest_gop(sample.bytes.len()));
    let last = |frames: &[(_, Bytes)]| frames.last() == gop.last();
    while !last(&told.screen.frames()) {
        told.watch(told.screen.frames.len() + 1);
    }
    while !last(&chunked.screen.frames()) {
        chunked.watch(chunked.screen.frames.len() + 1);
    }
    told.text("offline");
}

#[test]
fn empty_and_tiny_messages_are_a_stream_like_any_other() {
    let sample = Sample::read("chromium-restart-1");
    let server = Server::start();
    let mut viewer = Viewer::plain(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    viewer.watch(1);
    for piece in sample.bytes[sample.opening()..].chunks(11) {
        publisher.send(&sample.bytes.slice(0..0));
        publisher.send(&sample.bytes.slice_ref(piece));
    }
    let all = sample.all_frames();
    viewer.watch(all.len());
    assert_frames(&viewer.screen.frames(), &all);
}

#[test]
fn streams_do_not_mix() {
    let server = Server::start();
    let samples = ["chromium-vp8-opus-100ms", "chromium-vp9-opus-100ms"].map(Sample::read);
    let mut viewers = ["one", "two"].map(|name| Viewer::v1(&server, name));
    let mut publishers = ["one", "two"].map(|name| Publisher::open(&server, name));
    for index in 0..2 {
        publishers[index].open_stream(&samples[index]);
        viewers[index].watch(1);
    }
    let [ones, twos] = [0, 1].map(|index| samples[index].chunks_after(samples[index].opening()));
    for (one, two) in ones.iter().zip(&twos) {
        publishers[0].send(one);
        publishers[1].send(two);
    }
    publishers[0].send_all(&ones[twos.len()..]);
    for (viewer, sample) in viewers.iter_mut().zip(&samples) {
        let all = sample.all_frames();
        viewer.watch(all.len());
        assert_frames(&viewer.screen.frames(), &all);
    }
    let names = Http::open(&server).get("/api/streams").body;
    let names: serde_json::Value = serde_json::from_slice(&names).unwrap();
    let names = &names["streams"];
    assert_eq!(
        (&names[0]["name"], &names[1]["name"]),
        (&"one".into(), &"two".into())
    );
}
