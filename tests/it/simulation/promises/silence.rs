//! Which messages viewers and publishers get when a stream goes silent, and when its media come again.

use super::super::link::LinkSpec;
use super::super::media::{Mark, picture};
use super::super::peers::publisher::{How as PublishBy, Leave, Publisher, PublisherSpec};
use super::super::peers::{BINARY, PING, PONG, frame, upgrade};
use super::super::world::World;
use super::{LONG, as_ever, assert_about, honest_viewer, ms, publish, s, text, wait_for};
use videostream::fuzzing::recording::{Tracks, head};
use videostream::offline_reason::OfflineReason;
use videostream::websocket::messages::ToViewer;

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
    // A viewer that joins during the silence gets the last picture and `stalled`.
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
    let place = said
        .iter()
        .position(stalled)
        .expect("the viewer got `stalled`");
    assert_eq!(said[place + 1], ToViewer::Resumed);
    let ended = OfflineReason::Ended;
    assert_eq!(said.last(), Some(&ToViewer::Offline { reason: ended }));
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
    let place = said
        .iter()
        .position(stalled)
        .expect("the viewer got `stalled`");
    let count = |said: &&ToViewer| matches!(said, ToViewer::Viewers { .. });
    let rest: Vec<&ToViewer> = said[place + 1..].iter().filter(|one| !count(one)).collect();
    let reason = OfflineReason::Ended;
    assert_eq!(rest, [&ToViewer::Offline { reason }]);
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
