//! The promise: viewers get the reason why a stream goes offline: `ended` or `lost`. (`replaced` is
//! in `takeover.rs`.)

use crate::common::http::{Http, reset_on_drop};
use crate::common::media::Sample;
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use crate::common::websocket::Publisher;
use tungstenite::Message;
use tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

/// A stream on air by WebSocket, and its viewer.
fn on_air(server: &Server) -> (Publisher, Viewer) {
    let sample = Sample::read("chromium-restart-1");
    let mut viewer = Viewer::v1(server, "demo");
    let mut publisher = Publisher::open(server, "demo");
    publisher.open_stream(&sample);
    viewer.watch(1);
    (publisher, viewer)
}

/// The same by HTTP, with these fields.
fn on_air_by_http(server: &Server, fields: &[&str], is_chunked: bool) -> (Http, Viewer) {
    let sample = Sample::read("chromium-restart-1");
    let mut viewer = Viewer::v1(server, "demo");
    let mut http = Http::open(server);
    http.ask("PUT", "/live/demo.webm", fields);
    let opening = &sample.bytes[..sample.opening()];
    if is_chunked {
        http.send_chunk(opening)
    } else {
        http.send(opening)
    }
    viewer.watch(1);
    (http, viewer)
}

fn reason(mut viewer: Viewer) -> String {
    let text = viewer.text("offline");
    text["reason"].as_str().unwrap().to_owned()
}

#[test]
fn publisher_that_closes_as_it_should_has_ended() {
    let server = Server::start();
    for (code, expected) in [
        (Some(1000), "ended"),
        (Some(1001), "ended"),
        // What `close()` in a browser sends.
        (None, "ended"),
        (Some(1011), "lost"),
        (Some(1008), "lost"),
        (Some(4000), "lost"),
    ] {
        let (mut publisher, viewer) = on_air(&server);
        let frame = code.map(|code| CloseFrame {
            code: CloseCode::from(code),
            reason: "".into(),
        });
        publisher.client.send(Message::Close(frame));
        assert_eq!(reason(viewer), expected, "{code:?}");
        server.wait_for_log(&format!("reason={expected}"), 1);
    }
}

#[test]
fn publisher_that_breaks_off_is_lost() {
    let server = Server::start();
    let (publisher, viewer) = on_air(&server);
    reset_on_drop(publisher.client.stream());
    drop(publisher);
    assert_eq!(reason(viewer), "lost");
    // An end without a close frame.
    let (publisher, viewer) = on_air(&server);
    drop(publisher);
    assert_eq!(reason(viewer), "lost");
}

#[test]
fn publisher_with_broken_bytes_is_lost() {
    let server = Server::start();
    let (mut publisher, viewer) = on_air(&server);
    publisher.send(&bytes::Bytes::from_static(&[0xff; 100]));
    assert_eq!(reason(viewer), "lost");
    assert_eq!(publisher.client.closed().0, 1007);

    let (mut publisher, viewer) = on_air(&server);
    publisher.client.send_raw(&[0x83, 0x80, 0, 0, 0, 0]);
    assert_eq!(reason(viewer), "lost");
    assert_eq!(publisher.client.closed().0, 1002);

    let (mut publisher, viewer) = on_air(&server);
    publisher.client.send("{}");
    assert_eq!(reason(viewer), "lost");
    assert_eq!(publisher.client.closed().0, 1003);
}

#[test]
fn silent_publisher_is_lost() {
    let server = Server::with(&["--publisher-timeout", "400ms"]);
    let (_publisher, viewer) = on_air(&server);
    assert_eq!(reason(viewer), "lost");
    let (_http, viewer) = on_air_by_http(&server, &["Transfer-Encoding: chunked"], true);
    assert_eq!(reason(viewer), "lost");
}

#[test]
fn body_that_ends_whole_has_ended() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    let chunked = &["Transfer-Encoding: chunked"];
    let (mut http, viewer) = on_air_by_http(&server, chunked, true);
    http.send("0\r\n\r\n");
    assert_eq!(reason(viewer), "ended");
    assert_eq!(http.answer("PUT").status, 200);

    let length = format!("Content-Length: {}", sample.opening());
    let (mut http, viewer) = on_air_by_http(&server, &[&length], false);
    assert_eq!(reason(viewer), "ended");
    assert_eq!(http.answer("PUT").status, 200);

    // A body that lasts as long as the connection.
    let mut viewer = Viewer::v1(&server, "demo");
    let mut http = Http::open(&server);
    http.send("SOURCE /live/demo.webm HTTP/1.0\r\n\r\n");
    http.send(&sample.bytes[..sample.opening()]);
    viewer.watch(1);
    http.stream().shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(reason(viewer), "ended");
}

#[test]
fn body_that_breaks_off_is_lost() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    let chunked = &["Transfer-Encoding: chunked"];
    let (http, viewer) = on_air_by_http(&server, chunked, true);
    drop(http);
    assert_eq!(reason(viewer), "lost");

    let length = format!("Content-Length: {}", sample.bytes.len());
    let (http, viewer) = on_air_by_http(&server, &[&length], false);
    drop(http);
    assert_eq!(reason(viewer), "lost");

    // It ends, but in the middle of an element.
    let (mut http, viewer) = on_air_by_http(&server, chunked, true);
    http.send_chunk(&sample.bytes[sample.opening()..sample.opening() + 10]);
    http.send("0\r\n\r\n");
    assert_eq!(reason(viewer), "lost");
    assert_eq!(http.answer("PUT").status, 400);

    let (mut http, viewer) = on_air_by_http(&server, chunked, true);
    http.send("no size\r\n");
    assert_eq!(reason(viewer), "lost");
    assert_eq!(http.answer("PUT").status, 400);
}
