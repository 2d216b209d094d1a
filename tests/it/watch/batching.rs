//! The promise: with `--max-delay` one write carries several chunks; without it each chunk goes out
//! at once.

use crate::common::http::Http;
use crate::common::media::Sample;
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use crate::common::websocket::Publisher;

/// What one line of `/metrics` says.
fn metric(server: &Server, name: &str) -> u64 {
    let text = Http::open(server).get("/metrics").text();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value
        .unwrap_or_else(|| panic!("no {name} in\n{text}"))
        .parse()
        .unwrap()
}

/// Publishes one chunk after another, each when the one before was seen by the server. Returns how
/// many there were, and how many visits and writes of the one viewer they took.
fn publish(server: &Server) -> (u64, u64, u64) {
    let sample = Sample::read("chromium-vp8-only-100ms");
    let mut viewer = Viewer::v1(server, "demo");
    let mut publisher = Publisher::open(server, "demo");
    publisher.open_stream(&sample);
    viewer.watch(1);
    let mut received = server.report("demo").unwrap()["received_bytes"].clone();
    let visits = metric(server, "videostream_sweep_visits_total");
    let writes = metric(server, "videostream_write_bytes_count");
    let mut chunks = 0;
    for chunk in sample.chunks_after(sample.opening()) {
        publisher.send_all(&[chunk]);
        let report = server.report_when("demo", |report| report["received_bytes"] != received);
        received = report["received_bytes"].clone();
        chunks += 1;
    }
    viewer.watch(sample.all_frames().len());
    (
        chunks,
        metric(server, "videostream_sweep_visits_total") - visits,
        metric(server, "videostream_write_bytes_count") - writes,
    )
}

#[test]
fn each_chunk_goes_out_at_once() {
    let (chunks, visits, _) = publish(&Server::start());
    // But for those that end no block.
    assert!(visits > chunks / 2, "{visits} visits for {chunks} chunks");
}

#[test]
fn chunks_are_batched_for_max_delay() {
    let server = Server::with(&["--max-delay", "1s", "--max-lag", "1m"]);
    let (chunks, visits, writes) = publish(&server);
    assert!(chunks > 20, "{chunks}");
    // How few it is by the clock is in `simulation::promises`.
    assert!(visits <= chunks / 4, "{visits} visits for {chunks} chunks");
    assert!(writes <= chunks / 4, "{writes} writes for {chunks} chunks");
}
