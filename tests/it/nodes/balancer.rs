//! The promise: HAProxy with the file in `contrib/` spreads viewers over the nodes, and those of a node
//! that dies come again on another.

use super::nats::Nats;
use super::node;
use super::numbered::{Numbered, assert_legal, last, watch_to};
use crate::common::eventually;
use crate::common::http::Http;
use crate::common::proxy::{Kind, Proxy};
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use crate::common::websocket::Heard;
use rustix::process::Signal;
use serde_json::Value;
use std::net::TcpStream;
use std::time::Instant;
use videostream::websocket::SUBPROTOCOL;

fn watch(proxy: &Proxy, server: &Server) -> Viewer {
    let stream = TcpStream::connect(proxy.address).unwrap();
    Viewer::on(stream, server, "demo", &[SUBPROTOCOL])
}

/// What this node has sent to viewers of its own.
fn sent(server: &Server) -> u64 {
    server.metric("videostream_sent_bytes_total")
}

/// What happens to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Dies,
    Hangs,
}

/// Viewers behind the balancer, of two nodes, one of which fails.
fn fail(fault: Fault) {
    let nats = Nats::start();
    let options = ["--trusted-proxy", "127.0.0.1", "--publish-open"];
    let [a, mut b, c] = ["a", "b", "c"].map(|name| node(&nats, name, &options));
    let proxy = Proxy::before_all(&[b.address, c.address], Kind::HaProxy);
    let publisher = Numbered::publish(&a, "demo", 1);
    let mut watching: Vec<Viewer> = (0..4).map(|_| watch(&proxy, &a)).collect();
    for viewer in &mut watching {
        watch_to(viewer, 1, 5);
        assert_eq!(assert_legal(&viewer.screen), 0);
    }
    assert!(sent(&b) > 0 && sent(&c) > 0);
    match fault {
        Fault::Dies => {
            b.signal(Signal::KILL);
            b.wait(Instant::now());
        }
        Fault::Hangs => b.signal(Signal::STOP),
    }
    let failed_at = publisher.sent();
    let mut ended = 0;
    for viewer in &mut watching {
        loop {
            match viewer.hear() {
                Heard::Closed(..) | Heard::Gone => {
                    ended += 1;
                    *viewer = eventually("another node", || {
                        let stream = TcpStream::connect(proxy.address).ok()?;
                        Some(Viewer::on(stream, &a, "demo", &[SUBPROTOCOL]))
                    });
                }
                Heard::Media(_)
                    if !viewer.screen.frames.is_empty() && last(viewer).number > failed_at + 5 =>
                {
                    break;
                }
                Heard::Media(_) | Heard::Text(_) => {}
            }
        }
        let begun = publisher.sent();
        watch_to(viewer, 1, begun);
    }
    assert_eq!(ended, 2, "{fault:?}");
    if fault == Fault::Hangs {
        b.signal(Signal::CONT);
    }
    drop(publisher);
}

#[test]
fn viewers_are_spread_and_those_of_a_dead_node_come_again_elsewhere() {
    fail(Fault::Dies);
}

#[test]
fn viewers_of_a_node_that_hangs_come_again_elsewhere() {
    fail(Fault::Hangs);
}

#[test]
fn segments_of_a_stream_all_come_from_one_node() {
    let nats = Nats::start();
    let options = ["--trusted-proxy", "127.0.0.1", "--publish-open"];
    let [a, b, c] = ["a", "b", "c"].map(|name| node(&nats, name, &options));
    let proxy = Proxy::before_all(&[b.address, c.address], Kind::HaProxy);
    let publishers: Vec<Numbered> = (1..=8)
        .map(|number| Numbered::publish(&a, &format!("s{number}"), number))
        .collect();
    let get = |target: &str| Http::to(proxy.address).get(target);
    for number in 1..=8 {
        let list = eventually("a list", || {
            let answer = get(&format!("/live/s{number}/live.json"));
            (answer.status == 200).then(|| answer.text())
        });
        let list: Value = serde_json::from_str(&list).unwrap();
        let open = list["open"].as_u64().expect("one that grows");
        for number_of in open..open + 3 {
            let segment = get(&format!("/live/s{number}/{number_of}.webm"));
            assert_eq!(segment.status, 200, "{number_of} of s{number}");
        }
    }
    let shares = [&b, &c].map(|server| server.metric("videostream_segments_total"));
    assert!(shares.iter().all(|&share| share > 0), "{shares:?}");
    drop(publishers);
}
