//! The promise: on request, a stream is recorded from the request to its end.

use super::*;
use crate::common::http::Http;
use crate::common::viewer::Viewer;
use crate::common::websocket::Publisher;

const RECORDING: &str = "/api/streams/demo/recording";

fn ask(server: &Server, method: &str, fields: &[&str]) -> u16 {
    Http::open(server).request(method, RECORDING, fields).status
}

#[test]
fn stream_is_recorded_between_put_and_delete() {
    let (dir, server) = recording_server(&["--record-on-request"]);
    assert_eq!(ask(&server, "PUT", &[]), 404);
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    let report = server.report_when("demo", |report| report["live"] == true);
    assert_eq!(report["recording"], false);
    let mut viewer = Viewer::v1(&server, "demo");
    assert_eq!(publisher.client.text("recording")["on"], false);
    assert_eq!(ask(&server, "PUT", &[]), 204);
    assert_eq!(ask(&server, "PUT", &[]), 204);
    publisher.go_on(&sample);
    assert_eq!(publisher.client.text("recording")["on"], true);
    assert_eq!(viewer.text("recording")["on"], true);
    // Later ones hear it at once.
    assert_eq!(Viewer::v1(&server, "demo").text("recording")["on"], true);
    server.report_when("demo", |report| report["recording"] == true);
    assert_eq!(ask(&server, "DELETE", &[]), 204);
    assert_eq!(publisher.client.text("recording")["on"], false);
    assert_eq!(viewer.text("recording")["on"], false);
    server.report_when("demo", |report| report["recording"] == false);
    let file = recording(dir.path(), "demo");
    assert_finished(&file);
    // It begins with the GOP that was on air.
    let all = sample.all_frames();
    let frames = film(&file).frames;
    assert!(!frames.is_empty());
    assert_frames(&frames, &all[..frames.len()]);
    let answer = Http::open(&server).get(RECORDING);
    assert_eq!(
        (answer.status, answer.field("Allow")),
        (405, Some("PUT, DELETE"))
    );
}

#[test]
fn request_needs_the_publish_key_and_a_server_that_records() {
    let (_dir, server) = recording_server(&["--record-on-request", "--publish-key", "k"]);
    assert_eq!(ask(&server, "PUT", &[]), 401);
    assert_eq!(ask(&server, "PUT", &["Authorization: Bearer no"]), 401);
    assert_eq!(ask(&server, "PUT", &["Authorization: Bearer k"]), 404);
    let plain = Server::start();
    assert_eq!(ask(&plain, "PUT", &[]), 409);
    assert_eq!(ask(&plain, "DELETE", &[]), 409);
}

#[test]
fn file_says_for_one_stream_whether_it_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.toml");
    let folder = dir.path().join("recordings");
    let text = format!(
        "record = {:?}\nrecord_on_request = true\n[streams.yes]\nrecord = true\n",
        folder
    );
    std::fs::write(&config, text).unwrap();
    let server = Server::with(&["--config", config.to_str().unwrap()]);
    let sample = Sample::read("chromium-restart-1");
    for name in ["yes", "no"] {
        let target = format!("/live/{name}.webm");
        let answer = Http::open(&server).upload("PUT", &target, &[], &sample.bytes);
        assert_eq!(answer.status, 200);
    }
    drop(server);
    assert_whole(&recording(&folder, "yes"), &sample);
    assert_eq!(recordings(&folder, "no"), [] as [PathBuf; 0]);
}
