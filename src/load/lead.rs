//! Leads a load test: lets the viewers come, measures once they are there, and ends in time.
//!
//! ```text
//! Coming ── all settled, or none for a while ──► Measuring ── --duration ──► Finishing ──► report
//!    └───────── Ctrl-C, a publisher that failed, or no viewer left ────────────┘
//! ```

use std::time::{Duration, Instant};

use super::LoadError;
use super::findings::{Counts, News, Order, Percentiles, Tick, Totals};
use super::options::Options;
use super::parts::{Parts, Processes};
use super::plan::Plan;
use super::progress::{Moment, Progress};
use super::publisher::Publisher;
use super::report::{Beside, Late, Report, Server};
use super::server::Usage;
use super::timeline::LoadTimeline;
use crate::client::interrupt::Interrupt;

/// If no viewer got a first byte of media for so long, the lead stops waiting: there may be no
/// publisher at all.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(3);

/// All of them must have come by then.
const COME_TIMEOUT: Duration = Duration::from_secs(60);

/// Time that the parts have for their last report.
const FINISH_TIMEOUT: Duration = Duration::from_secs(10);

const TURN: Duration = Duration::from_millis(20);

enum Phase {
    Coming { settled: u64, since: Instant },
    Measuring(Start),
    Finishing { until: Instant },
}

/// The figures at the start of the measured time.
struct Start {
    at: Instant,
    server: Option<Usage>,
    published: u64,
    own_cpu_s: Option<f64>,
}

struct Lead<'a> {
    plan: &'a Plan,
    options: &'a Options,
    parts: Parts,
    publishers: Vec<Publisher>,
    /// The last report of each part.
    ticks: Vec<Tick>,
    timeline: LoadTimeline,
    progress: Progress,
    /// Bytes since the last line of progress, and when that was.
    line: (u64, Instant),
    delay: Option<Percentiles>,
    started: Instant,
    totals: Totals,
    /// At the start and at the end of the measured time.
    server: (Option<Usage>, Option<Usage>),
    report: Report,
}

/// The report without its URL, and what went wrong during the run.
pub(super) fn run(
    plan: &Plan,
    processes: Processes,
    publishers: Vec<Publisher>,
    options: &Options,
) -> Result<(Report, Vec<String>), LoadError> {
    let interrupt = Interrupt::register()?;
    let parts = Parts::start(plan, processes)?;
    let now = Instant::now();
    let lead = Lead {
        plan,
        options,
        ticks: vec![Tick::default(); parts.len()],
        timeline: LoadTimeline::new(parts.len(), plan.ramp + options.duration),
        parts,
        publishers,
        progress: Progress::new(),
        line: (0, now),
        delay: None,
        started: now,
        totals: Totals::default(),
        server: (None, None),
        report: Report {
            url: String::new(),
            protocol: plan.protocol.as_str(),
            viewers: plan.viewers,
            duration_s: 0.0,
            connected: 0,
            failed: 0,
            dropped: 0,
            bytes: Default::default(),
            join_ms: None,
            delay_ms: None,
            skips: 0,
            invalid: 0,
            server: None,
            beside: Beside {
                processes: processes.count(),
                ..Beside::default()
            },
        },
    };
    lead.run(&interrupt)
}

impl Lead<'_> {
    fn run(mut self, interrupt: &Interrupt) -> Result<(Report, Vec<String>), LoadError> {
        let mut phase = Phase::Coming {
            settled: 0,
            since: self.started,
        };
        // Until Measure, all counts from the start: so does what an early end reports.
        let start = self.take_stock();
        let mut finished = vec![false; self.parts.len()];
        while finished.contains(&false) {
            match self.parts.next(TURN) {
                Some((part, News::Tick(tick))) => self.take_tick(part, tick),
                Some((part, News::Totals(totals))) => {
                    finished[part] = true;
                    self.totals.add(*totals);
                }
                Some((part, News::Failed(_))) if finished[part] => {}
                Some((_, News::Failed(reason))) => return Err(self.give_up(reason)),
                None => {}
            }
            let now = Instant::now();
            let is_over = interrupt.is_asked()
                || self.publishers.iter().any(Publisher::has_ended)
                || self.is_deserted();
            phase = match phase {
                Phase::Finishing { until } if now >= until => {
                    return Err(self.give_up("no report came at the end".into()));
                }
                Phase::Finishing { until } => Phase::Finishing { until },
                Phase::Coming { .. } if is_over => self.finish(&start, now),
                Phase::Coming { settled, since } => match self.come(settled, since, now) {
                    Some((settled, since)) => Phase::Coming { settled, since },
                    None => {
                        self.take_late();
                        self.parts.order(Order::Measure);
                        Phase::Measuring(self.take_stock())
                    }
                },
                Phase::Measuring(from) if is_over || now >= from.at + self.options.duration => {
                    self.finish(&from, now)
                }
                Phase::Measuring(from) => Phase::Measuring(from),
            };
            self.show(&phase, now);
        }
        self.progress.clear();
        let mut failures = Vec::new();
        if self.is_deserted() && self.totals.counts.connected > 0 {
            let reason = self.totals.reasons.dropped.first();
            let reason = reason.map_or(String::new(), |reason| format!(": {reason}"));
            failures.push(format!("no viewer is left{reason}"));
        }
        for publisher in std::mem::take(&mut self.publishers) {
            let ended_early = publisher.has_ended();
            match publisher.stop() {
                Err(error) => failures.push(error.to_string()),
                Ok(()) if ended_early => failures.push("the publisher ended early".into()),
                Ok(()) => {}
            }
        }
        let mut report = self.report;
        report.fill(self.totals);
        report.beside.seconds = self.timeline.seconds(self.started.elapsed());
        report.server = match self.server {
            (Some(before), Some(after)) => Some(Server::between(before, after, report.bytes.total)),
            _ => None,
        };
        Ok((report, failures))
    }

    /// Takes in one part's report.
    fn take_tick(&mut self, part: usize, tick: Tick) {
        self.timeline.add(part, self.started.elapsed(), &tick);
        self.line.0 += tick.bytes;
        self.delay = tick.delays.percentiles().or(self.delay);
        self.ticks[part] = tick;
    }

    /// Whether to wait on: how many have settled, and since when. `None` when the measured time may
    /// begin.
    fn come(&self, settled: u64, since: Instant, now: Instant) -> Option<(u64, Instant)> {
        let come = self.started + self.plan.ramp;
        let settled_now = self.ticks.iter().map(|tick| tick.settled).sum();
        let since = if settled_now == settled { since } else { now };
        let is_enough = settled_now >= self.plan.viewers
            || now >= since.max(come) + SETTLE_TIMEOUT
            || now >= come + COME_TIMEOUT;
        (!is_enough).then_some((settled_now, since))
    }

    /// Whether all viewers have come, and all are gone: there is nothing more to measure. Of few that
    /// come and go, all may be away for a moment.
    fn is_deserted(&self) -> bool {
        if self.plan.churn > 0.0 {
            return false;
        }
        let settled: u64 = self.ticks.iter().map(|tick| tick.settled).sum();
        settled >= self.plan.viewers && self.ticks.iter().all(|tick| tick.watching == 0)
    }

    fn take_stock(&self) -> Start {
        Start {
            at: Instant::now(),
            server: self.options.pid.and_then(|pid| Usage::of(pid).ok()),
            published: self.publishers.iter().map(Publisher::sent_bytes).sum(),
            own_cpu_s: self.own_cpu_s(),
        }
    }

    /// How late a publisher was, at most, since this was last asked, and the chunk it should keep to.
    fn take_late(&self) -> Option<Late> {
        let by = self.publishers.iter().map(Publisher::take_late).max()?;
        Some(Late {
            by,
            chunk: Duration::from_millis(self.options.chunk_ms),
        })
    }

    /// CPU seconds of all our processes.
    fn own_cpu_s(&self) -> Option<f64> {
        self.parts
            .pids()
            .into_iter()
            .map(|pid| Some(Usage::of(pid).ok()?.cpu_s))
            .sum()
    }

    /// The measured time is over: notes what it cost, and asks for the reports.
    fn finish(&mut self, from: &Start, now: Instant) -> Phase {
        self.parts.order(Order::Finish);
        let end = self.take_stock();
        self.report.duration_s = (end.at - from.at).as_secs_f64();
        self.server = (from.server, end.server);
        let streams = self.publishers.len() as u64;
        self.report.beside.published =
            (streams > 0).then(|| (end.published - from.published) / streams);
        self.report.beside.late = self.take_late();
        self.report.beside.own_cpu_s = match (from.own_cpu_s, end.own_cpu_s) {
            (Some(before), Some(after)) => Some((after - before).max(0.0)),
            _ => None,
        };
        Phase::Finishing {
            until: now + FINISH_TIMEOUT,
        }
    }

    fn show(&mut self, phase: &Phase, now: Instant) {
        if !self.progress.is_due(now) {
            return;
        }
        let measured = match phase {
            Phase::Coming { .. } => None,
            Phase::Measuring(from) => Some((now - from.at, self.options.duration)),
            Phase::Finishing { .. } => return,
        };
        let mut counts = Counts::default();
        for tick in &self.ticks {
            counts.add(&tick.counts);
        }
        let (bytes, since) = std::mem::replace(&mut self.line, (0, now));
        let moment = Moment {
            viewers: self.plan.viewers,
            watching: self.ticks.iter().map(|tick| tick.watching).sum(),
            counts,
            bits_per_s: bytes as f64 * 8.0 / (now - since).as_secs_f64().max(0.001),
            delay: self.delay,
            measured,
        };
        self.progress.tell(now, &moment);
    }

    fn give_up(&self, reason: String) -> LoadError {
        self.progress.clear();
        LoadError::Parts(reason)
    }
}
