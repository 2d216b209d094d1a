//! The promise: crowds of stalled viewers and of clients with unfinished requests cost other
//! clients nothing.

use crate::common::eventually;
use crate::common::http::Http;
use crate::common::server::{Server, program};
use serde_json::Value;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Half of the viewers read nothing any more. The others get every byte, and none of them skips.
/// The same on a larger scale, with delays: see `docs/load-testing.md`.
#[test]
fn stalled_viewers_cost_other_viewers_no_byte() {
    for target in ["/live/demo", "/live/demo.webm"] {
        let server = Server::with(&["--viewer-buffer", "32KiB"]);
        let mut child = program();
        child
            .args(["load", &format!("http://{}{target}", server.address)])
            .args(["--viewers", "100", "--stall", "50", "--sample", "50"])
            .args([
                "--publish-rate",
                "3M",
                "--ramp",
                "500ms",
                "--duration",
                "4s",
            ])
            .args(["--json", "--fail-if", "worst<97"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = child.spawn().unwrap();
        eventually("those who stall are full", || {
            let behind = match server.report("demo") {
                Some(report) if report["live"] == true => {
                    server.metric("videostream_stream_viewers_behind{stream=\"demo\"}")
                }
                _ => 0,
            };
            (behind >= 50).then_some(())
        });
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{told}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        for (name, expected) in [("connected", 100), ("failed", 0), ("dropped", 0)] {
            assert_eq!(report[name], expected, "{name}: {report}");
        }
        for name in ["invalid", "skips"] {
            assert_eq!(report[name], 0, "{name}: {report}");
        }
    }
}

/// Prints how long it takes, for `docs/benchmarks.md`.
#[test]
fn two_hundred_unfinished_requests_are_all_closed_in_time() {
    const CROWD: usize = 200;
    const HEAD_TIMEOUT: Duration = Duration::from_secs(3);
    let server = Server::with(&["--head-timeout", "3s"]);
    let begun = Instant::now();
    let mut crowd: Vec<Http> = (0..CROWD).map(|_| Http::open(&server)).collect();
    let heads = [
        "G",
        "GET /live/demo HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: a",
    ];
    for (http, head) in crowd.iter_mut().zip(heads.iter().cycle()) {
        http.send(head);
    }
    let all_here = Instant::now();
    let is_over = AtomicBool::new(false);
    let served = thread::scope(|scope| {
        let others = scope.spawn(|| {
            let mut served = 0;
            while !is_over.load(Ordering::Relaxed) {
                server.assert_healthy();
                served += 1;
            }
            served
        });
        for http in &mut crowd {
            let answer = http.answer("GET");
            assert_eq!(answer.status, 408);
            assert_eq!(answer.field("Connection"), Some("close"));
            assert!(http.rest().is_empty());
        }
        is_over.store(true, Ordering::Relaxed);
        others.join().unwrap()
    });
    let last = all_here.elapsed();
    println!(
        "{CROWD} partial heads: all closed {last:?} after the last came, with {HEAD_TIMEOUT:?} to \
         finish it; {served} other requests were answered meanwhile"
    );
    assert!(served > 10, "{served} other requests");
    assert!(begun.elapsed() >= HEAD_TIMEOUT);
    assert!(last < HEAD_TIMEOUT + Duration::from_secs(1), "{last:?}");
    drop(crowd);
    eventually("nobody is left", || {
        (server.metric("videostream_connections") == 1).then_some(())
    });
}
