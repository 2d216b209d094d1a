//! The promise: a viewer that begins behind live gets, from the recording and then from the ring, the blocks
//! that live viewers got.
//!
//! What takes time is simulated: see `simulation::time_shift`.

use super::*;
use crate::common::http::{Http, connect};
use crate::common::viewer::{HttpViewer, Viewer};
use crate::common::websocket::Publisher;
use videostream::websocket::SUBPROTOCOL;

/// A ring of a second or less of these samples.
const SMALL_RING: [&str; 4] = ["--block-bytes", "64KiB", "--ring-bytes", "128KiB"];

/// Blocks that may wait for others, to be put in order.
const LATE: usize = 8;

const SAMPLES: [&str; 5] = [
    "chromium-vp8-opus-100ms",
    "chromium-vp9-opus-100ms",
    "chromium-vp8-only-100ms",
    "chromium-opus-only-100ms",
    "firefox-vp8-opus-100ms",
];

fn behind(server: &Server, name: &str, subprotocols: &[&str]) -> Viewer {
    let target = format!("{name}?t=-600");
    Viewer::on(connect(server), server, &target, subprotocols)
}

#[test]
fn viewer_behind_live_gets_each_block_that_a_live_viewer_got() {
    let (_dir, server) = recording_server(&SMALL_RING);
    for name in SAMPLES {
        let sample = Sample::read(name);
        let frames = sample.all_frames();
        let mut live = Viewer::v1(&server, name);
        let mut publisher = Publisher::open(&server, name);
        publisher.open_stream(&sample);
        live.watch(1);
        // One after the other, or the small ring would overtake the live viewer.
        let mut sent = sample.opening();
        for chunk in sample.chunks_after(sent) {
            publisher.send(&chunk);
            sent += chunk.len();
            live.watch(sample.shown(sent).len().saturating_sub(LATE));
        }
        live.watch(frames.len());
        server.report_when(name, |report| report["recording"] == true);
        let mut http = Http::open(&server);
        http.ask("GET", &format!("/live/{name}.webm?t=-600"), &[]);
        let mut http = HttpViewer::new(http);
        http.watch(frames.len());
        let mut plain = behind(&server, name, &[]);
        plain.watch(frames.len());
        let mut v1 = behind(&server, name, &[SUBPROTOCOL]);
        v1.watch(frames.len());
        for screen in [&http.screen, &plain.screen, &v1.screen] {
            assert_frames(&screen.frames(), &frames);
            assert!(screen.bytes == live.screen.bytes, "{name}");
        }
        assert_eq!(v1.told(), ["hello", "recording", "init"]);
        let behind_ms = |index: usize| v1.texts[index]["behind_ms"].as_u64().unwrap();
        assert!(behind_ms(0).abs_diff(behind_ms(2)) < 2000, "{:?}", v1.texts);
        publisher.finish();
    }
}

#[test]
fn viewer_behind_live_goes_on_with_what_comes() {
    let (_dir, server) = recording_server(&SMALL_RING);
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let frames = sample.all_frames();
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    server.report_when("demo", |report| report["recording"] == true);
    let mut v1 = behind(&server, "demo", &[SUBPROTOCOL]);
    v1.watch(1);
    publisher.go_on(&sample);
    v1.watch(frames.len());
    assert_frames(&v1.screen.frames(), &frames);
    // A publisher that returns within the grace goes on in the same file, and so does a viewer.
    publisher.finish();
    assert_eq!(v1.text("offline")["reason"], "ended");
    let mut late = behind(&server, "demo", &[SUBPROTOCOL]);
    assert_eq!(late.text("hello")["live"], false);
    late.watch(frames.len());
    assert_eq!(late.text("offline")["reason"], "ended");
    assert_frames(&late.screen.frames(), &frames);
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    publisher.go_on(&sample);
    late.watch(2 * frames.len());
    assert_frames(&late.screen.frames()[frames.len()..], &frames);
    assert!(late.told().iter().all(|&told| told != "skip"));
}

#[test]
fn report_says_how_far_back_one_can_go() {
    let (_dir, server) = recording_server(&SMALL_RING);
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    publisher.go_on(&sample);
    let first = server.report_when("demo", |report| report["recording"] == true);
    let back_ms = |report: &Value| report["back_ms"].as_u64().unwrap();
    server.report_when("demo", |report| back_ms(report) > back_ms(&first));
}

#[test]
fn time_that_cannot_be_read_is_400() {
    let server = Server::start();
    for target in [
        "/live/a?t=5",
        "/live/a.webm?t=5",
        "/live/a.webm?t=now",
        "/live/a?t=",
    ] {
        let answer = Http::open(&server).get(target);
        assert_eq!(answer.status, 400, "{target}");
        assert!(answer.text().contains("?t=-30"), "{}", answer.text());
    }
    let page = Http::open(&server).get("/live/a?t=-5");
    assert_eq!(page.status, 200);
}
