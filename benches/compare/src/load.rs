//! `videostream load`: asked for one run, and understood.

use std::fmt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::process::{self, Stop};

/// A run is held when none of these is so.
const MISSES: &str = "worst<97%,p99>1s,dropped>0,failed>0";

/// The same where newcomers are promised a stream that plays.
const MISSES_AND_FAULTS: &str = "worst<97%,p99>1s,dropped>0,failed>0,invalid>0";

/// How many viewers come in a second: a crowd, not an attack.
const COMING_PER_S: u64 = 2000;

/// The shortest time over which they come. The same for most counts, so that a server has been on
/// air for as long in each, and its memory can be compared.
const RAMP_MIN: Duration = Duration::from_secs(3);

/// Beside ramp and duration: viewers that are late to come, and the reports.
const PATIENCE: Duration = Duration::from_secs(100);

/// What viewers are sent.
#[derive(Debug, Clone, clap::Args)]
pub struct Stream {
    /// Bits a second that are published
    #[arg(long, value_name = "RATE", default_value = "2.5M")]
    pub rate: String,

    /// Milliseconds of media that the publisher sends at once
    #[arg(long, value_name = "MS", default_value_t = 100)]
    pub chunk_ms: u64,

    /// Time that is measured, once all viewers are there; under 8s, a keyframe more or less at its
    /// edges looks like a viewer that falls behind
    #[arg(long, value_name = "DURATION", default_value = "15s")]
    #[arg(value_parser = humantime::parse_duration)]
    pub duration: Duration,
}

/// `2.5 Mbit/s in 100 ms chunks`.
impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} in {} ms chunks",
            spell_rate(&self.rate),
            self.chunk_ms
        )
    }
}

/// Where a server is to be found.
#[derive(Debug, Clone)]
pub struct Place {
    pub pid: u32,
    pub watch: String,
    /// Where to publish, when the viewers' address does not say so.
    pub publish: Option<String>,
    /// Whether each viewer is to be given a stream that plays. A relay knows no WebM.
    pub promises_playback: bool,
}

/// The figures of one run, as the contract has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub duration_s: f64,
    pub connected: u64,
    pub failed: u64,
    pub dropped: u64,
    pub join_ms: Option<Percentiles>,
    pub delay_ms: Option<Percentiles>,
    pub skips: u64,
    pub invalid: u64,
    pub server: Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p99: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Server {
    pub cpu_s: f64,
    pub cpu_s_per_gb: Option<f64>,
    pub rss_bytes: u64,
    pub rss_bytes_peak: u64,
}

/// Runs the load tester once. Gives its report, and why the viewers were not held, if so.
pub fn run(
    program: &Path,
    place: &Place,
    viewers: u64,
    stream: &Stream,
    stop: &Stop,
) -> anyhow::Result<(Report, Vec<String>)> {
    let ramp = RAMP_MIN.max(Duration::from_millis(viewers * 1000 / COMING_PER_S));
    let mut command = Command::new(program);
    let fail_if = if place.promises_playback {
        MISSES_AND_FAULTS
    } else {
        MISSES
    };
    command.args(["load", &place.watch, "--json", "--fail-if", fail_if]);
    for (option, value) in [
        ("--viewers", viewers.to_string()),
        ("--ramp", format!("{}ms", ramp.as_millis())),
        ("--duration", format!("{}ms", stream.duration.as_millis())),
        ("--publish-rate", stream.rate.clone()),
        ("--chunk-ms", stream.chunk_ms.to_string()),
        ("--pid", place.pid.to_string()),
    ] {
        command.args([option, &value]);
    }
    if let Some(publish) = &place.publish {
        command.args(["--publish-to", publish]);
    }
    let said = process::run(&mut command, ramp + stream.duration + PATIENCE, stop)?;
    // Also when a signal made it report early.
    stop.check()?;
    let report = serde_json::from_str(&said.stdout)
        .with_context(|| format!("the load tester: {}", said.stderr.trim()))?;
    for line in said.stderr.lines() {
        if line.starts_with("warning: ") {
            eprintln!("the load tester: {line}");
        }
    }
    let misses = misses(&said.stderr);
    ensure!(
        said.status.success() || !misses.is_empty(),
        "the load tester: {}",
        said.status
    );
    Ok((report, misses))
}

/// `2.5M` is 2.5 Mbit/s.
pub fn spell_rate(rate: &str) -> String {
    let (number, unit) = rate.split_at(rate.find(char::is_alphabetic).unwrap_or(rate.len()));
    format!("{number} {unit}bit/s")
}

/// Why it failed: `error: --fail-if worst<97%: worst is 3 %` is `worst is 3 %`.
fn misses(stderr: &str) -> Vec<String> {
    let errors = stderr
        .lines()
        .filter_map(|line| line.trim().strip_prefix("error: "));
    let short = errors.map(|line| match line.strip_prefix("--fail-if ") {
        Some(condition) => condition.split_once(": ").map_or(condition, |(_, so)| so),
        None => line,
    });
    short.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_with_and_without_publisher() {
        let json = r#"{"url":"ws://h/live/a","protocol":"ws","viewers":50,"duration_s":10.0,
            "connected":50,"failed":0,"dropped":0,
            "bytes":{"total":156250000,"min":3100000,"median":3125000,"max":3130000},
            "join_ms":{"p50":1.25,"p90":2.0,"p99":3.0,"max":4.0},"delay_ms":null,"skips":0,
            "invalid":1,"server":{"cpu_s":0.05,"cpu_s_per_gb":0.32,"rss_bytes":12582912,
            "rss_bytes_peak":13631488}}"#;
        let report: Report = serde_json::from_str(json).unwrap();
        assert_eq!((report.connected, report.invalid), (50, 1));
        assert_eq!(report.server.cpu_s_per_gb, Some(0.32));
        assert_eq!(report.delay_ms, None);
    }

    #[test]
    fn rates_are_spelled_with_their_unit() {
        assert_eq!(spell_rate("2.5M"), "2.5 Mbit/s");
        assert_eq!(spell_rate("800000"), "800000 bit/s");
    }

    #[test]
    fn what_was_missed_is_told_shortly() {
        let stderr = "connected 1\nerror: --fail-if worst<97%: worst is 61.2 %\n\
                      error: ws://h/publish/a: the connection was lost: reset\n";
        let expected = [
            "worst is 61.2 %",
            "ws://h/publish/a: the connection was lost: reset",
        ];
        assert_eq!(misses(stderr), expected);
        assert!(misses("").is_empty());
    }
}
