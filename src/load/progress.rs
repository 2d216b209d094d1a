//! The progress of a load test for a person: standard error.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use super::findings::{Counts, Percentiles};
use crate::client::say;

/// One line on a terminal, written anew twice a second; elsewhere a line each five seconds.
pub(super) struct Progress {
    is_terminal: bool,
    reported_at: Instant,
}

/// What the line says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub viewers: u64,
    pub watching: u64,
    pub counts: Counts,
    pub bits_per_s: f64,
    pub delay: Option<Percentiles>,
    pub measured: Option<(Duration, Duration)>,
}

const BAR_CELLS: usize = 20;

impl Progress {
    pub fn new() -> Progress {
        Progress {
            is_terminal: io::stderr().is_terminal(),
            reported_at: Instant::now(),
        }
    }

    /// Whether it is time for a line.
    pub fn is_due(&self, now: Instant) -> bool {
        let interval = if self.is_terminal {
            Duration::from_millis(500)
        } else {
            Duration::from_secs(5)
        };
        now >= self.reported_at + interval
    }

    pub fn tell(&mut self, now: Instant, moment: &Moment) {
        self.reported_at = now;
        let line = line(moment);
        if self.is_terminal {
            say(format_args!("\r\x1b[K{line}"));
        } else {
            say(format_args!("{line}\n"));
        }
    }

    /// Makes room for another line.
    pub fn clear(&self) {
        if self.is_terminal {
            say("\r\x1b[K");
        }
    }
}

fn line(moment: &Moment) -> String {
    let done = match moment.measured {
        Some((passed, all)) => passed.as_secs_f64() / all.as_secs_f64().max(0.001),
        None => moment.watching as f64 / moment.viewers as f64,
    };
    let cells = (done.clamp(0.0, 1.0) * BAR_CELLS as f64).round() as usize;
    let mut line = format!("[{}{}] ", "#".repeat(cells), ".".repeat(BAR_CELLS - cells));
    let _ = match moment.measured {
        Some((passed, all)) => write!(
            line,
            "{:.0} of {:.0} s, ",
            passed.as_secs_f64(),
            all.as_secs_f64()
        ),
        None => write!(line, "connecting, "),
    };
    let _ = write!(
        line,
        "{} of {} watching, {:.1} Mbit/s",
        moment.watching,
        moment.viewers,
        moment.bits_per_s / 1e6
    );
    if let Some(delay) = moment.delay {
        let _ = write!(line, ", delay p50 {:.1} p99 {:.1} ms", delay.p50, delay.p99);
    }
    let troubles = [
        ("failed", moment.counts.failed),
        ("dropped", moment.counts.dropped),
        ("skips", moment.counts.skips),
        ("invalid", moment.counts.invalid),
    ];
    for (name, count) in troubles {
        if count > 0 {
            let _ = write!(line, ", {name} {count}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_line_shows_the_stage() {
        let mut moment = Moment {
            viewers: 100,
            watching: 50,
            counts: Counts::default(),
            bits_per_s: 125e6,
            delay: None,
            measured: None,
        };
        assert_eq!(
            line(&moment),
            "[##########..........] connecting, 50 of 100 watching, 125.0 Mbit/s"
        );
        moment.measured = Some((Duration::from_secs(10), Duration::from_secs(10)));
        moment.counts.failed = 2;
        moment.delay = Some(Percentiles {
            p50: 1.0,
            p90: 2.0,
            p99: 3.0,
            max: 4.0,
        });
        assert_eq!(
            line(&moment),
            "[####################] 10 of 10 s, 50 of 100 watching, 125.0 Mbit/s, \
             delay p50 1.0 p99 3.0 ms, failed 2"
        );
    }
}
