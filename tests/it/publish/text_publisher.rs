//! The promise: a publisher that sends text gets the advice to send binary messages at once.

use crate::common::media::Sample;
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use crate::common::websocket::{Heard, Publisher, WebSocketClient};
use tungstenite::Message;

const REASON: &str = "send binary messages";

#[test]
fn text_of_any_kind_is_answered_with_a_warning_and_1003() {
    let server = Server::start();
    for text in [
        "GkXfo59ChoEBQveBAULygQRC84EIQoKEd2VibUKHgQRChYECGFOAZwH/////////",
        "data:video/webm;base64,GkXfo59ChoEB",
        r#"{"type":"offer","sdp":"v=0"}"#,
        r#"42["stream",{"_placeholder":true,"num":0}]"#,
        "",
        "ping",
    ] {
        let mut publisher = Publisher::open(&server, "demo");
        publisher.client.send(text);
        let warning = publisher.client.text("warning");
        assert_eq!(
            (&warning["code"], &warning["message"]),
            (&"text".into(), &REASON.into())
        );
        match publisher.client.hear() {
            Heard::Closed(code, reason) => assert_eq!((code, &*reason), (1003, REASON)),
            other => panic!("{other:?}: {text}"),
        }
        assert!(!server.log().contains("publisher came"), "{text}");
    }
    // The first of a client's refusals have lines of their own, and all are counted.
    server.wait_for_log("publisher sent text", 1);
    let refused = server.metric("videostream_refusals_total{reason=\"media\"}");
    assert_eq!(refused, 6);
    assert_eq!(server.metric("videostream_publishers_rejected_total"), 6);
    server.wait_until_offline("demo");
}

#[test]
fn close_frame_has_the_reason_without_the_subprotocol() {
    let server = Server::start();
    let mut publisher = WebSocketClient::open(&server, "/publish/demo", &[]);
    publisher.send("hello");
    match publisher.hear() {
        Heard::Closed(code, reason) => assert_eq!((code, &*reason), (1003, REASON)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn text_on_air_ends_the_stream_after_its_last_whole_block() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    let mut viewer = Viewer::v1(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    viewer.watch(1);
    publisher.go_on(&sample);
    publisher.client.send("goodbye");
    assert_eq!(publisher.client.closed(), (1003, REASON.to_owned()));
    viewer.watch(sample.all_frames().len());
    assert_eq!(viewer.text("offline")["reason"], "lost");
}

#[test]
fn text_that_is_no_utf_8_is_answered_1007() {
    let server = Server::start();
    let mut publisher = Publisher::open(&server, "demo");
    // A mask of zeroes.
    publisher.client.send_raw(&[0x81, 0x81, 0, 0, 0, 0, 0xff]);
    assert_eq!(publisher.client.closed().0, 1007);
    let mut publisher = Publisher::open(&server, "demo");
    publisher.client.send(Message::Ping("text".into()));
    publisher.client.send(Message::Pong("text".into()));
    publisher.finish();
}
