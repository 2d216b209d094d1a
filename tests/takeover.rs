//! The promise: a newer publisher takes the stream over, the old one is told so and closed, and
//! viewers go on; the owner can end any publisher.

mod common;

use common::http::Http;
use common::media::{Sample, assert_frames};
use common::server::Server;
use common::viewer::{HttpViewer, Viewer};
use common::websocket::{Heard, Publisher, WebSocketClient};

/// Opens a PUT whose body will be chunked, and waits until the server wants it.
fn put(server: &Server, name: &str) -> Http {
    let mut http = Http::open(server);
    let fields = ["Transfer-Encoding: chunked", "Expect: 100-continue"];
    http.ask("PUT", &format!("/live/{name}.webm"), &fields);
    assert_eq!(http.head().status, 100);
    http
}

#[test]
fn a_newer_publisher_takes_over_and_viewers_go_on() {
    let server = Server::start();
    let [first, second] = ["chromium-restart-1", "chromium-restart-2"].map(Sample::read);
    let mut told = Viewer::v1(&server, "demo");
    let mut chunked = HttpViewer::open(&server, "demo");
    let mut old = Publisher::open(&server, "demo");
    let cut = first.end_of(&first.blocks[70]) - 5;
    old.open_stream(&first);
    told.watch(1);
    chunked.watch(1);
    old.send(&first.bytes.slice(first.opening()..cut));
    told.watch(first.shown(cut).len());

    let mut new = Publisher::open(&server, "demo");
    old.client.text("replaced");
    let (code, reason) = old.client.closed();
    assert_eq!(
        (code, &*reason),
        (1000, "a newer publisher has taken the stream over")
    );
    new.send_all(&second.chunks);
    let frames = [first.frames(first.shown(cut)), second.all_frames()].concat();
    told.watch(frames.len());
    chunked.watch(frames.len());
    assert_frames(&told.screen.frames(), &frames);
    assert_frames(&chunked.screen.frames(), &frames);
    assert_eq!((told.screen.inits, chunked.screen.inits), (1, 1));
    assert!(!told.told().contains(&"offline"));
    drop(old);
    assert_eq!(server.report("demo").unwrap()["live"], true);
}

#[test]
fn what_the_old_publisher_still_sends_reaches_nobody() {
    let server = Server::start();
    let [first, second] = ["chromium-restart-1", "chromium-restart-2"].map(Sample::read);
    let mut viewer = Viewer::v1(&server, "demo");
    let mut old = Publisher::open(&server, "demo");
    let sent = first.opening();
    old.open_stream(&first);
    let shown = first.shown(sent);
    viewer.watch(shown.len());

    let mut new = Publisher::open(&server, "demo");
    // It has not read yet that it was replaced.
    old.go_on(&first);
    new.send_all(&second.chunks);
    let frames = [first.frames(shown), second.all_frames()].concat();
    viewer.watch(frames.len());
    assert_frames(&viewer.screen.frames(), &frames);
    assert_eq!(old.client.closed().0, 1000);
}

#[test]
fn without_the_subprotocol_the_close_frame_says_it() {
    let server = Server::start();
    let mut old = WebSocketClient::open(&server, "/publish/demo", &[]);
    let _new = Publisher::open(&server, "demo");
    match old.hear() {
        Heard::Closed(1000, reason) => {
            assert_eq!(reason, "a newer publisher has taken the stream over");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_replaced_http_publisher_is_answered_409() {
    let server = Server::start();
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut viewer = Viewer::v1(&server, "demo");
    let mut old = put(&server, "demo");
    old.send_chunk(&sample.bytes[..sample.opening()]);
    viewer.watch(1);
    let new = put(&server, "demo");
    let answer = old.answer("PUT");
    assert_eq!(answer.status, 409);
    assert_eq!(
        answer.text(),
        "a newer publisher has taken the stream over\n"
    );
    assert_eq!(answer.field("Connection"), Some("close"));
    drop(new);
    viewer.text("offline");
}

#[test]
fn http_takes_over_from_a_websocket_and_back() {
    let server = Server::start();
    let [first, second] = ["chromium-restart-1", "chromium-restart-2"].map(Sample::read);
    let mut viewer = Viewer::v1(&server, "demo");
    let mut socket = Publisher::open(&server, "demo");
    socket.open_stream(&first);
    viewer.watch(1);
    socket.go_on(&first);
    let mut seen = first.all_frames();
    viewer.watch(seen.len());

    let mut http = put(&server, "demo");
    socket.client.text("replaced");
    for chunk in &second.chunks {
        http.send_chunk(chunk);
    }
    seen.extend(second.all_frames());
    viewer.watch(seen.len());

    let mut socket = Publisher::open(&server, "demo");
    assert_eq!(http.answer("PUT").status, 409);
    socket.send_all(&first.chunks);
    seen.extend(first.all_frames());
    viewer.watch(seen.len());
    assert_frames(&viewer.screen.frames(), &seen);
    assert_eq!(viewer.screen.inits, 1);
}

#[test]
fn the_owner_can_end_a_publisher() {
    let server = Server::with(&["--publish-key", "owner"]);
    let key = "Authorization: Bearer owner";
    let mut viewer = Viewer::v1(&server, "demo");
    let end = |fields: &[&str]| {
        let answer = Http::open(&server).request("DELETE", "/api/streams/demo", fields);
        answer.status
    };
    assert_eq!(end(&[]), 401);
    assert_eq!(end(&[key]), 404);

    let mut socket = WebSocketClient::open(&server, "/publish/demo?key=owner", &[]);
    assert_eq!(end(&[]), 401);
    assert_eq!(end(&[key]), 204);
    assert_eq!(socket.closed(), (1000, "ended by its owner".to_owned()));
    viewer.text("offline");

    let mut http = Http::open(&server);
    http.ask("PUT", "/publish/demo", &[key, "Transfer-Encoding: chunked"]);
    viewer.text("hello");
    assert_eq!(end(&[key]), 204);
    assert_eq!(http.answer("PUT").status, 403);
    viewer.text("offline");
    assert_eq!(end(&[key]), 404);
}
