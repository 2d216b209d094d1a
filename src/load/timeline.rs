//! What the charts show: the reports of all parts, laid over one another in steps of equal length.

use std::time::Duration;

use super::findings::{Percentiles, Tick, Times};
use super::report::Second;

/// Points in a chart: more would not be seen.
const STEPS: f64 = 300.0;

pub(super) struct LoadTimeline {
    step_s: f64,
    /// Bytes of each step.
    bytes: Vec<f64>,
    watching: Vec<u64>,
    delays: Vec<Option<Percentiles>>,
    /// Delays of the step that goes on.
    open: Times,
    /// When each part last reported, and its viewers.
    parts: Vec<(f64, u64)>,
}

impl LoadTimeline {
    pub fn new(parts: usize, expected: Duration) -> LoadTimeline {
        LoadTimeline {
            step_s: (expected.as_secs_f64() / STEPS).ceil().max(1.0),
            bytes: Vec::new(),
            watching: Vec::new(),
            delays: Vec::new(),
            open: Times::default(),
            parts: vec![(0.0, 0); parts],
        }
    }

    /// A report of one part, `at` after the start.
    pub fn add(&mut self, part: usize, at: Duration, tick: &Tick) {
        let at_s = at.as_secs_f64();
        let (from_s, _) = std::mem::replace(&mut self.parts[part], (at_s, tick.watching));
        self.advance(at_s);
        self.open.add(&tick.delays);
        self.spread(from_s, at_s, tick.bytes as f64);
        if let Some(watching) = self.watching.last_mut() {
            *watching = self.parts.iter().map(|(_, watching)| watching).sum();
        }
    }

    /// Opens the step that `at_s` is in.
    fn advance(&mut self, at_s: f64) {
        let steps = (at_s / self.step_s) as usize + 1;
        if self.watching.len() < steps {
            if !self.watching.is_empty() {
                self.delays.push(self.open.percentiles());
                self.open.clear();
            }
            let watching = self.parts.iter().map(|(_, watching)| watching).sum();
            self.watching.resize(steps, watching);
            self.bytes.resize(steps, 0.0);
            self.delays.resize(steps - 1, None);
        }
    }

    /// Parts report at times of their own: their bytes are laid evenly over the steps between.
    fn spread(&mut self, from_s: f64, to_s: f64, bytes: f64) {
        let span_s = (to_s - from_s).max(1e-6);
        for (n, sum) in self
            .bytes
            .iter_mut()
            .enumerate()
            .skip((from_s / self.step_s) as usize)
        {
            let begin_s = n as f64 * self.step_s;
            let inside_s = to_s.min(begin_s + self.step_s) - from_s.max(begin_s);
            *sum += bytes * (inside_s / span_s).max(0.0);
        }
    }

    /// All steps; the last one ended `at`.
    pub fn seconds(mut self, at: Duration) -> Vec<Second> {
        self.delays.push(self.open.percentiles());
        let steps = self
            .bytes
            .iter()
            .zip(&self.watching)
            .zip(&self.delays)
            .enumerate();
        steps
            .map(|(n, ((bytes, watching), delay))| {
                let at_s = n as f64 * self.step_s;
                Second {
                    at_s,
                    span_s: (at.as_secs_f64() - at_s).clamp(0.1, self.step_s),
                    watching: *watching,
                    bytes: *bytes as u64,
                    delay: *delay,
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_report_at_odd_times_make_an_even_line() {
        let mut timeline = LoadTimeline::new(2, Duration::from_secs(10));
        let tick = |bytes| Tick {
            bytes,
            watching: 5,
            ..Tick::default()
        };
        for ms in (100..=5000).step_by(100) {
            for (part, step) in [(0, 500), (1, 700)] {
                if ms % step == 0 {
                    timeline.add(part, Duration::from_millis(ms), &tick(step));
                }
            }
        }
        let seconds = timeline.seconds(Duration::from_secs(5));
        let bytes: Vec<u64> = seconds.iter().map(|second| second.bytes).collect();
        assert!(
            bytes[..4].iter().all(|bytes| (1998..=2002).contains(bytes)),
            "{bytes:?}"
        );
        assert_eq!(seconds[3].watching, 10);
    }

    #[test]
    fn delays_stay_in_the_step_that_recorded_them() {
        let mut timeline = LoadTimeline::new(1, Duration::from_secs(10));
        for n in 0..4u64 {
            let mut tick = Tick::default();
            tick.delays.record((n + 1) * 1000);
            timeline.add(0, Duration::from_millis(n * 1000 + 10), &tick);
        }
        let seconds = timeline.seconds(Duration::from_secs(4));
        let delays: Vec<f64> = seconds
            .iter()
            .map(|second| second.delay.unwrap().p50.round())
            .collect();
        assert_eq!(delays, [1.0, 2.0, 3.0, 4.0]);
    }
}
