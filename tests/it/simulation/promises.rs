//! What the server promises about time, one by one. Each took seconds of the clock, and takes some
//! milliseconds here; one test over real sockets beside each proves that the wires are joined.

mod deadlines;
mod ending;
mod pace;
mod silence;

use super::link::{Line, LinkSpec};
use super::peers::publisher::{Publisher, PublisherSpec};
use super::peers::upgrade;
use super::peers::viewer::{Habit, How as WatchBy, Viewer, ViewerSpec};
use super::world::World;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use videostream::config::Limits;

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
