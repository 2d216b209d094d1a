//! The promise: who says nothing, or does not answer, is not waited for. What the deadlines are, and who
//! answers pings, is in `simulation::promises`.

use crate::common::eventually;
use crate::common::http::Http;
use crate::common::media::Sample;
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use crate::common::websocket::Publisher;

#[test]
fn request_that_does_not_come_is_refused_at_its_deadline() {
    let server = Server::with(&["--head-timeout", "300ms"]);
    let mut silent = Http::open(&server);
    let mut half = Http::open(&server);
    half.send("GET /healthz HTTP/1.1\r\nHost");
    let mut idle = Http::open(&server);
    assert_eq!(idle.get("/healthz").status, 200);
    for http in [&mut silent, &mut half] {
        let answer = http.answer("GET");
        assert_eq!(
            (answer.status, answer.field("Connection")),
            (408, Some("close"))
        );
    }
    // Who was answered before and has no further question is closed without a word.
    assert!(idle.rest().is_empty());
}

#[test]
fn silent_publisher_is_closed_and_its_viewers_stay() {
    let server = Server::with(&["--publisher-timeout", "400ms"]);
    let sample = Sample::read("chromium-restart-1");
    let mut viewer = Viewer::v1(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    viewer.watch(1);
    let (code, reason) = publisher.client.closed();
    assert_eq!((code, &*reason), (1008, "no media arrived for too long"));
    viewer.text("offline");

    let mut http = Http::open(&server);
    http.ask("PUT", "/live/demo.webm", &["Transfer-Encoding: chunked"]);
    http.send_chunk(&sample.bytes[..sample.opening()]);
    viewer.watch(2);
    assert_eq!(http.answer("PUT").status, 408);
    viewer.text("offline");
}

#[test]
fn poster_that_does_not_come_is_refused_at_its_deadline() {
    let server = Server::with(&["--publisher-timeout", "500ms"]);
    let sample = Sample::read("chromium-restart-1");
    let mut publisher = Publisher::on_air(&server, "demo");
    let mut http = Http::open(&server);
    http.ask("PUT", "/live/demo.jpg", &["Content-Length: 1000"]);
    http.send(b"\xff\xd8\xff");
    // The stream itself goes on, and a byte of the poster now and then does not help.
    for chunk in sample.chunks_after(sample.opening()) {
        publisher.send(&chunk);
        if http.stream().set_nonblocking(true).is_ok() && http.stream().peek(&mut [0]).is_ok() {
            break;
        }
        let _ = std::io::Write::write(&mut http.stream(), b"x");
        std::thread::sleep(std::time::Duration::from_millis(30));
    }
    http.stream().set_nonblocking(false).unwrap();
    assert_eq!(http.answer("PUT").status, 408);
    assert_eq!(server.report("demo").unwrap()["live"], true);
}

#[test]
fn websocket_that_does_not_answer_pings_is_dropped() {
    let server = Server::with(&["--ping-interval", "200ms", "--ping-timeout", "300ms"]);
    // Neither reads, so neither answers.
    let _deaf = Viewer::plain(&server, "demo");
    let _mute = Publisher::open(&server, "demo");
    // Nobody is left, and so nothing of the stream.
    eventually("both are dropped", || {
        server.report("demo").is_none().then_some(())
    });
}
