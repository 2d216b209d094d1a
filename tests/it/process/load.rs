//! The promise: `load` measures what viewers of a real server receive, judges whether it would
//! play, and ends on its own with an exit code for scripts.

use crate::common::server::{Server, program};
use crate::common::viewer::Viewer;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

const RATE: [&str; 2] = ["--publish-rate", "500k"];
const SHORT: [&str; 4] = ["--ramp", "200ms", "--duration", "2s"];

fn load(arguments: &[&str]) -> Output {
    let mut command = program();
    command.arg("load").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The JSON of a load that must end with this exit code.
fn report(code: i32, arguments: &[&str]) -> (Value, String) {
    let output = load(&[arguments, &["--json"]].concat());
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{stderr}{stdout}");
    (serde_json::from_str(&stdout).unwrap(), stderr)
}

fn live(server: &Server, name: &str) -> String {
    format!("http://{}/live/{name}", server.address)
}

/// One line on standard error that ends the program with this exit code.
fn refusal(code: i32, arguments: &[&str]) -> String {
    let output = load(arguments);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(output.stdout.is_empty());
    stderr
        .trim_end()
        .strip_prefix("error: ")
        .unwrap()
        .to_owned()
}

fn assert_all_well(report: &Value, viewers: u64) {
    for (name, expected) in [("viewers", viewers), ("connected", viewers), ("failed", 0)] {
        assert_eq!(report[name], expected, "{name}: {report}");
    }
    for name in ["dropped", "invalid", "skips"] {
        assert_eq!(report[name], 0, "{name}: {report}");
    }
}

#[test]
fn fifty_websocket_viewers_are_served_and_measured() {
    let server = Server::start();
    let url = live(&server, "ws");
    // Any process that is there for as long will do.
    let pid = std::process::id().to_string();
    let arguments = [
        &[&*url, "--viewers", "50", "--pid", &pid],
        &RATE[..],
        &SHORT,
    ]
    .concat();
    let (report, _) = report(0, &arguments);
    assert_all_well(&report, 50);
    assert_eq!(report["url"], format!("ws://{}/live/ws", server.address));
    assert_eq!(report["protocol"], "ws");
    let keys: Vec<&String> = report.as_object().unwrap().keys().collect();
    let mut expected = [
        "url",
        "protocol",
        "viewers",
        "duration_s",
        "connected",
        "failed",
        "dropped",
        "bytes",
        "join_ms",
        "delay_ms",
        "skips",
        "invalid",
        "server",
    ];
    expected.sort();
    assert_eq!(keys, expected);
    assert!(
        (2.0..3.0).contains(&report["duration_s"].as_f64().unwrap()),
        "{report}"
    );
    for times in ["join_ms", "delay_ms"] {
        let time = |name: &str| report[times][name].as_f64().unwrap();
        let sorted = [time("p50"), time("p90"), time("p99"), time("max")];
        assert!(sorted[0] > 0.0 && sorted.is_sorted(), "{report}");
    }
    // 500 kbit/s for two seconds, give or take two chunks.
    let bytes = |name: &str| report["bytes"][name].as_u64().unwrap();
    assert!((100_000..150_000).contains(&bytes("median")), "{report}");
    assert!(bytes("min") >= bytes("max") * 8 / 10 && bytes("total") >= 50 * bytes("min"));
    let of_server = &report["server"];
    assert!(of_server["rss_bytes_peak"].as_u64() >= of_server["rss_bytes"].as_u64());
    assert!(of_server["cpu_s"].is_number() && of_server["cpu_s_per_gb"].is_number());
}

#[test]
fn twenty_http_viewers_are_served_and_measured() {
    let server = Server::start();
    let url = format!("{}/live/http.webm", server.address);
    let (report, _) = report(
        0,
        &[&[&*url, "--viewers", "20"], &RATE[..], &SHORT].concat(),
    );
    assert_all_well(&report, 20);
    assert_eq!(
        (&report["protocol"], &report["server"]),
        (&"http".into(), &Value::Null)
    );
    assert!(report["delay_ms"]["p99"].as_f64().unwrap() > 0.0);
}

#[test]
fn file_is_published_in_a_loop_to_several_streams_and_processes() {
    let server = Server::with(&["--publish-key", "sesame", "--watch-key", "other"]);
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/chromium-vp8-opus-100ms.webm"
    );
    let page = tempfile::tempdir().unwrap();
    let page = page.path().join("report.html");
    let url = live(&server, "film");
    let arguments = [
        &[&*url, "--viewers", "30", "--sample", "10", "--streams", "2"][..],
        &[
            "--publish",
            file,
            "--key",
            "sesame",
            "--processes",
            "2",
            "--ramp",
            "0s",
        ],
        &["--duration", "3s", "--html", page.to_str().unwrap()],
    ];
    let (report, _) = report(0, &arguments.concat());
    assert_all_well(&report, 30);
    assert!(report["delay_ms"]["p50"].is_number(), "{report}");
    let page = std::fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("<polyline").count(), 5);
}

#[test]
fn stalled_viewers_are_left_out_of_the_bytes_and_judged_when_they_wake() {
    let server = Server::start();
    let url = live(&server, "stall");
    let arguments = [
        &[
            &*url,
            "--viewers",
            "20",
            "--stall",
            "4",
            "--stall-for",
            "1s",
        ][..],
        &["--slow", "100k", "--slow-viewers", "2", "--churn", "5"],
        &RATE,
        &SHORT,
    ];
    let (report, _) = report(0, &arguments.concat());
    assert_eq!(
        (&report["failed"], &report["invalid"]),
        (&0.into(), &0.into()),
        "{report}"
    );
    assert_eq!(report["dropped"], 0, "{report}");
    // Other viewers took the places of those that left.
    assert!(report["connected"].as_u64().unwrap() > 22, "{report}");
    // The slow ones got 25 kB in two seconds.
    assert!(
        report["bytes"]["min"].as_u64().unwrap() > 100_000,
        "{report}"
    );
}

#[test]
fn load_may_publish_to_another_address_than_it_watches() {
    let server = Server::start();
    let url = live(&server, "there");
    for (publish_to, viewers) in [
        (format!("{url}.webm"), "5"),
        (format!("ws://{}/publish/there", server.address), "10"),
    ] {
        let arguments = [&*url, "--viewers", viewers, "--publish-to", &publish_to];
        let (report, _) = report(0, &[&arguments[..], &RATE, &SHORT].concat());
        assert_all_well(&report, viewers.parse().unwrap());
        assert!(report["delay_ms"]["p99"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn condition_that_holds_fails_the_test_with_its_figure() {
    let server = Server::start();
    let url = live(&server, "gate");
    let base = [&*url, "--viewers", "5", "--duration", "1s", "--fail-if"];
    let (_, told) = report(
        1,
        &[&base[..], &["join_p99>0.001ms, invalid>0"], &RATE].concat(),
    );
    // A machine that is busy with other tests may be warned of.
    let errors: Vec<&str> = told
        .lines()
        .filter(|line| !line.starts_with("warning: "))
        .collect();
    assert_eq!(errors.len(), 1, "{told}");
    assert!(
        errors[0].starts_with("error: --fail-if join_p99>0.001ms: join_p99 is "),
        "{told}"
    );
    report(
        0,
        &[&base[..], &["p99>5s,failed>0,worst<50%"], &RATE].concat(),
    );
}

#[test]
fn without_a_publisher_viewers_wait_and_nothing_is_measured_of_media() {
    let server = Server::start();
    let (told, _) = report(
        0,
        &[
            &live(&server, "void"),
            "--viewers",
            "3",
            "--duration",
            "200ms",
        ],
    );
    assert_eq!(
        (&told["connected"], &told["failed"]),
        (&3.into(), &0.into())
    );
    assert_eq!(
        (&told["join_ms"], &told["delay_ms"]),
        (&Value::Null, &Value::Null)
    );
    let url = format!("{}.webm", live(&server, "void"));
    let (told, stderr) = report(1, &[&url, "--viewers", "3", "--duration", "200ms"]);
    assert_eq!(
        (&told["connected"], &told["failed"]),
        (&0.into(), &3.into())
    );
    assert!(
        stderr.contains("nothing could connect: no answer: is anyone publishing?"),
        "{stderr}"
    );
}

#[test]
fn ended_server_ends_the_load_test() {
    let server = Server::start();
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/chromium-vp8-opus-100ms.webm"
    );
    let mut publisher = program()
        .args(["push", file, "--loop"])
        .arg(format!("ws://{}/publish/mortal", server.address))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let child = program()
        .args(["load", &live(&server, "mortal"), "--json"])
        .args(["--viewers", "5", "--duration", "1h"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    server.report_when("mortal", |report| report["viewers"] == 5);
    let started = Instant::now();
    drop(server);
    let output = child.wait_with_output().unwrap();
    assert!(started.elapsed() < Duration::from_secs(8));
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("error: no viewer is left: "), "{stderr}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["connected"], &report["dropped"]),
        (&5.into(), &5.into())
    );
    publisher.wait().unwrap();
}

#[test]
fn interrupt_ends_load_with_the_report_so_far() {
    for (signal, format) in [(Signal::INT, "--json"), (Signal::TERM, "")] {
        let server = Server::start();
        let mut watcher = Viewer::v1(&server, "long");
        let child = program()
            .args(["load", &live(&server, "long"), "--viewers", "5"])
            .args(["--duration", "1h30m"])
            .args((!format.is_empty()).then_some(format))
            .args(RATE)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        server.report_when("long", |report| report["viewers"] == 6);
        let started = Instant::now();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        // Its own publisher ends as one should.
        assert_eq!(watcher.text("offline")["reason"], "ended");
        let output = child.wait_with_output().unwrap();
        assert!(started.elapsed() < Duration::from_secs(5));
        assert!(output.status.success(), "{}", text(&output.stderr));
        if format == "--json" {
            let report: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(
                (&report["connected"], &report["invalid"]),
                (&5.into(), &0.into())
            );
        } else {
            let table = text(&output.stdout);
            assert!(table.contains("connected"), "{table}");
        }
    }
}

#[test]
fn unusable_load_options_are_refused_in_one_line() {
    let server = Server::with(&["--publish-key", "sesame"]);
    let url = live(&server, "a");
    for (arguments, expected) in [
        (
            &["--viewers", "0"][..],
            "invalid value '0' for '--viewers <N>'",
        ),
        (
            &["--viewers", "2", "--fail-if", "p98>1"],
            "'p98' is none of p50, p90",
        ),
        (
            &["--viewers", "2", "--fail-if", "p99>1s"],
            "--fail-if p99>1s: is not known without",
        ),
        (
            &["--viewers", "2", "--stall", "3"],
            "--viewers 2: fewer than are to be stalled",
        ),
        (
            &["--viewers", "2", "--pid", "4194305"],
            "--pid 4194305: no such process",
        ),
        (
            &["--viewers", "2", "--publish-rate", "fast"],
            "invalid value 'fast' for '--publish-rate",
        ),
        (&["--viewers", "2", "--slow-viewers", "1"], "--slow <RATE>"),
        (
            &["--viewers", "2", "--streams", "3"],
            "--streams 3: more than there are viewers",
        ),
    ] {
        let line = refusal(2, &[&[&*url], arguments].concat());
        assert!(line.contains(expected), "{line}");
    }
    let line = refusal(2, &["ftp://h/live/a", "--viewers", "1"]);
    assert!(line.contains("'ftp://h/live/a' for '<URL>'"), "{line}");
    let line = refusal(1, &["127.0.0.1:1/live/a", "--viewers", "1"]);
    assert!(
        line.starts_with("ws://127.0.0.1:1/live/a: Connection refused"),
        "{line}"
    );
    let line = refusal(1, &[&url, "--viewers", "1", "--publish", "/nowhere.webm"]);
    assert!(line.starts_with("--publish /nowhere.webm: "), "{line}");
    let line = refusal(1, &[&url, "--viewers", "1", "--publish-rate", "1M"]);
    assert!(
        line.contains("/publish/a: the server answered 401"),
        "{line}"
    );
}
