//! What viewers found, on its way from many of them to one report.
//!
//! Histograms count microseconds; between processes they travel as pairs of value and count.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::strain::Strain;

/// Longest time that the histograms tell apart: ten minutes.
const MICROS_MAX: u64 = 600_000_000;

/// Reasons of one kind that are kept: the first ones, which tell most.
const REASONS_MAX: usize = 4;

/// Times in microseconds, three digits of each.
#[derive(Clone)]
pub(super) struct Times(Histogram<u64>);

/// Not each of its thousands of counters.
impl fmt::Debug for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {}", self.percentiles(), self.len())
    }
}

impl Times {
    pub fn record(&mut self, micros: u64) {
        self.0.saturating_record(micros.max(1));
    }

    pub fn add(&mut self, other: &Times) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    pub fn clear(&mut self) {
        self.0.reset();
    }

    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// In milliseconds; `None` when nothing was recorded.
    pub fn percentiles(&self) -> Option<Percentiles> {
        let ms = |quantile| self.0.value_at_quantile(quantile) as f64 / 1e3;
        (!self.0.is_empty()).then(|| Percentiles {
            p50: ms(0.5),
            p90: ms(0.9),
            p99: ms(0.99),
            max: self.0.max() as f64 / 1e3,
        })
    }
}

impl Default for Times {
    fn default() -> Times {
        Times(Histogram::new_with_bounds(1, MICROS_MAX, 3).expect("the bounds are in order"))
    }
}

impl Serialize for Times {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let recorded = self.0.iter_recorded();
        serializer
            .collect_seq(recorded.map(|step| (step.value_iterated_to(), step.count_at_value())))
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Times, D::Error> {
        let mut times = Times::default();
        for (micros, count) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            times.0.saturating_record_n(micros, count);
        }
        Ok(times)
    }
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
}

/// What the judged viewers found, and why others failed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Findings {
    pub delays: Times,
    pub skips: u64,
    /// Faults that would show in a player.
    pub invalid: u64,
    pub reasons: Reasons,
}

/// The first few of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reasons {
    pub failed: Vec<String>,
    pub dropped: Vec<String>,
    pub invalid: Vec<String>,
}

impl Findings {
    pub fn delay(&mut self, ns: u64) {
        self.delays.record(ns / 1000);
    }

    pub fn fault(&mut self, reason: String) {
        self.invalid += 1;
        keep(&mut self.reasons.invalid, reason);
    }
}

impl Reasons {
    pub fn add(&mut self, other: Reasons) {
        let pairs = [
            (&mut self.failed, other.failed),
            (&mut self.dropped, other.dropped),
            (&mut self.invalid, other.invalid),
        ];
        for (kept, reasons) in pairs {
            for reason in reasons {
                keep(kept, reason);
            }
        }
    }
}

/// Keeps a reason that is new, as long as there is room.
pub(super) fn keep(reasons: &mut Vec<String>, reason: String) {
    if reasons.len() < REASONS_MAX && !reasons.contains(&reason) {
        reasons.push(reason);
    }
}

/// What one part reports, again and again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Tick {
    /// Viewers that watch now.
    pub watching: u64,
    /// Viewers that have their first media, or never will.
    pub settled: u64,
    /// Since the last report.
    pub bytes: u64,
    pub delays: Times,
    /// Since the start.
    pub counts: Counts,
}

/// Since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub connected: u64,
    pub failed: u64,
    pub dropped: u64,
    pub skips: u64,
    pub invalid: u64,
}

impl Counts {
    pub fn add(&mut self, other: &Counts) {
        self.connected += other.connected;
        self.failed += other.failed;
        self.dropped += other.dropped;
        self.skips += other.skips;
        self.invalid += other.invalid;
    }
}

/// What one part reports at its end.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Totals {
    pub counts: Counts,
    pub joins: Times,
    /// From the start to the first media of the last viewer that came before the measured time.
    pub came: Duration,
    /// Of the measured time.
    pub delays: Times,
    pub bytes: u64,
    /// Of each healthy viewer that was there from the start of the measured time.
    pub bytes_each: Vec<u64>,
    pub reasons: Reasons,
    pub stalled: Stalled,
    /// `None` where the system does not report it.
    pub strain: Option<Strain>,
}

/// What became of the viewers that stopped reading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stalled {
    pub all: u64,
    /// Read on, and are still connected.
    pub woken: u64,
    /// Of these, had something that was sent after they woke.
    pub back: u64,
}

impl Totals {
    pub fn add(&mut self, other: Totals) {
        self.counts.add(&other.counts);
        self.joins.add(&other.joins);
        self.came = self.came.max(other.came);
        self.delays.add(&other.delays);
        self.bytes += other.bytes;
        self.bytes_each.extend(other.bytes_each);
        self.reasons.add(other.reasons);
        self.stalled.all += other.stalled.all;
        self.stalled.woken += other.stalled.woken;
        self.stalled.back += other.stalled.back;
        if let Some(strain) = other.strain {
            self.strain.get_or_insert_default().add(strain);
        }
    }
}

/// From a part to the lead.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum News {
    Tick(Tick),
    Totals(Box<Totals>),
    /// It cannot go on.
    Failed(String),
}

/// From the lead to the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Order {
    /// The measured time begins.
    Measure,
    /// Report, and end.
    Finish,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_way_between_processes() {
        let mut times = Times::default();
        for micros in [0, 5, 1000, 1001, 250_000, u64::MAX] {
            times.record(micros);
        }
        let text = serde_json::to_string(&times).unwrap();
        let read: Times = serde_json::from_str(&text).unwrap();
        assert_eq!(read.0, times.0);
        let percentiles = read.percentiles().unwrap();
        assert_eq!(percentiles.p50, 1.0);
        assert!(percentiles.max >= 599_000.0);
        assert_eq!(Times::default().percentiles(), None);
    }

    #[test]
    fn reasons_are_kept_once_and_only_the_first() {
        let mut findings = Findings::default();
        for n in 0..10 {
            findings.fault("the same".into());
            findings.fault(format!("number {n}"));
        }
        assert_eq!(findings.invalid, 20);
        assert_eq!(findings.reasons.invalid.len(), REASONS_MAX);
        let mut all = Reasons::default();
        all.add(findings.reasons.clone());
        all.add(findings.reasons);
        assert_eq!(all.invalid.len(), REASONS_MAX);
    }
}
