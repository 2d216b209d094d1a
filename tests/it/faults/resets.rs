//! The promise: the server removes a peer that is killed, reset or cut off at any point, and the
//! stream of the others continues whole.

use crate::common::http::{Http, connect_narrow, reset_on_drop};
use crate::common::link::Link;
use crate::common::media::{Sample, assert_frames};
use crate::common::server::Server;
use crate::common::viewer::{HttpViewer, Viewer};
use crate::common::websocket::{Publisher, WebSocketClient};
use crate::common::{PATIENCE, eventually};
use bytes::Bytes;
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};
use videostream::websocket::SUBPROTOCOL;

const BEHIND: &str = "videostream_stream_viewers_behind{stream=\"demo\"}";

/// A publisher of either kind.
enum Source {
    WebSocket(Box<Publisher>),
    Put(Http),
}

impl Source {
    fn put(server: &Server) -> Source {
        let mut http = Http::open(server);
        let fields = ["Transfer-Encoding: chunked", "Expect: 100-continue"];
        http.ask("PUT", "/live/demo.webm", &fields);
        assert_eq!(http.head().status, 100);
        Source::Put(http)
    }

    fn stream(&self) -> &TcpStream {
        match self {
            Source::WebSocket(publisher) => publisher.client.stream(),
            Source::Put(http) => http.stream(),
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        match self {
            Source::WebSocket(publisher) => publisher.send(&bytes.to_vec().into()),
            Source::Put(http) => http.send_chunk(bytes),
        }
    }

    /// Sends these bytes, and begins something that it does not finish.
    fn send_part(&mut self, bytes: &[u8]) {
        match self {
            Source::WebSocket(publisher) => {
                publisher.send(&bytes.to_vec().into());
                // A binary frame of 1,000 bytes, unmasked by zeros, and 100 of them.
                let begun = [&[0x82, 0xfe, 3, 232, 0, 0, 0, 0][..], &[7; 100]].concat();
                publisher.client.send_raw(&begun);
            }
            Source::Put(http) => {
                let head = format!("{:x}\r\n", bytes.len() + 1000);
                http.send([head.as_bytes(), bytes].concat());
            }
        }
    }
}

#[test]
fn publisher_killed_in_the_middle_of_a_block_is_continued_by_the_next() {
    let server = Server::start();
    let twins = ["chromium-restart-1", "chromium-restart-2"].map(Sample::read);
    let mut told = Viewer::v1(&server, "demo");
    let mut plain = Viewer::plain(&server, "demo");
    let mut chunked = HttpViewer::open(&server, "demo");
    let mut expected = Vec::new();
    let mut deaths = 0;
    for sample in &twins {
        // Behind the first byte of a block, in its head, in its frame, before its last byte.
        let block = &sample.blocks[60];
        let start = block.offset as usize;
        let frame = start + block.element.bytes.len() / 2;
        for cut in [start + 1, start + 5, frame, sample.end_of(block) - 1] {
            for (is_put, is_reset) in [(false, false), (false, true), (true, false), (true, true)] {
                let mut publisher = if is_put {
                    Source::put(&server)
                } else {
                    Source::WebSocket(Publisher::open(&server, "demo").into())
                };
                publisher.send(&sample.bytes[..sample.opening()]);
                told.watch(expected.len() + 1);
                plain.watch(expected.len() + 1);
                chunked.watch(expected.len() + 1);
                publisher.send_part(&sample.bytes[sample.opening()..cut]);
                expected.extend(sample.frames(sample.shown(cut)));
                told.watch(expected.len());
                if is_reset {
                    reset_on_drop(publisher.stream())
                } else {
                    publisher.stream().shutdown(Shutdown::Write).unwrap()
                }
                if is_reset {
                    drop(publisher);
                }
                told.text("offline");
                deaths += 1;
            }
        }
    }
    let mut publisher = Publisher::open(&server, "demo");
    publisher.send_all(&twins[0].chunks);
    expected.extend(twins[0].all_frames());
    told.watch(expected.len());
    plain.watch(expected.len());
    chunked.watch(expected.len());
    for screen in [&told.screen, &plain.screen, &chunked.screen] {
        assert_frames(&screen.frames(), &expected);
        assert_eq!(screen.inits, 1);
        assert!(screen.largest_step_ms() <= 100, "a gap");
    }
    let heard = told.told();
    let count = |kind| heard.iter().filter(|heard| **heard == kind).count();
    assert_eq!((count("offline"), count("skip")), (deaths, 0));
}

#[test]
fn viewers_that_reset_in_mid_send_cost_the_others_not_a_byte() {
    const EACH: usize = 30;
    let server = Server::with(&["--viewer-buffer", "16KiB", "--max-lag", "1h"]);
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let all = sample.all_frames();
    let mut told = Viewer::v1(&server, "demo");
    let mut chunked = HttpViewer::open(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    told.watch(1);
    chunked.watch(1);

    let mut doomed: Vec<TcpStream> = Vec::new();
    for _ in 0..EACH {
        let stream = connect_narrow(server.address);
        let other = stream.try_clone().unwrap();
        WebSocketClient::open_on(stream, &server, "/live/demo", &[SUBPROTOCOL]);
        let mut http = Http::from_stream(connect_narrow(server.address), &server);
        http.ask("GET", "/live/demo.webm", &[]);
        doomed.extend([other, http.stream().try_clone().unwrap()]);
    }
    publisher.go_on(&sample);
    let mut rounds = 1;
    let mut watch = |rounds: usize| {
        told.watch(rounds * all.len());
        chunked.watch(rounds * all.len());
    };
    eventually("all who do not read are full", || {
        publisher.send_all(&sample.chunks);
        rounds += 1;
        watch(rounds);
        (server.metric(BEHIND) == doomed.len() as u64).then_some(())
    });
    // One is reset before each chunk, so that there is always one in the middle of a chunk.
    for chunk in sample.chunks.iter().cycle().take(2 * sample.chunks.len()) {
        if let Some(stream) = doomed.pop() {
            reset_on_drop(&stream);
        }
        publisher.send(chunk);
    }
    watch(rounds + 2);
    server.report_when("demo", |report| report["viewers"] == 2);
    for screen in [&told.screen, &chunked.screen] {
        assert_frames(&screen.frames(), &vec![all.clone(); rounds + 2].concat());
    }
    assert!(!told.told().contains(&"skip"));
    assert_eq!(server.report("demo").unwrap()["skips"], 0);
}

/// Pinged after some silence, given up a second later: time enough for a test that does something else
/// meanwhile.
const PINGS: [&str; 4] = ["--ping-interval", "300ms", "--ping-timeout", "1s"];

#[test]
fn publisher_with_a_dead_link_fails_its_ping_and_the_next_continues() {
    let server = Server::with(&PINGS);
    let [first, second] = ["chromium-restart-1", "chromium-restart-2"].map(Sample::read);
    let link = Link::to(server.address);
    let stream = TcpStream::connect(link.address).unwrap();
    let mut dead = WebSocketClient::open_on(stream, &server, "/publish/demo", &[SUBPROTOCOL]);
    dead.text("ready");
    let mut viewer = Viewer::v1(&server, "demo");
    dead.send(first.bytes.slice(..first.opening()));
    viewer.watch(1);
    // Neither an end nor a reset comes through, and no answer to a ping.
    link.stall_after(0);
    viewer.text("offline");

    let mut publisher = Publisher::open(&server, "demo");
    publisher.send_all(&second.chunks);
    let shown = first.frames(first.shown(first.opening()));
    let frames = [shown, second.all_frames()].concat();
    viewer.watch(frames.len());
    assert_frames(&viewer.screen.frames(), &frames);
    link.resume();
}

#[test]
fn viewer_without_pongs_is_closed_while_media_flow() {
    let server = Server::with(&PINGS);
    // So little that the kernel buffers all of it for viewers that are gone.
    let sample = Sample::read("chromium-opus-only-100ms");
    let mut here = Viewer::v1(&server, "demo");
    let mut deaf = Viewer::plain(&server, "demo");
    let _deaf_from_the_start = Viewer::v1(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    here.watch(1);
    deaf.watch(1);
    let (mut sent, mut seen) = (0, 1);
    let begun = Instant::now();
    let mut chunks = sample.chunks.iter().cycle();
    while server.report("demo").unwrap()["viewers"] != 1 {
        assert!(begun.elapsed() < PATIENCE, "the deaf are kept");
        let chunk = chunks.next().unwrap();
        publisher.send(chunk);
        seen -= sample.shown(sent).len();
        sent += chunk.len();
        seen += sample.shown(sent).len();
        sent %= sample.bytes.len();
        here.watch(seen);
        thread::sleep(Duration::from_millis(25));
    }
    assert_eq!(server.metric("videostream_viewers_timed_out_total"), 0);
}

#[test]
fn stalled_http_viewer_is_closed_at_its_deadline() {
    let options = ["--viewer-timeout", "500ms", "--viewer-buffer", "16KiB"];
    let server = Server::with(&options);
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut here = HttpViewer::open(&server, "demo");
    let mut publisher = Publisher::open(&server, "demo");
    publisher.open_stream(&sample);
    here.watch(1);
    let mut stuck = [Http::from_stream(connect_narrow(server.address), &server)];
    stuck[0].ask("GET", "/live/demo.webm", &[]);
    server.report_when("demo", |report| report["viewers"] == 2);
    publisher.go_on(&sample);
    let all = sample.all_frames();
    let mut rounds = 1;
    eventually("the stuck viewer is dropped", || {
        publisher.send_all(&sample.chunks);
        rounds += 1;
        here.watch(rounds * all.len());
        (server.report("demo").unwrap()["viewers"] == 1).then_some(())
    });
    assert_frames(&here.screen.frames(), &vec![all; rounds].concat());
    assert_eq!(server.metric("videostream_viewers_timed_out_total"), 1);
}

/// A stream whose publisher is behind a link, and its viewers.
struct Line<'a> {
    name: &'static str,
    server: &'a Server,
    link: Link,
    publisher: Source,
    told: Viewer,
    chunked: HttpViewer,
}

impl<'a> Line<'a> {
    fn open(name: &'static str, server: &'a Server) -> Line<'a> {
        let link = Link::to(server.address);
        let stream = TcpStream::connect(link.address).unwrap();
        let target = format!("/publish/{name}");
        let publisher = match name {
            "ws" => {
                let protocols = [SUBPROTOCOL];
                let mut client = WebSocketClient::open_on(stream, server, &target, &protocols);
                client.text("ready");
                Source::WebSocket(Publisher { client }.into())
            }
            _ => {
                let mut http = Http::from_stream(stream, server);
                http.ask("PUT", &target, &["Transfer-Encoding: chunked"]);
                Source::Put(http)
            }
        };
        Line {
            name,
            server,
            link,
            publisher,
            told: Viewer::v1(server, name),
            chunked: HttpViewer::open(server, name),
        }
    }

    fn watch(&mut self, frames: usize) {
        self.told.watch(frames);
        self.chunked.watch(frames);
    }

    fn assert_report(&self, expected: &[(&str, serde_json::Value)]) {
        let report = self.server.report(self.name).unwrap();
        for (name, value) in expected {
            assert_eq!(&report[name], value, "{name}: {report}");
        }
    }
}

#[test]
fn link_stall_of_a_second_loses_no_client_and_no_frame() {
    const STALL: Duration = Duration::from_secs(1);
    let server = Server::start();
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let all = sample.all_frames();
    let (before, rest) = sample.chunks.split_at(10);
    let (meanwhile, after) = rest.split_at(40);
    let mut lines = ["ws", "put"].map(|name| Line::open(name, &server));
    for line in &mut lines {
        // The second has the second picture, whose distance from the first is asked for.
        line.publisher.send(&before[0]);
        line.publisher.send(&before[1]);
        line.watch(1);
        for chunk in &before[2..] {
            line.publisher.send(chunk);
        }
        let sent = before.iter().map(Bytes::len).sum();
        line.watch(sample.shown(sent).len());
        // In the middle of a WebSocket frame, of an HTTP chunk, of a block.
        line.link.stall_after(meanwhile[0].len() / 2);
    }
    let stalled = Instant::now();
    // The recorder does not know.
    for chunk in meanwhile {
        for line in &mut lines {
            line.publisher.send(chunk);
        }
        thread::sleep(STALL / meanwhile.len() as u32);
    }
    // A viewer that joins now gets the last picture.
    let mut late = ["ws", "put"].map(|name| Viewer::v1(&server, name));
    for (line, late) in lines.iter().zip(&mut late) {
        late.watch(1);
        line.assert_report(&[("live", true.into()), ("viewers", 3.into())]);
    }
    assert!(stalled.elapsed() >= STALL);
    for (line, late) in lines.iter_mut().zip(&mut late) {
        line.link.resume();
        for chunk in after {
            line.publisher.send(chunk);
        }
        line.watch(all.len());
        for screen in [&line.told.screen, &line.chunked.screen] {
            assert_frames(&screen.frames(), &all);
            assert!(screen.largest_step_ms() <= 100, "a gap");
        }
        let newest = sample.newest_gop(before.iter().map(Bytes::len).sum());
        let expected = sample.frames(newest.start..sample.blocks.len());
        late.watch(expected.len());
        assert_frames(&late.screen.frames(), &expected);
        for told in [line.told.told(), late.told()] {
            assert!(!told.contains(&"offline") && !told.contains(&"skip"));
        }
        line.assert_report(&[("skips", 0.into()), ("publisher_restarts", 0.into())]);
    }
}
