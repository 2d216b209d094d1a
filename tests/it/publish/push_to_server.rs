//! The promise: viewers of a real server get the frames of `videostream push` unchanged and in
//! their time.

use crate::common::media::{Sample, assert_frames, path};
use crate::common::server::{Server, program};
use crate::common::viewer::{HttpViewer, Viewer};
use crate::common::websocket::Publisher;
use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};
use std::io::Write;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

fn push(arguments: &[&str], stdin: Stdio) -> Child {
    program()
        .arg("push")
        .args(arguments)
        .stdin(stdin)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What it wrote to standard error, once it ended with `code`.
fn end(child: Child, code: i32) -> String {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

#[test]
fn file_is_seen_in_its_own_time() {
    let server = Server::with(&["--publish-key", "right"]);
    for (name, scheme, target) in [
        ("chromium-restart-1", "ws", "/publish/demo"),
        ("chromium-restart-2", "http", "/live/demo.webm"),
    ] {
        let sample = Sample::read(name);
        let mut told = Viewer::v1(&server, "demo");
        let mut http = HttpViewer::open(&server, "demo");
        let url = format!("{scheme}://{}{target}", server.address);
        let started = Instant::now();
        let child = push(&[&path(name), &url, "--key", "right"], Stdio::null());
        let all = sample.all_frames();
        told.watch(all.len());
        http.watch(all.len());
        let took = started.elapsed();
        assert_frames(&told.screen.frames(), &all);
        assert_frames(&http.screen.frames(), &all);
        let frames = &told.screen.frames;
        let media_ms = frames[frames.len() - 1].timestamp_ms - frames[0].timestamp_ms;
        assert!(
            took > Duration::from_millis(media_ms as u64 - 150),
            "{took:?}"
        );
        end(child, 0);
        told.text("offline");
    }
}

#[test]
fn standard_input_is_seen_as_it_comes() {
    let server = Server::start();
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut viewer = Viewer::v1(&server, "demo");
    let url = format!("ws://{}/publish/demo", server.address);
    let mut child = push(&["-", &url], Stdio::piped());
    let mut stdin = child.stdin.take().unwrap();
    let (opening, rest) = sample.bytes.split_at(sample.opening());
    stdin.write_all(opening).unwrap();
    viewer.watch(1);
    stdin.write_all(rest).unwrap();
    viewer.watch(sample.all_frames().len());
    assert_frames(&viewer.screen.frames(), &sample.all_frames());
    drop(stdin);
    end(child, 0);
    viewer.text("offline");
}

#[test]
fn loop_is_one_stream_without_a_gap() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("clip.webm");
    // A third of a second: looped three times, it is one.
    let last = sample
        .blocks
        .iter()
        .position(|block| block.timestamp_ms > 330);
    let length = sample.blocks[last.unwrap()].offset as usize;
    std::fs::write(&clip, &sample.bytes[..length]).unwrap();
    let shown = sample.frames(sample.shown(length));

    let mut viewer = Viewer::v1(&server, "demo");
    let url = format!("http://{}/publish/demo", server.address);
    let mut child = push(&["--loop", clip.to_str().unwrap(), &url], Stdio::null());
    viewer.watch(3 * shown.len());
    let three: Vec<(_, Bytes)> = [&shown[..]; 3].concat();
    assert_frames(&viewer.screen.frames()[..three.len()], &three);
    assert_eq!(viewer.screen.inits, 1);
    assert!(viewer.screen.largest_step_ms() <= 100);
    child.kill().unwrap();
    child.wait().unwrap();
    viewer.text("offline");
}

#[test]
fn refused_or_replaced_push_prints_the_reason() {
    let server = Server::with(&["--publish-key", "right"]);
    let name = path("chromium-restart-1");
    for (scheme, target) in [("ws", "/publish/demo"), ("http", "/live/demo.webm")] {
        let url = format!("{scheme}://{}{target}", server.address);
        let said = end(push(&[&name, &url, "--key", "wrong"], Stdio::null()), 1);
        assert!(
            said.contains("the server answered 401: this needs a key or a token"),
            "{said}"
        );
    }

    let server = Server::start();
    let mut viewer = Viewer::v1(&server, "demo");
    for (scheme, reason) in [
        ("ws", "a newer publisher took the stream over"),
        (
            "http",
            "answered 409: a newer publisher took the stream over",
        ),
    ] {
        let url = format!("{scheme}://{}/publish/demo", server.address);
        let child = push(&[&name, &url], Stdio::null());
        while !matches!(viewer.hear(), crate::common::websocket::Heard::Media(_)) {}
        let mut newer = Publisher::open(&server, "demo");
        newer.open_stream(&Sample::read("chromium-restart-1"));
        let said = end(child, 1);
        assert!(said.contains(reason), "{said}");
        newer.finish();
        viewer.text("offline");
    }
}

#[test]
fn stopping_server_ends_push_with_its_reason() {
    let server = Server::start();
    let mut viewer = Viewer::v1(&server, "demo");
    let url = format!("ws://{}/publish/demo", server.address);
    let child = push(&[&path("chromium-vp8-opus-100ms"), &url], Stdio::null());
    viewer.watch(1);
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(viewer.closed().0, 1001);
    let said = end(child, 1);
    assert!(said.contains("the server is stopping"), "{said}");
    let mut server = server;
    assert!(server.wait(Instant::now()).status.success());
}

#[test]
fn push_that_is_interrupted_ends_its_stream_in_good_order() {
    let server = Server::start();
    for (scheme, target) in [("ws", "/publish/demo"), ("http", "/live/demo.webm")] {
        for name in ["ffmpeg-finished", "chromium-vp8-opus-100ms"] {
            let mut viewer = Viewer::v1(&server, "demo");
            let url = format!("{scheme}://{}{target}", server.address);
            let child = push(&["--loop", &path(name), &url], Stdio::null());
            viewer.watch(5);
            let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
            kill_process(pid, Signal::INT).unwrap();
            assert_eq!(viewer.text("offline")["reason"], "ended");
            let said = end(child, 0);
            assert!(said.contains("sent "), "{said}");
        }
    }
}
