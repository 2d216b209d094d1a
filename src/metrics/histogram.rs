//! Distributions: of times, and of sizes.

use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use std::fmt;
use std::time::Duration;

/// Upper bounds of the buckets told, in microseconds. From a turn with nothing to do to one in
/// which the server is hopelessly late.
const TIMES_US: [u64; 12] = [
    100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000,
];

/// Upper bounds of the buckets told, in bytes: from a ping to all that is ever gathered.
const SIZES: [u64; 9] = [
    256, 1024, 4096, 16_384, 32_768, 65_536, 131_072, 262_144, 1_048_576,
];

/// Times, to the microsecond.
#[derive(Clone, Default)]
pub struct Times(Distribution<{ TIMES_US.len() }>);

/// Numbers of bytes.
#[derive(Clone, Default)]
pub struct Sizes(Distribution<{ SIZES.len() }>);

#[derive(Clone)]
struct Distribution<const BUCKETS: usize> {
    /// Values above the bound before, up to the bucket's own.
    counts: [u64; BUCKETS],
    /// Of all values, those above the last bound among them.
    count: u64,
    sum: u64,
}

impl<const BUCKETS: usize> Default for Distribution<BUCKETS> {
    fn default() -> Self {
        Distribution {
            counts: [0; BUCKETS],
            count: 0,
            sum: 0,
        }
    }
}

impl<const BUCKETS: usize> Distribution<BUCKETS> {
    fn record(&mut self, value: u64, bounds: &[u64; BUCKETS]) {
        let bucket = bounds.partition_point(|&bound| bound < value);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.count += 1;
        self.sum += value;
    }

    /// As cumulative buckets, values divided by `scale`.
    fn encode(
        &self,
        mut metric: MetricEncoder,
        bounds: &[u64; BUCKETS],
        scale: f64,
    ) -> fmt::Result {
        let bounds = bounds.iter().map(|&bound| bound as f64 / scale);
        let mut buckets: Vec<(f64, u64)> = bounds.zip(self.counts).collect();
        let counted: u64 = self.counts.iter().sum();
        buckets.push((f64::INFINITY, self.count - counted));
        metric.encode_histogram::<NoLabelSet>(self.sum as f64 / scale, self.count, &buckets, None)
    }
}

impl Times {
    pub fn record(&mut self, time: Duration) {
        self.0.record(time.as_micros() as u64, &TIMES_US);
    }

    pub(super) fn encode(
        &self,
        encoder: &mut DescriptorEncoder,
        name: &str,
        help: &str,
    ) -> fmt::Result {
        let unit = Some(&Unit::Seconds);
        let metric = encoder.encode_descriptor(name, help, unit, MetricType::Histogram)?;
        self.0.encode(metric, &TIMES_US, 1e6)
    }
}

impl Sizes {
    pub fn record(&mut self, bytes: u64) {
        self.0.record(bytes, &SIZES);
    }

    pub(super) fn encode(
        &self,
        encoder: &mut DescriptorEncoder,
        name: &str,
        help: &str,
    ) -> fmt::Result {
        let unit = Some(&Unit::Bytes);
        let metric = encoder.encode_descriptor(name, help, unit, MetricType::Histogram)?;
        self.0.encode(metric, &SIZES, 1.0)
    }
}

impl fmt::Debug for Times {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} times", self.0.count)
    }
}

impl fmt::Debug for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} sizes", self.0.count)
    }
}
