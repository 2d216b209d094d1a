//! Makes a failing scenario shorter: drops actions for as long as it still fails.

use super::scenario::Scenario;
use std::time::{Duration, Instant};

/// Leaves out ever smaller parts of the actions. Ends in time: the shortest that was found is returned.
pub fn shrink(scenario: &Scenario, most: Duration) -> Scenario {
    let until = Instant::now() + most;
    let mut shortest = scenario.clone();
    let mut part = shortest.actions.len().div_ceil(2);
    while part > 0 {
        let mut at = 0;
        while at < shortest.actions.len() {
            if Instant::now() >= until {
                return shortest;
            }
            let mut shorter = shortest.clone();
            let end = (at + part).min(shorter.actions.len());
            shorter.actions.drain(at..end);
            if shorter.run().fault.is_some() {
                shortest = shorter;
            } else {
                at += part;
            }
        }
        part = match part {
            1 => 0,
            part => part.div_ceil(2),
        };
    }
    shortest
}
