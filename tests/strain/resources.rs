//! The promise: when descriptors, memory or work run out, connected clients are served as before.

use super::on_air::OnAir;
use crate::common::http::{Http, connect, connect_narrow};
use crate::common::media::Sample;
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use crate::common::websocket::{Publisher, WebSocketClient};
use crate::common::{PATIENCE, eventually};
use bytes::Bytes;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use videostream::webm::{Event, Limits, Segmenter};

const SMALL_RING: [&str; 4] = ["--block-bytes", "64KiB", "--ring-bytes", "512KiB"];
const RING_BYTES: u64 = 512 << 10;

#[test]
fn used_up_descriptors_keep_viewers_and_make_new_clients_wait() {
    let server = Server::start();
    let mut on_air = OnAir::new(&server, "demo");
    let descriptors = format!("/proc/{}/fd", server.pid());
    let open = std::fs::read_dir(descriptors).unwrap().count() as u64;
    let pid = Pid::from_raw(server.pid().try_into().unwrap()).unwrap();
    let limit = Rlimit {
        current: Some(open + 2),
        maximum: getrlimit(Resource::Nofile).maximum,
    };
    prlimit(Some(pid), Resource::Nofile, limit).unwrap();

    let mut crowd: Vec<Http> = (0..12)
        .map(|_| Http::from_stream(connect(&server), &server))
        .collect();
    for http in &mut crowd {
        http.ask("GET", "/healthz", &[]);
    }
    let cpu_s = server.cpu_s();
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(800) {
        on_air.go_on();
        thread::sleep(Duration::from_millis(100));
    }
    let cpu_s = server.cpu_s() - cpu_s;
    assert!(cpu_s < 0.4, "{cpu_s} s of CPU in {:?}", started.elapsed());

    // Each that leaves lets the next one in.
    let (mut served, mut waiting): (Vec<Http>, Vec<Http>) = crowd
        .into_iter()
        .partition(|http| is_answered(http.stream()));
    assert!(served.len() < 6 && !waiting.is_empty(), "{}", served.len());
    while !waiting.is_empty() {
        assert!(
            !served.is_empty(),
            "{} wait, and nobody is served",
            waiting.len()
        );
        for mut http in served.drain(..) {
            assert_eq!(http.answer("GET").status, 200);
        }
        served = eventually("the next ones are served", || {
            let all = std::mem::take(&mut waiting);
            let (next, rest) = all.into_iter().partition(|http| is_answered(http.stream()));
            waiting = rest;
            Some(next).filter(|next: &Vec<Http>| !next.is_empty())
        });
    }
    drop(served);
    assert_eq!(Http::open(&server).get("/healthz").status, 200);
    on_air.go_on();
    drop(on_air);
    let log = server.end(Signal::TERM).log;
    // Told, but not with every attempt, nor with each that leaves.
    for told in ["accepting paused", "accepting resumed"] {
        assert_eq!(log.matches(told).count(), 1, "{log}");
    }
}

/// Whether an answer has come.
fn is_answered(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let is_answered = stream.peek(&mut [0]).is_ok_and(|length| length > 0);
    stream.set_nonblocking(false).unwrap();
    is_answered
}

#[test]
fn full_memory_refuses_new_clients_and_serves_connected_ones() {
    // The answers that tell how much is held are little of it.
    const LIMIT: u64 = 2 << 20;
    let ring = ["--ring-bytes", "2MiB", "--ring-duration", "1h"];
    let memory = ["--max-memory", "2MiB", "--block-bytes", "64KiB"];
    let server = Server::with(&[ring, memory].concat());
    let mut first = OnAir::new(&server, "one");
    let mut second = OnAir::new(&server, "two");
    while server.metric("videostream_held_bytes") < LIMIT {
        first.go_on();
        second.go_on();
    }
    let new_stream = Http::open(&server).upload("PUT", "/publish/three", &[], b"x");
    let new_viewer = Http::open(&server).get("/live/one.webm");
    for refused in [new_stream, new_viewer] {
        assert_eq!(refused.status, 503);
        assert!(refused.field("Retry-After").is_some());
    }
    assert_eq!(server.metric("videostream_refused_for_memory_total"), 2);
    // Pages are no media, and a takeover adds no stream.
    assert_eq!(Http::open(&server).get("/").status, 200);
    let mut successor = Publisher::open(&server, "one");
    successor.open_stream(&first.sample);
    assert_eq!(first.publisher.client.closed().0, 1000);
    successor.finish();
    second.go_on();

    // With the media goes the refusal.
    second.publisher.finish();
    drop((first.viewer, second.viewer));
    eventually("memory is free again", || {
        let answer = Http::open(&server).upload("PUT", "/publish/three", &[], b"x");
        (answer.status != 503).then_some(())
    });
    assert!(server.metric("videostream_held_bytes") < LIMIT / 4);
}

#[test]
fn chunk_shared_by_stalled_viewers_is_counted_once() {
    let server = Server::with(&[&SMALL_RING[..], &["--max-lag", "1h"]].concat());
    let mut on_air = OnAir::new(&server, "demo");
    let stalled: Vec<Viewer> = (0..20)
        .map(|_| Viewer::on(connect_narrow(server.address), &server, "demo", &[]))
        .collect();
    while server.metric("videostream_stream_viewers_behind{stream=\"demo\"}") < 20 {
        on_air.go_on();
    }
    // Until the ring has overtaken them: then each holds the rest of a chunk.
    let beyond_ring = || {
        let text = Http::open(&server).get("/metrics").text();
        let value = |name| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().trim().parse::<i64>().unwrap()
        };
        value("videostream_held_bytes ") - value("videostream_stream_ring_bytes{stream=\"demo\"} ")
    };
    let before = beyond_ring();
    for _ in 0..8 {
        on_air.go_on();
    }
    let pinned = beyond_ring() - before;
    // A chunk of this recording has some 4 KB, a keyframe's 10.
    assert!(pinned < 40_000, "{pinned} bytes beyond the ring");
    // What they hold goes with them, and what they take themselves.
    drop(stalled);
    eventually("nothing of them is held", || {
        (beyond_ring() < before - 20 * 256).then_some(())
    });
}

#[test]
fn viewer_that_trickles_is_closed_with_the_chunk_it_holds() {
    let server = Server::with(&["--viewer-timeout", "1s", "--viewer-buffer", "16KiB"]);
    let sample = Sample::read("chromium-vp8-only-100ms");
    let mut stream = connect_narrow(server.address);
    let request = "GET /live/demo.webm HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut healthy = Viewer::v1(&server, "demo");
    server.report_when("demo", |report| report["viewers"] == 2);
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    let opening = sample.shown(sample.opening()).len();
    healthy.watch(opening);
    // One frame of 3 MiB, no keyframe.
    let payload = vec![7; 3 << 20];
    let size = (payload.len() as u32 + 4) | 0x1000_0000;
    let head = [&[0xa3][..], &size.to_be_bytes(), &[0x81, 0, 0, 0]].concat();
    publisher.send(&Bytes::from([head, payload].concat()));
    // Something behind it, or it waits for more.
    publisher.go_on(&sample);
    healthy.watch(opening + 1);

    // Never a second without bytes, and never the whole of it in one.
    let (mut bytes, mut received) = (vec![0; 32 << 10], 0);
    let started = Instant::now();
    let closed = loop {
        assert!(started.elapsed() < PATIENCE, "{received} bytes, and no end");
        match stream.read(&mut bytes) {
            Ok(0) | Err(_) => break started.elapsed(),
            Ok(length) => received += length,
        }
        thread::sleep(Duration::from_millis(50));
    };
    assert!(received < 3 << 20, "it has got all of it in {closed:?}");
    assert_eq!(server.metric("videostream_viewers_timed_out_total"), 1);
    let report = server.report("demo").unwrap();
    assert_eq!(
        (&report["viewers"], &report["live"]),
        (&1.into(), &true.into())
    );
}

#[test]
fn stream_without_keyframes_stays_within_its_ring() {
    let server = Server::with(&SMALL_RING);
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut viewer = Viewer::v1(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    viewer.watch(1);
    let video = sample.recording.video().unwrap();
    let delta = sample
        .blocks
        .iter()
        .find(|block| block.track == video && !block.keyframe)
        .unwrap();
    let block = sample
        .bytes
        .slice(delta.offset as usize..sample.end_of(delta));
    let message = Bytes::from(block.repeat(20));
    let (mut sent, mut frames) = (0, 1);
    while sent < 6 * RING_BYTES {
        publisher.send(&message);
        sent += message.len() as u64;
        frames += 20;
        viewer.watch(frames - 10);
        let report = server.report("demo").unwrap();
        let ring_bytes = report["ring_bytes"].as_u64().unwrap();
        assert!(ring_bytes <= RING_BYTES, "{ring_bytes} in the ring");
    }
    assert!(!viewer.told().contains(&"skip"));
    // A late viewer waits for the next keyframe.
    let mut late = Viewer::v1(&server, "demo");
    server.report_when("demo", |report| report["viewers"] == 2);
    publisher.send_all(&sample.chunks);
    late.watch(1);
}

/// Frames as a client sends them, many at once: the mask is zero.
fn frames(first: u8, payload: &[u8]) -> Vec<u8> {
    let head = [first, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    [&head, payload].concat().repeat(5000)
}

#[test]
fn flood_of_tiny_messages_delays_no_other_stream() {
    let server = Server::start();
    let mut on_air = OnAir::new(&server, "demo");
    let stop = AtomicBool::new(false);
    // Empty messages, one byte of a recording at a time, unsolicited pongs.
    let sample = Sample::read("chromium-restart-1");
    let bytes = sample.bytes.iter().map(|&byte| {
        let frame = frames(0x82, &[byte]);
        frame[..frame.len() / 5000].to_vec()
    });
    let bytes: Vec<u8> = bytes.flatten().collect();
    let floods = [
        ("/publish/empty", frames(0x82, b"")),
        ("/publish/bytes", bytes),
        ("/live/demo", frames(0x8a, b"")),
        ("/publish/pongs", frames(0x8a, b"x")),
    ];
    thread::scope(|scope| {
        for (target, flood) in &floods {
            let mut client = WebSocketClient::open(&server, target, &[]);
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    client.send_raw(flood);
                }
                let _ = client.try_close();
            });
        }
        let started = Instant::now();
        let mut slowest = Duration::ZERO;
        while started.elapsed() < Duration::from_millis(1500) {
            slowest = slowest.max(on_air.slowest_piece());
        }
        stop.store(true, Ordering::Relaxed);
        assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    });
    server.assert_healthy();
}

#[test]
fn large_message_of_one_publisher_is_processed_over_several_turns() {
    let server = Server::start();
    let mut on_air = OnAir::new(&server, "demo");
    // Eight megabytes of blocks as small as can be, in one message: a second's work.
    let sample = Sample::read("chromium-restart-1");
    let mut large = sample.bytes[..sample.opening()].to_vec();
    let tiny = [0xa3, 0x85, 0x81, 0, 0, 0, 0];
    assert_eq!(
        blocks([&large[..], &tiny].concat()),
        blocks(large.clone()) + 1
    );
    large.extend(tiny.repeat((7 << 20) / tiny.len()));
    let mut flood = Publisher::open(&server, "flood");
    flood.send(&Bytes::from(large));
    let slowest = on_air.slowest_piece();
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    flood.finish();
}

fn blocks(bytes: Vec<u8>) -> usize {
    let mut segmenter = Segmenter::new(Limits::default());
    segmenter.push(bytes.into());
    let events = std::iter::from_fn(|| segmenter.poll().unwrap());
    events
        .filter(|event| matches!(event, Event::Block(_)))
        .count()
}
