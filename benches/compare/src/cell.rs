//! One cell of the table of constrained hosts: a bit rate, a protocol and a limit of memory.

use crate::limit::{Hits, Kernel};
use crate::load::{Report, spell_rate};
use crate::table::{kb, row};

/// A core that is this busy, in percent, has nothing left for its viewers.
const CPU_FULL: f64 = 90.0;

/// What one run under a limit was like.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    pub viewers: u64,
    pub report: Report,
    pub misses: Vec<String>,
    /// The most during the run.
    pub kernel: Kernel,
    pub tcp_of_machine: u64,
    pub hits: Hits,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    pub rate: String,
    pub protocol: &'static str,
    pub mib: u64,
    /// In the order in which they were tried.
    pub trials: Vec<Trial>,
    /// Whether time was up before the search was.
    pub is_cut_short: bool,
}

impl Trial {
    pub fn is_held(&self) -> bool {
        self.misses.is_empty()
    }

    /// Why no more were held.
    fn end(&self) -> String {
        let cpu = self.report.server.cpu_s / self.report.duration_s * 100.0;
        let Hits { memory, tcp, kills } = self.hits;
        if kills > 0 {
            return "memory: the kernel ended the server".into();
        }
        let reason = if cpu >= CPU_FULL {
            "CPU"
        } else if tcp > 0 {
            "TCP buffers"
        } else if memory > 0 {
            "memory"
        } else {
            "neither CPU nor memory"
        };
        format!(
            "{reason} ({cpu:.0} % of the core; {})",
            self.misses.join("; ")
        )
    }
}

pub const HEAD: [&str; 9] = [
    "bit rate",
    "over",
    "memory",
    "viewers held",
    "CPU, % of the core",
    "process memory per viewer",
    "kernel objects per viewer",
    "TCP buffers per viewer, server / machine",
    "what ended it",
];

pub fn head() -> String {
    row(&HEAD.map(str::to_owned)) + &row(&HEAD.map(|_| "---".to_owned()))
}

impl Cell {
    pub fn row(&self) -> String {
        let held = self.trials.iter().filter(|trial| trial.is_held());
        let best = held.max_by_key(|trial| trial.viewers);
        let missed = self.trials.iter().filter(|trial| !trial.is_held());
        let end = match missed.min_by_key(|trial| trial.viewers) {
            Some(trial) if self.is_cut_short => {
                format!(
                    "at {}: {}; not searched to the end",
                    trial.viewers,
                    trial.end()
                )
            }
            Some(trial) => format!("at {}: {}", trial.viewers, trial.end()),
            None if self.is_cut_short => "the time for the search".into(),
            None => "the limit of descriptors".into(),
        };
        let mut cells = vec![
            spell_rate(&self.rate),
            self.protocol.to_owned(),
            format!("{} MiB", self.mib),
        ];
        match best {
            Some(best) => {
                let each = |bytes: u64| kb(bytes as f64 / best.viewers as f64);
                let cpu = best.report.server.cpu_s / best.report.duration_s * 100.0;
                cells.extend([
                    best.viewers.to_string(),
                    format!("{cpu:.0}"),
                    self.slope().map_or("-".into(), kb),
                    each(best.kernel.objects),
                    format!("{} / {}", each(best.kernel.tcp), each(best.tcp_of_machine)),
                ]);
            }
            None => cells.extend(["0", "-", "-", "-", "-"].map(str::to_owned)),
        }
        cells.push(end);
        row(&cells)
    }

    /// Of resident memory, from the fewest to the most viewers that were held.
    fn slope(&self) -> Option<f64> {
        let held = || self.trials.iter().filter(|trial| trial.is_held());
        let few = held().min_by_key(|trial| trial.viewers)?;
        let many = held().max_by_key(|trial| trial.viewers)?;
        let viewers = many.viewers - few.viewers;
        let rss = |trial: &Trial| trial.report.server.rss_bytes as f64;
        (viewers > 0).then(|| (rss(many) - rss(few)) / viewers as f64)
    }
}

/// Where to begin the search: about a quarter of what a core of today holds, or what 32 MiB hold.
pub fn first_guess(bits_per_s: f64) -> u64 {
    ((10e9 / bits_per_s) as u64).min(5000)
}

/// Bits a second, written as the load tester wants them.
pub fn bits_per_s(rate: &str) -> Option<f64> {
    let (number, unit) = match rate.char_indices().last()? {
        (at, 'k') => (&rate[..at], 1e3),
        (at, 'M') => (&rate[..at], 1e6),
        _ => (rate, 1.0),
    };
    let bits = number.parse::<f64>().ok()? * unit;
    (10e3..=1e9).contains(&bits).then_some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::tests::run;

    fn trial(viewers: u64, misses: &[&str], hits: Hits) -> Trial {
        Trial {
            viewers,
            report: run("videostream", viewers, 0.32).report,
            misses: misses.iter().map(|&miss| miss.to_owned()).collect(),
            kernel: Kernel {
                objects: viewers * 4000,
                tcp: viewers * 31_000,
            },
            tcp_of_machine: viewers * 62_000,
            hits,
        }
    }

    fn cell(trials: Vec<Trial>) -> Cell {
        Cell {
            rate: "2.5M".into(),
            protocol: "ws",
            mib: 32,
            trials,
            is_cut_short: false,
        }
    }

    #[test]
    fn a_row_tells_what_was_held_what_it_cost_and_what_ended_it() {
        let full = Hits {
            tcp: 7,
            ..Hits::default()
        };
        let trials = vec![
            trial(500, &[], Hits::default()),
            trial(1000, &[], Hits::default()),
            trial(2000, &["worst is 61 %"], full),
        ];
        assert_eq!(
            cell(trials).row(),
            "| 2.5 Mbit/s | ws | 32 MiB | 1000 | 10 | 1.0 KB | 4.0 KB | 31.0 KB / 62.0 KB | \
             at 2000: TCP buffers (20 % of the core; worst is 61 %) |\n"
        );
        assert!(
            cell(Vec::new())
                .row()
                .contains("| 0 | - | - | - | - | the limit of desc")
        );
    }

    #[test]
    fn what_ended_it_is_named() {
        let end = |viewers, hits| trial(viewers, &["slow"], hits).end();
        assert!(end(9500, Hits::default()).starts_with("CPU (95 %"));
        let killed = Hits {
            kills: 1,
            ..Hits::default()
        };
        assert_eq!(end(9500, killed), "memory: the kernel ended the server");
        assert!(end(100, Hits::default()).starts_with("neither"));
    }

    #[test]
    fn rates_are_read_as_the_load_tester_reads_them() {
        assert_eq!(bits_per_s("2.5M").map(first_guess), Some(4000));
        assert_eq!(bits_per_s("500k").map(first_guess), Some(5000));
        assert_eq!((bits_per_s("fast"), bits_per_s("1")), (None, None));
    }
}
