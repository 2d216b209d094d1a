//! The real hub with simulated sockets, simulated time, and a seeded scenario of publishers, viewers,
//! clients, the web hook and strangers.
//!
//! ```text
//! scenario ─► World { clock, links, peers, hook } ─► Hub<Plug> ─► audit ─► checks
//!               └─ peers look at every byte that they are given ─► faults
//! ```
//!
//! A failing seed prints the command that repeats it, and the shortest scenario that still fails.

mod checks;
mod link;
mod media;
mod peers;
mod promises;
mod scenario;
mod shrink;
mod world;

use scenario::{Outcome, Scenario};
use std::cell::Cell;
use std::panic;
use std::sync::Once;
use std::time::{Duration, Instant};

/// Scenarios that every run of the tests plays, by two threads.
const SEEDS: [std::ops::Range<u64>; 2] = [0..12, 12..24];

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

/// Plays these seeds, and says what they came to. Returns the numbers of pictures seen, and of skips.
fn play_all(seeds: impl Iterator<Item = u64>) -> (u64, u64) {
    let began = Instant::now();
    let (mut count, mut simulated, mut turns) = (0, Duration::ZERO, 0);
    let (mut pictures, mut skips, mut held) = (0, 0, 0);
    let mut delay = Duration::ZERO;
    for seed in seeds {
        let outcome = require_sound(seed);
        count += 1;
        simulated += outcome.simulated;
        turns += outcome.turns;
        pictures += outcome.pictures;
        skips += outcome.skips;
        delay = delay.max(outcome.longest_delay);
        held = held.max(outcome.most_held);
    }
    let took = began.elapsed().as_secs_f64();
    let speed = simulated.as_secs_f64() / took;
    println!(
        "{count} scenarios of {} s in {took:.1} s, {speed:.0} times as fast as the clock: {turns} turns, \
         {pictures} pictures seen, {skips} skips, honest viewers at most {delay:?} behind, {held} bytes \
         held at most",
        simulated.as_secs(),
    );
    (pictures, skips)
}

fn play_fixed(seeds: std::ops::Range<u64>) {
    let (pictures, skips) = play_all(seeds);
    assert!(pictures > 10_000 && skips > 10, "too little was tried");
}

#[test]
fn fixed_scenarios_keep_every_promise() {
    play_fixed(SEEDS[0].clone());
}

#[test]
fn further_fixed_scenarios_keep_every_promise() {
    play_fixed(SEEDS[1].clone());
}

#[test]
fn seed_gives_the_whole_run_back() {
    let once = play(&Scenario::new(3));
    let again = play(&Scenario::new(3));
    let counts = |outcome: &Outcome| (outcome.turns, outcome.pictures, outcome.longest_delay);
    assert_eq!(counts(&once), counts(&again));
}

/// `tests/run simulate [SEED…]`: these seeds, or random ones for `SIMULATION_SECONDS`.
#[test]
#[ignore = "runs for SIMULATION_SECONDS: type tests/run simulate"]
fn longer_run() {
    let seeds = std::env::var("SIMULATION_SEEDS").unwrap_or_default();
    let seeds: Vec<u64> = seeds
        .split_whitespace()
        .map(|seed| seed.parse().expect("a seed is a whole number"))
        .collect();
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
