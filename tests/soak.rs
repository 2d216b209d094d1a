//! The promise: clients that come and go leave nothing behind. Ten minutes of it:
//!
//! ```sh
//! cargo test --release --test soak -- --ignored --nocapture
//! ```
//!
//! `SOAK_SECONDS` makes it shorter or longer. Memory and descriptors are measured when all clients
//! have left: after a first part, in which allocator and ring find their size, and at the end.

#[path = "it/common/mod.rs"]
mod common;

use common::eventually;
use common::http::{Http, reset_on_drop};
use common::media::Sample;
use common::server::{Server, program};
use common::viewer::Viewer;
use common::websocket::{Publisher, WebSocketClient};
use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Growth that is no leak: a page here and there.
const SLACK_BYTES: u64 = 1 << 20;

/// What a process holds.
#[derive(Debug, Clone, Copy)]
struct Holdings {
    resident: u64,
    descriptors: usize,
}

impl Holdings {
    /// Of a server without clients.
    fn of(server: &Server) -> Holdings {
        eventually("everybody has left", || {
            let is_empty = server.metric("videostream_connections") == 1
                && Http::open(server)
                    .get("/api/streams")
                    .text()
                    .starts_with("{\"streams\":[]");
            is_empty.then_some(())
        });
        // Our own last requests, too.
        thread::sleep(Duration::from_millis(500));
        let proc = format!("/proc/{}", server.pid());
        let status = fs::read_to_string(format!("{proc}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Holdings {
            resident: kib.unwrap().trim().parse::<u64>().unwrap() * 1024,
            descriptors: fs::read_dir(format!("{proc}/fd")).unwrap().count(),
        }
    }
}

/// `videostream load` for so long, without a fault.
fn load(server: &Server, target: &str, options: &[&str], duration: Duration) -> Command {
    let mut command = program();
    command
        .args(["load", &format!("http://{}{target}", server.address)])
        .args(["--viewers", "200", "--publish-rate", "1M", "--ramp", "2s"])
        .args(["--duration", &format!("{}s", duration.as_secs().max(1))])
        .args(["--fail-if", "failed>0,invalid>0"])
        .args(options)
        .stdout(Stdio::null());
    command
}

/// Clients come and go for this long.
fn come_and_go(server: &Server, duration: Duration) {
    let begun = Instant::now();
    let loads = [
        load(
            server,
            "/live/ws",
            &["--churn", "20", "--stall", "10"],
            duration,
        ),
        load(server, "/live/http.webm", &["--churn", "20"], duration),
    ];
    let loads = loads.map(|mut load| load.spawn().unwrap());
    let sample = Sample::read("chromium-restart-1");
    let other = Sample::read("chromium-vp9-opus-100ms");
    let mut turn = 0_u64;
    while begun.elapsed() < duration {
        // A stream of its own now and then, and one that changes hands.
        let name = format!("turn-{}", turn % 7);
        let mut viewer = Viewer::v1(server, &name);
        let mut publisher = Publisher::open(server, &name);
        publisher.open_stream(&sample);
        viewer.watch(1);
        publisher.go_on(&sample);
        viewer.watch(sample.all_frames().len());
        match turn % 4 {
            0 => publisher.finish(),
            1 => reset_on_drop(publisher.client.stream()),
            2 => drop(Publisher::open(server, &name)),
            _ => publisher.send_all(&other.chunks),
        }
        reset_on_drop(viewer.client.stream());
        let body = &other.bytes[..other.bytes.len() - turn as usize % 100];
        Http::open(server).upload("PUT", "/publish/put", &[], body);
        Http::open(server).send("GET / HTTP/1.1\r\nHost");
        WebSocketClient::open(server, "/live/nobody-there", &[]);
        turn += 1;
        thread::sleep(Duration::from_millis(100));
    }
    for mut load in loads {
        assert!(load.wait().unwrap().success(), "a load test failed");
    }
    println!("{turn} publishers came and went in {:?}", begun.elapsed());
}

#[test]
#[ignore = "ten minutes: see above"]
fn memory_and_descriptors_end_where_they_began() {
    let seconds = std::env::var("SOAK_SECONDS").unwrap_or("600".into());
    let seconds: u64 = seconds.parse().expect("SOAK_SECONDS: a number");
    // Rings that are full within the first part, however short it is.
    let server = Server::with(&[
        "--block-bytes",
        "512KiB",
        "--ring-bytes",
        "1MiB",
        "--log-level",
        "error",
    ]);
    println!("fresh: {:?}", Holdings::of(&server));
    come_and_go(&server, Duration::from_secs(seconds / 5));
    let began = Holdings::of(&server);
    println!("after a fifth: {began:?}");
    come_and_go(&server, Duration::from_secs(seconds - seconds / 5));
    let ended = Holdings::of(&server);
    println!("at the end: {ended:?}");
    assert_eq!(ended.descriptors, began.descriptors);
    assert!(ended.resident <= began.resident + SLACK_BYTES);
}
