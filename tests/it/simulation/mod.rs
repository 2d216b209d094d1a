//! The real hub with simulated sockets, simulated time, and a seeded scenario of publishers, viewers,
//! clients, the web hook and strangers.
//!
//! ```text
//! scenario ─► World { clock, links, peers, hook } ─► Hub<Plug> ─► audit ─► checks
//!               └─ peers look at every byte that they are given ─► faults
//! ```
//!
//! - `world`: wakes the hub as `epoll` would; `link`: one connection; `memory`: what the hub holds.
//! - `peers`: the other ends; `guards`: what each of them may do; `media`: what was sent and seen.
//! - `checks`: what is true after each turn; `promises`, `limits`, `time_shift`, `waiting`: tests of one
//!   promise each.
//! - `bus`, `nodes`: several hubs as one service, over a bus that loses, delays and reorders.
//! - `disk`: the recording thread, and what recordings must hold; `shelf`: the thread that reads them; `old`:
//!   the old relay of node-videostream.
//! - `scenario`: what happens by a seed; `draw`: by which numbers; `shrink`: a shorter scenario that fails as
//!   well.
//!
//! TLS is not simulated: it is in `net`, below the socket. The hub asks a socket whether its handshake goes
//! on, because then no refusal can be sent, and how much memory encryption holds; of that, one test
//! simulates the handshake that never ends. Nor is the hand-over itself: listening sockets and processes are
//! `net`'s. The hub's part is to drain and to stop.
//!
//! A failing seed prints the command that repeats it, and the shortest scenario that still fails.

mod bus;
mod checks;
mod disk;
mod draw;
mod guards;
mod limits;
mod link;
mod media;
mod memory;
mod nodes;
mod old;
mod peers;
mod promises;
mod scenario;
mod shelf;
mod shrink;
mod time_shift;
mod waiting;
mod world;

use guards::Pass;
use media::Counts;
use scenario::{Outcome, Scenario, What};
use std::cell::Cell;
use std::panic;
use std::sync::Once;
use std::time::{Duration, Instant};

/// Scenarios that every run of the tests plays, by two threads.
const SEEDS: [std::ops::Range<u64>; 2] = [0..12, 12..24];

/// One of so many scenarios is also played without its crowd.
const COMPARED: u64 = 3;

/// What the crowd may add to the delay of an honest viewer's picture, and on average.
const CROWD_DELAY_MAX: Duration = Duration::from_millis(10);
const CROWD_MEAN_MAX: Duration = Duration::from_millis(1);

/// How long a shorter scenario is looked for.
const SHRINKING: Duration = Duration::from_secs(20);

thread_local! {
    static IS_PLAYING: Cell<bool> = const { Cell::new(false) };
}

/// A panic of a scenario is its outcome. The test prints it once, at the end.
fn hush_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_PLAYING.get() {
                usual(info);
            }
        }));
    });
}

fn play(scenario: &Scenario) -> Outcome {
    hush_panics();
    IS_PLAYING.set(true);
    let outcome = scenario.run();
    IS_PLAYING.set(false);
    outcome
}

/// # Panics
///
/// When something is not as promised: with all that is needed to see it again.
fn require_sound(seed: u64) -> Outcome {
    let scenario = Scenario::new(seed);
    let outcome = play(&scenario);
    let Some(fault) = &outcome.fault else {
        if seed.is_multiple_of(COMPARED) {
            require_same_delays(&scenario, &outcome);
        }
        return outcome;
    };
    IS_PLAYING.set(true);
    let shorter = shrink::shrink(&scenario, SHRINKING);
    let again = shorter.run();
    IS_PLAYING.set(false);
    let actions = shorter.actions.iter();
    let actions: Vec<String> = actions.map(|one| format!("  {one:?}")).collect();
    panic!(
        "seed {seed}: {fault}\nrepeat it: tests/run simulate {seed}\n{} of {} actions are enough for: \
         {}\n{:?}\n{}",
        shorter.actions.len(),
        scenario.actions.len(),
        again.fault.unwrap_or_default(),
        shorter.server,
        actions.join("\n"),
    );
}

/// The crowd delays honest viewers by no more than [`CROWD_DELAY_MAX`].
fn require_same_delays(scenario: &Scenario, outcome: &Outcome) {
    let alone = play(&scenario.without_crowd());
    assert_eq!(
        alone.fault, None,
        "seed {} without its crowd",
        scenario.seed
    );
    let (beside, alone) = (outcome.delays, alone.delays);
    // Where the process stood still, one run may excuse a picture that the other counts.
    let odd = beside.mean_of_odd(&alone);
    let is_same = beside.longest <= alone.longest + CROWD_DELAY_MAX
        && beside.mean() <= alone.mean() + CROWD_MEAN_MAX + odd;
    assert!(
        is_same,
        "seed {}: honest viewers' pictures take {beside:?} beside the crowd, and {alone:?} without it",
        scenario.seed
    );
}

/// Plays these seeds, and says what they came to. Returns what was tried.
fn play_all(seeds: impl Iterator<Item = u64>) -> Counts {
    let began = Instant::now();
    let (mut count, mut simulated, mut turns) = (0, Duration::ZERO, 0);
    let (mut tried, mut held, mut memory) = (Counts::default(), 0, 0);
    let mut delay = Duration::ZERO;
    for seed in seeds {
        let outcome = require_sound(seed);
        count += 1;
        simulated += outcome.simulated;
        turns += outcome.turns;
        tried.add(&outcome.counts);
        delay = delay.max(outcome.delays.longest);
        held = held.max(outcome.most_held);
        memory = memory.max(outcome.most_memory);
    }
    let took = began.elapsed().as_secs_f64();
    let speed = simulated.as_secs_f64() / took;
    println!(
        "{count} scenarios of {} s in {took:.1} s, {speed:.0} times as fast as the clock: {turns} turns, \
         honest viewers at most {delay:?} behind, {held} bytes held at most by the accounts, {memory} by \
         the allocator\n{tried:?}",
        simulated.as_secs(),
    );
    tried
}

fn play_fixed(seeds: std::ops::Range<u64>) {
    let tried = play_all(seeds);
    let is_enough = tried.pictures > 10_000
        && tried.skips > 10
        && tried.unauthorized > 10
        && tried.permitted > 10
        && tried.refused_for_memory + tried.closed_for_memory > 0
        && tried.through_proxy > 10
        && tried.handovers > 1
        && tried.recorded > 10_000
        && tried.gops_lost > 10
        && tried.recordings_failed > 0
        && tried.recording_warnings > 0
        && tried.parts > 10
        && tried.old_messages > 1000
        && tried.behind > 1000
        && tried.segments > 100
        && tried.compared_gops > 50;
    assert!(is_enough, "too little was tried: {tried:?}");
}

#[test]
fn fixed_scenarios_keep_every_promise() {
    play_fixed(SEEDS[0].clone());
}

#[test]
fn further_fixed_scenarios_keep_every_promise() {
    play_fixed(SEEDS[1].clone());
}

/// Messages of 1 to 5 KB for old listeners, and a table of 128 sessions.
#[test]
fn hub_holds_no_more_than_its_tables_when_all_have_gone() {
    play_all([382_404_483_693, 513_391_528_770].into_iter());
}

/// A slow disk takes none of its second publisher's chunks, and finishes the first one's file meanwhile.
#[test]
fn stream_that_the_disk_was_too_slow_for_goes_with_its_publisher() {
    play_all([744_859_368_065].into_iter());
}

/// Its publisher leaves while the process stands still, the disk has room for none of its last two GOPs, and
/// what is not recorded keeps no stream.
#[test]
fn gops_lost_of_a_stream_that_goes_in_the_same_turn_are_counted() {
    let mut scenario = Scenario::new(219_766_286_989);
    scenario.actions.retain(|action| match action.what {
        What::Publish(spec, _) => spec.credential.pass == Pass::PublishKey,
        what => matches!(what, What::StandStill(_)),
    });
    let outcome = play(&scenario);
    assert_eq!(outcome.fault, None);
    assert!(outcome.counts.gops_lost > 40);
}

/// An old page that was admitted before memory was short sends its first blob when it is.
#[test]
fn old_publisher_begins_with_a_blob_although_memory_is_short_by_then() {
    let mut scenario = Scenario::new(803_231_730_974);
    scenario.actions.retain(|action| match action.what {
        What::Publish(spec, _) => ["honest", "again"].contains(&spec.stream),
        what => matches!(what, What::StandStill(_) | What::Page(_)),
    });
    assert_eq!(play(&scenario).fault, None);
}

/// Its ring holds 256 KiB, and the publisher sends that in less time than a viewer may lag.
#[test]
fn viewer_skips_what_a_short_ring_has_lost_before_it_lags_too_far() {
    let mut scenario = Scenario::new(668_084_423_103);
    scenario.actions.retain(|action| match action.what {
        What::Publish(spec, _) => spec.stream == "other",
        What::Watch(spec, _) => spec.stream == "other",
        _ => false,
    });
    let outcome = play(&scenario);
    assert_eq!(outcome.fault, None);
    assert!(outcome.counts.skips > 0);
}

/// Its link takes the message of a skip alone, and then the publisher is replaced.
#[test]
fn viewer_on_a_slow_link_goes_on_where_it_was_told() {
    play_all([616_245_009_803].into_iter());
}

/// The reader waits for the end of a GOP, and the ring loses the beginning of that GOP.
#[test]
fn http_1_0_reader_is_answered_when_the_ring_loses_its_segment() {
    play_all([465_944_442_482].into_iter());
}

/// Memory is for three rings, and five publishers, recordings and downloads share it.
#[test]
fn rings_are_not_cut_for_memory_that_nothing_is_in() {
    play_all([362_787_552_275].into_iter());
}

#[test]
fn seed_gives_the_whole_run_back() {
    let once = play(&Scenario::new(3));
    let again = play(&Scenario::new(3));
    let counts = |outcome: &Outcome| (outcome.turns, outcome.counts, outcome.delays);
    assert_eq!(counts(&once), counts(&again));
}

/// The seeds that `tests/run simulate` was given.
fn asked_seeds() -> Vec<u64> {
    let seeds = std::env::var("SIMULATION_SEEDS").unwrap_or_default();
    let seeds = seeds.split_whitespace();
    seeds
        .map(|seed| seed.parse().expect("a seed is a whole number"))
        .collect()
}

/// `tests/run simulate [SEED…]`: these seeds, or random ones for `SIMULATION_SECONDS`.
#[test]
#[ignore = "runs for SIMULATION_SECONDS: type tests/run simulate"]
fn longer_run() {
    let seeds = asked_seeds();
    if !seeds.is_empty() {
        for seed in seeds {
            println!("{seed}: {:?}", require_sound(seed));
        }
        return;
    }
    let seconds = std::env::var("SIMULATION_SECONDS").unwrap_or_default();
    let time = Duration::from_secs(seconds.parse().unwrap_or(60));
    let began = Instant::now();
    let seeds = std::iter::repeat_with(|| fastrand::u64(..1_000_000_000_000));
    play_all(seeds.take_while(|_| began.elapsed() < time));
}
