//! The promise: a newer process that takes over leaves the recording of the older one alone.

use super::*;
use crate::common::http::Http;
use crate::common::server::Orphan;
use crate::common::websocket::Publisher;
use rustix::process::Signal;
use std::time::Instant;

#[test]
fn older_process_finishes_its_recording_and_the_newer_begins_another() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = server_on(dir.path(), &["--drain-timeout", "700ms"]);
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    server.report_when("demo", |report| report["recording"] == true);
    let mut kept = Http::open(&server);
    kept.get("/healthz");
    server.signal(Signal::USR2);
    let orphan = Orphan::of(&server);
    eventually("the old process takes its leave", || {
        let answer = kept.get("/healthz");
        (answer.field("Connection") == Some("close")).then_some(())
    });
    publisher.go_on(&sample);
    assert_eq!(publisher.client.closed().0, 1001);
    let status = eventually("the old process ends", || server.ended());
    assert!(status.success(), "{status}");
    let file = recording(dir.path(), "demo");
    assert_finished(&file);
    assert_whole(&file, &sample);

    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    publisher.go_on(&sample);
    publisher.finish();
    orphan.signal(Signal::TERM);
    orphan.wait();
    let files = recordings(dir.path(), "demo");
    assert_eq!(files.len(), 2, "{files:?}");
    for file in &files {
        assert_finished(file);
        assert_whole(file, &sample);
    }
    server.wait(Instant::now());
}
