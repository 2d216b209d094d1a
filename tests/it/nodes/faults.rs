//! The promise: a NATS server, a node or a network that fails costs the viewers of other publishers
//! nothing, and those concerned a wait; nothing stale is shown, and no block twice.

use super::nats::Nats;
use super::node;
use super::numbered::{GOP, Numbered, age_ms, assert_legal, last, watch_to};
use crate::common::eventually;
use crate::common::link::Link;
use crate::common::server::Server;
use crate::common::viewer::Viewer;
use rustix::process::Signal;
use std::time::{Duration, Instant};

#[test]
fn killed_nats_costs_viewers_beside_the_publisher_nothing_and_the_others_a_wait() {
    let mut nats = Nats::start();
    let [a, b] = ["a", "b"].map(|name| node(&nats, name, &[]));
    let mut beside = Viewer::v1(&a, "demo");
    let mut remote = Viewer::v1(&b, "demo");
    let publisher = Numbered::publish(&a, "demo", 1);
    watch_to(&mut remote, 1, 12);
    nats.kill();
    remote.text("stalled");
    let lost_at = last(&remote).number;
    a.wait_for_log("NATS is gone", 1);
    nats.run();
    remote.text("resumed");
    watch_to(&mut remote, 1, lost_at + 2 * GOP);
    assert!(age_ms(&remote) < 1000, "{} ms", age_ms(&remote));
    assert_legal(&remote.screen);
    watch_to(&mut beside, 1, lost_at + 2 * GOP);
    assert_eq!(
        (assert_legal(&beside.screen), beside.told()),
        (0, vec!["hello", "hello", "init"])
    );
    // The lease is in a file.
    let report = b.report_when("demo", |report| report["node"] == "a");
    assert_eq!(report["live"], true);
    drop(publisher);
}

#[test]
fn node_serves_alone_until_nats_is_there() {
    let mut nats = Nats::absent("");
    let url = nats.url();
    let alone = |name| Server::with(&["--nats", &url, "--node", name]);
    let [a, b] = ["a", "b"].map(alone);
    a.wait_for_log("this node serves alone until one does", 1);
    let mut beside = Viewer::v1(&a, "demo");
    let mut remote = Viewer::v1(&b, "demo");
    let publisher = Numbered::publish(&a, "demo", 1);
    watch_to(&mut beside, 1, 5);
    nats.run();
    watch_to(&mut remote, 1, 15);
    assert_legal(&remote.screen);
    watch_to(&mut beside, 1, 15);
    assert_eq!(assert_legal(&beside.screen), 0);
    drop(publisher);
}

#[test]
fn of_two_publishers_that_came_while_nats_was_away_the_newer_one_stays() {
    let mut nats = Nats::start();
    let [a, b] = ["a", "b"].map(|name| node(&nats, name, &[]));
    nats.kill();
    for server in [&a, &b] {
        server.wait_for_log("NATS is gone", 1);
    }
    let mut older = Numbered::publish(&a, "demo", 1);
    let mut viewer = Viewer::v1(&a, "demo");
    watch_to(&mut viewer, 1, 3);
    let newer = Numbered::publish(&b, "demo", 2);
    eventually("both are on air", || (newer.sent() > 3).then_some(()));
    nats.run();
    watch_to(&mut viewer, 2, 20);
    assert_legal(&viewer.screen);
    assert!(
        older
            .stop()
            .is_none_or(|mut publisher| publisher.client.closed().0 == 1000)
    );
    drop(newer);
}

#[test]
fn killed_node_leaves_its_stream_to_the_next_publisher_at_once() {
    let nats = Nats::start();
    let [a, b, c] = ["a", "b", "c"].map(|name| node(&nats, name, &[]));
    let mut viewer = Viewer::v1(&c, "demo");
    let first = Numbered::publish(&a, "demo", 1);
    watch_to(&mut viewer, 1, 12);
    let mut a = a;
    a.signal(Signal::KILL);
    a.wait(Instant::now());
    let began = Instant::now();
    let second = Numbered::publish(&b, "demo", 2);
    watch_to(&mut viewer, 2, 0);
    // Not after the lease has run out.
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    watch_to(&mut viewer, 2, 12);
    assert_legal(&viewer.screen);
    drop((first, second));
}

#[test]
fn stopped_node_delays_no_other_and_goes_on_with_what_is_new() {
    let nats = Nats::start();
    let [a, stopped, healthy] = ["a", "b", "c"].map(|name| node(&nats, name, &[]));
    let mut left_out = Viewer::v1(&stopped, "demo");
    let mut served = Viewer::v1(&healthy, "demo");
    let publisher = Numbered::publish(&a, "demo", 1);
    watch_to(&mut left_out, 1, 12);
    stopped.signal(Signal::STOP);
    let begun = publisher.sent();
    // Three seconds: longer than media may be old.
    watch_to(&mut served, 1, begun + 75);
    assert!(age_ms(&served) < 1000, "{} ms", age_ms(&served));
    stopped.signal(Signal::CONT);
    watch_to(&mut left_out, 1, begun + 75);
    assert!(age_ms(&left_out) < 1500, "{} ms", age_ms(&left_out));
    assert!(assert_legal(&left_out.screen) > 0 && left_out.told().contains(&"skip"));
    assert_eq!(assert_legal(&served.screen), 0);
    drop(publisher);
}

#[test]
fn node_cut_off_shows_nothing_stale_when_it_is_back() {
    let nats = Nats::start();
    let a = node(&nats, "a", &[]);
    let link = Link::to(nats.address);
    let url = format!("nats://{}", link.address);
    let b = Server::with(&["--nats", &url, "--node", "b"]);
    b.wait_for_log("connected to NATS", 1);
    let mut viewer = Viewer::v1(&b, "demo");
    let publisher = Numbered::publish(&a, "demo", 1);
    watch_to(&mut viewer, 1, 12);
    link.stall_after(0);
    viewer.text("stalled");
    // What was on its way comes all at once.
    link.resume();
    let begun = publisher.sent();
    watch_to(&mut viewer, 1, begun);
    assert!(age_ms(&viewer) < 1000, "{} ms", age_ms(&viewer));
    assert_eq!(assert_legal(&viewer.screen), 1);
    assert!(viewer.told().contains(&"skip"), "{:?}", viewer.told());
    drop(publisher);
}
