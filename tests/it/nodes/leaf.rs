//! The promise: two NATS clusters, each in a network of its own and joined by leaf links, are one service; a
//! cut between them costs the viewers behind it a wait.

use super::nats::Nats;
use super::network::{Network, Place};
use super::numbered::{GOP, Numbered, age_ms, assert_legal, last, watch_to};
use crate::common::server::{Server, program_in};
use crate::common::viewer::Viewer;
use std::thread;
use std::time::{Duration, Instant};

const CUT: Duration = Duration::from_secs(10);

/// A node in this place, at a server of its cluster.
fn node(place: &Place, nats: &Nats, name: &str) -> Server {
    let mut command = program_in(&place.namespace);
    let listen = format!("{}:0", place.address);
    command.args(["--listen", &listen, "--publish-open"]);
    // JetStream is at the hub alone, under its domain.
    command.args([
        "--nats",
        &nats.url(),
        "--nats-domain",
        "hub",
        "--node",
        name,
    ]);
    Server::run(command)
}

#[test]
fn two_clusters_behind_a_leaf_link_are_one_service_and_outlive_a_cut() {
    let Some(network) = Network::new() else {
        println!("skipped: network namespaces want root");
        return;
    };
    let Network { hub, region } = &network;
    let ports = [7422, 7423];
    let accepts = ports.map(|port| {
        let address = &hub.inner_address;
        format!("leafnodes {{ listen: \"{address}:{port}\" }}\nping_interval: \"1s\"")
    });
    let urls = ports.map(|port| format!("\"nats://{}:{port}\"", hub.inner_address));
    let remote = format!(
        "leafnodes {{ remotes: [ {{ urls: [ {} ] }} ], reconnect: 1 }}\nping_interval: \"1s\"",
        urls.join(", ")
    );
    let centre = Nats::cluster(hub, Some("domain: hub"), accepts);
    let edge = Nats::cluster(region, None, [remote.clone(), remote]);
    let [a, b] = [(0, "a"), (1, "b")].map(|(index, name)| node(hub, &centre[index], name));
    let [c, d] = [(0, "c"), (1, "d")].map(|(index, name)| node(region, &edge[index], name));
    for server in [&a, &b, &c, &d] {
        server.wait_for_log("connected to NATS", 1);
    }
    let mut beside = Viewer::v1(&b, "demo");
    let mut remote = [&c, &d].map(|server| Viewer::v1(server, "demo"));
    let first = Numbered::publish(&a, "demo", 1);
    for viewer in &mut remote {
        watch_to(viewer, 1, 12);
        assert_eq!(assert_legal(&viewer.screen), 0);
    }
    let cut_at = Instant::now();
    network.cut(true);
    let lost_at = remote.each_mut().map(|viewer| {
        viewer.text("stalled");
        last(viewer).number
    });
    thread::sleep(CUT.saturating_sub(cut_at.elapsed()));
    network.cut(false);
    let back = first.sent();
    for (viewer, lost_at) in remote.iter_mut().zip(lost_at) {
        watch_to(viewer, 1, back);
        assert!(age_ms(viewer) < 1500, "{} ms", age_ms(viewer));
        assert!(assert_legal(&viewer.screen) > 0 && lost_at + 5 * GOP < back);
    }
    let mut late = Viewer::v1(&d, "demo");
    for viewer in [&mut late, &mut beside] {
        watch_to(viewer, 1, back);
        assert_eq!(assert_legal(&viewer.screen), 0);
    }
    // The lease is taken through the leaf.
    let second = Numbered::publish(&d, "demo", 2);
    for viewer in remote.iter_mut().chain([&mut beside, &mut late]) {
        watch_to(viewer, 2, 12);
        assert_legal(&viewer.screen);
    }
    assert_eq!(assert_legal(&beside.screen), 0);
    drop((first, second));
}
