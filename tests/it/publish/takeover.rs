//! The promise: a newer publisher takes the stream over with its first media, the old one gets
//! `replaced` and is closed, and viewers play on. The owner can end any publisher.

use crate::common::http::{Http, reset_on_drop};
use crate::common::media::{Sample, assert_frames};
use crate::common::server::Server;
use crate::common::viewer::{HttpViewer, Viewer};
use crate::common::websocket::{Heard, Publisher, WebSocketClient};
use tungstenite::Message;
use videostream::webm::{Block, TrackKind};

/// Opens a PUT whose body will be chunked, and waits until the server wants it.
fn put(server: &Server, name: &str) -> Http {
    let mut http = Http::open(server);
    let fields = ["Transfer-Encoding: chunked", "Expect: 100-continue"];
    http.ask("PUT", &format!("/live/{name}.webm"), &fields);
    assert_eq!(http.head().status, 100);
    http
}

#[test]
fn newer_publisher_takes_over_and_viewers_go_on() {
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
    new.send_all(&second.chunks);
    old.client.text("replaced");
    let (code, reason) = old.client.closed();
    assert_eq!(
        (code, &*reason),
        (1000, "a newer publisher took the stream over")
    );
    let frames = [first.frames(first.shown(cut)), second.all_frames()].concat();
    told.watch(frames.len());
    chunked.watch(frames.len());
    assert_frames(&told.screen.frames(), &frames);
    assert_frames(&chunked.screen.frames(), &frames);
    assert_eq!((told.screen.inits, chunked.screen.inits), (1, 1));
    assert_eq!(told.told(), ["hello", "hello", "init"]);
    drop(old);
    assert_eq!(server.report("demo").unwrap()["live"], true);
}

#[test]
fn late_media_of_a_replaced_publisher_reach_no_viewer() {
    let server = Server::start();
    let [first, second] = ["chromium-restart-1", "chromium-restart-2"].map(Sample::read);
    let mut viewer = Viewer::v1(&server, "demo");
    let mut old = Publisher::open(&server, "demo");
    let sent = first.opening();
    old.open_stream(&first);
    let shown = first.shown(sent);
    viewer.watch(shown.len());

    let mut new = Publisher::open(&server, "demo");
    new.open_stream(&second);
    viewer.watch(shown.len() + 1);
    // It has not read yet that it was replaced.
    old.go_on(&first);
    new.go_on(&second);
    let frames = [first.frames(shown), second.all_frames()].concat();
    viewer.watch(frames.len());
    assert_frames(&viewer.screen.frames(), &frames);
    assert_eq!(old.client.closed().0, 1000);
}

#[test]
fn close_frame_names_the_takeover_without_the_subprotocol() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    let mut old = WebSocketClient::open(&server, "/publish/demo", &[]);
    old.send(Message::Binary(sample.bytes.slice(..sample.opening())));
    server.report_when("demo", |report| report["live"] == true);
    let mut new = Publisher::open(&server, "demo");
    new.open_stream(&sample);
    match old.hear() {
        Heard::Closed(1000, reason) => {
            assert_eq!(reason, "a newer publisher took the stream over");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn replaced_http_publisher_is_answered_409() {
    let server = Server::start();
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut viewer = Viewer::v1(&server, "demo");
    let mut old = put(&server, "demo");
    old.send_chunk(&sample.bytes[..sample.opening()]);
    viewer.watch(1);
    let mut new = put(&server, "demo");
    new.send_chunk(&sample.bytes[..sample.opening()]);
    let answer = old.answer("PUT");
    assert_eq!(answer.status, 409);
    assert_eq!(answer.text(), "a newer publisher took the stream over\n");
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
    for chunk in &second.chunks {
        http.send_chunk(chunk);
    }
    socket.client.text("replaced");
    seen.extend(second.all_frames());
    viewer.watch(seen.len());

    let mut socket = Publisher::open(&server, "demo");
    socket.send_all(&first.chunks);
    assert_eq!(http.answer("PUT").status, 409);
    seen.extend(first.all_frames());
    viewer.watch(seen.len());
    assert_frames(&viewer.screen.frames(), &seen);
    assert_eq!(viewer.screen.inits, 1);
}

#[test]
fn owner_can_end_a_publisher() {
    let server = Server::with(&["--publish-key", "owner"]);
    let key = "Authorization: Bearer owner";
    let sample = Sample::read("chromium-restart-1");
    let mut viewer = Viewer::v1(&server, "demo");
    let end = |fields: &[&str]| {
        let answer = Http::open(&server).request("DELETE", "/api/streams/demo", fields);
        answer.status
    };
    assert_eq!(end(&[]), 401);
    assert_eq!(end(&[key]), 404);

    let mut socket = WebSocketClient::open(&server, "/publish/demo?key=owner", &[]);
    // Also one that has sent nothing yet.
    assert_eq!(end(&[]), 401);
    assert_eq!(end(&[key]), 204);
    assert_eq!(socket.closed(), (1000, "ended by its owner".to_owned()));

    let mut socket = WebSocketClient::open(&server, "/publish/demo?key=owner", &[]);
    socket.send(Message::Binary(sample.bytes.slice(..sample.opening())));
    viewer.watch(1);
    assert_eq!(end(&[key]), 204);
    assert_eq!(socket.closed(), (1000, "ended by its owner".to_owned()));
    assert_eq!(viewer.text("offline")["reason"], "ended");

    let mut http = Http::open(&server);
    http.ask("PUT", "/publish/demo", &[key, "Transfer-Encoding: chunked"]);
    http.send_chunk(&sample.bytes[..sample.opening()]);
    viewer.text("hello");
    viewer.watch(2);
    assert_eq!(end(&[key]), 204);
    assert_eq!(http.answer("PUT").status, 403);
    assert_eq!(viewer.text("offline")["reason"], "ended");
    assert_eq!(end(&[key]), 404);
}

/// The lines of the log that say this.
fn said(server: &Server, words: &str) -> usize {
    server.log().matches(words).count()
}

#[test]
fn stream_is_not_live_before_its_first_block() {
    let server = Server::start();
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut early = Viewer::v1(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    let listed = || Http::open(&server).get("/api/streams").text();
    let not_live = |what: &str| {
        assert_eq!(server.report("demo").unwrap()["live"], false, "{what}");
        assert!(!listed().contains("demo"), "{what}");
        assert_eq!(said(&server, "publisher came"), 0, "{what}");
        let late = Viewer::v1(&server, "demo");
        assert_eq!(late.texts[0]["live"], false, "{what}");
    };
    not_live("ready, and nothing was sent");
    let keyframe = &sample.blocks[sample.keyframes()[0]];
    let (init, end) = (keyframe.offset as usize, sample.end_of(keyframe));
    publisher.send(&sample.bytes.slice(..init));
    not_live("an init segment");
    publisher.send(&sample.bytes.slice(init..end - 1));
    not_live("a keyframe but for its last byte");
    publisher.send(&sample.bytes.slice(end - 1..end));
    assert_eq!(early.text("hello")["live"], true);
    // Its init segment comes when each track has begun.
    publisher.send(&sample.bytes.slice(end..sample.opening()));
    early.watch(sample.shown(sample.opening()).len());
    assert_eq!(early.told(), ["hello", "hello", "init"]);
    assert_eq!(server.report("demo").unwrap()["live"], true);
    let report = server.report("demo").unwrap();
    assert!(report["received_bytes"].as_u64().unwrap() > sample.opening() as u64);
    assert!(listed().contains("demo"));
    server.wait_for_log("publisher came stream=demo", 1);
}

#[test]
fn blocks_without_a_keyframe_put_nothing_on_air() {
    let server = Server::start();
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut publisher = Publisher::open(&server, "demo");
    // All that can be known of a stream that is joined in its middle.
    let keyframe = sample.keyframes()[0];
    let later = sample.blocks[keyframe + 1..].iter();
    let mut blocks = later.filter(|block| !block.keyframe);
    let init = sample.blocks[0].offset as usize;
    publisher.send(&sample.bytes.slice(..init));
    for block in blocks.by_ref().take(20) {
        let begin = block.offset as usize;
        publisher.send(&sample.bytes.slice(begin..sample.end_of(block)));
    }
    // It gets a request for a new recording, which begins with a keyframe.
    publisher.client.text("restart");
    assert_eq!(server.report("demo").unwrap()["live"], false);
    publisher.send_all(&sample.chunks);
    server.report_when("demo", |report| report["live"] == true);
}

#[test]
fn junk_beside_a_good_publisher_leaves_it_on_air() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    let mut viewer = Viewer::v1(&server, "demo");
    let mut good = Publisher::open(&server, "demo");
    good.open_stream(&sample);
    viewer.watch(1);

    let mut idle = Publisher::open(&server, "demo");
    let mut wrong_file = Publisher::open(&server, "demo");
    wrong_file.send(&bytes::Bytes::from_static(b"RIFF\0\0\0\0WAVEfmt "));
    assert_eq!(wrong_file.client.closed().0, 1003);
    let mut text = Publisher::open(&server, "demo");
    text.client.send("data:video/webm;base64,GkXfo59ChoEB");
    assert_eq!(text.client.closed().0, 1003);
    let mut init_only = Publisher::open(&server, "demo");
    init_only.send(&sample.bytes.slice(..sample.blocks[0].offset as usize));
    let mut broken = Publisher::open(&server, "demo");
    broken.send(&sample.bytes.slice(..sample.blocks[0].offset as usize));
    broken.send(&bytes::Bytes::from_static(&[
        0x1a, 0x45, 0xdf, 0xa3, 0x81, 0xff, 0xff,
    ]));
    assert_eq!(broken.client.closed().0, 1007);
    let reset = Publisher::open(&server, "demo");
    reset_on_drop(reset.client.stream());
    drop(reset);
    for body in [&b"no WebM at all"[..], b"", b"{\"type\":\"hello\"}"] {
        let answer = Http::open(&server).upload("PUT", "/live/demo.webm", &[], body);
        assert!([400, 415].contains(&answer.status), "{}", answer.status);
    }
    // A body that ends whole, but holds no block.
    let head = &sample.bytes[..sample.blocks[0].offset as usize];
    Http::open(&server).upload("PUT", "/live/demo.webm", &[], head);

    good.go_on(&sample);
    viewer.watch(sample.all_frames().len());
    assert_frames(&viewer.screen.frames(), &sample.all_frames());
    assert_eq!(viewer.told(), ["hello", "hello", "init"]);
    // The log has a thread of its own, which may be late.
    server.wait_for_log("publisher came", 1);
    assert_eq!(said(&server, "publisher came"), 1);
    assert_eq!(said(&server, "publisher left stream"), 0);
    // Waiting publishers are still served.
    idle.send_all(&sample.chunks);
    good.client.text("replaced");
    server.wait_for_log("takes_over=true", 1);
    viewer.watch(2 * sample.all_frames().len());
    assert_eq!(viewer.told(), ["hello", "hello", "init"]);
}

#[test]
fn newest_publisher_with_media_wins() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    let mut viewer = Viewer::v1(&server, "demo");
    let mut first = Publisher::open(&server, "demo");
    let mut second = Publisher::open(&server, "demo");
    let mut third = Publisher::open(&server, "demo");
    second.open_stream(&sample);
    viewer.watch(1);
    // It came before the one that is on air.
    first.client.text("replaced");
    assert_eq!(first.client.closed().0, 1000);
    third.open_stream(&sample);
    second.client.text("replaced");
    assert_eq!(second.client.closed().0, 1000);
    viewer.watch(2);
    third.go_on(&sample);
    let opening = sample.frames(sample.shown(sample.opening()));
    let frames = [opening, sample.all_frames()].concat();
    viewer.watch(frames.len());
    assert_frames(&viewer.screen.frames(), &frames);
    assert_eq!(viewer.told(), ["hello", "hello", "init"]);
}

#[test]
fn crowd_of_idle_publishers_admits_a_good_publisher() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    let mut viewer = Viewer::v1(&server, "demo");
    let mut idle: Vec<Publisher> = (0..20).map(|_| Publisher::open(&server, "demo")).collect();
    // The oldest make room.
    for publisher in &mut idle[..12] {
        let (code, reason) = publisher.client.closed();
        assert_eq!(
            (code, &*reason),
            (
                1008,
                "newer publishers replaced this one before it sent media"
            )
        );
    }
    let mut good = Publisher::open(&server, "demo");
    good.send_all(&sample.chunks);
    viewer.watch(sample.newest_gop(sample.bytes.len()).len());
    assert_eq!(server.report("demo").unwrap()["live"], true);
}

#[test]
fn streams_that_wait_for_their_first_block_count_as_streams() {
    let server = Server::with(&["--max-streams", "2"]);
    let sample = Sample::read("chromium-restart-1");
    let mut one = Publisher::open(&server, "one");
    let two = Publisher::open(&server, "two");
    let full = || {
        Http::open(&server)
            .upload("PUT", "/publish/three", &[], b"x")
            .status
    };
    assert_eq!(full(), 503);
    one.open_stream(&sample);
    server.report_when("one", |report| report["live"] == true);
    assert_eq!(full(), 503);
    two.finish();
    server.wait_for_log("publisher left before its first media stream=two", 1);
    assert_eq!(full(), 415);
}

#[test]
fn other_tracks_replace_the_stream_and_viewers_get_the_new_type() {
    let server = Server::start();
    let first = Sample::read("chromium-vp8-opus-100ms");
    let second = Sample::read("chromium-opus-only-100ms");
    let mut told = Viewer::v1(&server, "demo");
    let mut plain = Viewer::plain(&server, "demo");
    let mut old = Publisher::open(&server, "demo");
    old.open_stream(&first);
    let opening = first.shown(first.opening()).len();
    told.watch(opening);
    plain.watch(opening);
    let mut new = Publisher::open(&server, "demo");
    new.send_all(&second.chunks);
    old.client.text("replaced");
    told.watch(opening + second.all_frames().len());
    let texts = ["hello", "hello", "init", "offline", "hello", "init"];
    assert_eq!(told.told(), texts);
    assert_eq!(told.texts[3]["reason"], "replaced");
    assert_eq!(told.texts[4]["live"], true);
    assert_eq!(plain.closed().0, 1000);
    // A newcomer has missed nothing.
    let mut late = Viewer::v1(&server, "demo");
    late.watch(1);
    assert_eq!(late.told(), ["hello", "init"]);
    // The same tracks in a second recording of one publisher: no takeover.
    new.send_all(&first.chunks);
    told.watch(opening + second.all_frames().len() + 1);
    let count = |kind| told.told().iter().filter(|told| **told == kind).count();
    assert_eq!((count("offline"), count("init")), (1, 3));
}

#[test]
fn interleaved_frames_of_the_old_publisher_precede_the_new_one() {
    let server = Server::start();
    let sample = Sample::read("chromium-restart-1");
    let of = |kind, keyframe| {
        let mut blocks = sample.blocks.iter();
        let kind_of = |block: &Block| sample.recording.tracks[block.track].kind;
        let block = blocks.find(|block| kind_of(block) == kind && block.keyframe == keyframe);
        let block = block.unwrap();
        let number = sample.recording.tracks[block.track].number as u8;
        (number, block.element.frame().to_vec())
    };
    // As a file whose tracks are not in order: a frame of picture at 100 ms waits until the sound
    // has come as far, and it never does.
    let (picture, sound) = (of(TrackKind::Video, true), of(TrackKind::Audio, true));
    let delta = of(TrackKind::Video, false);
    let simple_block = |(number, frame): &(u8, Vec<u8>), ms: u8, flags: u8| {
        let length = u16::try_from(frame.len() + 4).unwrap();
        let [high, low] = (length | 0x4000).to_be_bytes();
        let head = [0xa3, high, low, 0x80 | number, 0, ms, flags];
        [&head, &frame[..]].concat()
    };
    let mut unordered = sample.bytes[..sample.blocks[0].offset as usize].to_vec();
    for (block, ms, flags) in [
        (&picture, 0, 0x80),
        (&sound, 50, 0x80),
        (&delta, 33, 0),
        (&delta, 100, 0),
    ] {
        unordered.extend(simple_block(block, ms, flags));
    }
    let mut viewer = Viewer::v1(&server, "demo");
    let mut old = Publisher::open(&server, "demo");
    old.send(&unordered.into());
    viewer.watch(3);
    let mut new = Publisher::open(&server, "demo");
    new.open_stream(&sample);
    viewer.watch(5);
    // What had waited for its place was the newest, and so it comes, before the newcomer's keyframe.
    let keyframes: Vec<bool> = viewer
        .screen
        .frames
        .iter()
        .map(|frame| frame.keyframe)
        .collect();
    assert_eq!(viewer.screen.frames.len(), 5);
    assert!(keyframes[4] && !keyframes[3], "{keyframes:?}");
    assert_eq!(viewer.screen.inits, 1);
}
