//! What the server promises about time, one by one. Each took seconds of the clock, and takes some
//! milliseconds here; one test over real sockets beside each proves that the wires are joined.

use super::link::{Line, LinkSpec};
use super::media::{Mark, picture};
use super::peers::publisher::{How as PublishBy, Leave, Publisher, PublisherSpec};
use super::peers::stranger::{Kind, Stranger, StrangerSpec};
use super::peers::viewer::{Habit, How as WatchBy, Viewer, ViewerSpec};
use super::peers::{BINARY, CLOSE, PING, PONG, frame, upgrade};
use super::world::{HookMood, World, hook, settings};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use videostream::config::Limits;
use videostream::fuzzing::recording::{Tracks, head};
use videostream::offline_reason::OfflineReason;
use videostream::websocket::messages::ToViewer;

pub const LONG: Duration = Duration::from_secs(500);

/// Two ways of a good link, and a look at deadlines.
const ROUGHLY: Duration = Duration::from_millis(400);

pub fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub fn as_ever(_: &mut Limits) {}

pub fn publish(world: &mut World, spec: PublisherSpec) -> Rc<RefCell<Publisher>> {
    let publisher = Publisher::new(spec, &world.books);
    world.invite(LinkSpec::good(), publisher)
}

pub fn watch(
    world: &mut World,
    how: WatchBy,
    link: LinkSpec,
    lag: Duration,
) -> Rc<RefCell<Viewer>> {
    let habit = if link == LinkSpec::good() {
        Habit::Honest
    } else {
        Habit::Patient
    };
    let spec = ViewerSpec {
        habit,
        lag,
        ..ViewerSpec::honest("honest", how, LONG)
    };
    let viewer = Viewer::new(spec, &world.books);
    world.invite(link, viewer)
}

pub fn honest_viewer(world: &mut World) -> Rc<RefCell<Viewer>> {
    watch(world, WatchBy::V1, LinkSpec::good(), s(1))
}

/// Twenty viewers come, and vanish after two seconds, without a word.
pub fn let_viewers_vanish(world: &mut World) {
    let lines: Vec<Line> = (0..20)
        .map(|_| world.connect(LinkSpec::slow(5_000)))
        .collect();
    for line in &lines {
        line.borrow_mut()
            .send(upgrade("/live/honest", true).as_bytes());
    }
    world.run(s(2));
    for line in &lines {
        line.borrow_mut().vanish();
    }
}

pub fn text(line: &Line) -> String {
    String::from_utf8_lossy(&line.borrow_mut().take()).into_owned()
}

/// Lets time pass until this holds. Returns how long it took.
pub fn wait_for(world: &mut World, most: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let began = world.now;
    while !holds() {
        let waited = world.now - began;
        assert!(waited < most, "in vain, for {waited:?}");
        world.step(began + most);
        world.assert_sound();
    }
    world.now - began
}

pub fn assert_about(took: Duration, expected: Duration) {
    let is_right = took >= expected.saturating_sub(ms(50)) && took <= expected + ROUGHLY;
    assert!(is_right, "{took:?} rather than {expected:?}");
}

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

#[test]
fn viewers_get_stalled_after_two_seconds_of_silence_and_resumed_after_it() {
    let mut world = World::with(as_ever);
    let publisher = publish(&mut world, PublisherSpec::honest("honest", LONG));
    let viewer = honest_viewer(&mut world);
    world.run(s(4));
    publisher.borrow_mut().pause = Some((world.now, s(5)));
    let stalled = |said: &ToViewer| matches!(said, ToViewer::Stalled { .. });
    let took = wait_for(&mut world, s(10), || {
        viewer.borrow().said.last().is_some_and(stalled)
    });
    assert_about(took, s(2));
    // A viewer that comes meanwhile has the last picture, and is told.
    let late = honest_viewer(&mut world);
    let took = wait_for(&mut world, s(10), || {
        late.borrow().said.last().is_some_and(stalled)
    });
    assert!(took < ms(300) && late.borrow().pictures() > 0, "{took:?}");
    let took = wait_for(&mut world, s(10), || {
        viewer.borrow().said.last() == Some(&ToViewer::Resumed)
    });
    assert_about(took + s(2), s(5) - ms(100));
    world.run(s(20));
    let said = viewer
        .borrow()
        .said
        .iter()
        .filter(|said| stalled(said))
        .count();
    assert_eq!(said, 1);
    world.assert_sound();
}

#[test]
fn silent_tracks_first_picture_is_shown_after_a_second() {
    // The publisher goes on with its pictures, or says nothing more: then the clock alone shows them.
    for lasts in [LONG, ms(200)] {
        let mut world = World::with(as_ever);
        let spec = PublisherSpec {
            // Sound is promised and does not come.
            mute: true,
            leave: Leave::Silently,
            ..PublisherSpec::honest("honest", lasts)
        };
        publish(&mut world, spec);
        let viewer = honest_viewer(&mut world);
        let took = wait_for(&mut world, s(5), || viewer.borrow().pictures() > 0);
        assert!((ms(950)..ms(1400)).contains(&took), "{took:?}");
        world.run(s(10));
        let all = lasts.min(s(9)).as_millis() as u64 / 40;
        assert!(viewer.borrow().pictures() >= all);
        world.assert_sound();
    }
}

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
fn sparse_stream_is_stalled_at_its_first_two_gaps_alone() {
    let mut world = World::with(as_ever);
    let spec = PublisherSpec {
        frame_every: ms(2500),
        has_sound: false,
        ..PublisherSpec::honest("honest", LONG)
    };
    publish(&mut world, spec);
    let viewer = honest_viewer(&mut world);
    world.run(s(60));
    let viewer = viewer.borrow();
    let stalled = |said: &&ToViewer| matches!(said, ToViewer::Stalled { .. });
    let resumed = |said: &&ToViewer| matches!(said, ToViewer::Resumed);
    assert_eq!(viewer.said.iter().filter(stalled).count(), 2);
    assert_eq!(viewer.said.iter().filter(resumed).count(), 2);
    world.assert_sound();
}

#[test]
fn stalled_body_is_reported_and_a_steady_stream_is_not() {
    let mut world = World::with(as_ever);
    let spec = PublisherSpec {
        how: PublishBy::Body,
        ..PublisherSpec::honest("honest", s(40))
    };
    let publisher = publish(&mut world, spec);
    let viewer = honest_viewer(&mut world);
    world.run(s(20));
    let stalled = |said: &ToViewer| matches!(said, ToViewer::Stalled { .. });
    assert!(!viewer.borrow().said.iter().any(stalled));
    publisher.borrow_mut().pause = Some((world.now, s(3)));
    world.run(s(25));
    let said = &viewer.borrow().said;
    let place = said.iter().position(stalled).expect("it is told");
    assert_eq!(said[place + 1], ToViewer::Resumed);
    let ended = OfflineReason::Ended;
    assert_eq!(said.last(), Some(&ToViewer::Offline { reason: ended }));
    world.assert_sound();
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
            assert_eq!(super::peers::status(&answer), expected, "{answer}");
            world.assert_sound();
        }
    }
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
fn stalled_link_of_a_publisher_loses_no_client_and_no_picture() {
    for how in [PublishBy::WebSocket, PublishBy::Body] {
        let mut world = World::with(as_ever);
        let spec = PublisherSpec {
            how,
            ..PublisherSpec::honest("honest", LONG)
        };
        let publisher = Publisher::new(spec, &world.books);
        let line = world.invite_line(LinkSpec::good(), publisher);
        let viewer = honest_viewer(&mut world);
        world.run(s(4));
        line.borrow_mut().stall_up(true);
        // The recorder does not know.
        let stalled = world.now;
        world.run(s(5));
        world.books.excuse(stalled, world.now + s(2));
        let late = honest_viewer(&mut world);
        world.run(ms(500));
        assert_eq!(
            (late.borrow().pictures() > 0, late.borrow().gaps()),
            (true, 0)
        );
        line.borrow_mut().stall_up(false);
        world.run(s(5));
        for viewer in [&viewer, &late] {
            let viewer = viewer.borrow();
            assert!(viewer.pictures() > 25 * 9, "{}", viewer.pictures());
            let gone = |said: &ToViewer| matches!(said, ToViewer::Offline { .. });
            assert!(viewer.gaps() == 0 && !viewer.said.iter().any(gone));
        }
        world.assert_sound();
    }
}

#[test]
fn half_a_block_ends_a_silence_and_a_ping_does_not() {
    let mut world = World::with(as_ever);
    let line = world.connect(LinkSpec::good());
    line.borrow_mut()
        .send(upgrade("/publish/honest", true).as_bytes());
    world.run(ms(100));
    let recording = world.books.new_recording();
    let number = world.books.send(recording, world.now);
    let mark = Mark {
        recording,
        number,
        is_keyframe: true,
    };
    let start = [head(Tracks::Picture), picture(mark, 0, 100)].concat();
    line.borrow_mut().send(&frame(BINARY, &start));
    let viewer = honest_viewer(&mut world);
    let stalled = |said: &ToViewer| matches!(said, ToViewer::Stalled { .. });
    wait_for(&mut world, s(5), || {
        viewer.borrow().said.last().is_some_and(stalled)
    });
    line.borrow_mut().send(&frame(PING, b"there?"));
    line.borrow_mut().send(&frame(PONG, b"here"));
    world.run(ms(800));
    assert!(viewer.borrow().said.last().is_some_and(stalled));
    let next = Mark {
        number: number + 1,
        is_keyframe: false,
        ..mark
    };
    line.borrow_mut()
        .send(&frame(BINARY, &picture(next, 40, 100)[..3]));
    let took = wait_for(&mut world, s(1), || {
        viewer.borrow().said.last() == Some(&ToViewer::Resumed)
    });
    assert!(
        took < ms(100) && viewer.borrow().pictures() == 1,
        "{took:?}"
    );
    world.assert_sound();
}

#[test]
fn takeover_of_a_stalled_stream_resumes_it() {
    let mut world = World::with(as_ever);
    let spec = PublisherSpec {
        leave: Leave::Silently,
        ..PublisherSpec::honest("honest", s(2))
    };
    publish(&mut world, spec);
    let viewer = honest_viewer(&mut world);
    let stalled = |said: &ToViewer| matches!(said, ToViewer::Stalled { .. });
    wait_for(&mut world, s(10), || {
        viewer.borrow().said.last().is_some_and(stalled)
    });
    publish(&mut world, PublisherSpec::honest("honest", s(20)));
    world.run(s(2));
    let viewer = viewer.borrow();
    let said = &viewer.said;
    let place = said.iter().position(stalled).expect("it was told");
    assert_eq!(said[place + 1], ToViewer::Resumed);
    assert!(viewer.pictures() > 25 * 3);
    let gone = |said: &ToViewer| matches!(said, ToViewer::Offline { .. });
    assert!(!said.iter().any(gone), "{said:?}");
    world.assert_sound();
}

#[test]
fn stalled_stream_that_ends_goes_offline_and_is_not_resumed() {
    let mut world = World::with(as_ever);
    let publisher = publish(&mut world, PublisherSpec::honest("honest", s(10)));
    let viewer = honest_viewer(&mut world);
    world.run(s(2));
    publisher.borrow_mut().pause = Some((world.now, s(100)));
    world.run(s(12));
    let said = &viewer.borrow().said;
    let stalled = |said: &ToViewer| matches!(said, ToViewer::Stalled { .. });
    let place = said.iter().position(stalled).expect("it is told");
    let count = |said: &&ToViewer| matches!(said, ToViewer::Viewers { .. });
    let rest: Vec<&ToViewer> = said[place + 1..].iter().filter(|one| !count(one)).collect();
    let reason = OfflineReason::Ended;
    assert_eq!(rest, [&ToViewer::Offline { reason }]);
    world.assert_sound();
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

#[test]
fn recording_without_a_keyframe_is_not_on_air_and_is_asked_to_restart() {
    let mut world = World::with(as_ever);
    let line = world.connect(LinkSpec::good());
    line.borrow_mut()
        .send(upgrade("/publish/honest", true).as_bytes());
    world.run(ms(100));
    let viewer = honest_viewer(&mut world);
    let recording = world.books.new_recording();
    let began = world.now;
    line.borrow_mut()
        .send(&frame(BINARY, &head(Tracks::Picture)));
    let mut said = text(&line);
    while !said.contains("\"restart\"") {
        let took = world.now - began;
        assert!(took < s(10), "{said}");
        let mark = Mark {
            recording,
            number: world.books.send(recording, world.now),
            is_keyframe: false,
        };
        let at_ms = u64::from(mark.number) * 40;
        line.borrow_mut()
            .send(&frame(BINARY, &picture(mark, at_ms, 100)));
        world.run(ms(40));
        said += &text(&line);
    }
    assert_eq!(viewer.borrow().pictures(), 0);
    world.assert_sound();
}
