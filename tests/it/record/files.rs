//! The promise: a recording is a file that real tools find nothing to complain of, and that holds
//! what viewers get.

use super::*;
use crate::common::http::Http;
use crate::common::media::path;
use crate::common::server::program;
use crate::common::viewer::Viewer;
use crate::common::websocket::Publisher;
use rustix::process::Signal;
use std::time::Duration;

fn upload(server: &Server, name: &str, sample: &Sample) {
    let target = format!("/live/{name}.webm");
    let answer = Http::open(server).upload("PUT", &target, &[], &sample.bytes);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn recording_of_each_kind_of_publisher_is_seekable_and_whole() {
    let (dir, server) = recording_server(&[]);
    let names = [
        "chromium-vp8-opus-100ms",
        "chromium-canvas-vp8-opus-100ms",
        "chromium-vp9-opus-100ms",
        "chromium-opus-only-100ms",
        "chromium-vp8-only-100ms",
        "firefox-vp8-opus-100ms",
        "ffmpeg-live",
        "ffmpeg-finished",
    ];
    for name in names {
        upload(&server, name, &Sample::read(name));
    }
    let ended = server.end(Signal::TERM);
    assert!(ended.status.success(), "{}", ended.log);
    assert!(ended.took < Duration::from_secs(5), "{:?}", ended.took);
    for name in names {
        let file = recording(dir.path(), name);
        assert_finished(&file);
        assert_whole(&file, &Sample::read(name));
        assert_eq!(film(&file).times[0], 0, "{name}");
    }
}

#[test]
fn recording_of_push_has_the_time_of_its_frames() {
    let (dir, server) = recording_server(&["--record-grace", "100ms"]);
    let url = format!("ws://{}/publish/demo", server.address);
    let mut viewer = Viewer::v1(&server, "demo");
    let sample = Sample::read("chromium-restart-1");
    let push = program()
        .args(["push", &path("chromium-restart-1"), &url])
        .output();
    assert!(push.unwrap().status.success());
    viewer.watch(sample.all_frames().len());
    // It is finished while the server goes on.
    eventually("the end of the recording", || {
        let finished = server.metric("videostream_recordings_finished_total");
        (finished == 1).then_some(())
    });
    let file = recording(dir.path(), "demo");
    let probe = assert_finished(&file);
    assert_whole(&file, &sample);
    let frames = &viewer.screen.frames;
    let times = frames
        .iter()
        .map(|frame| frame.timestamp_ms - frames[0].timestamp_ms);
    assert_eq!(film(&file).times, times.collect::<Vec<_>>());
    assert_eq!(
        probe["packets"].as_array().unwrap().len(),
        sample.all_frames().len()
    );
    assert_eq!(server.metric("videostream_recordings_open"), 0);
    let bytes = server.metric("videostream_recorded_bytes_total");
    // All but the head.
    let size = std::fs::metadata(&file).unwrap().len();
    assert!(bytes > size / 2 && bytes <= size, "{bytes} of {size}");
}

#[test]
fn growing_file_plays_and_is_told_in_the_report() {
    let (dir, server) = recording_server(&[]);
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    server.report_when("demo", |report| report["recording"] == true);
    publisher.go_on(&sample);
    let file = recording(dir.path(), "demo");
    let all = sample.all_frames().len();
    eventually("all frames on disk", || {
        let probe = ffprobe(&file);
        let packets = probe["packets"].as_array().map_or(0, Vec::len);
        (packets == all).then_some(())
    });
    assert_eq!(server.metric("videostream_recordings_open"), 1);
}

#[test]
fn publisher_that_comes_back_goes_on_in_the_same_file() {
    let (dir, server) = recording_server(&[]);
    let [first, second] = ["chromium-restart-1", "chromium-restart-2"].map(Sample::read);
    upload(&server, "demo", &first);
    server.wait_until_offline("demo");
    upload(&server, "demo", &second);
    drop(server);
    let file = recording(dir.path(), "demo");
    assert_finished(&file);
    let both = [first.all_frames(), second.all_frames()].concat();
    assert_frames(&film(&file).frames, &both);
}

#[test]
fn other_tracks_and_a_publisher_after_the_grace_are_other_files() {
    let (dir, server) = recording_server(&["--record-grace", "50ms"]);
    let samples = ["chromium-restart-1", "chromium-opus-only-100ms"].map(Sample::read);
    for (index, sample) in [&samples[0], &samples[1], &samples[1]]
        .into_iter()
        .enumerate()
    {
        upload(&server, "demo", sample);
        eventually("the end of a recording", || {
            let finished = server.metric("videostream_recordings_finished_total");
            (finished == index as u64 + 1).then_some(())
        });
    }
    let files = recordings(dir.path(), "demo");
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        assert_finished(&file);
    }
}

#[test]
fn oldest_recordings_go_and_foreign_files_stay() {
    let sample = Sample::read("chromium-restart-1");
    let dir = tempfile::tempdir().unwrap();
    let foreign = [
        "holiday.webm",
        "demo/holiday.webm",
        "2026-11-22T19-32-05Z.webm",
    ];
    std::fs::create_dir(dir.path().join("demo")).unwrap();
    for name in foreign {
        std::fs::write(dir.path().join(name), b"mine").unwrap();
    }
    // Room for one and a half.
    let room = ((33_000 + sample.bytes.len()) * 3 / 2).to_string();
    let options = ["--record-grace", "20ms", "--record-max-bytes", &room];
    let server = server_on(dir.path(), &options);
    for name in ["demo", "other", "third"] {
        upload(&server, name, &sample);
        // Names have seconds, and the oldest goes.
        std::thread::sleep(Duration::from_millis(1050));
    }
    eventually("one recording", || {
        let names = ["demo", "other", "third"];
        let left = names.map(|name| recordings(dir.path(), name).len());
        // With the foreign one.
        (left == [1, 0, 1]).then_some(())
    });
    for name in foreign {
        assert!(dir.path().join(name).exists(), "{name}");
    }
    server.wait_for_log("deleted a recording", 2);
}

#[test]
fn folder_that_cannot_be_written_to_is_a_wrong_option() {
    let output = program()
        .args(["--listen", "127.0.0.1:0", "--record", "/proc/none"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    let start = "error: --record /proc/none: ";
    assert!(
        error.starts_with(start) && error.lines().count() == 1,
        "{error}"
    );
}
