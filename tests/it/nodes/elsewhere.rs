//! The promise: what a client may ask of a stream it may ask of any node, wherever the publisher is.

use super::nats::Nats;
use super::node;
use super::numbered::{HEAD, Numbered, Seen, element, frame, read_frame, seen, watch_to};
use crate::common::eventually;
use crate::common::http::{Http, Response};
use crate::common::media::Sample;
use crate::common::server::Server;
use crate::common::viewer::{HttpViewer, Viewer};
use crate::common::websocket::Publisher;
use crate::record::film;
use bytes::Bytes;
use serde_json::Value;
use std::path::PathBuf;

/// Begins like a JPEG.
const JPEG: &[u8] = b"\xff\xd8\xff\xe0 a picture";

fn get(server: &Server, target: &str) -> Response {
    Http::open(server).get(target)
}

#[test]
fn pictures_are_the_same_at_every_node_and_a_poster_may_be_sent_to_any() {
    let nats = Nats::start();
    let [a, b] = ["a", "b"].map(|name| node(&nats, name, &[]));
    let mut publisher = Publisher::open(&a, "demo");
    publisher.open_stream(&Sample::read("chromium-vp8-opus-100ms"));
    b.report_when("demo", |report| report["live"] == true);
    let [here, there] = [&a, &b].map(|server| get(server, "/live/demo.webp"));
    assert_eq!(
        (there.status, there.field("Content-Type")),
        (200, Some("image/webp"))
    );
    assert_eq!(here.body, there.body);
    assert_eq!(get(&b, "/live/demo.jpg").status, 404);
    let sent = Http::open(&b).upload("PUT", "/live/demo.jpg", &[], JPEG);
    assert_eq!(sent.status, 204);
    for server in [&a, &b] {
        for target in ["/live/demo.jpg", "/live/demo/poster"] {
            eventually("the poster", || {
                (get(server, target).body == JPEG).then_some(())
            });
        }
    }
    // No media came for that.
    assert_eq!(b.metric("videostream_nodes_joins_total"), 0);
    publisher.finish();
    eventually("the picture of the name", || {
        let picture = get(&b, "/live/demo/poster");
        (picture.field("Content-Type") == Some("image/svg+xml")).then_some(())
    });
}

#[test]
fn segments_come_from_every_node_at_the_first_request() {
    let nats = Nats::start();
    let [a, b, c] = ["a", "b", "c"].map(|name| node(&nats, name, &[]));
    let publisher = Numbered::publish(&a, "demo", 1);
    for server in [&b, &c] {
        server.report_when("demo", |report| report["live"] == true);
    }
    let manifest = get(&c, "/live/demo/live.mpd");
    assert_eq!(manifest.status, 200, "{}", manifest.text());
    assert!(manifest.text().contains("<MPD"), "{}", manifest.text());
    let list = get(&b, "/live/demo/live.json");
    assert_eq!(list.status, 200, "{}", list.text());
    let list: Value = serde_json::from_slice(&list.body).unwrap();
    let first = list["open"].as_u64().or(list["gops"][0]["n"].as_u64());
    let first = first.unwrap_or_else(|| panic!("no segment in {list}"));
    let init = get(
        &b,
        &format!("/live/demo/{}", list["init"].as_str().unwrap()),
    );
    let mut bytes = init.body;
    for number in first..first + 3 {
        let segment = get(&b, &format!("/live/demo/{number}.webm"));
        assert_eq!(segment.status, 200, "{number}");
        bytes.extend(segment.body);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let numbers: Vec<u64> = frames_of(file.path())
        .iter()
        .map(|one| one.number)
        .collect();
    let expected: Vec<u64> = (numbers[0]..).take(numbers.len()).collect();
    assert_eq!((numbers.len(), numbers), (30, expected));
    drop(publisher);
}

fn frames_of(path: &std::path::Path) -> Vec<Seen> {
    film(path)
        .frames
        .iter()
        .map(|(_, bytes)| read_frame(bytes))
        .collect()
}

/// The finished recordings of a node, in order.
fn recordings(server: &Server, dir: &tempfile::TempDir, count: u64) -> Vec<PathBuf> {
    eventually("the recordings are finished", || {
        let finished = server.metric("videostream_recordings_finished_total");
        (finished == count).then_some(())
    });
    let entries = std::fs::read_dir(dir.path().join("demo")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn publisher_that_moves_is_recorded_by_each_node_for_its_time() {
    let nats = Nats::start();
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let recording = |name, dir: &tempfile::TempDir| {
        let dir = dir.path().to_str().unwrap();
        node(&nats, name, &["--record", dir, "--record-grace", "100ms"])
    };
    let (a, b) = (recording("a", &dirs[0]), recording("b", &dirs[1]));
    let mut viewers = [&a, &b].map(|server| Viewer::v1(server, "demo"));
    let mut publishers = Vec::new();
    for (server, number) in [(&a, 1), (&b, 2), (&a, 3)] {
        publishers.push(Numbered::publish(server, "demo", number));
        for viewer in &mut viewers {
            watch_to(viewer, number, 15);
        }
    }
    publishers.clear();
    let [shown, _] = viewers.map(|mut viewer| {
        viewer.text("offline");
        seen(&viewer.screen)
    });
    let of = |number: u8| -> Vec<Seen> {
        let shown = shown.iter().filter(|one| one.publisher == number);
        shown.copied().collect()
    };
    let at_a = recordings(&a, &dirs[0], 2);
    assert_eq!(at_a.len(), 2, "{at_a:?}");
    assert_eq!(frames_of(&at_a[0]), of(1));
    assert_eq!(frames_of(&at_a[1]), of(3));
    let at_b = recordings(&b, &dirs[1], 1);
    let at_b = frames_of(&at_b[0]);
    assert!(at_b.iter().all(|one| one.publisher == 2) && at_b.len() >= of(2).len());
}

#[test]
fn button_of_the_publisher_page_records_at_the_publishers_node() {
    let nats = Nats::start();
    let dir = tempfile::tempdir().unwrap();
    let options = [
        "--record",
        dir.path().to_str().unwrap(),
        "--record-on-request",
    ];
    let [a, b] = ["a", "b"].map(|name| node(&nats, name, &options));
    let publisher = Numbered::publish(&a, "demo", 1);
    b.report_when("demo", |report| report["live"] == true);
    for (method, is_recorded) in [("PUT", true), ("DELETE", false)] {
        let answer = Http::open(&b).request(method, "/api/streams/demo/recording", &[]);
        assert_eq!(answer.status, 204, "{}", answer.text());
        b.report_when("demo", |report| report["recording"] == is_recorded);
        assert_eq!(a.report("demo").unwrap()["recording"], is_recorded);
    }
    drop(publisher);
}

#[test]
fn viewer_at_another_node_has_the_publisher_asked_for_a_keyframe() {
    let nats = Nats::start();
    let [a, b] = ["a", "b"].map(|name| node(&nats, name, &[]));
    let mut early = HttpViewer::open(&b, "demo");
    let mut publisher = Publisher::open(&a, "demo");
    publisher.send(&Bytes::from_static(HEAD));
    publisher.send(&element(0, &frame(1, 0, 100)).into());
    early.watch(1);
    // Delta frames of seconds: a long way for a viewer that comes now.
    let delta = |number: u16| {
        let frame = frame(1, 1, 100);
        let mut bytes = vec![0xa3, 0x40, u8::try_from(frame.len() + 4).unwrap(), 0x81];
        bytes.extend((number * 100).to_be_bytes());
        bytes.push(0);
        bytes.extend(frame);
        Bytes::from(bytes)
    };
    for number in 1..60 {
        publisher.send(&delta(number));
    }
    early.watch(60);
    let late = HttpViewer::open(&b, "demo");
    publisher.client.text("restart");
    assert!(early.screen.frames.len() < 62);
    drop(late);
}
