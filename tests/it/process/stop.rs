//! The promise: SIGTERM and SIGINT end the server within 5 s, with exit code 0, after a proper
//! goodbye to everybody; and the port is free at once.

use crate::common::http::{Http, connect_narrow};
use crate::common::media::Sample;
use crate::common::server::{Server, program};
use crate::common::viewer::{HttpViewer, Viewer};
use crate::common::websocket::Publisher;
use rustix::process::Signal;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// What a service manager may have to wait.
const SOON: Duration = Duration::from_secs(5);

#[test]
fn every_client_gets_a_goodbye() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start();
        let sample = Sample::read("chromium-vp8-opus-100ms");
        let mut told = Viewer::v1(&server, "demo");
        let mut plain = Viewer::plain(&server, "demo");
        let mut chunked = HttpViewer::open(&server, "demo");
        let mut ancient = HttpViewer::open_1_0(&server, "demo");
        let mut waiting = Viewer::v1(&server, "nobody-there");
        let mut idle = Http::open(&server);
        assert_eq!(idle.get("/healthz").status, 200);
        let mut publisher = Publisher::open(&server, "demo");
        publisher.open_stream(&sample);
        told.watch(1);
        plain.watch(1);
        chunked.watch(1);
        ancient.watch(1);
        let mut uploading = Http::open(&server);
        let fields = ["Transfer-Encoding: chunked", "Expect: 100-continue"];
        uploading.ask("PUT", "/live/other.webm", &fields);
        assert_eq!(uploading.head().status, 100);

        let started = Instant::now();
        server.signal(signal);
        let goodbye = (1001, "the server is stopping".to_owned());
        assert_eq!(told.closed(), goodbye);
        assert_eq!(plain.closed(), goodbye);
        assert_eq!(waiting.closed(), goodbye);
        assert_eq!(publisher.client.closed(), goodbye);
        chunked.watch_to_end();
        ancient.watch_to_end();
        assert_eq!(uploading.answer("PUT").status, 503);
        assert_eq!(idle.rest(), b"");
        drop((told, plain, waiting, publisher, chunked, ancient, uploading));

        let ended = server.wait(started);
        assert!(ended.status.success(), "{}: {}", ended.status, ended.log);
        assert!(ended.took < SOON, "{:?}", ended.took);
    }
}

#[test]
fn stalled_peer_delays_no_goodbye_and_keeps_no_port() {
    let mut server = Server::start();
    let address = server.address;
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut healthy = Viewer::v1(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    healthy.watch(1);
    let stalled: Vec<Viewer> = (0..20)
        .map(|_| Viewer::on(connect_narrow(server.address), &server, "demo", &[]))
        .collect();
    // Until their sockets are full: then no goodbye can reach them.
    let mut rounds = 0;
    let behind = "videostream_stream_viewers_behind{stream=\"demo\"}";
    while server.metric(behind) < 20 {
        publisher.send_all(&sample.chunks);
        rounds += 1;
        healthy.watch(rounds * sample.all_frames().len());
    }
    let mut half_asked = Http::open(&server);
    half_asked.send("GET / HTT");
    let started = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(healthy.closed().0, 1001);
    assert_eq!(publisher.client.closed().0, 1001);
    let ended = server.wait(started);
    assert!(ended.status.success(), "{}: {}", ended.status, ended.log);
    assert!(ended.took < SOON, "{:?}", ended.took);
    // The old connections linger, and the port is free.
    let server = Server::on(&address.to_string(), &[]);
    assert_eq!(server.address, address);
    server.assert_healthy();
    drop(stalled);
}

#[test]
fn second_signal_changes_nothing() {
    let mut server = Server::start();
    let viewer = Viewer::v1(&server, "demo");
    let started = Instant::now();
    server.signal(Signal::TERM);
    server.signal(Signal::INT);
    drop(viewer);
    assert!(server.wait(started).status.success());
}

#[test]
fn taken_port_ends_the_start_with_one_line_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = program().args(["--listen", &address]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = format!("error: --listen {address}: ");
    assert!(
        said.starts_with(&expected) && said.lines().count() == 1,
        "{said}"
    );
}
