//! The promise: after `kill -9` at most one second is missing, and the next start finishes the file.

use super::*;
use crate::common::viewer::Viewer;
use crate::common::websocket::Publisher;
use rustix::process::Signal;
use std::time::{Duration, Instant};

#[test]
fn killed_server_loses_a_second_at_most_and_the_next_start_finishes_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let sample = Sample::read("chromium-vp8-opus-100ms");
    for wait_ms in [150, 400, 1000] {
        let mut server = server_on(dir.path(), &[]);
        let mut publisher = Publisher::open(&server, "demo");
        publisher.open_stream(&sample);
        let mut viewer = Viewer::v1(&server, "demo");
        // In its time, for as long as the test waits.
        let began = Instant::now();
        let (mut seen, mut last) = (sample.opening(), Duration::ZERO);
        for chunk in sample.chunks_after(sample.opening()) {
            if began.elapsed() > Duration::from_millis(wait_ms) {
                break;
            }
            seen += chunk.len();
            publisher.send_all(&[chunk]);
            last = began.elapsed();
            std::thread::sleep(Duration::from_millis(30));
        }
        let shown = sample.shown(seen);
        viewer.watch(shown.len());
        let file = recording(dir.path(), "demo");
        // All that has been in the server for a second is in the file.
        std::thread::sleep((last + Duration::from_secs(1)).saturating_sub(began.elapsed()));
        server.signal(Signal::KILL);
        server.wait(Instant::now());
        let before = ffprobe(&file);
        let packets = before["packets"].as_array().unwrap().len();
        assert_eq!(packets, shown.len());

        let server = server_on(dir.path(), &[]);
        server.wait_for_log("finished a recording that was cut off", 1);
        assert_finished(&file);
        let frames = sample.frames(shown);
        assert_frames(&film(&file).frames, &frames);
        std::fs::remove_file(file).unwrap();
    }
}
