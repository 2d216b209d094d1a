//! What was measured: one run for each server and number of viewers.
//!
//! With `--save`, runs are kept in a file, one JSON object a line, so that a comparison can be made
//! in parts: of one stream, whatever else is in the file.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::load::{Report, Stream};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub server: String,
    pub viewers: u64,
    /// What viewers were sent, in words.
    pub stream: String,
    pub report: Report,
    /// Why the viewers were not held; empty when they were.
    pub misses: Vec<String>,
}

impl Run {
    pub fn is_held(&self) -> bool {
        self.misses.is_empty()
    }

    /// Whether all viewers came, stayed, and had something to measure.
    pub fn is_sound(&self) -> bool {
        let report = &self.report;
        report.connected >= self.viewers
            && (report.failed, report.dropped) == (0, 0)
            && report.delay_ms.is_some()
    }

    /// Of one core, in percent.
    pub fn cpu_percent(&self) -> f64 {
        self.report.server.cpu_s / self.report.duration_s * 100.0
    }
}

/// One line, for who waits.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} viewers: ", self.server, self.viewers)?;
        if let Some(cost) = self.report.server.cpu_s_per_gb {
            write!(f, "{cost:.3} CPU-s/GB, ")?;
        }
        if let Some(delay) = self.report.delay_ms {
            write!(f, "p50 {:.1} ms, p99 {:.1} ms, ", delay.p50, delay.p99)?;
        }
        write!(f, "{:.0} % of a core", self.cpu_percent())?;
        if !self.is_held() {
            write!(f, "; not held: {}", self.misses.join("; "))?;
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Runs(pub Vec<Run>);

impl Runs {
    /// Those of an earlier part with this stream, if there was one.
    pub fn read(path: &Path, stream: &Stream) -> anyhow::Result<Runs> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Runs::default()),
            text => text.with_context(|| path.display().to_string())?,
        };
        let mut runs = Runs::default();
        for line in text.lines() {
            let run: Run =
                serde_json::from_str(line).with_context(|| path.display().to_string())?;
            if run.stream == stream.to_string() {
                runs.add(run);
            }
        }
        Ok(runs)
    }

    pub fn append(path: &Path, run: &Run) -> anyhow::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        let line = serde_json::to_string(run)? + "\n";
        Ok(file.write_all(line.as_bytes())?)
    }

    /// A newer run takes the place of an older one.
    pub fn add(&mut self, run: Run) {
        self.0
            .retain(|old| (&old.server, old.viewers) != (&run.server, run.viewers));
        self.0.push(run);
    }

    /// The servers, in the order in which they were measured.
    pub fn servers(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for run in &self.0 {
            if !names.contains(&&*run.server) {
                names.push(&run.server);
            }
        }
        names
    }

    pub fn at(&self, server: &str, viewers: u64) -> Option<&Run> {
        let is_it = |run: &&Run| run.server == server && run.viewers == viewers;
        self.0.iter().find(is_it)
    }

    /// One server's, fewest viewers first.
    pub fn of(&self, server: &str) -> Vec<&Run> {
        let mut runs: Vec<&Run> = self.0.iter().filter(|run| run.server == server).collect();
        runs.sort_by_key(|run| run.viewers);
        runs
    }

    /// The most viewers that this server held.
    pub fn held(&self, server: &str) -> Option<u64> {
        let held = self.of(server).into_iter().filter(|run| run.is_held());
        held.map(|run| run.viewers).max()
    }
}

#[cfg(test)]
pub mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::{Percentiles, Server};

    /// A run in which a GB cost so much, with 1 KiB for each viewer.
    pub fn run(server: &str, viewers: u64, cpu_s_per_gb: f64) -> Run {
        let times = Percentiles {
            p50: 8.4,
            p99: 19.0,
        };
        Run {
            server: server.into(),
            viewers,
            stream: "2.5 Mbit/s in 100 ms chunks".into(),
            report: Report {
                duration_s: 10.0,
                connected: viewers,
                failed: 0,
                dropped: 0,
                join_ms: Some(Percentiles { p50: 1.0, p99: 2.0 }),
                delay_ms: Some(times),
                skips: 0,
                invalid: 0,
                server: Server {
                    cpu_s: cpu_s_per_gb * viewers as f64 / 320.0,
                    cpu_s_per_gb: Some(cpu_s_per_gb),
                    rss_bytes: 4 * 1024 * 1024 + viewers * 1024,
                    rss_bytes_peak: 0,
                },
            },
            misses: Vec::new(),
        }
    }

    #[test]
    fn a_newer_run_replaces_an_older_one() {
        let mut runs = Runs::default();
        runs.add(run("floor", 100, 0.4));
        runs.add(run("floor", 1000, 0.3));
        runs.add(run("floor", 100, 0.5));
        let costs: Vec<_> = runs
            .of("floor")
            .iter()
            .map(|run| run.report.server.cpu_s_per_gb)
            .collect();
        assert_eq!(costs, [Some(0.5), Some(0.3)]);
        assert_eq!(
            (runs.servers(), runs.held("floor")),
            (vec!["floor"], Some(1000))
        );
    }

    #[test]
    fn runs_are_kept_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.jsonl");
        let stream = |rate: &str| Stream {
            rate: rate.into(),
            chunk_ms: 100,
            duration: Duration::from_secs(15),
        };
        let read = |rate| Runs::read(&path, &stream(rate)).unwrap();
        assert_eq!(read("2.5M"), Runs::default());
        let kept = [run("floor", 100, 0.4), run("a", 1, 0.25)];
        for run in &kept {
            Runs::append(&path, run).unwrap();
        }
        assert_eq!(read("2.5M"), Runs(kept.to_vec()));
        assert_eq!(read("5M"), Runs::default());
    }
}
