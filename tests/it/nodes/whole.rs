//! The promise: what is published on one node is watched on any, each block once and in order, and
//! reports, counts and orders are the whole service's.

use super::nats::Nats;
use super::node;
use super::numbered::{Numbered, assert_legal, seen, watch_to};
use crate::common::eventually;
use crate::common::http::Http;
use crate::common::media::{Sample, assert_frames};
use crate::common::server::Server;
use crate::common::viewer::{HttpViewer, Viewer};
use crate::common::websocket::Publisher;
use serde_json::Value;

fn streams(server: &Server) -> Vec<Value> {
    let answer = Http::open(server).get("/api/streams");
    let list: Value = serde_json::from_slice(&answer.body).unwrap();
    list["streams"].as_array().unwrap().clone()
}

#[test]
fn viewers_of_all_nodes_see_the_same_blocks_and_a_late_one_begins_with_the_newest_gop() {
    let nats = Nats::start();
    let [a, b, c] = ["a", "b", "c"].map(|name| node(&nats, name, &[]));
    let sample = Sample::read("chromium-vp8-opus-100ms");
    let mut early = Viewer::v1(&b, "demo");
    let mut publisher = Publisher::open(&a, "demo");
    publisher.open_stream(&sample);
    early.watch(1);
    let half = sample.end_of(&sample.blocks[sample.blocks.len() / 2]);
    publisher.send(&sample.bytes.slice(sample.opening()..half));
    early.watch(sample.shown(half).len());
    let mut late = HttpViewer::open(&c, "demo");
    let newest = sample.newest_gop(half);
    late.watch(newest.len());
    publisher.send(&sample.bytes.slice(half..));
    let all = sample.all_frames();
    early.watch(all.len());
    assert_frames(&early.screen.frames(), &all);
    let rest = sample.frames(newest.start..sample.blocks.len());
    late.watch(rest.len());
    assert_frames(&late.screen.frames(), &rest);
    let mut beside = Viewer::v1(&b, "demo");
    beside.watch(1);
    // The second publisher of the same tracks goes on without an init segment.
    publisher.finish();
    assert_eq!(early.text("offline")["reason"], "ended");
    let mut again = Publisher::open(&c, "demo");
    again.open_stream(&sample);
    early.watch(all.len() + 1);
    again.go_on(&sample);
    early.watch(2 * all.len());
    assert_frames(&early.screen.frames()[all.len()..], &all);
    assert_eq!(early.screen.inits, 1);
}

#[test]
fn publisher_moves_to_another_node_without_an_interruption() {
    let nats = Nats::start();
    let [a, b, c] = ["a", "b", "c"].map(|name| node(&nats, name, &[]));
    let mut viewers = [&a, &b, &c].map(|server| Viewer::v1(server, "demo"));
    let mut first = Numbered::publish(&a, "demo", 1);
    for viewer in &mut viewers {
        watch_to(viewer, 1, 12);
    }
    let second = Numbered::publish(&b, "demo", 2);
    for viewer in &mut viewers {
        watch_to(viewer, 2, 12);
        assert_legal(&viewer.screen);
        assert_eq!(
            (viewer.screen.inits, viewer.told()),
            (1, vec!["hello", "hello", "init"])
        );
    }
    // The old publisher was closed.
    assert!(first.stop().is_none_or(|mut publisher| {
        publisher.client.text("replaced");
        publisher.client.closed().0 == 1000
    }));
    let third = Numbered::publish(&a, "demo", 3);
    for viewer in &mut viewers {
        watch_to(viewer, 3, 2);
        assert_legal(&viewer.screen);
    }
    drop((second, third));
}

#[test]
fn reports_counts_metrics_and_orders_are_those_of_the_whole_service() {
    let nats = Nats::start();
    let [a, b] = ["a", "b"].map(|name| node(&nats, name, &[]));
    let mut publisher = Publisher::open(&a, "demo");
    publisher.open_stream(&Sample::read("chromium-restart-1"));
    let mut here = Viewer::v1(&a, "demo");
    let mut there = Viewer::v1(&b, "demo");
    let mut other = HttpViewer::open(&b, "demo");
    here.watch(1);
    there.watch(1);
    other.watch(1);
    for server in [&a, &b] {
        let report = server.report_when("demo", |report| report["viewers"] == 3);
        assert_eq!(
            (
                &report["node"],
                &report["viewers_ws"],
                &report["viewers_http"]
            ),
            (&"a".into(), &2.into(), &1.into())
        );
        assert_eq!(report["live"], true);
        assert_eq!(streams(server).len(), 1);
        let metric = r#"videostream_stream_viewers{stream="demo",node="a"}"#;
        eventually("the metric", || (server.metric(metric) == 3).then_some(()));
    }
    while publisher.client.text("viewers")["count"] != 3 {}
    // A stream with no viewer on the node that is asked.
    let mut alone = Publisher::open(&b, "alone");
    alone.open_stream(&Sample::read("chromium-restart-1"));
    eventually("both streams", || (streams(&a).len() == 2).then_some(()));
    assert_eq!(a.report("alone").unwrap()["node"], "b");
    let answer = Http::open(&b).request("DELETE", "/api/streams/demo", &[]);
    assert_eq!(answer.status, 204);
    assert_eq!(publisher.client.closed().0, 1000);
    assert_eq!(there.text("offline")["reason"], "ended");
    eventually("the stream is gone", || {
        let lists = [&a, &b].map(|server| streams(server).len());
        (lists == [1, 1]).then_some(())
    });
    let answer = Http::open(&b).request("DELETE", "/api/streams/demo", &[]);
    assert_eq!(answer.status, 404);
}

#[test]
fn blocks_over_the_servers_limit_travel_in_parts() {
    let nats = Nats::with("max_payload: 16384");
    let [a, b] = ["a", "b"].map(|name| node(&nats, name, &[]));
    let mut viewer = Viewer::v1(&b, "demo.x");
    let publisher = Numbered::of_size(&a, "demo.x", 1, 60_000);
    watch_to(&mut viewer, 1, 15);
    let mut late = Viewer::v1(&b, "demo.x");
    watch_to(&mut late, 1, 15);
    assert_eq!(
        (assert_legal(&viewer.screen), seen(&viewer.screen)[0].number),
        (0, 0)
    );
    assert!(
        viewer
            .screen
            .frames
            .iter()
            .all(|frame| frame.bytes.len() == 60_000)
    );
    assert_legal(&late.screen);
    drop(publisher);
}

#[test]
fn node_leaves_a_stream_only_after_its_last_viewer_and_takes_it_in_again() {
    let nats = Nats::start();
    let [a, b] = ["a", "b"].map(|name| node(&nats, name, &[]));
    let publisher = Numbered::publish(&a, "demo", 1);
    for number in [5, 15] {
        let mut viewer = Viewer::v1(&b, "demo");
        watch_to(&mut viewer, 1, number);
        assert_eq!(assert_legal(&viewer.screen), 0);
    }
    drop(publisher);
}

#[test]
fn processes_that_share_a_port_are_one_service() {
    let nats = Nats::start();
    let a = node(&nats, "a", &["--reuse-port"]);
    let address = a.address.to_string();
    let url = nats.url();
    let options = ["--nats", &url, "--node", "b", "--reuse-port"];
    let b = Server::on(&address, &options);
    assert_eq!(a.address, b.address);
    b.wait_for_log("connected to NATS", 1);
    let publisher = Numbered::publish(&a, "demo", 1);
    // The kernel spreads them.
    let mut viewers: Vec<Viewer> = (0..8).map(|_| Viewer::v1(&a, "demo")).collect();
    for viewer in &mut viewers {
        watch_to(viewer, 1, 12);
        assert_eq!(assert_legal(&viewer.screen), 0);
    }
    drop((publisher, viewers));
}
