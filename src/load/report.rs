//! The figures of a load test: what `--json` prints, and what `--fail-if` is held against.

use std::time::Duration;

use serde::Serialize;

use super::conditions::Name;
use super::findings::{Percentiles, Reasons, Stalled, Totals};
use super::server::Usage;
use super::strain::Strain;

/// A wait for a core that is not worth a warning.
const WAIT_MS_MIN: f64 = 1.0;

/// The contract's shape.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub url: String,
    pub protocol: &'static str,
    pub viewers: u64,
    /// That was measured.
    pub duration_s: f64,
    /// Viewers that the server took, including the viewers that replaced others.
    pub connected: u64,
    pub failed: u64,
    pub dropped: u64,
    pub bytes: Bytes,
    pub join_ms: Option<Percentiles>,
    pub delay_ms: Option<Percentiles>,
    pub skips: u64,
    pub invalid: u64,
    pub server: Option<Server>,
    #[serde(skip)]
    pub beside: Beside,
}

/// Of the measured time; all but the total over the healthy viewers that were there throughout.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Bytes {
    pub total: u64,
    pub min: u64,
    pub median: u64,
    pub max: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Server {
    pub cpu_s: f64,
    /// `null` when no byte came.
    pub cpu_s_per_gb: Option<f64>,
    pub rss_bytes: u64,
    pub rss_bytes_peak: u64,
}

/// What the table tells beside the contract's figures.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Beside {
    /// Bytes that our publisher sent on each stream in the measured time, on average.
    pub published: Option<u64>,
    /// Viewers whose bytes were compared, and stamps that were read.
    pub compared: u64,
    pub stamps: u64,
    /// From the start of the ramp to the first media of the last viewer.
    pub came_s: f64,
    pub processes: u64,
    /// CPU seconds of the load test itself, its publisher included.
    pub own_cpu_s: Option<f64>,
    /// How the test's own threads kept up; `None` where the system does not report it.
    pub(super) strain: Option<Strain>,
    pub(super) late: Option<Late>,
    pub(super) stalled: Stalled,
    pub(super) reasons: Reasons,
    pub(super) seconds: Vec<Second>,
}

/// How late our publisher was at most, and how long its chunks are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Late {
    pub by: Duration,
    pub chunk: Duration,
}

/// One step of the charts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Second {
    /// From the start, ramp included.
    pub at_s: f64,
    /// Over which `bytes` came.
    pub span_s: f64,
    pub watching: u64,
    pub bytes: u64,
    pub delay: Option<Percentiles>,
}

impl Bytes {
    pub fn of(total: u64, mut each: Vec<u64>) -> Bytes {
        each.sort_unstable();
        let at = |index: usize| each.get(index).copied().unwrap_or(0);
        Bytes {
            total,
            min: at(0),
            median: at(each.len() / 2),
            max: at(each.len().saturating_sub(1)),
        }
    }
}

impl Server {
    pub(super) fn between(before: Usage, after: Usage, bytes: u64) -> Server {
        // `/proc` counts hundredths.
        let cpu_s = ((after.cpu_s - before.cpu_s).max(0.0) * 100.0).round() / 100.0;
        Server {
            cpu_s,
            cpu_s_per_gb: (bytes > 0).then(|| cpu_s / (bytes as f64 / 1e9)),
            rss_bytes: after.rss_bytes,
            rss_bytes_peak: after.rss_bytes_peak,
        }
    }
}

impl Report {
    pub(super) fn fill(&mut self, totals: Totals) {
        self.connected = totals.counts.connected;
        self.failed = totals.counts.failed;
        self.dropped = totals.counts.dropped;
        self.skips = totals.counts.skips;
        self.invalid = totals.counts.invalid;
        self.beside.compared = totals.bytes_each.len() as u64;
        self.bytes = Bytes::of(totals.bytes, totals.bytes_each);
        self.join_ms = totals.joins.percentiles();
        self.beside.came_s = totals.came.as_secs_f64();
        self.beside.stamps = totals.delays.len();
        self.delay_ms = totals.delays.percentiles();
        self.beside.reasons = totals.reasons;
        self.beside.strain = totals.strain;
        self.beside.stalled = totals.stalled;
    }

    /// Why the figures may be the load test's own rather than the server's.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(strain) = self.beside.strain {
            if strain.is_too_much() {
                warnings.push(format!(
                    "this test itself is at its limit (a thread of it was busy for {:.0} % of the \
                     time): its delays and bytes say little of the server; use more --processes, \
                     fewer viewers or another machine",
                    strain.load * 100.0
                ));
            }
            if let (Some(wait_ms), Some(delay)) = (strain.wait_ms, self.delay_ms)
                && wait_ms > WAIT_MS_MIN
                && wait_ms > delay.p50 / 4.0
            {
                warnings.push(format!(
                    "this machine is too busy: of each delay, some {wait_ms:.1} ms are the wait of \
                     this test for a core"
                ));
            }
        }
        if let Some(late) = self.beside.late
            && late.by > late.chunk
        {
            warnings.push(format!(
                "the publisher was late by up to {:.0} ms, and then sent more at once: this machine \
                 is too busy",
                late.by.as_secs_f64() * 1e3
            ));
        }
        warnings
    }

    /// What the worst viewer got of what was published, in percent.
    pub fn worst_percent(&self) -> Option<f64> {
        let published = self.beside.published.filter(|&bytes| bytes > 0)?;
        (self.beside.compared > 0).then(|| self.bytes.min as f64 / published as f64 * 100.0)
    }

    pub(super) fn figure(&self, name: Name) -> Option<f64> {
        let count = |count: u64| Some(count as f64);
        match name {
            Name::P50 => self.delay_ms.map(|delay| delay.p50),
            Name::P90 => self.delay_ms.map(|delay| delay.p90),
            Name::P99 => self.delay_ms.map(|delay| delay.p99),
            Name::Max => self.delay_ms.map(|delay| delay.max),
            Name::JoinP50 => self.join_ms.map(|join| join.p50),
            Name::JoinP90 => self.join_ms.map(|join| join.p90),
            Name::JoinP99 => self.join_ms.map(|join| join.p99),
            Name::JoinMax => self.join_ms.map(|join| join.max),
            Name::Connected => count(self.connected),
            Name::Failed => count(self.failed),
            Name::Dropped => count(self.dropped),
            Name::Skips => count(self.skips),
            Name::Invalid => count(self.invalid),
            Name::BytesTotal => count(self.bytes.total),
            Name::BytesMin => count(self.bytes.min),
            Name::BytesMedian => count(self.bytes.median),
            Name::BytesMax => count(self.bytes.max),
            Name::Worst => self.worst_percent(),
            Name::CpuS => self.server.map(|server| server.cpu_s),
            Name::CpuSPerGb => self.server.and_then(|server| server.cpu_s_per_gb),
            Name::RssBytes => self.server.and_then(|server| count(server.rss_bytes)),
            Name::RssBytesPeak => self.server.and_then(|server| count(server.rss_bytes_peak)),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn report() -> Report {
        let percentiles = Percentiles {
            p50: 1.25,
            p90: 2.0,
            p99: 3.0,
            max: 4.0,
        };
        let second = |n: u64| Second {
            at_s: n as f64 / 2.0,
            span_s: 0.5,
            watching: 50,
            bytes: 7_800_000,
            delay: (n > 1).then_some(percentiles),
        };
        Report {
            url: "ws://127.0.0.1:8080/live/<a>".into(),
            protocol: "ws",
            viewers: 50,
            duration_s: 10.0,
            connected: 50,
            failed: 0,
            dropped: 0,
            bytes: Bytes {
                total: 156_250_000,
                min: 3_100_000,
                median: 3_125_000,
                max: 3_130_000,
            },
            join_ms: Some(percentiles),
            delay_ms: None,
            skips: 0,
            invalid: 1,
            server: Some(Server::between(
                Usage {
                    cpu_s: 1.0,
                    rss_bytes: 0,
                    rss_bytes_peak: 0,
                },
                Usage {
                    cpu_s: 1.05,
                    rss_bytes: 12 << 20,
                    rss_bytes_peak: 13 << 20,
                },
                156_250_000,
            )),
            beside: Beside {
                published: Some(3_125_000),
                compared: 50,
                came_s: 1.284,
                own_cpu_s: Some(2.5),
                stalled: Stalled {
                    all: 5,
                    woken: 4,
                    back: 3,
                },
                strain: Some(Strain {
                    load: 0.25,
                    wait_ms: Some(0.04),
                }),
                late: Some(Late {
                    by: Duration::from_micros(4500),
                    chunk: Duration::from_millis(100),
                }),
                processes: 1,
                reasons: Reasons {
                    invalid: vec!["a & b".into()],
                    ..Reasons::default()
                },
                seconds: (0..20).map(second).collect(),
                ..Beside::default()
            },
        }
    }

    #[test]
    fn the_json_has_the_contracts_shape() {
        let json = serde_json::to_string(&report()).unwrap();
        assert_eq!(
            json,
            r#"{"url":"ws://127.0.0.1:8080/live/<a>","protocol":"ws","viewers":50,"duration_s":10.0,"#
                .to_owned()
                + r#""connected":50,"failed":0,"dropped":0,"#
                + r#""bytes":{"total":156250000,"min":3100000,"median":3125000,"max":3130000},"#
                + r#""join_ms":{"p50":1.25,"p90":2.0,"p99":3.0,"max":4.0},"delay_ms":null,"#
                + r#""skips":0,"invalid":1,"server":{"cpu_s":0.05,"cpu_s_per_gb":0.32,"#
                + r#""rss_bytes":12582912,"rss_bytes_peak":13631488}}"#
        );
    }

    #[test]
    fn a_test_that_cannot_keep_up_says_so() {
        let mut report = report();
        let mut note = |load, wait_ms, late_ms| {
            report.delay_ms = report.join_ms;
            report.beside.strain = Some(Strain { load, wait_ms });
            report.beside.late = Some(Late {
                by: Duration::from_millis(late_ms),
                chunk: Duration::from_millis(100),
            });
            report.warnings().join("\n")
        };
        assert_eq!(note(0.5, Some(0.2), 90), "");
        assert!(note(0.97, None, 0).contains("(a thread of it was busy for 97 % of the time)"));
        assert!(note(0.5, Some(1.5), 0).contains("some 1.5 ms are the wait of this test"));
        assert!(note(0.5, None, 101).starts_with("the publisher was late by up to 101 ms"));
    }

    #[test]
    fn byte_figures_have_total_minimum_median_and_maximum() {
        let bytes = Bytes {
            total: 100,
            min: 1,
            median: 3,
            max: 9,
        };
        assert_eq!(Bytes::of(100, vec![3, 9, 1]), bytes);
        assert_eq!(
            Bytes::of(5, Vec::new()),
            Bytes {
                total: 5,
                ..Bytes::default()
            }
        );
    }

    #[test]
    fn worst_viewer_is_a_percentage_of_the_published_bytes() {
        assert_eq!(report().figure(Name::Worst), Some(99.2));
        assert_eq!(report().figure(Name::P99), None);
        assert_eq!(report().figure(Name::CpuSPerGb), Some(0.32));
    }
}
