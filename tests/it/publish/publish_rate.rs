//! The promise: a publisher that is faster than it may be is slowed down, and nothing else. That nothing
//! of what is held back is lost is in `simulation::promises`.

use crate::common::http::Http;
use crate::common::media::{Sample, assert_frames};
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use crate::common::websocket::{Publisher, WebSocketClient};
use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// Bytes a second that the server takes from publishers that have more to send.
fn rates_of<const N: usize>(server: &Server, names: [&str; N]) -> [f64; N] {
    let received = |name| {
        let report = server.report(name).unwrap();
        assert_eq!(report["live"], true);
        report["received_bytes"].as_u64().unwrap()
    };
    // The burst is over when bytes beyond it have come.
    while names.iter().any(|name| received(name) < 1_100_000) {
        thread::sleep(Duration::from_millis(5));
    }
    let before = names.map(|name| (received(name), Instant::now()));
    thread::sleep(Duration::from_millis(900));
    let mut before = before.into_iter();
    names.map(|name| {
        let (bytes, started) = before.next().unwrap();
        (received(name) - bytes) as f64 / started.elapsed().as_secs_f64()
    })
}

/// Writes the same recording again and again, until nobody listens.
fn pour(mut stream: TcpStream, bytes: Vec<u8>) -> thread::JoinHandle<()> {
    thread::spawn(move || while stream.write_all(&bytes).is_ok() {})
}

/// One message as a client sends it: the mask is zero.
fn message(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[0x82, 0xfe], &length[..], &[0; 4], payload].concat()
}

#[test]
fn publisher_over_its_rate_is_slowed_down_and_stays() {
    // A megabyte a second. The deadlines are shorter than the rests that it is made to take.
    let options = [
        "--max-publish-rate=8M",
        "--publisher-timeout=50ms",
        "--ping-interval=20ms",
        "--ping-timeout=20ms",
    ];
    let server = Server::with(&options);
    let sample = Sample::read("chromium-restart-1");
    let recording = &sample.bytes;

    let client = WebSocketClient::open(&server, "/publish/ws", &[]);
    let ws = pour(client.stream().try_clone().unwrap(), message(recording));
    let mut http = Http::open(&server);
    http.ask("PUT", "/live/http.webm", &["Transfer-Encoding: chunked"]);
    let length = format!("{:x}\r\n", recording.len());
    let chunk = [length.as_bytes(), recording, b"\r\n"].concat();
    let put = pour(http.stream().try_clone().unwrap(), chunk);

    for name in ["ws", "http"] {
        server.report_when(name, |report| report["live"] == true);
    }
    for rate in rates_of(&server, ["ws", "http"]) {
        assert!((0.8e6..1.2e6).contains(&rate), "{rate} bytes/s");
    }
    drop(server);
    ws.join().unwrap();
    put.join().unwrap();
}

#[test]
fn publisher_within_its_rate_loses_nothing() {
    let server = Server::with(&["--max-publish-rate", "100M"]);
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut viewer = Viewer::v1(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    viewer.watch(1);
    publisher.go_on(&sample);
    let all = sample.all_frames();
    viewer.watch(all.len());
    assert_frames(&viewer.screen.frames(), &all);
}
