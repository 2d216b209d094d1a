//! How a hub comes to its end.

use super::super::link::LinkSpec;
use super::super::peers::publisher::PublisherSpec;
use super::super::peers::viewer::{How as WatchBy, Viewer};
use super::super::world::World;
use super::{LONG, as_ever, honest_viewer, let_viewers_vanish, publish, s, text, wait_for, watch};
use std::cell::RefCell;
use std::rc::Rc;

#[test]
fn stopped_hub_says_goodbye_and_is_empty_within_three_seconds() {
    let mut world = World::with(as_ever);
    let publisher = publish(&mut world, PublisherSpec::honest("honest", LONG));
    let viewers =
        [WatchBy::V1, WatchBy::WebSocket].map(|how| watch(&mut world, how, LinkSpec::good(), s(1)));
    let chunked = watch(&mut world, WatchBy::Chunked, LinkSpec::good(), s(1));
    let_viewers_vanish(&mut world);
    world.run(s(8));
    let stopped = world.now;
    world.stop();
    wait_for(&mut world, s(1), || {
        let is_told = |viewer: &Rc<RefCell<Viewer>>| viewer.borrow().close_code == Some(1001);
        viewers.iter().all(is_told) && publisher.borrow().close_code == Some(1001)
    });
    wait_for(&mut world, s(1), || chunked.borrow().has_ended());
    while world.hub.sessions() > 0 {
        let took = world.now - stopped;
        assert!(
            took < s(3),
            "{} are left after {took:?}",
            world.hub.sessions()
        );
        world.step(stopped + s(3));
    }
    world.assert_sound();
}

#[test]
fn draining_hub_serves_its_connections_and_no_further_request() {
    let mut world = World::with(as_ever);
    publish(&mut world, PublisherSpec::honest("honest", LONG));
    let viewer = honest_viewer(&mut world);
    let kept = world.connect(LinkSpec::good());
    let ask = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    kept.borrow_mut().send(ask);
    world.run(s(2));
    assert!(text(&kept).ends_with("ok\n"));
    world.hand_over();
    kept.borrow_mut().send(ask);
    let before = viewer.borrow().pictures();
    world.run(s(4));
    let answer = text(&kept);
    assert!(answer.is_empty() || answer.to_lowercase().contains("connection: close"));
    assert!(kept.borrow().is_ended());
    assert!(viewer.borrow().pictures() > before + 25 * 3);
    world.assert_sound();
}
