//! How hard a thread of the load test itself has to work, as Linux's scheduler tells it.
//!
//! Where the test is at its limit, its delays and bytes measure the test itself and no server.

use std::time::Instant;

use serde::{Deserialize, Serialize};

/// A thread that is busy, or waits for a core, for more than this share of its time has more to read
/// than it can.
const LOAD_MAX: f64 = 0.9;

/// What threads had to do in the measured time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Strain {
    /// The share of its time in which a thread ran or waited for a core: of the busiest one.
    pub load: f64,
    /// Milliseconds that a thread waited for a core before it ran, on average. Of the one that reads
    /// delivery stamps alone: its delays have that in them.
    pub wait_ms: Option<f64>,
}

impl Strain {
    pub fn add(&mut self, other: Strain) {
        self.load = self.load.max(other.load);
        self.wait_ms = self.wait_ms.or(other.wait_ms);
    }

    pub fn is_too_much(&self) -> bool {
        self.load > LOAD_MAX
    }
}

/// Measures the thread that makes and reads it.
#[derive(Debug)]
pub(super) struct Gauge {
    at: Instant,
    from: Scheduled,
}

/// proc(5), `schedstat`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Scheduled {
    ran_ns: f64,
    waited_ns: f64,
    times: f64,
}

impl Gauge {
    /// `None` where the scheduler reports nothing.
    pub fn start() -> Option<Gauge> {
        Some(Gauge {
            at: Instant::now(),
            from: Scheduled::read()?,
        })
    }

    pub fn read(&self, reads_stamps: bool) -> Option<Strain> {
        let now = Scheduled::read()?;
        let passed_ns = self.at.elapsed().as_nanos().max(1) as f64;
        Some(strain(self.from, now, passed_ns, reads_stamps))
    }
}

fn strain(from: Scheduled, to: Scheduled, passed_ns: f64, reads_stamps: bool) -> Strain {
    let waited_ns = to.waited_ns - from.waited_ns;
    let wait_ms = waited_ns / (to.times - from.times).max(1.0) / 1e6;
    Strain {
        load: (to.ran_ns - from.ran_ns + waited_ns) / passed_ns,
        wait_ms: reads_stamps.then_some(wait_ms),
    }
}

impl Scheduled {
    fn read() -> Option<Scheduled> {
        parse(&std::fs::read_to_string("/proc/thread-self/schedstat").ok()?)
    }
}

fn parse(text: &str) -> Option<Scheduled> {
    let mut fields = text.split_whitespace().map(str::parse);
    let mut field = || fields.next()?.ok();
    Some(Scheduled {
        ran_ns: field()?,
        waited_ns: field()?,
        times: field()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thread_that_ran_or_waited_all_the_time_is_overloaded() {
        let from = parse("1000 500 10\n").unwrap();
        let to = parse("600001000 350000500 110\n").unwrap();
        let all = strain(from, to, 1e9, true);
        assert_eq!((all.load, all.wait_ms), (0.95, Some(3.5)));
        assert!(all.is_too_much());
        let mut both = strain(from, to, 2e9, false);
        assert_eq!((both.load, both.wait_ms), (0.475, None));
        assert!(!both.is_too_much());
        both.add(all);
        assert_eq!(both, all);
        assert_eq!(parse("0 0"), None);
    }
}
