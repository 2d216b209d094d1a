//! The promise: behind Varnish and nginx with the files in `contrib/`, many viewers cost the server one
//! request for each segment, and no cache keeps what is broken, old or another's.

use crate::common::http::Http;
use crate::common::media::Sample;
use crate::common::proxy::{Kind, Proxy, free_address};
use crate::common::server::Server;
use crate::common::websocket::Publisher;
use crate::common::{PATIENCE, eventually, next_millisecond};
use rustix::process::Signal;
use serde_json::Value;
use std::net::SocketAddr;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

/// Viewers that ask at the same time.
const VIEWERS: usize = 24;

/// A cached 404 is gone so long after the segment is there.
const CURED_WITHIN: Duration = Duration::from_secs(2);

struct Cached {
    address: SocketAddr,
    proxy: Proxy,
    sample: Sample,
}

impl Cached {
    fn serve(&self, options: &[&str]) -> Server {
        Server::on(&self.address.to_string(), options)
    }

    fn http(&self) -> Http {
        Http::to(self.proxy.address)
    }

    /// Publishes up to the middle of the GOP of this index.
    fn publish(&self, server: &Server, gop: usize) -> (Publisher, usize) {
        let mut publisher = Publisher::open(server, "demo");
        let sent = self.gop_at(gop) + 3000;
        let mut from = 0;
        for gop in 1..=gop {
            self.send(server, &mut publisher, from..self.gop_at(gop));
            from = self.gop_at(gop);
        }
        self.send(server, &mut publisher, from..sent);
        (publisher, sent)
    }

    /// Sends a part, and waits until the server has all of it: GOPs that it reads in one millisecond share
    /// a segment.
    fn send(&self, server: &Server, publisher: &mut Publisher, part: Range<usize>) {
        let before = server.metric("videostream_received_bytes_total");
        publisher.send(&self.sample.bytes.slice(part.clone()));
        eventually("the server has it", || {
            let received = server.metric("videostream_received_bytes_total") - before;
            (received >= part.len() as u64).then_some(())
        });
        next_millisecond();
    }

    fn gop_at(&self, gop: usize) -> usize {
        let keyframe = self.sample.keyframes()[gop];
        self.sample.blocks[keyframe].offset as usize
    }

    /// The list, once it is as wanted.
    fn list_when(&self, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut last = String::new();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            // nginx ends a connection after a thousand requests.
            let answer = self.http().get("/live/demo/live.json");
            last = format!("{answer:?}");
            if let Ok(list) = serde_json::from_slice(&answer.body)
                && is_so(&list)
            {
                return list;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("no list as wanted; the last was {last}");
    }

    fn status(&self, target: &str) -> u16 {
        self.http().get(target).status
    }
}

fn address(number: u64) -> String {
    format!("/live/demo/{number}.webm")
}

/// Whether this cache gives out what is still coming.
fn streams(kind: Kind) -> bool {
    kind == Kind::Varnish
}

fn keeps_its_promises(kind: Kind) {
    let address = free_address();
    let proxy = Proxy::before(address, kind);
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let cached = Cached {
        address,
        proxy,
        sample,
    };
    let server = cached.serve(&[]);
    let open = many_viewers_are_one_request(&cached, &server, kind);
    restarted_cache_asks_once_for_all(&cached, &server, (kind, open - 2));
    missing_segment_is_found_when_it_is_there(&cached, &server, open);
    let before = broken_segment_is_not_kept(&cached, server);
    let server = restarted_server_takes_other_numbers(&cached, before);
    drop(server);
    streams_with_a_key_are_not_kept(&cached);
    // nginx reports its own peer, which this server trusts here, so it is no client.
    if kind == Kind::Varnish {
        client_with_too_many_requests_is_refused_alone(&cached);
    }
}

/// Returns the number that is open at the end.
fn many_viewers_are_one_request(cached: &Cached, server: &Server, kind: Kind) -> u64 {
    let (mut publisher, sent) = cached.publish(server, 1);
    let list = cached.list_when(|list| list["gops"].as_array().is_some_and(|all| !all.is_empty()));
    let open = list["open"].as_u64().unwrap();
    let asked = server.metric("videostream_segments_total");
    let bodies: Vec<Vec<u8>> = thread::scope(|scope| {
        let viewers: Vec<_> = (0..VIEWERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut http = cached.http();
                    // The one that grows, and the next, which waits.
                    let mut body = http.get(&self::address(open)).body;
                    body.extend(http.get(&self::address(open + 1)).body);
                    body
                })
            })
            .collect();
        if streams(kind) {
            // All have a part of it before it is whole: the server has not been given more.
            let mut http = cached.http();
            http.ask("GET", &self::address(open), &[]);
            assert_eq!(http.head().status, 200);
            assert!(http.chunk().is_some_and(|chunk| !chunk.is_empty()));
        }
        let end = cached.gop_at(2) + 3000;
        cached.send(server, &mut publisher, sent..end);
        cached.send(server, &mut publisher, end..cached.gop_at(3) + 3000);
        viewers.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(bodies[0].len() > 10_000 && bodies.iter().all(|body| *body == bodies[0]));
    let asked = server.metric("videostream_segments_total") - asked;
    assert!(asked <= 4, "{kind:?} asks {asked} times for 2 segments");
    publisher.finish();
    server.wait_until_offline("demo");
    open + 2
}

/// A cache that has just begun has nothing, and viewers ask for the same at once.
fn restarted_cache_asks_once_for_all(cached: &Cached, server: &Server, (kind, whole): (Kind, u64)) {
    let proxy = Proxy::before(cached.address, kind);
    let asked = server.metric("videostream_segments_total");
    thread::scope(|scope| {
        for _ in 0..VIEWERS {
            scope.spawn(|| {
                let answer = Http::to(proxy.address).get(&self::address(whole));
                assert_eq!((answer.status, answer.body.len() > 10_000), (200, true));
            });
        }
    });
    let asked = server.metric("videostream_segments_total") - asked;
    assert!((1..=2).contains(&asked), "{kind:?} asks {asked} times");
}

fn missing_segment_is_found_when_it_is_there(cached: &Cached, server: &Server, open: u64) {
    let later = self::address(open + 2);
    for _ in 0..3 {
        assert_eq!(cached.status(&later), 404);
    }
    let (publisher, _) = cached.publish(server, 2);
    // Without limits, caches would keep a 404 for two minutes, or give it out for ten seconds more.
    let began = Instant::now();
    eventually("the segment", || {
        let after = began.elapsed();
        let is_there = cached.status(&later) == 200;
        assert!(is_there || after < CURED_WITHIN, "404 after {after:?}");
        is_there.then_some(())
    });
    publisher.finish();
}

/// Kills the server in the middle of a segment. Returns its number.
fn broken_segment_is_not_kept(cached: &Cached, server: Server) -> u64 {
    let (publisher, _) = cached.publish(&server, 2);
    let list = cached.list_when(|list| list["open"].is_u64());
    let open = list["open"].as_u64().unwrap();
    let mut viewer = cached.http();
    viewer.ask("GET", &self::address(open), &[]);
    assert_eq!(viewer.head().status, 200);
    server.end(Signal::KILL);
    drop(publisher);
    let rest = viewer.rest();
    assert!(
        !rest.ends_with(b"\r\n0\r\n\r\n"),
        "a cut transfer looks whole"
    );
    eventually("an error", || {
        (cached.status(&self::address(open)) >= 500).then_some(())
    });
    open
}

fn restarted_server_takes_other_numbers(cached: &Cached, before: u64) -> Server {
    let server = cached.serve(&[]);
    let (publisher, _) = cached.publish(&server, 2);
    let began = Instant::now();
    let list = cached.list_when(|list| list["open"].as_u64().is_some_and(|open| open > before));
    assert!(began.elapsed() < PATIENCE / 2);
    let numbers = list["gops"].as_array().unwrap().iter();
    assert!(
        numbers
            .map(|gop| gop["n"].as_u64().unwrap())
            .all(|n| n > before)
    );
    assert_eq!(cached.status(&self::address(before)), 404);
    publisher.finish();
    server
}

fn streams_with_a_key_are_not_kept(cached: &Cached) {
    let server = cached.serve(&["--watch-key", "secret", "--publish-open"]);
    let mut publisher = Publisher::open(&server, "locked");
    for part in [
        0..cached.gop_at(1),
        cached.gop_at(1)..cached.gop_at(2) + 3000,
    ] {
        publisher.send(&cached.sample.bytes.slice(part));
        next_millisecond();
    }
    let key = "Authorization: Bearer secret";
    let list = eventually("the list", || {
        let answer = cached
            .http()
            .request("GET", "/live/locked/live.json", &[key]);
        assert!([200, 404].contains(&answer.status));
        serde_json::from_slice::<Value>(&answer.body).ok()
    });
    let number = list["gops"][0]["n"]
        .as_u64()
        .or(list["open"].as_u64())
        .unwrap();
    let file = format!("/live/locked/{number}.webm");
    for _ in 0..2 {
        let mut http = cached.http();
        http.ask("GET", &file, &[key]);
        let head = http.head();
        assert_eq!(head.status, 200);
        assert_eq!(head.field("Cache-Control"), Some("private, no-store"));
        assert_eq!(cached.status(&file), 401);
        assert_eq!(cached.status("/live/locked/live.json"), 401);
    }
}

fn client_with_too_many_requests_is_refused_alone(cached: &Cached) {
    let server = cached.serve(&[
        "--max-connections-per-address",
        "1",
        "--trusted-proxy",
        "127.0.0.1",
        "--publish-open",
    ]);
    let (mut publisher, sent) = cached.publish(&server, 1);
    // The cache may have the list of the server before.
    let list = Http::open(&server).get("/live/demo/live.json").body;
    let list: Value = serde_json::from_slice(&list).unwrap();
    let next = self::address(list["open"].as_u64().unwrap() + 1);
    let waits = |count| {
        eventually("a request waits", || {
            (server.metric("videostream_segments_waiting") == count).then_some(())
        });
    };
    let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|it| format!("X-Forwarded-For: {it}"));
    // With a query of its own, it is a request of its own at the server.
    let mut first = cached.http();
    first.ask("GET", &format!("{next}?1"), &[&one]);
    waits(1);
    assert_eq!(cached.http().request("GET", &next, &[&one]).status, 503);
    let mut second = cached.http();
    second.ask("GET", &next, &[&other]);
    waits(2);
    let end = cached.gop_at(2) + 3000;
    cached.send(&server, &mut publisher, sent..end);
    assert_eq!((first.head().status, second.head().status), (200, 200));
}

#[test]
fn varnish_shares_segments_and_keeps_nothing_broken() {
    keeps_its_promises(Kind::Varnish);
}

#[test]
fn nginx_shares_segments_and_keeps_nothing_broken() {
    keeps_its_promises(Kind::NginxCache);
}
