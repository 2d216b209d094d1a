//! The promise: what caches get of a stream is what viewers get, under numbers that are never used again.

use crate::common::http::{Http, Response};
use crate::common::media::Sample;
use crate::common::next_millisecond;
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use crate::common::websocket::Publisher;
use serde_json::Value;
use std::thread;

/// Where each GOP ends, in bytes of the recording.
fn gop_ends(sample: &Sample) -> Vec<usize> {
    let keyframes = sample.keyframes();
    let starts = keyframes[1..].iter();
    let ends = starts.map(|&keyframe| sample.blocks[keyframe].offset as usize);
    ends.chain([sample.bytes.len()]).collect()
}

fn list(http: &mut Http, query: &str) -> Value {
    let answer = http.get(&format!("/live/demo/live.json{query}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.field("Cache-Control"), Some("public, max-age=1"));
    serde_json::from_slice(&answer.body).unwrap()
}

fn file(http: &mut Http, name: &str) -> Response {
    let answer = http.get(&format!("/live/demo/{name}"));
    assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    let caching = answer.field("Cache-Control");
    assert_eq!(caching, Some("public, max-age=3600, immutable"));
    answer
}

/// The numbers of all that is finished.
fn numbers(list: &Value) -> Vec<u64> {
    let gops = list["gops"].as_array().unwrap().iter();
    gops.map(|gop| gop["n"].as_u64().unwrap()).collect()
}

#[test]
fn init_segment_and_all_segments_are_what_a_viewer_gets() {
    for name in [
        "chromium-vp8-opus-100ms",
        "ffmpeg-live",
        "chromium-opus-only-100ms",
    ] {
        let sample = Sample::read(name);
        let server = Server::start();
        let mut viewer = Viewer::plain(&server, "demo");
        let mut http = Http::open(&server);
        let mut publisher = Publisher::open(&server, "demo");
        publisher.open_stream(&sample);
        viewer.watch(1);
        let mut sent = sample.opening();
        let before_last = sample.newest_gop(sample.bytes.len()).start;
        for end in gop_ends(&sample) {
            publisher.send(&sample.bytes.slice(sent..end.max(sent)));
            sent = end.max(sent);
            viewer.watch(sample.shown(sent).len());
            next_millisecond();
        }
        let open = list(&mut http, "")["open"].as_u64().expect("a live stream");
        let mut growing = Http::open(&server);
        growing.ask("GET", &format!("/live/demo/{open}.webm"), &[]);
        let mut waiting = Http::open(&server);
        waiting.ask("GET", &format!("/live/demo/live.json?after={open}"), &[]);
        publisher.finish();
        let last = growing.answer("GET");
        let all = waiting.answer("GET");
        let all: Value = serde_json::from_slice(&all.body).unwrap();
        assert_eq!((&all["open"], &all["name"]), (&Value::Null, &"demo".into()));
        let numbers = numbers(&all);
        assert!(
            numbers.len() > 2 && *numbers.last().unwrap() == open,
            "{name}: {numbers:?}"
        );
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
        let init = all["init"]
            .as_str()
            .expect("the address of an init segment");
        let mut bytes = file(&mut http, init).body;
        for number in &numbers {
            bytes.extend(file(&mut http, &format!("{number}.webm")).body);
        }
        assert!(
            bytes == viewer.screen.bytes,
            "{name}: {} bytes",
            bytes.len()
        );
        assert!(bytes.ends_with(&last.body) && before_last > 0);
        let sizes = all["gops"].as_array().unwrap().iter();
        let sizes: u64 = sizes.map(|gop| gop["bytes"].as_u64().unwrap()).sum();
        assert!(sizes < bytes.len() as u64);
        assert_eq!(server.metric("videostream_segments_cut_total"), 0);
    }
}

#[test]
fn numbers_and_init_segments_are_new_after_a_restart() {
    let sample = Sample::read("chromium-restart-1");
    let publish = |server: &Server| {
        let mut publisher = Publisher::on_air(server, "demo");
        publisher.send(
            &sample
                .bytes
                .slice(sample.opening()..gop_ends(&sample)[0] + 2000),
        );
        let mut http = Http::open(server);
        let first = list(&mut http, "");
        (
            publisher,
            first["open"].as_u64().unwrap(),
            first["init"].clone(),
        )
    };
    let server = Server::start();
    let (publisher, number, init) = publish(&server);
    drop(publisher);
    // Its segments stay for a while, and so does its init segment, which fits.
    let (publisher, again, same_init) = publish(&server);
    assert!(again > number, "{number}, {again}");
    assert_eq!(init, same_init);
    drop((publisher, server));
    let server = Server::start();
    let (_publisher, later, other_init) = publish(&server);
    assert!(later > again, "{again}, {later}");
    assert_ne!(init, other_init);
}

#[test]
fn many_readers_follow_a_stream_from_segment_to_segment() {
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let server = Server::start();
    let mut viewer = Viewer::plain(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    viewer.watch(1);
    let open = list(&mut Http::open(&server), "")["open"].as_u64().unwrap();
    let ends = gop_ends(&sample);
    let bodies: Vec<Vec<Vec<u8>>> = thread::scope(|scope| {
        let readers: Vec<_> = (0..48)
            .map(|_| {
                scope.spawn(|| {
                    // One connection, one request after another; the next is there before it is due.
                    let mut http = Http::open(&server);
                    let numbers = open..open + ends.len() as u64;
                    numbers
                        .map(|number| file(&mut http, &format!("{number}.webm")).body)
                        .collect()
                })
            })
            .collect();
        let mut sent = sample.opening();
        for end in &ends {
            for part in [sent + (end - sent) / 2, *end] {
                publisher.send(&sample.bytes.slice(sent..part));
                sent = part;
                viewer.watch(sample.shown(sent).len());
            }
            next_millisecond();
        }
        publisher.finish();
        readers.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let first = &bodies[0];
    assert!(bodies.iter().all(|one| one == first));
    assert!(viewer.screen.bytes.ends_with(&first.concat()));
    let served = server.metric("videostream_segments_total");
    assert_eq!(served, 48 * ends.len() as u64);
    assert_eq!(server.metric("videostream_segments_waiting"), 0);
}
