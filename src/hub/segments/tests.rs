//! What caches get, by a time that the test passes in.

use crate::config::Options;
use crate::hub::tests::{Peer, World};
use crate::session::fetching::{Fetching, SEGMENT_WAIT};
use crate::webm::{Event, Segmenter};
use bytes::Bytes;
use serde_json::Value;
use std::ops::Range;
use std::time::Duration;

const RECORDING: &[u8] = include_bytes!("../../../tests/data/chromium-vp8-opus-100ms.webm");

/// Where the first byte of each keyframe of the picture is.
fn keyframes() -> Vec<usize> {
    let mut segmenter = Segmenter::new(Default::default());
    segmenter.push(Bytes::from_static(RECORDING));
    let (mut video, mut keyframes) = (None, Vec::new());
    while let Some(event) = segmenter.poll().expect("a valid recording") {
        match event {
            Event::Recording(recording) => video = recording.video(),
            Event::Block(block) if Some(block.track) == video && block.keyframe => {
                keyframes.push(block.offset as usize);
            }
            Event::Cluster(_) | Event::Block(_) | Event::Stray { .. } => {}
        }
    }
    keyframes
}

/// A publisher that sends its recording in parts.
struct OnAir {
    world: World,
    publisher: Peer,
    keyframes: Vec<usize>,
}

impl OnAir {
    fn with(options: Options) -> OnAir {
        let mut world = World::with(options, None);
        let publisher = world.connect(
            "PUT /publish/demo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n",
        );
        world.settle();
        OnAir {
            world,
            publisher,
            keyframes: keyframes(),
        }
    }

    fn new() -> OnAir {
        OnAir::with(Options::default())
    }

    fn send(&mut self, part: Range<usize>) {
        self.world.send(&self.publisher, &RECORDING[part]);
        self.world.wait(Duration::from_millis(10));
    }

    /// Sends all before this GOP, whose numbers are 0, 1, 2, …: the clock of these tests begins in 1970.
    fn send_before(&mut self, gop: usize) {
        let mut from = 0;
        for index in 1..=gop {
            self.send(from..self.keyframes[index]);
            from = self.keyframes[index];
        }
    }

    /// Sends the first half of this GOP.
    fn send_half(&mut self, gop: usize) {
        let from = self.keyframes[gop];
        let next = self.keyframes.get(gop + 1).copied();
        let to = next.unwrap_or(RECORDING.len());
        self.send(from..from + (to - from) / 2);
    }

    fn send_other_half(&mut self, gop: usize) {
        let (from, to) = (self.keyframes[gop], self.keyframes[gop + 1]);
        self.send(from + (to - from) / 2..to);
        // With the keyframe that ends it.
        self.send(to..to + 3000);
    }

    fn ask(&mut self, request: &str) -> Peer {
        let peer = self.world.connect(&format!("{request}\r\n\r\n"));
        self.world.settle();
        peer
    }

    fn get(&mut self, file: &str) -> Peer {
        self.ask(&format!(
            "GET /live/demo/{file} HTTP/1.1\r\nHost: localhost"
        ))
    }

    fn list(&mut self) -> Value {
        let peer = self.get("live.json");
        let received = peer.received();
        let (_, body) = received.split_once("\r\n\r\n").expect("an answer");
        serde_json::from_str(body).expect("JSON")
    }
}

fn head(peer: &Peer) -> String {
    let received = peer.received();
    let head = received.split_once("\r\n\r\n").map(|(head, _)| head);
    head.unwrap_or_default().to_owned()
}

fn body(peer: &Peer) -> Vec<u8> {
    let pipe = peer.pipe.borrow();
    let bytes = &pipe.from_server;
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    bytes[end.expect("a head") + 4..].to_vec()
}

/// A chunked body without its frame, and whether its end has come.
fn unchunk(mut body: &[u8]) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    while let Some(end) = body.windows(2).position(|two| two == b"\r\n") {
        let length = std::str::from_utf8(&body[..end]).expect("digits");
        let length = usize::from_str_radix(length, 16).expect("a length");
        if length == 0 {
            assert_eq!(&body[end..], b"\r\n\r\n");
            return (bytes, true);
        }
        let rest = &body[end + 2..];
        if rest.len() < length + 2 {
            bytes.extend_from_slice(&rest[..length.min(rest.len())]);
            break;
        }
        bytes.extend_from_slice(&rest[..length]);
        body = &rest[length + 2..];
    }
    (bytes, false)
}

#[test]
fn growing_segment_is_sent_as_it_grows_and_ends_with_its_gop() {
    let mut on_air = OnAir::new();
    on_air.send_before(1);
    on_air.send_half(1);
    let growing = on_air.get("1.webm");
    let growing_head = head(&growing);
    for field in [
        "HTTP/1.1 200 OK",
        "\r\nTransfer-Encoding: chunked",
        "\r\nCache-Control: public, max-age=3600, immutable",
        "\r\nETag: \"1\"",
        "\r\nContent-Type: video/webm",
        "\r\nX-Videostream-Generation: 0",
        "\r\nConnection: keep-alive",
    ] {
        assert!(growing_head.contains(field), "{field} in {growing_head}");
    }
    let old = on_air.ask("GET /live/demo/1.webm HTTP/1.0\r\nHost: a");
    let (half, is_ended) = unchunk(&body(&growing));
    assert!(!is_ended && half.starts_with(b"\x1f\x43\xb6\x75"));
    on_air.send_other_half(1);
    let (whole, is_ended) = unchunk(&body(&growing));
    assert!(is_ended && whole.len() > half.len() && whole.starts_with(&half));
    // Whole, it has the same bytes, a length, and the same mark.
    let finished = on_air.get("1.webm");
    let finished_head = head(&finished);
    assert!(body(&finished) == whole);
    // HTTP/1.0 has no chunks: it waits for the whole.
    assert!(body(&old) == whole && !head(&old).contains("chunked"));
    assert!(finished_head.contains(&format!("\r\nContent-Length: {}", whole.len())));
    assert!(finished_head.contains("\r\nETag: \"1\""));
    let init = on_air.get("init-0.webm");
    assert!(body(&init).starts_with(b"\x1a\x45\xdf\xa3"));
    assert!(
        head(&init).contains("max-age=3600, immutable"),
        "{}",
        head(&init)
    );
    let known =
        on_air.ask("GET /live/demo/1.webm HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: \"1\"");
    assert!(head(&known).starts_with("HTTP/1.1 304"), "{}", head(&known));
    let described = on_air.ask("HEAD /live/demo/1.webm HTTP/1.1\r\nHost: localhost");
    assert!(head(&described).contains(&format!("\r\nContent-Length: {}", whole.len())));
    assert!(body(&described).is_empty());
    let counters = &on_air.world.hub.books.counters;
    assert_eq!((counters.segments, counters.segments_cut), (5, 0));
}

#[test]
fn http_1_0_reader_gets_404_at_once_when_the_ring_loses_its_growing_segment() {
    let mut on_air = OnAir::new();
    on_air.send_before(1);
    let (from, to) = (on_air.keyframes[1], on_air.keyframes[2]);
    let middle = from + (to - from) / 2;
    // The ring keeps its newest chunk in any case.
    on_air.send(from..from + 3000);
    on_air.send(from + 3000..middle);
    let old = on_air.ask("GET /live/demo/1.webm HTTP/1.0\r\nHost: a");
    let listed = on_air.get("live.json?after=1");
    on_air.world.hub.shorten_rings(usize::MAX);
    // Both requests are queued at once, in whichever phase of a turn the ring was cut.
    assert_eq!(on_air.world.hub.queues.writers(), 2);
    on_air.world.settle();
    assert!(head(&old).starts_with("HTTP/1.1 404"), "{}", head(&old));
    // The segment goes on, and ends.
    assert_eq!(listed.received(), "");
    on_air.send(middle..to + 3000);
    assert!(head(&listed).starts_with("HTTP/1.1 200"));
}

#[test]
fn request_for_the_next_segment_waits_and_further_ahead_there_is_none() {
    let mut on_air = OnAir::new();
    on_air.send_before(1);
    on_air.send_half(1);
    let next = on_air.get("2.webm");
    let list = on_air.get("live.json?after=1");
    assert_eq!((next.received(), list.received()), Default::default());
    for file in ["3.webm", "live.json?after=3", "99.webm", "init-1.webm"] {
        let peer = on_air.get(file);
        let head = head(&peer);
        assert!(head.starts_with("HTTP/1.1 404"), "{file}: {head}");
        assert!(
            head.contains("\r\nCache-Control: public, max-age=1\r\n"),
            "{head}"
        );
    }
    let elsewhere = on_air.ask("GET /live/nowhere/live.json HTTP/1.1\r\nHost: localhost");
    assert!(
        head(&elsewhere).contains("public, max-age=1"),
        "{}",
        head(&elsewhere)
    );
    on_air.send_other_half(1);
    assert!(head(&next).contains("chunked") && !unchunk(&body(&next)).1);
    let list: Value = serde_json::from_slice(&body(&list)).unwrap();
    assert_eq!(list["open"], 2);
    let numbers: Vec<&Value> = list["gops"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gop| &gop["n"])
        .collect();
    assert_eq!(numbers, [0, 1]);
    assert_eq!(
        (&list["name"], &list["init"]),
        (&"demo".into(), &"init-0.webm".into())
    );
    assert_eq!(list["mime"], "video/webm;codecs=\"vp8,opus\"");
    assert_eq!(list["gops"][0]["start_ms"], 0);
    assert_eq!(list["gops"][0]["duration_ms"], 2000);
}

#[test]
fn waiting_requests_are_answered_after_half_a_minute_and_connections_go_on() {
    let mut on_air = OnAir::new();
    on_air.send_before(1);
    on_air.send_half(1);
    let [next, list] = ["2.webm", "live.json?after=1"].map(|file| on_air.get(file));
    on_air.world.wait(SEGMENT_WAIT - Duration::from_secs(11));
    // Or the publisher would be silent for too long.
    let (from, to) = (on_air.keyframes[1], on_air.keyframes[2]);
    let half = from + (to - from) / 2;
    on_air.send(half..half + 100);
    on_air.world.wait(Duration::from_secs(10));
    assert_eq!((next.received(), list.received()), Default::default());
    on_air.world.wait(Duration::from_secs(2));
    assert!(head(&next).starts_with("HTTP/1.1 404"), "{}", head(&next));
    assert!(head(&list).starts_with("HTTP/1.1 200"), "{}", head(&list));
    on_air
        .world
        .send(&next, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    on_air.world.settle();
    assert!(
        next.received().ends_with("\r\n\r\nok\n"),
        "{}",
        next.received()
    );
}

#[test]
fn reader_that_the_ring_has_overtaken_is_cut_off_without_an_end() {
    let mut on_air = OnAir::with(Options {
        ring_duration: Some("1s".parse().unwrap()),
        ..Options::default()
    });
    on_air.send_before(1);
    on_air.send_half(1);
    let slow = on_air
        .world
        .connect("GET /live/demo/1.webm HTTP/1.1\r\nHost: a\r\n\r\n");
    slow.pipe.borrow_mut().room = Some(3000);
    let quick = on_air.get("1.webm");
    on_air.send_other_half(1);
    on_air.send(on_air.keyframes[2] + 3000..RECORDING.len());
    // It goes on when all of its segment has left the ring.
    slow.pipe.borrow_mut().room = None;
    on_air.world.hub.ready(slow.id, false, true);
    on_air.world.settle();
    let (part, is_ended) = unchunk(&body(&slow));
    assert!(slow.is_dropped() && !is_ended && part.len() > 1000);
    let (whole, is_ended) = unchunk(&body(&quick));
    assert!(is_ended && whole.starts_with(&part));
    let late = on_air.get("1.webm");
    assert!(head(&late).starts_with("HTTP/1.1 404"), "{}", head(&late));
    assert_eq!(on_air.world.hub.books.counters.segments_cut, 1);
}

#[test]
fn segments_stay_for_a_while_when_the_publisher_has_left() {
    let mut on_air = OnAir::new();
    on_air.send_before(1);
    on_air.send_half(1);
    let growing = on_air.get("1.webm");
    let next = on_air.get("2.webm");
    on_air.world.hub.abandon(on_air.publisher.id);
    on_air.world.settle();
    assert!(unchunk(&body(&growing)).1);
    let list = on_air.list();
    assert_eq!(
        (&list["open"], list["gops"].as_array().unwrap().len()),
        (&Value::Null, 2)
    );
    assert_eq!(body(&on_air.get("1.webm")), unchunk(&body(&growing)).0);
    // It comes back with the same tracks: another number, the same init segment.
    on_air.publisher = on_air.world.connect(
        "PUT /publish/demo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n",
    );
    on_air.world.settle();
    on_air.send_before(1);
    assert!(
        head(&next).contains("X-Videostream-Generation: 0"),
        "{}",
        head(&next)
    );
    let list = on_air.list();
    assert_eq!(
        (&list["open"], &list["init"]),
        (&2.into(), &"init-0.webm".into())
    );
    let end_ms = list["gops"][1]["start_ms"].as_u64().unwrap()
        + list["gops"][1]["duration_ms"].as_u64().unwrap();
    assert!((2500..4000).contains(&end_ms), "{end_ms}");
    // Its last one ends; then nothing asks for more.
    on_air.world.hub.abandon(on_air.publisher.id);
    on_air.world.wait(Duration::from_secs(9));
    assert!(head(&on_air.get("2.webm")).starts_with("HTTP/1.1 200"));
    on_air.world.wait(Duration::from_secs(3));
    let gone = on_air.get("2.webm");
    assert!(head(&gone).starts_with("HTTP/1.1 404"), "{}", head(&gone));
    assert!(on_air.world.hub.streams.find("demo").is_none());
}

#[test]
fn streams_with_a_key_stay_out_of_shared_caches() {
    let mut on_air = OnAir::with(Options {
        watch_key: Some("k".into()),
        publish_open: Some(true),
        ..Options::default()
    });
    on_air.send_before(1);
    on_air.send_half(1);
    let files = [
        "0.webm",
        "1.webm",
        "init-0.webm",
        "live.json",
        "live.mpd",
        "7.webm",
    ];
    for file in files {
        let refused = on_air.get(file);
        assert!(
            head(&refused).starts_with("HTTP/1.1 401"),
            "{file}: {}",
            head(&refused)
        );
        let permitted = on_air.get(&format!("{file}?key=k"));
        let head = head(&permitted);
        let status = if file == "7.webm" { "404" } else { "200" };
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}")),
            "{file}: {head}"
        );
        assert!(
            head.contains("\r\nCache-Control: private, no-store\r\n"),
            "{file}: {head}"
        );
    }
}

#[test]
fn manifest_lists_what_the_list_does() {
    let mut on_air = OnAir::new();
    on_air.send_before(2);
    let manifest = on_air.get("live.mpd");
    assert!(head(&manifest).contains("\r\nContent-Type: application/dash+xml\r\n"));
    assert!(head(&manifest).contains("\r\nCache-Control: public, max-age=1\r\n"));
    let text = String::from_utf8(body(&manifest)).unwrap();
    for part in [
        "type=\"dynamic\"",
        "<Period id=\"0\" start=\"PT0.000S\">",
        "contentType=\"video\" mimeType=\"video/webm\" codecs=\"vp8,opus\"",
        "presentationTimeOffset=\"0\" startNumber=\"0\"",
        "initialization=\"init-0.webm\" media=\"$Number$.webm\"",
        "<S t=\"0\" d=\"2000\"/>",
        "<UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:http-head:2014\"",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    // The one that grows is not announced.
    assert_eq!(text.matches("<S t=").count(), 1, "{text}");
}

/// The phases of a turn up to those that write. Returns how many sessions are to be written to.
fn writers_of_a_turn(on_air: &mut OnAir) -> usize {
    let hub = &mut on_air.world.hub;
    hub.read();
    hub.fan_out();
    hub.wake_segment_readers();
    let writers = hub.queues.writers();
    on_air.world.settle();
    writers
}

#[test]
fn ten_thousand_waiting_requests_are_looked_at_when_a_segment_begins_and_not_before() {
    const WAITING: usize = 10_000;
    assert!(size_of::<Fetching>() <= 256, "{}", size_of::<Fetching>());
    let mut on_air = OnAir::with(Options {
        max_connections: Some(WAITING + 2),
        ring_duration: Some("3s".parse().unwrap()),
        ..Options::default()
    });
    on_air.send_before(1);
    on_air.send_half(1);
    let request = |file: &str| format!("GET /live/demo/{file} HTTP/1.1\r\nHost: a\r\n\r\n");
    let wanted = ["2.webm", "live.json?after=1"].map(request);
    let peers: Vec<Peer> = (0..WAITING)
        .map(|index| {
            let peer = on_air.world.connect(&wanted[index % 2]);
            if index % 100 == 99 {
                on_air.world.settle();
            }
            peer
        })
        .collect();
    on_air.world.settle();
    assert_eq!(on_air.world.hub.segment_figures(), (WAITING as u64, 0));
    // Chunks of the segment before, and what leaves the ring for them, cost them no visit.
    let (from, to) = (on_air.keyframes[1], on_air.keyframes[2]);
    let before = on_air.world.hub.streams.find("demo").unwrap();
    let version = |on_air: &OnAir| on_air.world.hub.streams.stream(before).segments().version();
    let known = version(&on_air);
    for part in RECORDING[from + (to - from) / 2..to].chunks(500) {
        on_air.world.send(&on_air.publisher, part);
        assert_eq!(writers_of_a_turn(&mut on_air), 0);
    }
    assert!(version(&on_air) > known, "no segment has left the ring");
    assert!(
        peers
            .iter()
            .all(|peer| peer.pipe.borrow().from_server.is_empty())
    );
    // Nor does time, but for the look at deadlines four times a second.
    let wakes = std::iter::from_fn(|| {
        let wake = on_air.world.hub.next_wake()?;
        on_air.world.wait(Duration::from_millis(100));
        Some(wake)
    });
    let mut wakes: Vec<_> = wakes.take(20).collect();
    wakes.dedup();
    assert!(wakes.len() <= 9, "{} wakes in two seconds", wakes.len());
    // A client that hangs up is seen at once.
    on_air.world.hub.abandon(peers[0].id);
    on_air.world.settle();
    assert_eq!(on_air.world.hub.segment_figures(), (WAITING as u64 - 1, 0));
    // One look at each, when its segment begins.
    on_air
        .world
        .send(&on_air.publisher, &RECORDING[to..to + 3000]);
    assert_eq!(writers_of_a_turn(&mut on_air), WAITING - 1);
    let answered = |peer: &&Peer| peer.pipe.borrow().from_server.starts_with(b"HTTP/1.1 200");
    assert_eq!(peers.iter().filter(answered).count(), WAITING - 1);
    assert_eq!(
        on_air.world.hub.segment_figures(),
        (0, WAITING as u64 / 2 - 1)
    );
}

#[test]
fn client_behind_a_proxy_has_so_many_requests_for_segments_at_once() {
    let mut on_air = OnAir::with(Options {
        max_connections_per_address: Some(2),
        trusted_proxy: Some(vec!["127.0.0.1".parse().unwrap()]),
        publish_open: Some(true),
        ..Options::default()
    });
    on_air.send_before(1);
    on_air.send_half(1);
    let ask = |on_air: &mut OnAir, file: &str, client: &str| {
        on_air.ask(&format!(
            "GET /live/demo/{file} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client}"
        ))
    };
    let greedy = "192.0.2.1";
    let waiting = ["2.webm", "live.json?after=1"].map(|file| ask(&mut on_air, file, greedy));
    let refused = ask(&mut on_air, "2.webm?again", greedy);
    let head = head(&refused);
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    // A cache must not give it to others.
    assert!(head.contains("\r\nCache-Control: no-store\r\n"), "{head}");
    assert!(head.contains("\r\nConnection: close"), "{head}");
    on_air.world.hub.abandon(refused.id);
    // Others have their own, and a cache that reports no client asks for all of them.
    let mut others = vec![ask(&mut on_air, "2.webm", "192.0.2.2")];
    others.extend((0..5).map(|_| on_air.get("2.webm")));
    on_air.send_other_half(1);
    for peer in waiting.iter().chain(&others) {
        assert!(
            peer.received().starts_with("HTTP/1.1 200"),
            "{}",
            peer.received()
        );
    }
    // What is answered does not count any more, and its connection is free for another client.
    let [sending, listed] = waiting;
    on_air.world.send(
        &listed,
        b"GET /live/demo/live.json?after=2 HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.3\r\n\r\n",
    );
    on_air.world.settle();
    assert!(unchunk(&body(&sending)).0.len() > 1000);
    let again = ask(&mut on_air, "3.webm", greedy);
    assert_eq!(
        (again.received(), on_air.world.hub.clients.counted()),
        (String::new(), 5),
        "with the publisher"
    );
    for peer in [&sending, &listed, &again].into_iter().chain(&others) {
        on_air.world.hub.abandon(peer.id);
    }
    on_air.world.settle();
    assert_eq!(on_air.world.hub.clients.counted(), 1);
}
