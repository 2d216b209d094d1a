//! What the server promises about memory, keys and tokens, clients and handover, one by one.

use super::guards::{Credential, GUARDS, Guard, PASSES, Pass, Right, SHOWS};
use super::link::{Line, LinkSpec};
use super::peers::publisher::{How as PublishBy, PublisherSpec};
use super::peers::stranger::{GREEDY, Kind, Stranger, StrangerSpec};
use super::peers::viewer::{How as WatchBy, Viewer, ViewerSpec};
use super::peers::{status, upgrade};
use super::promises::{
    LONG, as_ever, assert_about, honest_viewer, let_viewers_vanish, ms, publish, s, text, wait_for,
};
use super::world::{Address, Naming, UNIX_START, World, settings_of};
use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;
use videostream::config::Options;

const WATCH_HTTP: &str = "GET /live/honest.webm HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn annoy(world: &mut World, kind: Kind, seed: u64) -> Rc<RefCell<Stranger>> {
    let spec = StrangerSpec { kind, seed };
    world.invite(spec.link(), Stranger::new(spec))
}

/// Sends a request, and returns the status of its answer.
fn ask(world: &mut World, request: &str) -> u16 {
    let line = world.connect(LinkSpec::good());
    line.borrow_mut().send(request.as_bytes());
    world.run(ms(200));
    let status = status(&text(&line));
    line.borrow_mut().reset();
    status
}

fn world_of(max_memory: usize) -> World {
    World::with(|limits| limits.max_memory_bytes = Some(max_memory))
}

#[test]
fn full_memory_refuses_newcomers_with_503_and_keeps_streams_on_air() {
    let mut world = world_of(1 << 20);
    let publisher = publish(&mut world, PublisherSpec::honest("honest", LONG));
    let viewer = honest_viewer(&mut world);
    world.run(s(2));
    assert_eq!(ask(&mut world, WATCH_HTTP), 200);
    // Its ring alone would fill four times as much.
    let large = annoy(&mut world, Kind::LargeStream, 1);
    world.run(s(6));
    assert!(world.memory.held() >= 1 << 20);
    world.books.set_narrow();
    assert_eq!(ask(&mut world, WATCH_HTTP), 503);
    let newcomer = PublisherSpec {
        how: PublishBy::Body,
        ..PublisherSpec::honest("newcomer", s(1))
    };
    let newcomer = publish(&mut world, newcomer);
    world.run(s(1));
    assert_eq!(status(&newcomer.borrow().said[0]), 503);
    // What holds no memory is still to be had.
    let health = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(ask(&mut world, health), 200);
    let before = viewer.borrow().pictures();
    // The large stream's publisher is silent, and its ring goes with it.
    world.run(s(70));
    assert!(viewer.borrow().pictures() > before + 69 * 25);
    assert_eq!(
        (viewer.borrow().gaps(), publisher.borrow().close_code),
        (0, None)
    );
    assert!(world.memory.held() < 1 << 20);
    assert_eq!(ask(&mut world, WATCH_HTTP), 200);
    drop(large);
    world.assert_sound();
}

#[test]
fn unread_answers_cost_the_clients_that_do_not_read_them() {
    let limit = 768 << 10;
    let mut world = World::with(|limits| {
        limits.max_memory_bytes = Some(limit);
        limits.ring_bytes = 256 << 10;
    });
    publish(&mut world, PublisherSpec::honest("honest", LONG));
    let viewer = honest_viewer(&mut world);
    world.run(s(2));
    let before = world.memory.held();
    // A report of each second, of some 8 KiB: after a minute they would take twice what is left.
    let mut most = 0;
    for seed in 0..100 {
        annoy(&mut world, Kind::Hoarding, seed);
        world.run(ms(1100));
        most = most.max(world.memory.held());
    }
    assert!(most > before + limit / 8, "{most}: too little was tried");
    assert!(world.memory.held() <= limit + limit / 16);
    // And no media: the ring is as long as ever.
    let ring_bytes = world.hub.audit().streams[0].ring_bytes;
    assert!(ring_bytes > 240 << 10, "{ring_bytes}");
    assert_eq!(ask(&mut world, WATCH_HTTP), 200);
    assert!(world.books.counts().closed_for_memory > 10);
    assert_eq!(viewer.borrow().gaps(), 0);
    world.assert_sound();
}

#[test]
fn unfinished_posters_cost_no_media() {
    let mut world = World::with(|limits| {
        limits.max_memory_bytes = Some(1 << 20);
        limits.ring_bytes = 512 << 10;
    });
    publish(&mut world, PublisherSpec::honest("honest", LONG));
    let viewer = honest_viewer(&mut world);
    world.run(s(40));
    let ring_bytes = |world: &World| world.hub.audit().streams[0].ring_bytes;
    let before = ring_bytes(&world);
    for seed in 0..12 {
        annoy(&mut world, Kind::LargePoster, seed);
    }
    world.run(s(2));
    assert!(world.books.counts().closed_for_memory > 3);
    assert!(ring_bytes(&world) > before - (32 << 10), "{before}");
    assert_eq!(viewer.borrow().gaps(), 0);
    world.assert_sound();
}

#[test]
fn unfinished_media_cost_their_publishers_and_no_stream() {
    let mut world = world_of(2 << 20);
    let publisher = publish(&mut world, PublisherSpec::honest("honest", LONG));
    let viewer = honest_viewer(&mut world);
    world.run(s(2));
    for (seed, kind) in [Kind::LargeMessage, Kind::LargeBlock, Kind::LargePoster]
        .into_iter()
        .cycle()
        .take(18)
        .enumerate()
    {
        annoy(&mut world, kind, seed as u64);
        world.run(ms(50));
    }
    world.run(s(3));
    let counts = world.books.counts();
    assert!(counts.closed_for_memory > 3, "{counts:?}");
    assert_eq!(
        (viewer.borrow().gaps(), publisher.borrow().close_code),
        (0, None)
    );
    assert_eq!(ask(&mut world, WATCH_HTTP), 200);
    world.assert_sound();
}

#[test]
fn memory_of_departed_clients_is_free_again() {
    let mut world = world_of(4 << 20);
    world.books.set_narrow();
    for round in 0..5 {
        publish(&mut world, PublisherSpec::honest("honest", s(20)));
        let spec = ViewerSpec::honest("honest", WatchBy::V1, s(30));
        let viewer = Viewer::new(spec, &world.books);
        world.invite(LinkSpec::good(), viewer);
        // A poster needs its stream.
        world.run(s(1));
        for (seed, kind) in GREEDY.into_iter().enumerate() {
            annoy(&mut world, kind, seed as u64 + round);
        }
        world.run(s(200));
        world.assert_sound();
        world.check_that_all_is_given_back();
        world.assert_sound();
    }
}

/// A server with this guard and a publisher on each of two streams.
fn guarded(guard: Guard) -> World {
    let settings = settings_of(guard.options(), as_ever);
    let mut world = World::guarded(settings, guard, 1);
    for stream in ["honest", "another"] {
        let pass = guard.good_pass(Right::Publish, stream);
        let spec = PublisherSpec {
            credential: Credential {
                pass,
                show: SHOWS[0],
            },
            is_kept: true,
            ..PublisherSpec::honest(stream, LONG)
        };
        publish(&mut world, spec);
    }
    world.run(s(2));
    world
}

fn credentials(stream: &'static str) -> impl Iterator<Item = Credential> {
    let passes = PASSES.into_iter().flat_map(move |pass| {
        let soon = UNIX_START + 3600;
        [pass, pass.of(stream, soon)]
    });
    passes.flat_map(|pass| SHOWS.map(|show| Credential { pass, show }))
}

#[test]
fn media_reach_only_viewers_with_permission() {
    for guard in GUARDS {
        let mut world = guarded(guard);
        for stream in ["honest", "another"] {
            let mut viewers = Vec::new();
            for credential in credentials(stream) {
                for how in [WatchBy::V1, WatchBy::Chunked, WatchBy::UntilClose] {
                    let spec = ViewerSpec {
                        credential,
                        habit: super::peers::viewer::Habit::Patient,
                        ..ViewerSpec::honest(stream, how, s(1))
                    };
                    let viewer = Viewer::new(spec, &world.books);
                    viewers.push(world.invite(LinkSpec::good(), viewer));
                }
            }
            world.run(s(2));
            for viewer in viewers {
                let viewer = viewer.borrow();
                let pass = viewer.spec.credential.pass;
                let may = guard.permits(Right::Watch, stream, pass, UNIX_START);
                let expected = if may { None } else { Some(401) };
                assert_eq!(viewer.status, expected, "{guard:?}: {:?}", viewer.spec);
                assert_eq!(viewer.pictures() > 0, may, "{guard:?}: {:?}", viewer.spec);
            }
        }
        world.assert_sound();
    }
}

#[test]
fn only_publishers_with_permission_take_a_stream_over() {
    for guard in GUARDS {
        let mut world = guarded(guard);
        for credential in credentials("honest") {
            if guard.permits(Right::Publish, "honest", credential.pass, UNIX_START) {
                continue;
            }
            for how in [PublishBy::WebSocket, PublishBy::Body] {
                let spec = PublisherSpec {
                    credential,
                    how,
                    ..PublisherSpec::honest("honest", s(1))
                };
                let usurper = publish(&mut world, spec);
                world.run(ms(300));
                let head = usurper.borrow().said.first().cloned();
                let status = head.as_deref().map(status);
                assert_eq!(status, Some(401), "{guard:?}: {spec:?}");
            }
        }
        // Publishers are kept and their viewers see them alone, or that is a fault.
        let credential = Credential {
            pass: guard.good_pass(Right::Watch, "honest"),
            show: SHOWS[1],
        };
        let spec = ViewerSpec {
            credential,
            ..ViewerSpec::honest("honest", WatchBy::V1, LONG)
        };
        let viewer = Viewer::new(spec, &world.books);
        let viewer = world.invite(LinkSpec::good(), viewer);
        world.run(s(3));
        assert!(viewer.borrow().pictures() > 60);
        world.assert_sound();
    }
}

#[test]
fn token_opens_until_its_second_also_where_the_clock_is_set() {
    let mut world = guarded(Guard::Tokens);
    let token = Pass::Token(Right::Watch, "honest", UNIX_START + 10);
    let credential = Credential {
        pass: token,
        show: SHOWS[0],
    };
    let request = format!(
        "GET /live/honest.webm{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        credential.query()
    );
    world.run(s(5));
    assert_eq!(ask(&mut world, &request), 200);
    world.run(s(2) + ms(400));
    assert_eq!(ask(&mut world, &request), 200);
    world.run(ms(500));
    assert_eq!(ask(&mut world, &request), 401);
    // A time before 1970 is told as the end of time.
    world.set_wall_s(u64::MAX / 2);
    assert_eq!(ask(&mut world, &request), 401);
    world.set_wall_s(UNIX_START - 3600);
    assert_eq!(ask(&mut world, &request), 200);
}

const PROXY: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 1);

fn client(last: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, last).into()
}

fn behind_proxy(naming: Naming) -> World {
    let options = Options {
        trusted_proxy: Some(vec!["10.8.0.0/16".parse().expect("a network")]),
        proxy_protocol: Some(naming == Naming::Header),
        publish_open: Some(true),
        ..Options::default()
    };
    let settings = settings_of(options, |limits| {
        limits.max_connections_per_address = Some(2);
    });
    World::new(settings, 1)
}

fn watch_from(world: &mut World, from: Address) -> Line {
    let line = world.connect_from(LinkSpec::good(), from);
    line.borrow_mut()
        .send(upgrade("/live/honest", true).as_bytes());
    world.run(ms(200));
    line
}

#[test]
fn limit_of_an_address_counts_clients_and_not_their_proxy() {
    for naming in [Naming::Field, Naming::Header] {
        let mut world = behind_proxy(naming);
        let through = |last| Address::proxy(PROXY.into(), naming, client(last));
        let lines: Vec<Line> = (0..20)
            .map(|index| watch_from(&mut world, through(index / 2)))
            .collect();
        for line in &lines {
            assert_eq!(status(&text(line)), 101, "{naming:?}");
        }
        let third = watch_from(&mut world, through(0));
        assert_eq!(status(&text(&third)), 503, "{naming:?}");
        lines[0].borrow_mut().reset();
        third.borrow_mut().reset();
        world.run(ms(200));
        let again = watch_from(&mut world, through(0));
        assert_eq!(status(&text(&again)), 101, "{naming:?}");
        world.assert_sound();
        drop(lines);
        world.run(s(60));
        world.check_that_all_is_given_back();
        world.assert_sound();
    }
}

#[test]
fn forged_client_address_is_ignored() {
    for naming in [Naming::Field, Naming::Header] {
        let mut world = behind_proxy(naming);
        let liar = |named| Address::forged(client(66), naming, client(named));
        let taken: Vec<u16> = (0..4)
            .map(|named| status(&text(&watch_from(&mut world, liar(named)))))
            .collect();
        assert_eq!(taken, [101, 101, 503, 503], "{naming:?}");
        // The client that it named is as welcome as ever.
        for _ in 0..2 {
            let line = watch_from(&mut world, Address::proxy(PROXY.into(), naming, client(0)));
            assert_eq!(status(&text(&line)), 101, "{naming:?}");
        }
        world.assert_sound();
    }
}

#[test]
fn refused_and_departed_connections_count_no_longer() {
    let mut world = World::with(|limits| limits.max_connections_per_address = Some(3));
    for _ in 0..200 {
        let lines: Vec<Line> = (0..14).map(|_| world.connect(LinkSpec::good())).collect();
        for line in &lines {
            line.borrow_mut()
                .send(upgrade("/live/honest", false).as_bytes());
        }
        world.run(ms(150));
        for line in lines {
            line.borrow_mut().reset();
        }
        world.run(ms(150));
        world.assert_sound();
    }
    world.check_that_all_is_given_back();
    world.assert_sound();
}

#[test]
fn handed_over_hub_serves_its_connections_and_ends_in_time() {
    let drain = s(5);
    let mut world = World::with(|limits| limits.drain_timeout = drain);
    let publisher = publish(&mut world, PublisherSpec::honest("honest", LONG));
    let viewer = honest_viewer(&mut world);
    let chunked = ViewerSpec::honest("honest", WatchBy::Chunked, LONG);
    let chunked = Viewer::new(chunked, &world.books);
    let chunked = world.invite(LinkSpec::good(), chunked);
    let_viewers_vanish(&mut world);
    world.run(s(3));
    let began = world.now;
    let before = viewer.borrow().pictures();
    world.hand_over();
    let late = world.connect(LinkSpec::good());
    assert!(
        late.borrow().is_dropped,
        "the old process takes no connection"
    );
    let told = viewer.clone();
    let took = wait_for(&mut world, s(10), || told.borrow().close_code == Some(1001));
    assert_about(took, drain);
    assert!(viewer.borrow().pictures() >= before + 25 * 4);
    wait_for(&mut world, s(1), || {
        publisher.borrow().close_code == Some(1001) && chunked.borrow().has_ended()
    });
    while world.hub.sessions() > 0 {
        let took: Duration = world.now - began;
        assert!(took < drain + s(3), "{} are left", world.hub.sessions());
        world.step(began + drain + s(3));
    }
    world.assert_sound();
}

#[test]
fn handed_over_hub_ends_when_its_last_client_leaves() {
    let mut world = World::with(|limits| limits.drain_timeout = s(3600));
    let spec = ViewerSpec::honest("honest", WatchBy::V1, s(20));
    let viewer = Viewer::new(spec, &world.books);
    world.invite(LinkSpec::good(), viewer);
    world.run(s(5));
    world.hand_over();
    world.run(s(14));
    assert_eq!(world.hub.sessions(), 1);
    world.run(s(5));
    assert_eq!(world.hub.sessions(), 0);
    world.assert_sound();
}

#[test]
fn connection_without_a_tls_handshake_is_dropped_after_ten_seconds() {
    let mut world = World::with(as_ever);
    let line = world.connect(LinkSpec::good());
    line.borrow_mut().is_handshaking = true;
    line.borrow_mut().send(b"\x16\x03\x01");
    let dropped = line.clone();
    let took = wait_for(&mut world, s(20), || dropped.borrow().is_dropped);
    assert_about(took, s(10));
    // There is no encryption yet that an answer could be sent by.
    assert_eq!(text(&line), "");
    world.check_that_all_is_given_back();
    world.assert_sound();
}

#[test]
fn request_that_waits_for_a_segment_costs_its_connection_and_no_turn() {
    /// The simulated network looks at each connection in each step: more take minutes.
    const WAITING: usize = 400;
    let options = Options {
        max_connections: Some(2 * WAITING),
        ..Options::default()
    };
    let mut world = World::new(settings_of(options, |_| {}), 1);
    // Its GOP lasts for longer than this test.
    let spec = PublisherSpec {
        gop_frames: 100_000,
        ..PublisherSpec::honest("honest", LONG)
    };
    publish(&mut world, spec);
    world.run(s(2));
    let line = world.connect(LinkSpec::good());
    line.borrow_mut()
        .send(b"GET /live/honest/live.json HTTP/1.1\r\nHost: localhost\r\n\r\n");
    world.run(ms(200));
    let list = text(&line);
    let (_, open) = list.split_once("\"open\":").expect("a list");
    let open: u64 = open.trim_end_matches('}').parse().expect("a number");
    let turns_in_a_second = |world: &mut World| {
        let before = world.turns;
        world.run(s(1));
        world.turns - before
    };
    let turns = turns_in_a_second(&mut world);
    let held = world.memory.held();
    let request = format!(
        "GET /live/honest/{}.webm HTTP/1.1\r\nHost: localhost\r\n\r\n",
        open + 1
    );
    let lines: Vec<Line> = (0..WAITING)
        .map(|_| {
            let line = world.connect(LinkSpec::good());
            line.borrow_mut().send(request.as_bytes());
            line
        })
        .collect();
    world.run(s(1));
    let waiting = world.hub.audit().sessions.into_iter();
    let waiting = waiting
        .filter(|session| session.state == "fetching")
        .count();
    assert_eq!(waiting, WAITING);
    let each = (world.memory.held() - held) / WAITING;
    assert!(each < 1024, "{each} bytes for each");
    // The media of the segment before wake none of them.
    let beside = turns_in_a_second(&mut world);
    assert!(
        beside <= turns + 1,
        "{beside} turns a second, {turns} before"
    );
    assert!(lines.iter().all(|line| text(line).is_empty()));
}
