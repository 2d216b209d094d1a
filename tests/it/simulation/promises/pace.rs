//! How fast media goes through, and which clients delay others.

use super::super::link::LinkSpec;
use super::super::media::{Mark, picture};
use super::super::peers::publisher::{How as PublishBy, PublisherSpec};
use super::super::peers::stranger::{Kind, Stranger, StrangerSpec};
use super::super::peers::viewer::{Habit, How as WatchBy, Viewer, ViewerSpec};
use super::super::peers::{BINARY, PING, frame, upgrade};
use super::super::world::World;
use super::{LONG, as_ever, honest_viewer, ms, publish, s, watch};
use std::time::Duration;
use videostream::fuzzing::recording::{Tracks, head};
use videostream::websocket::messages::ToViewer;

#[test]
fn publisher_over_its_rate_is_read_at_that_rate_and_loses_nothing() {
    for how in [PublishBy::WebSocket, PublishBy::Body] {
        // A quarter of what it sends: so it is always held up.
        let rate = 25_000;
        let mut world = World::with(|limits| limits.max_publish_bits_per_s = Some(rate * 8));
        let spec = PublisherSpec {
            how,
            frame_bytes: 4_000,
            ..PublisherSpec::honest("honest", s(20))
        };
        publish(&mut world, spec);
        let viewer = watch(
            &mut world,
            WatchBy::V1,
            LinkSpec {
                rate: 3_999_999,
                ..LinkSpec::good()
            },
            s(1),
        );
        world.run(s(20));
        let before = viewer.borrow().pictures();
        world.run(s(20));
        let bytes = (viewer.borrow().pictures() - before) * 4_080;
        let expected = rate * 20;
        assert!(
            bytes.abs_diff(expected) < expected / 10,
            "{how:?}: {bytes} bytes"
        );
        // It is not silent for its deadlines: the server does not read it.
        world.run(s(60));
        assert_eq!(viewer.borrow().gaps(), 0);
        let all = 20 * 25;
        assert!(
            viewer.borrow().pictures() + 25 >= all,
            "{}",
            viewer.borrow().pictures()
        );
        world.assert_sound();
    }
}

#[test]
fn slow_viewer_is_told_that_it_skips_and_stays_near_the_live_edge() {
    for lag in [ms(600), s(1), s(3)] {
        let mut world = World::with(|limits| limits.lag_ms = lag.as_millis() as u64);
        publish(&mut world, PublisherSpec::honest("honest", LONG));
        let good = honest_viewer(&mut world);
        // Half of what the stream needs.
        let link = LinkSpec::slow(9_000);
        let slow = watch(&mut world, WatchBy::V1, link, lag);
        world.run(s(120));
        let slow = slow.borrow();
        assert!(slow.gaps() > 10, "{} skips", slow.gaps());
        let skips = slow.said.iter();
        let skips = skips.filter(|said| matches!(said, ToViewer::Skip { .. }));
        assert_eq!(skips.count() as u64, slow.gaps());
        // What may wait, the newest GOP, and what the link's buffers hold.
        let buffers = Duration::from_secs_f64((24 << 10) as f64 / 9_000.0);
        let most = lag + s(1) + buffers + s(1);
        assert!(slow.largest_delay() < most, "{:?}", slow.largest_delay());
        assert_eq!(good.borrow().gaps(), 0);
        world.assert_sound();
    }
}

#[test]
fn viewer_that_paused_for_less_than_the_lag_skips_nothing() {
    let mut world = World::with(as_ever);
    publish(&mut world, PublisherSpec::honest("honest", LONG));
    let viewer = Viewer::new(
        ViewerSpec {
            habit: Habit::Pausing(ms(900)),
            ..ViewerSpec::honest("honest", WatchBy::V1, LONG)
        },
        &world.books,
    );
    let link = LinkSpec {
        send_buffer: 4 << 10,
        receive_buffer: 2 << 10,
        ..LinkSpec::good()
    };
    let viewer = world.invite(link, viewer);
    world.run(s(20));
    assert_eq!(viewer.borrow().gaps(), 0);
    assert!(viewer.borrow().pictures() > 24 * 18);
    world.assert_sound();
}

/// What the others add to an honest viewer's delay.
const CROWD_DELAY_MAX: Duration = Duration::from_millis(25);

#[test]
fn honest_viewers_delay_does_not_depend_on_the_others() {
    let delay_beside = |crowd: usize| {
        let mut world = World::with(as_ever);
        publish(&mut world, PublisherSpec::honest("honest", LONG));
        honest_viewer(&mut world);
        world.run(s(2));
        for index in 0..crowd {
            match index % 4 {
                // Takes nothing.
                0 => {
                    let line = world.connect(LinkSpec::slow(3_000));
                    line.borrow_mut()
                        .send(upgrade("/live/honest", true).as_bytes());
                }
                // Asks without end, and reads the answers slowly.
                1 => {
                    let line = world.connect(LinkSpec::slow(100_000));
                    let ask = b"GET /api/streams HTTP/1.1\r\nHost: localhost\r\n\r\n";
                    line.borrow_mut().send(&ask.repeat(200));
                }
                // Sends as fast as it can.
                2 => {
                    let spec = PublisherSpec {
                        frame_bytes: 60_000,
                        ..PublisherSpec::honest("other", s(20))
                    };
                    publish(&mut world, spec);
                }
                _ => {
                    let line = world.connect(LinkSpec::good());
                    let mut junk = upgrade("/publish/honest", true).into_bytes();
                    junk.extend(frame(PING, &[1; 100]).repeat(500));
                    line.borrow_mut().send(&junk);
                }
            }
        }
        for seed in 0..crowd as u64 / 20 {
            let kind = [Kind::Flood, Kind::FloodOfMessages][seed as usize % 2];
            let flood = StrangerSpec { kind, seed };
            world.invite(flood.link(), Stranger::new(flood));
        }
        world.run(s(20));
        world.assert_sound();
        world.books.longest_delay()
    };
    let (alone, beside) = (delay_beside(0), delay_beside(120));
    assert!(
        alone > ms(40) && beside <= alone + CROWD_DELAY_MAX,
        "{alone:?}, {beside:?}"
    );
}

#[test]
fn chunks_that_come_during_a_sweep_reach_every_viewer() {
    let mut world = World::with(as_ever);
    let publisher = world.connect(LinkSpec::good());
    publisher
        .borrow_mut()
        .send(upgrade("/publish/honest", true).as_bytes());
    world.run(ms(100));
    let recording = world.books.new_recording();
    let send = |world: &World, rest: Vec<u8>| {
        let number = world.books.send(recording, world.now);
        let mark = Mark {
            recording,
            number,
            is_keyframe: number == 0,
        };
        let bytes = [rest, picture(mark, u64::from(number) * 10, 100)].concat();
        publisher.borrow_mut().send(&frame(BINARY, &bytes));
    };
    send(&world, head(Tracks::Picture));
    // A turn writes to some seven hundred.
    let viewers: Vec<_> = (0..1500)
        .map(|_| watch(&mut world, WatchBy::WebSocket, LinkSpec::good(), s(1)))
        .collect();
    world.run(s(1));
    for _ in 0..10 {
        send(&world, Vec::new());
        world.run(ms(2));
    }
    world.run(ms(300));
    world.assert_sound();
    let all = viewers
        .iter()
        .all(|viewer| viewer.borrow().pictures() == 11);
    assert!(all, "a viewer has not seen everything");
}

#[test]
fn pictures_wait_for_max_delay_and_go_out_together() {
    for (max_delay, arrivals) in [(ms(0), 450..550), (s(1), 15..25)] {
        let mut world = World::with(|limits| {
            limits.max_delay = max_delay;
            limits.lag_ms = 3000;
        });
        publish(&mut world, PublisherSpec::honest("honest", LONG));
        let viewer = watch(&mut world, WatchBy::V1, LinkSpec::good(), s(3));
        world.run(s(20));
        let viewer = viewer.borrow();
        assert!(arrivals.contains(&viewer.arrivals), "{}", viewer.arrivals);
        assert!(viewer.largest_delay() <= max_delay + ms(100));
        assert!(viewer.pictures() > 25 * 18 && viewer.gaps() == 0);
        world.assert_sound();
    }
}
