//! Distributions: of times, and of sizes.

use hdrhistogram::Histogram;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
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
#[derive(Clone)]
pub struct Times(Distribution);

/// Numbers of bytes.
#[derive(Clone)]
pub struct Sizes(Distribution);

#[derive(Clone)]
struct Distribution {
    /// 1 % of accuracy: 19 KB.
    counts: Histogram<u64>,
    sum: u64,
}

impl Distribution {
    fn new(most: u64) -> Distribution {
        let counts = Histogram::new_with_bounds(1, most, 2);
        Distribution {
            counts: counts.expect("the bounds are constants, and good"),
            sum: 0,
        }
    }

    fn record(&mut self, value: u64) {
        self.counts.saturating_record(value);
        self.sum += value;
    }

    /// As cumulative buckets, values divided by `scale`.
    fn encode(
        &self,
        encoder: &mut DescriptorEncoder,
        name: &str,
        help: &str,
        unit: &Unit,
        (bounds, scale): (&[u64], f64),
    ) -> fmt::Result {
        let mut above = 0;
        let mut buckets = Vec::with_capacity(bounds.len() + 1);
        for &bound in bounds {
            // The library's own buckets are narrower; one that crosses a bound counts below it.
            let count = self.counts.count_between(above, bound);
            buckets.push((bound as f64 / scale, count));
            above = self.counts.next_non_equivalent(bound);
        }
        let told: u64 = buckets.iter().map(|(_, count)| count).sum();
        buckets.push((f64::INFINITY, self.counts.len() - told));
        encoder
            .encode_descriptor(name, help, Some(unit), MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(
                self.sum as f64 / scale,
                self.counts.len(),
                &buckets,
                None,
            )
    }
}

impl Times {
    pub fn record(&mut self, time: Duration) {
        self.0.record(time.as_micros() as u64);
    }

    pub(super) fn encode(
        &self,
        encoder: &mut DescriptorEncoder,
        name: &str,
        help: &str,
    ) -> fmt::Result {
        let buckets = (&TIMES_US[..], 1e6);
        self.0.encode(encoder, name, help, &Unit::Seconds, buckets)
    }
}

impl Sizes {
    pub fn record(&mut self, bytes: u64) {
        self.0.record(bytes);
    }

    pub(super) fn encode(
        &self,
        encoder: &mut DescriptorEncoder,
        name: &str,
        help: &str,
    ) -> fmt::Result {
        self.0
            .encode(encoder, name, help, &Unit::Bytes, (&SIZES[..], 1.0))
    }
}

impl Default for Times {
    fn default() -> Times {
        Times(Distribution::new(60_000_000))
    }
}

impl Default for Sizes {
    fn default() -> Sizes {
        Sizes(Distribution::new(16 << 20))
    }
}

impl fmt::Debug for Times {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} times", self.0.counts.len())
    }
}

impl fmt::Debug for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} sizes", self.0.counts.len())
    }
}
