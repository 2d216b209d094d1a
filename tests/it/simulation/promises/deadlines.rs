//! How long each client may take, and what the server does after that.

use super::super::link::LinkSpec;
use super::super::peers::publisher::{How as PublishBy, Leave, PublisherSpec};
use super::super::peers::viewer::{Habit, How as WatchBy, Viewer, ViewerSpec};
use super::super::peers::{CLOSE, PING, frame, status, upgrade};
use super::super::world::{HookMood, World, hook, settings};
use super::{LONG, as_ever, assert_about, honest_viewer, ms, publish, s, text, wait_for};
use std::time::Instant;
use videostream::offline_reason::OfflineReason;
use videostream::websocket::messages::ToViewer;

#[test]
fn request_head_has_ten_seconds() {
    let mut world = World::with(as_ever);
    let silent = world.connect(LinkSpec::good());
    let half = world.connect(LinkSpec::good());
    half.borrow_mut().send(b"GET / HTTP/1.1\r\nHos");
    let trickling = world.connect(LinkSpec::good());
    world.run(ms(9_900));
    for line in [&silent, &half, &trickling] {
        line.borrow_mut().send(b"G");
        assert_eq!(text(line), "");
    }
    world.run(ms(600));
    for line in [&silent, &half, &trickling] {
        let answer = text(line);
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer:?}");
    }
    // They have two seconds to hang up, and do not.
    world.run(s(3));
    assert!(silent.borrow().is_dropped && half.borrow().is_dropped);
    world.assert_sound();
    world.check_that_all_is_given_back();
    world.assert_sound();
}

#[test]
fn trickled_request_head_has_ten_seconds_as_well() {
    let mut world = World::with(as_ever);
    let line = world.connect(LinkSpec::good());
    let began = world.now;
    let head = "GET / HTTP/1.1\r\nX-Endless: ".bytes();
    for byte in head.chain([b'x'; 3000]) {
        line.borrow_mut().send(&[byte]);
        world.run(ms(5));
        if line.borrow().has_come() {
            break;
        }
    }
    assert_about(world.now - began, s(10));
    assert!(text(&line).starts_with("HTTP/1.1 408"));
    world.assert_sound();
}

#[test]
fn idle_connection_is_closed_without_an_answer_after_ten_seconds() {
    let mut world = World::with(as_ever);
    let idle = world.connect(LinkSpec::good());
    idle.borrow_mut()
        .send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    world.run(s(9));
    assert!(text(&idle).ends_with("ok\n") && !idle.borrow().is_ended());
    world.run(s(2));
    assert_eq!(text(&idle), "");
    assert!(idle.borrow().is_ended());
    world.assert_sound();
}

#[test]
fn silent_publisher_has_thirty_seconds_and_sixty_if_it_answers_pings() {
    for (how, answers, expected) in [
        (PublishBy::Body, false, s(30)),
        (PublishBy::WebSocket, false, s(30)),
        (PublishBy::WebSocket, true, s(60)),
    ] {
        let mut world = World::with(as_ever);
        let publisher = publish(
            &mut world,
            PublisherSpec {
                how,
                leave: Leave::Silently,
                ..PublisherSpec::honest("honest", s(3))
            },
        );
        publisher.borrow_mut().answers_pings = answers;
        let viewer = honest_viewer(&mut world);
        world.run(s(3));
        let took = wait_for(&mut world, s(100), || {
            let viewer = viewer.borrow();
            let last = viewer.said.last();
            matches!(
                last,
                Some(ToViewer::Offline {
                    reason: OfflineReason::Lost
                })
            )
        });
        assert_about(took, expected);
        world.run(s(1));
        let publisher = publisher.borrow();
        match how {
            PublishBy::WebSocket => assert_eq!(publisher.close_code, Some(1008)),
            PublishBy::Body => assert!(publisher.said[0].starts_with("HTTP/1.1 408")),
        }
        assert!(!viewer.borrow().has_ended());
        world.assert_sound();
    }
}

#[test]
fn pings_alone_keep_no_publisher() {
    let mut world = World::with(as_ever);
    let line = world.connect(LinkSpec::good());
    line.borrow_mut()
        .send(upgrade("/publish/honest", true).as_bytes());
    for second in 0..62 {
        assert!(!line.borrow().is_ended(), "closed after {second} s");
        line.borrow_mut().send(&frame(PING, b"there?"));
        world.run(s(1));
        if second > 58 {
            break;
        }
    }
    world.run(s(4));
    assert!(line.borrow().is_dropped);
    world.assert_sound();
}

#[test]
fn viewer_that_answers_no_ping_is_dropped_after_forty_seconds() {
    let mut world = World::with(as_ever);
    let answers = honest_viewer(&mut world);
    let deaf = world.connect(LinkSpec::good());
    deaf.borrow_mut()
        .send(upgrade("/live/honest", true).as_bytes());
    let dropped = deaf.clone();
    let took = wait_for(&mut world, s(60), || dropped.borrow().is_dropped);
    assert_about(took, s(40));
    world.run(s(60));
    assert!(!answers.borrow().has_ended());
    world.assert_sound();
}

#[test]
fn viewer_that_takes_no_byte_is_dropped_after_thirty_seconds() {
    for how in [
        WatchBy::V1,
        WatchBy::WebSocket,
        WatchBy::Chunked,
        WatchBy::UntilClose,
    ] {
        let mut world = World::with(as_ever);
        publish(&mut world, PublisherSpec::honest("honest", LONG));
        let good = honest_viewer(&mut world);
        let link = LinkSpec {
            send_buffer: 8 << 10,
            receive_buffer: 4 << 10,
            ..LinkSpec::good()
        };
        let viewer = Viewer::new(
            ViewerSpec {
                habit: Habit::Pausing(s(300)),
                ..ViewerSpec::honest("honest", how, LONG)
            },
            &world.books,
        );
        let viewer = world.invite(link, viewer);
        wait_for(&mut world, s(5), || viewer.borrow().pictures() > 0);
        let took = wait_for(&mut world, s(60), || viewer.borrow().is_cut_off());
        // 12 KiB of buffers hold less than a second of the stream.
        assert!((s(30)..s(32)).contains(&took), "{how:?}: {took:?}");
        assert!(good.borrow().pictures() > 25 * 25);
        world.assert_sound();
    }
}

#[test]
fn closed_websocket_is_given_two_seconds_to_hang_up() {
    let mut world = World::with(as_ever);
    let line = world.connect(LinkSpec::good());
    line.borrow_mut()
        .send(upgrade("/live/honest", true).as_bytes());
    world.run(s(1));
    line.borrow_mut()
        .send(&frame(CLOSE, &1000_u16.to_be_bytes()));
    let closed: Instant = world.now;
    let dropped = line.clone();
    wait_for(&mut world, s(5), || dropped.borrow().is_dropped);
    assert_about(world.now - closed, s(2));
    world.check_that_all_is_given_back();
    world.assert_sound();
}

#[test]
fn refused_upload_without_end_is_cut_off_after_ten_seconds() {
    let mut world = World::with(as_ever);
    let line = world.connect(LinkSpec::good());
    line.borrow_mut()
        .send(b"PUT /live/demo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    let began = world.now;
    while !line.borrow().is_dropped {
        assert!(world.now - began < s(20), "it is read on");
        line.borrow_mut().send(b"1\r\nx\r\n");
        world.run(ms(20));
    }
    assert_about(world.now - began, s(10));
    assert!(text(&line).starts_with("HTTP/1.1 405"));
    world.check_that_all_is_given_back();
    world.assert_sound();
}

#[test]
fn uploader_that_reads_behind_its_last_byte_gets_its_answer() {
    let megabyte = vec![7; 1 << 20];
    let chunked = [b"100000\r\n", &megabyte[..], b"\r\n0\r\n\r\n"].concat();
    for (framing, body) in [
        ("Content-Length: 1048576\r\n", &megabyte),
        ("Transfer-Encoding: chunked\r\n", &chunked),
        ("", &megabyte),
    ] {
        for (target, expected) in [
            ("/live/.demo.webm", 400),
            ("/nowhere", 404),
            ("/live/demo", 405),
        ] {
            let mut world = World::with(as_ever);
            // Some seconds for all of it.
            let link = LinkSpec {
                rate: 200_000,
                ..LinkSpec::good()
            };
            let line = world.connect(link);
            let head = format!("PUT {target} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n");
            line.borrow_mut().send(head.as_bytes());
            line.borrow_mut().send(body);
            world.run(s(1));
            assert!(line.borrow().has_unsent());
            world.run(s(6));
            assert!(!line.borrow().has_unsent(), "{target} {framing}");
            let answer = text(&line);
            assert_eq!(status(&answer), expected, "{answer}");
            world.assert_sound();
        }
    }
}

#[test]
fn poster_has_thirty_seconds_however_it_comes() {
    let mut world = World::with(as_ever);
    let publisher = publish(&mut world, PublisherSpec::honest("honest", LONG));
    let viewer = honest_viewer(&mut world);
    world.run(s(1));
    let line = world.connect(LinkSpec::good());
    line.borrow_mut().send(
        b"PUT /live/honest.jpg HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n\xff\xd8\xff",
    );
    let began = world.now;
    while !line.borrow().has_come() {
        assert!(world.now - began < s(40), "it is waited for");
        line.borrow_mut().send(b"x");
        world.run(ms(30));
    }
    assert_about(world.now - began, s(30));
    assert!(text(&line).starts_with("HTTP/1.1 408"));
    world.run(s(1));
    assert_eq!(
        (viewer.borrow().gaps(), publisher.borrow().close_code),
        (0, None)
    );
    world.assert_sound();
}

#[test]
fn dead_hook_delays_its_requests_by_its_timeout_and_no_other() {
    let mut settings = settings(as_ever);
    settings.hook = Some(hook());
    let mut world = World::new(settings, 1);
    world.set_hook(HookMood::Quick);
    publish(&mut world, PublisherSpec::honest("honest", LONG));
    let viewer = honest_viewer(&mut world);
    world.run(s(2));
    world.set_hook(HookMood::Dead);
    let asks = world.connect(LinkSpec::good());
    asks.borrow_mut()
        .send(b"GET /live/other.webm HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let page = world.connect(LinkSpec::good());
    page.borrow_mut()
        .send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    world.run(ms(200));
    assert!(text(&page).ends_with("ok\n"));
    let line = asks.clone();
    let took = wait_for(&mut world, s(8), || line.borrow().has_come());
    assert_about(took + ms(200), ms(5500));
    assert!(text(&asks).starts_with("HTTP/1.1 503"));
    assert_eq!(viewer.borrow().gaps(), 0);
    world.assert_sound();
}

#[test]
fn standstill_counts_against_no_session() {
    let mut world = World::with(as_ever);
    let publisher = publish(&mut world, PublisherSpec::honest("honest", LONG));
    let viewer = honest_viewer(&mut world);
    let deaf = world.connect(LinkSpec::good());
    deaf.borrow_mut()
        .send(upgrade("/live/honest", true).as_bytes());
    let half = world.connect(LinkSpec::good());
    half.borrow_mut().send(b"GET /healthz HTTP/1.1\r\n");
    world.run(s(5));
    let pictures = viewer.borrow().pictures();
    publisher.borrow_mut().pause = Some((world.now, s(300)));
    world.stand_still(s(300));
    // It has the rest of its ten seconds.
    world.run(s(4));
    half.borrow_mut().send(b"Host: localhost\r\n\r\n");
    world.run(s(1));
    assert!(text(&half).ends_with("ok\n"));
    world.run(s(5));
    assert!(!viewer.borrow().has_ended());
    assert!(viewer.borrow().pictures() > pictures + 25 * 4);
    let said = &viewer.borrow().said;
    let lost = |said: &ToViewer| matches!(said, ToViewer::Offline { .. });
    assert!(!said.iter().any(lost), "{said:?}");
    assert!(
        !publisher
            .borrow()
            .said
            .iter()
            .any(|said| said.contains("replaced"))
    );
    world.assert_sound();
}

#[test]
fn wall_clock_that_jumps_changes_no_deadline() {
    let mut world = World::with(as_ever);
    publish(&mut world, PublisherSpec::honest("honest", LONG));
    let viewer = honest_viewer(&mut world);
    for wall_s in [0, 4_000_000_000, 1, u64::MAX / 2, 1_700_000_000] {
        world.run(s(5));
        world.set_wall_s(wall_s);
    }
    world.run(s(5));
    assert_eq!(viewer.borrow().gaps(), 0);
    assert!(viewer.borrow().pictures() > 25 * 28);
    world.assert_sound();
}
