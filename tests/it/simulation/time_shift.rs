//! The promises to viewers that watch behind live.

use super::disk::Mood;
use super::link::LinkSpec;
use super::peers::publisher::{Leave, Publisher, PublisherSpec};
use super::peers::viewer::{Habit, How, Viewer, ViewerSpec};
use super::promises::{LONG, as_ever, ms, publish, s, wait_for};
use super::world::{World, settings_of};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use videostream::config::{Limits, Options};
use videostream::websocket::messages::ToViewer;

const HOWS: [How; 4] = [How::V1, How::WebSocket, How::Chunked, How::UntilClose];

/// Pictures in a second.
const RATE: u64 = 25;

fn recording_world(change: impl FnOnce(&mut Limits)) -> World {
    let options = Options {
        record: Some("recordings".into()),
        ..Options::default()
    };
    let settings = settings_of(options, change);
    let record = settings.record.clone().expect("streams are recorded");
    let mut world = World::new(settings, 1);
    world.set_disk(Mood::Quick, &record);
    world
}

fn spec(how: How, back: Duration) -> ViewerSpec {
    ViewerSpec {
        back,
        habit: Habit::Patient,
        ..ViewerSpec::honest("honest", how, LONG)
    }
}

fn watch(world: &mut World, spec: ViewerSpec) -> Rc<RefCell<Viewer>> {
    let viewer = Viewer::new(spec, &world.books);
    world.invite(LinkSpec::good(), viewer)
}

fn watch_back(world: &mut World, how: How, back: Duration) -> Rc<RefCell<Viewer>> {
    watch(world, spec(how, back))
}

fn run(world: &mut World, time: Duration) {
    world.run(time);
    world.assert_sound();
}

fn reads(world: &World) -> u64 {
    world.shelf.as_ref().map_or(0, |shelf| shelf.stretches)
}

/// It began this far back, at the keyframe before, and has seen each picture once since then.
fn assert_unbroken(viewer: &Rc<RefCell<Viewer>>, back: Duration) {
    let viewer = viewer.borrow();
    let (first, age) = viewer.first().expect("it has seen something");
    assert!(first.is_keyframe && age >= back, "{first:?}, {age:?} old");
    assert!(age < back + ms(1300), "{age:?} rather than {back:?}");
    let last = viewer.last().expect("it has seen something");
    assert_eq!(u64::from(last.number - first.number) + 1, viewer.pictures());
    assert_eq!(viewer.gaps(), 0);
}

/// Ten seconds at once, and the rest at its pace.
fn assert_paced(viewer: &Rc<RefCell<Viewer>>, watched: Duration) {
    let expected = (watched.as_secs() + 10) * RATE;
    let pictures = viewer.borrow().pictures();
    let is_right = pictures.abs_diff(expected) <= RATE;
    assert!(
        is_right,
        "{pictures} pictures in {watched:?} rather than {expected}"
    );
}

fn behind_ms(viewer: &Rc<RefCell<Viewer>>) -> Vec<u64> {
    let viewer = viewer.borrow();
    let said = viewer.said.iter();
    let told = said.filter_map(|message| match message {
        ToViewer::Hello { behind_ms, .. } | ToViewer::Init { behind_ms, .. } => Some(*behind_ms),
        _ => None,
    });
    told.collect()
}

#[test]
fn viewer_begins_in_the_ring_and_is_not_skipped_for_being_behind() {
    let mut world = World::with(as_ever);
    publish(&mut world, PublisherSpec::honest("honest", LONG));
    run(&mut world, s(40));
    let viewers = HOWS.map(|how| watch_back(&mut world, how, s(20)));
    run(&mut world, s(5));
    viewers.iter().for_each(|viewer| assert_paced(viewer, s(5)));
    run(&mut world, s(20));
    for viewer in &viewers {
        assert_unbroken(viewer, s(20));
        assert_paced(viewer, s(25));
    }
    let told = behind_ms(&viewers[0]);
    let is_right = |ms: &u64| (20_000..21_100).contains(ms);
    assert!(told.len() == 2 && told.iter().all(is_right), "{told:?}");
}

#[test]
fn viewer_goes_on_in_the_ring_at_the_next_block_of_the_recording() {
    let mut world = recording_world(as_ever);
    publish(&mut world, PublisherSpec::honest("honest", LONG));
    run(&mut world, s(50));
    let viewers = HOWS.map(|how| watch_back(&mut world, how, s(36)));
    run(&mut world, s(10));
    let read = reads(&world);
    assert!(read > 0, "the recording was not read");
    run(&mut world, s(10));
    assert_eq!(reads(&world), read, "the ring has the rest");
    for viewer in &viewers {
        assert_unbroken(viewer, s(36));
        assert_paced(viewer, s(20));
    }
}

#[test]
fn viewer_far_behind_is_given_the_recording_at_its_pace() {
    let mut world = recording_world(as_ever);
    publish(&mut world, PublisherSpec::honest("honest", LONG));
    run(&mut world, s(100));
    let viewers = HOWS.map(|how| watch_back(&mut world, how, s(90)));
    run(&mut world, s(20));
    for viewer in &viewers {
        assert_unbroken(viewer, s(90));
        assert_paced(viewer, s(20));
    }
    let told = behind_ms(&viewers[0]);
    let is_right = |ms: &u64| (90_000..91_300).contains(ms);
    assert!(told.len() == 2 && told.iter().all(is_right), "{told:?}");
}

#[test]
fn time_before_all_media_means_the_oldest_there_is() {
    let mut world = recording_world(as_ever);
    publish(&mut world, PublisherSpec::honest("honest", LONG));
    run(&mut world, s(60));
    let viewer = watch_back(&mut world, How::V1, s(100_000));
    run(&mut world, s(5));
    let first = viewer.borrow().first().map(|(mark, _)| mark.number);
    assert_eq!(first, Some(0));
    // Without a recording that is the oldest keyframe in the ring.
    let mut world = World::with(as_ever);
    publish(&mut world, PublisherSpec::honest("honest", LONG));
    run(&mut world, s(60));
    let viewer = watch_back(&mut world, How::V1, s(100_000));
    run(&mut world, s(5));
    let age = viewer.borrow().first().map(|(_, age)| age.as_secs());
    assert!(matches!(age, Some(29 | 30)), "{age:?}");
}

#[test]
fn viewer_that_the_ring_has_overtaken_goes_on_in_the_recording() {
    let mut world = recording_world(as_ever);
    publish(&mut world, PublisherSpec::honest("honest", LONG));
    run(&mut world, s(40));
    let spec = ViewerSpec {
        habit: Habit::Pausing(s(20)),
        ..spec(How::V1, s(28))
    };
    // Its socket takes little, so that it is in the middle of the ring when it stops.
    let link = LinkSpec {
        send_buffer: 16 << 10,
        receive_buffer: 16 << 10,
        ..LinkSpec::good()
    };
    let viewer = Viewer::new(spec, &world.books);
    let viewer = world.invite(link, viewer);
    run(&mut world, s(60));
    assert!(reads(&world) > 0, "the recording was not read");
    assert_unbroken(&viewer, s(28));
    assert_paced(&viewer, s(60));
}

#[test]
fn what_no_recording_has_is_skipped_and_told() {
    let mut world = World::with(as_ever);
    publish(&mut world, PublisherSpec::honest("honest", LONG));
    run(&mut world, s(40));
    let spec = ViewerSpec {
        habit: Habit::Pausing(s(25)),
        keeps: Some(s(25)),
        ..spec(How::V1, s(28))
    };
    let link = LinkSpec {
        send_buffer: 16 << 10,
        receive_buffer: 16 << 10,
        ..LinkSpec::good()
    };
    let viewer = Viewer::new(spec, &world.books);
    let viewer = world.invite(link, viewer);
    run(&mut world, s(60));
    assert_eq!(viewer.borrow().gaps(), 1);
    let skips = |message: &&ToViewer| matches!(message, ToViewer::Skip { .. });
    assert_eq!(viewer.borrow().said.iter().filter(skips).count(), 1);
}

#[test]
fn disk_that_stalls_costs_a_viewer_of_the_recording_nothing() {
    let mut world = recording_world(as_ever);
    publish(&mut world, PublisherSpec::honest("honest", LONG));
    run(&mut world, s(60));
    let until = world.now + s(40);
    world.disk.as_mut().unwrap().stall(until);
    let viewers = HOWS.map(|how| watch_back(&mut world, how, s(45)));
    run(&mut world, s(60));
    viewers
        .iter()
        .for_each(|viewer| assert_unbroken(viewer, s(45)));
}

/// One with sound, and then one without.
fn change_tracks(world: &mut World) -> Rc<RefCell<Publisher>> {
    let spec = PublisherSpec {
        has_sound: false,
        ..PublisherSpec::honest("honest", LONG)
    };
    publish(world, spec)
}

#[test]
fn time_before_a_change_of_tracks_means_that_change() {
    for record in [false, true] {
        let mut world = if record {
            recording_world(as_ever)
        } else {
            World::with(as_ever)
        };
        publish(&mut world, PublisherSpec::honest("honest", LONG));
        run(&mut world, s(15));
        change_tracks(&mut world);
        run(&mut world, s(10));
        let viewers = HOWS.map(|how| watch_back(&mut world, how, s(20)));
        run(&mut world, s(5));
        for viewer in &viewers {
            let first = viewer.borrow().first().map(|(mark, _)| mark.number);
            assert_eq!(first, Some(0));
            assert_eq!(viewer.borrow().gaps(), 0);
        }
    }
}

#[test]
fn viewer_far_behind_sees_the_change_of_tracks_when_it_comes_there() {
    let mut world = recording_world(as_ever);
    publish(&mut world, PublisherSpec::honest("honest", LONG));
    run(&mut world, s(60));
    let viewer = watch_back(&mut world, How::V1, s(50));
    let plain = watch_back(&mut world, How::Chunked, s(50));
    run(&mut world, s(5));
    change_tracks(&mut world);
    run(&mut world, s(60));
    let viewer = viewer.borrow();
    assert_eq!(viewer.gaps(), 0);
    let count =
        |wanted: fn(&ToViewer) -> bool| viewer.said.iter().filter(|one| wanted(one)).count();
    assert_eq!(count(|one| matches!(one, ToViewer::Init { .. })), 2);
    assert_eq!(count(|one| matches!(one, ToViewer::Skip { .. })), 0);
    // All pictures of both: those of 50 s, and what came since then, as far as it is due.
    let expected = (65 + 10) * RATE;
    assert!(
        viewer.pictures().abs_diff(expected) < 2 * RATE,
        "{}",
        viewer.pictures()
    );
    // One that cannot be told ends where the old tracks do.
    assert!(plain.borrow().has_ended() && plain.borrow().gaps() == 0);
    let expected = 55 * RATE;
    assert!(plain.borrow().pictures().abs_diff(expected) < 2 * RATE);
}

#[test]
fn what_a_publisher_left_is_played_to_its_end() {
    for record in [false, true] {
        let mut world = if record {
            recording_world(as_ever)
        } else {
            World::with(as_ever)
        };
        let spec = PublisherSpec {
            leave: Leave::Closing,
            ..PublisherSpec::honest("honest", s(25))
        };
        publish(&mut world, spec);
        // It keeps the stream where nothing is recorded.
        watch_back(&mut world, How::WebSocket, s(0));
        run(&mut world, s(30));
        let viewer = watch_back(&mut world, How::V1, s(20));
        let is_offline =
            |viewer: &Viewer| matches!(viewer.said.last(), Some(ToViewer::Offline { .. }));
        let took = wait_for(&mut world, s(30), || is_offline(&viewer.borrow()));
        // Fifteen seconds of it are left, of which ten come at once.
        assert!(took >= s(4) && took < s(7), "{took:?}");
        assert_unbroken(&viewer, s(20));
        // It goes on with the next publisher.
        publish(&mut world, PublisherSpec::honest("honest", LONG));
        run(&mut world, s(10));
        assert_eq!(viewer.borrow().gaps(), 0);
        assert!(viewer.borrow().last().is_some_and(|mark| mark.number > 100));
    }
}

#[test]
fn stretch_of_a_recording_is_all_that_a_viewer_holds() {
    let mut world = recording_world(as_ever);
    let spec = PublisherSpec {
        frame_bytes: 30_000,
        ..PublisherSpec::honest("honest", LONG)
    };
    publish(&mut world, spec);
    run(&mut world, s(60));
    // It takes nothing from its first media on.
    let spec = ViewerSpec {
        habit: Habit::Pausing(s(25)),
        ..self::spec(How::V1, s(50))
    };
    let viewer = watch(&mut world, spec);
    let mut most = 0;
    let until = world.now + s(20);
    while world.now < until {
        world.step(until);
        let audit = world.hub.audit();
        let viewers = audit.sessions.iter().filter(|one| one.state == "viewing");
        most = viewers.map(|one| one.coming_bytes).fold(most, usize::max);
    }
    world.assert_sound();
    assert!(most > 0 && most <= 300 << 10, "{most}");
    assert!(viewer.borrow().pictures() > 0);
}
