//! The promise: HAProxy with the file in `contrib/` spreads viewers over the nodes, and those of a node
//! that dies come again on another.

use super::nats::Nats;
use super::node;
use super::numbered::{Numbered, assert_legal, watch_to};
use crate::common::eventually;
use crate::common::proxy::{Kind, Proxy};
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use crate::common::websocket::Heard;
use rustix::process::Signal;
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

#[test]
fn viewers_are_spread_and_those_of_a_dead_node_come_again_elsewhere() {
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
    b.signal(Signal::KILL);
    b.wait(Instant::now());
    let mut ended = 0;
    for viewer in &mut watching {
        let begun = publisher.sent();
        loop {
            match viewer.hear() {
                Heard::Closed(..) | Heard::Gone => {
                    ended += 1;
                    *viewer = eventually("another node", || {
                        let stream = TcpStream::connect(proxy.address).ok()?;
                        Some(Viewer::on(stream, &a, "demo", &[SUBPROTOCOL]))
                    });
                }
                Heard::Media(_) if publisher.sent() > begun + 5 => break,
                Heard::Media(_) | Heard::Text(_) => {}
            }
        }
        let begun = publisher.sent();
        watch_to(viewer, 1, begun);
    }
    assert_eq!(ended, 2);
    drop(publisher);
}
