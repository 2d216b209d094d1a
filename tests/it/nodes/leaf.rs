//! The promise: two NATS servers, joined by a leaf link through a network, are one service; a cut link costs
//! the viewers behind it a wait.

use super::nats::Nats;
use super::node;
use super::numbered::{GOP, Numbered, age_ms, assert_legal, last, watch_to};
use crate::common::viewer::Viewer;
use std::process::{self, Command};
use std::thread;
use std::time::Duration;

const CUT: Duration = Duration::from_secs(10);

fn ip(arguments: &str) -> bool {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    let output = output.expect("this test needs ip, from Debian's iproute2");
    output.status.success()
}

/// A network namespace behind two links: one for the leaf's way to its hub, one for its clients.
struct Network {
    name: String,
    /// The third number of our addresses.
    number: u8,
}

impl Network {
    /// `None` where this may not be done.
    fn new() -> Option<Network> {
        let id = process::id();
        let name = format!("vs{id}");
        if !ip(&format!("netns add {name}")) {
            return None;
        }
        let network = Network {
            name,
            number: (id % 250) as u8,
        };
        let name = &network.name;
        for (link, net) in [("hub", 98), ("own", 99)] {
            let number = network.number;
            for command in [
                format!("link add {name}{link} type veth peer name {link} netns {name}"),
                format!("addr add 10.{net}.{number}.1/24 dev {name}{link}"),
                format!("link set {name}{link} up"),
                format!("-n {name} addr add 10.{net}.{number}.2/24 dev {link}"),
                format!("-n {name} link set {link} up"),
            ] {
                assert!(ip(&command), "ip {command}");
            }
        }
        Some(network)
    }

    /// The hub's end of its link, and the leaf's end of its clients'.
    fn addresses(&self) -> [String; 2] {
        [
            format!("10.98.{}.1", self.number),
            format!("10.99.{}.2", self.number),
        ]
    }

    /// Drops what the link to the hub carries, or no longer. Its ends see no change.
    fn cut(&self, is_cut: bool) {
        let state = if is_cut { "down" } else { "up" };
        assert!(ip(&format!("-n {} link set hub {state}", self.name)));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Its links go with it.
        ip(&format!("netns del {}", self.name));
    }
}

#[test]
fn nodes_behind_a_leaf_are_one_service_with_those_of_the_hub_and_outlive_a_cut_link() {
    let Some(network) = Network::new() else {
        println!("skipped: network namespaces want root");
        return;
    };
    let [hub_address, leaf_address] = network.addresses();
    let hub = Nats::hub(&format!(
        "leafnodes {{ listen: \"{hub_address}:7422\" }}\nping_interval: \"1s\""
    ));
    let leaf = Nats::leaf_in(
        &network.name,
        &format!("{leaf_address}:4222"),
        &format!(
            "leafnodes {{ remotes: [ {{ url: \"nats://{hub_address}:7422\" }} ], reconnect: 1 }}\nping_interval: \"1s\""
        ),
    );
    // JetStream is at the hub alone, under its domain.
    let domain = ["--nats-domain", "hub"];
    let a = node(&hub, "a", &domain);
    let b = node(&leaf, "b", &domain);
    let mut beside = Viewer::v1(&a, "demo");
    let mut remote = Viewer::v1(&b, "demo");
    let first = Numbered::publish(&a, "demo", 1);
    watch_to(&mut remote, 1, 12);
    assert_eq!(assert_legal(&remote.screen), 0);
    network.cut(true);
    remote.text("stalled");
    let lost_at = last(&remote).number;
    thread::sleep(CUT);
    network.cut(false);
    let back = first.sent();
    watch_to(&mut remote, 1, back);
    assert!(age_ms(&remote) < 1500, "{} ms", age_ms(&remote));
    assert!(assert_legal(&remote.screen) > 0 && lost_at + 5 * GOP < back);
    let mut late = Viewer::v1(&b, "demo");
    watch_to(&mut late, 1, back);
    watch_to(&mut beside, 1, back);
    assert_eq!(
        (assert_legal(&late.screen), assert_legal(&beside.screen)),
        (0, 0)
    );
    // The lease is taken through the leaf.
    let second = Numbered::publish(&b, "demo", 2);
    for viewer in [&mut beside, &mut remote, &mut late] {
        watch_to(viewer, 2, 12);
        assert_legal(&viewer.screen);
    }
    assert_eq!(assert_legal(&beside.screen), 0);
    drop((first, second));
}
