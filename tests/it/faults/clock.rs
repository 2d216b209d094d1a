//! The promise: no clock makes the server drop anybody. Set the wall clock as you like; and time in
//! which the server itself stood still counts against nobody.

use crate::common::http::Http;
use crate::common::media::{Sample, assert_frames};
use crate::common::server::{Server, program};
use crate::common::viewer::{HttpViewer, Viewer};
use crate::common::websocket::{Publisher, WebSocketClient};
use bytes::Bytes;
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// Deadlines are looked at within it.
const TICKS: Duration = Duration::from_millis(300);

/// Debian has it in a folder for each architecture.
fn libfaketime() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let found = folders
        .map(|folder| folder.path().join("faketime/libfaketime.so.1"))
        .find(|path| path.exists());
    found.expect("this test needs libfaketime: install faketime")
}

/// A server whose wall clock, and nothing else, is off by what the file says, such as `+10y`.
fn server_with_a_clock_of(offset: &Path) -> Server {
    let mut command = program();
    command
        .args(["--listen", "127.0.0.1:0"])
        .env("LD_PRELOAD", libfaketime())
        .env("FAKETIME_TIMESTAMP_FILE", offset)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("DONT_FAKE_MONOTONIC", "1");
    Server::run(command)
}

#[test]
fn jumping_wall_clock_disconnects_no_client() {
    let folder = tempfile::tempdir().unwrap();
    let offset = folder.path().join("offset");
    fs::write(&offset, "+0").unwrap();
    let server = server_with_a_clock_of(&offset);
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut told = Viewer::v1(&server, "demo");
    let mut chunked = HttpViewer::open(&server, "demo");
    let mut waiting = Viewer::v1(&server, "later");
    let mut half_asked = Http::open(&server);
    half_asked.send("GET /healthz HTTP/1.1\r\n");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    told.watch(1);
    chunked.watch(1);
    let mut chunks = sample.chunks_after(sample.opening()).into_iter();
    for jump in ["+10y", "-10y", "+0"] {
        fs::write(&offset, jump).unwrap();
        // Said in the log, with the time.
        drop(Publisher::open(&server, "other"));
        let jumped = Instant::now();
        while jumped.elapsed() < TICKS {
            if let Some(chunk) = chunks.next() {
                publisher.send(&chunk);
            }
            thread::sleep(TICKS / 20);
        }
    }
    publisher.send_all(&chunks.collect::<Vec<Bytes>>());
    let all = sample.all_frames();
    told.watch(all.len());
    chunked.watch(all.len());
    assert_frames(&told.screen.frames(), &all);
    assert_frames(&chunked.screen.frames(), &all);
    assert_eq!(told.told(), ["hello", "hello", "init"]);
    half_asked.send(format!("Host: {}\r\n\r\n", server.address));
    assert_eq!(half_asked.answer("GET").status, 200);
    let mut later = Publisher::open(&server, "later");
    later.open_stream(&sample);
    waiting.text("hello");

    // The clock did jump: the log's lines are of several decades.
    let log = server.end(Signal::TERM).log;
    let lines = log.lines().filter(|line| line.contains("stream=other"));
    let decades: BTreeSet<&str> = lines.map(|line| &line[..3]).collect();
    assert_eq!(decades.len(), 3, "{log}");
}

#[test]
fn standstill_counts_against_no_client() {
    const STANDSTILL: Duration = Duration::from_secs(2);
    let server = Server::with(&[
        "--publisher-timeout",
        "1500ms",
        "--head-timeout",
        "1500ms",
        "--ping-interval",
        "1500ms",
        "--ping-timeout",
        "1500ms",
    ]);
    let sample = Sample::read("chromium-restart-1");
    let mut viewers: Vec<Viewer> = (0..10).map(|_| Viewer::v1(&server, "demo")).collect();
    let mut publisher = Publisher::open(&server, "demo");
    let mut silent = WebSocketClient::open(&server, "/publish/silent", &[]);
    publisher.open_stream(&sample);
    for viewer in &mut viewers {
        viewer.watch(1);
    }
    let mut half_asked = Http::open(&server);
    half_asked.send("GET /healthz HTTP/1.1\r\n");

    // As a machine that is suspended, or swaps, or is moved to another host.
    server.signal(Signal::STOP);
    thread::sleep(STANDSTILL);
    server.signal(Signal::CONT);
    // At first all of them are silent, as if they had stood still as well.
    thread::sleep(Duration::from_millis(300));
    publisher.go_on(&sample);
    half_asked.send(format!("Host: {}\r\n\r\n", server.address));
    assert_eq!(half_asked.answer("GET").status, 200);
    let all = sample.all_frames();
    for viewer in &mut viewers {
        viewer.watch(all.len());
        assert_frames(&viewer.screen.frames(), &all);
        assert_eq!(viewer.told(), ["hello", "hello", "init"]);
    }
    let report = server.report("demo").unwrap();
    assert_eq!(report["viewers"], viewers.len());
    // Who stays silent has the same time as ever, and no more.
    assert_eq!(silent.closed().0, 1008);
}
