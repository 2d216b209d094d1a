//! The promise: viewers are told when nothing comes from their publisher for two seconds, and when
//! it comes again. `simulation::promises` has sparse streams, bodies, steady streams, takeovers,
//! and what ends a silence.

use crate::common::media::{Sample, assert_frames};
use crate::common::server::Server;
use crate::common::viewer::{HttpViewer, Viewer};
use crate::common::websocket::Publisher;
use std::time::Instant;

#[test]
fn viewers_get_stalled_after_two_seconds_and_resumed_after_it() {
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
    publisher.finish();
    told.text("offline");
}
