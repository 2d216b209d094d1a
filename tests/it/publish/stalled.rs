//! The promise: viewers are told when nothing comes from their publisher for two seconds, and when
//! it comes again. `simulation::promises` has sparse streams, bodies and steady streams.

use crate::common::media::{Sample, assert_frames};
use crate::common::server::Server;
use crate::common::viewer::{HttpViewer, Viewer};
use crate::common::websocket::Publisher;
use std::time::{Duration, Instant};
use tungstenite::Message;

#[test]
fn silence_is_told_after_two_seconds_and_so_is_its_end() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    let mut told = Viewer::v1(&server, "demo");
    let mut plain = Viewer::plain(&server, "demo");
    let mut chunked = HttpViewer::open(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    told.watch(1);
    let since = Instant::now();
    let stalled = told.text("stalled");
    let took = since.elapsed();
    assert!((1900..3000).contains(&took.as_millis()), "{took:?}");
    let since_ms = stalled["since_ms"].as_u64().unwrap();
    assert!((2000..3000).contains(&since_ms), "{since_ms}");

    // One who comes meanwhile has the last picture, and is told as well, after it.
    let mut late = Viewer::v1(&server, "demo");
    let stalled = late.text("stalled");
    assert!(stalled["since_ms"].as_u64().unwrap() >= since_ms);
    assert_eq!(late.told(), ["hello", "init", "stalled"]);
    assert_eq!(late.screen.frames(), told.screen.frames());
    assert_eq!(server.report("demo").unwrap()["live"], true);

    publisher.go_on(&sample);
    for viewer in [&mut told, &mut late] {
        let before = viewer.screen.frames.len();
        viewer.text("resumed");
        assert_eq!(viewer.screen.frames.len(), before, "before the media");
        viewer.watch(sample.all_frames().len());
        assert_frames(&viewer.screen.frames(), &sample.all_frames());
    }
    assert_eq!(
        told.told(),
        ["hello", "hello", "init", "stalled", "resumed"]
    );
    // Others have the stream and nothing else.
    plain.watch(sample.all_frames().len());
    chunked.watch(sample.all_frames().len());
    // Again, and then it is gone.
    told.text("stalled");
    publisher.finish();
    told.text("offline");
    assert!(!told.told()[6..].contains(&"resumed"));
}

#[test]
fn half_a_block_ends_a_silence_and_a_ping_does_not() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    let mut viewer = Viewer::v1(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    viewer.text("stalled");
    let before = viewer.screen.frames.len();
    publisher.client.send(Message::Ping("there?".into()));
    publisher.client.send(Message::Pong("here".into()));
    let opening = sample.opening();
    std::thread::sleep(Duration::from_millis(400));
    let since = Instant::now();
    publisher.send(&sample.bytes.slice(opening..opening + 3));
    viewer.text("resumed");
    assert!(since.elapsed() < Duration::from_millis(300), "at once");
    assert_eq!(viewer.screen.frames.len(), before);
}

#[test]
fn takeover_of_a_stalled_stream_resumes_it() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    let mut viewer = Viewer::v1(&server, "demo");
    let mut half_open = Publisher::open(&server, "demo");
    half_open.open_stream(&sample);
    viewer.text("stalled");
    let mut new = Publisher::open(&server, "demo");
    new.open_stream(&sample);
    viewer.text("resumed");
    viewer.watch(2);
    assert!(!viewer.told().contains(&"offline"));
    drop(half_open);
}
