//! The flags of `videostream load`.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::conditions::Conditions;
use super::target::Target;
use crate::client::{Address, Trust};
use crate::config::{BitRate, Period, whole_number};
use crate::secret::Secret;

/// Longest that a ramp or a measurement may be asked to take.
const DURATION_MAX: Duration = Duration::from_secs(24 * 3600);

const VIEWERS: &str = "Viewers";
const PUBLISHER: &str = "Publisher";
const REPORT: &str = "Report";

/// Open many viewers, measure what they receive, and judge whether it would play.
///
/// The viewers come within --ramp; once each has its first byte of media, the measurement begins,
/// lasts for --duration, and ends in a table. Most viewers only count bytes, which costs next to
/// nothing; a sample of them takes every byte apart as a player would.
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Names for --fail-if: p50, p90, p99, max (delay); join_p50, join_p90, join_p99, \
                  join_max; connected, failed, dropped, skips, invalid; bytes_total, bytes_min, \
                  bytes_median, bytes_max; worst (what the worst viewer got, in percent of what \
                  was published); cpu_s, cpu_s_per_gb, rss_bytes, rss_bytes_peak.\nExit codes: 0 \
                  ended as asked, 1 nothing could connect, no viewer or no publisher was left, \
                  or a --fail-if condition held, 2 bad usage."
)]
pub struct Options {
    /// What to watch: http://HOST:PORT/live/NAME, ws://HOST:PORT/live/NAME or
    /// HOST:PORT/live/NAME.webm; https:// and wss:// where it is encrypted: then every viewer
    /// decrypts all that comes
    pub url: Target,

    /// The same stream at further nodes of the service, http:// or ws://: viewers are spread over all in
    /// turn, and its own publisher sends to the first
    #[arg(value_name = "URL")]
    pub also: Vec<Target>,

    /// Number of viewers
    #[arg(long, env = "VIDEOSTREAM_VIEWERS", value_name = "N", help_heading = VIEWERS)]
    #[arg(value_parser = whole_number::<u64>(1..=1_000_000))]
    pub viewers: u64,

    /// Protocol of the viewers [default: http when the address ends in .webm, else ws]
    #[arg(long, env = "VIDEOSTREAM_PROTOCOL", help_heading = VIEWERS)]
    pub protocol: Option<Protocol>,

    /// Time in which the viewers arrive, evenly
    #[arg(
        long,
        env = "VIDEOSTREAM_RAMP",
        value_name = "DURATION",
        default_value = "1s"
    )]
    #[arg(value_parser = duration, help_heading = VIEWERS)]
    pub ramp: Duration,

    /// Time to measure once all viewers are there
    #[arg(
        long,
        env = "VIDEOSTREAM_DURATION",
        value_name = "DURATION",
        default_value = "10s"
    )]
    #[arg(value_parser = duration, help_heading = VIEWERS)]
    pub duration: Duration,

    /// Viewers to replace each second [default: 0]
    #[arg(
        long,
        env = "VIDEOSTREAM_CHURN",
        value_name = "RATE",
        default_value_t = 0.0
    )]
    #[arg(value_parser = per_second, help_heading = VIEWERS, hide_default_value = true)]
    pub churn: f64,

    /// Viewers that stop reading after their first bytes
    #[arg(long, env = "VIDEOSTREAM_STALL", value_name = "K", default_value_t = 0)]
    #[arg(value_parser = whole_number::<u64>(0..=u64::MAX), help_heading = VIEWERS)]
    pub stall: u64,

    /// Time without reading; then these viewers read on, and their streams are judged [default: to
    /// the end]
    #[arg(
        long,
        env = "VIDEOSTREAM_STALL_FOR",
        value_name = "DURATION",
        requires = "stall"
    )]
    #[arg(value_parser = duration, help_heading = VIEWERS)]
    pub stall_for: Option<Duration>,

    /// Bits a second that slow viewers read, such as 500k [default: none is slow]
    #[arg(long, env = "VIDEOSTREAM_SLOW", value_name = "RATE", help_heading = VIEWERS)]
    pub slow: Option<BitRate>,

    /// Number of slow viewers [default: a tenth of all]
    #[arg(
        long,
        env = "VIDEOSTREAM_SLOW_VIEWERS",
        value_name = "K",
        requires = "slow"
    )]
    #[arg(value_parser = whole_number::<u64>(0..=u64::MAX), help_heading = VIEWERS)]
    pub slow_viewers: Option<u64>,

    /// Spread viewers (and publishers) over the streams NAME-1, NAME-2, … up to this number
    #[arg(long, env = "VIDEOSTREAM_STREAMS", value_name = "N", help_heading = VIEWERS)]
    #[arg(value_parser = whole_number::<u64>(1..=4096))]
    pub streams: Option<u64>,

    /// Number of viewers that check every block they receive
    #[arg(
        long,
        env = "VIDEOSTREAM_SAMPLE",
        value_name = "N",
        default_value_t = 20
    )]
    #[arg(value_parser = whole_number::<u64>(0..=u64::MAX), help_heading = VIEWERS)]
    pub sample: u64,

    /// Processes that share the viewers [default: as many as the descriptor limit asks for]
    #[arg(long, env = "VIDEOSTREAM_PROCESSES", value_name = "N", help_heading = VIEWERS)]
    #[arg(value_parser = whole_number::<u64>(1..=256))]
    pub processes: Option<u64>,

    /// Publish this WebM file to the same stream, again and again, with delivery stamps
    #[arg(long, env = "VIDEOSTREAM_PUBLISH", value_name = "FILE", help_heading = PUBLISHER)]
    pub publish: Option<PathBuf>,

    /// Publish a generated recording of this bit rate, such as 2.5M, with delivery stamps
    #[arg(
        long,
        env = "VIDEOSTREAM_PUBLISH_RATE",
        value_name = "RATE",
        conflicts_with = "publish"
    )]
    #[arg(help_heading = PUBLISHER)]
    pub publish_rate: Option<BitRate>,

    /// Where to publish, if it is not /publish/NAME of the same server: ws://…, http://…,
    /// wss://… or https://…
    #[arg(
        long,
        env = "VIDEOSTREAM_PUBLISH_TO",
        value_name = "URL",
        conflicts_with = "streams"
    )]
    #[arg(help_heading = PUBLISHER)]
    pub publish_to: Option<Address>,

    /// Milliseconds of media to publish at once
    #[arg(
        long,
        env = "VIDEOSTREAM_CHUNK_MS",
        value_name = "MS",
        default_value_t = 100
    )]
    #[arg(value_parser = whole_number::<u64>(1..=10_000), help_heading = PUBLISHER)]
    pub chunk_ms: u64,

    /// Key for publishing and watching, if the server needs one [default: none]
    #[arg(
        long,
        env = "VIDEOSTREAM_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    #[arg(help_heading = PUBLISHER)]
    pub key: Option<Secret>,

    #[command(flatten)]
    pub trust: Trust,

    /// Process id of a server on this machine, to report its CPU time and memory [default: not
    /// looked at]
    #[arg(long, env = "VIDEOSTREAM_PID", value_name = "PID", help_heading = REPORT)]
    #[arg(value_parser = whole_number::<u32>(1..=u32::MAX.into()))]
    pub pid: Option<u32>,

    /// Print one JSON object instead of a table
    #[arg(long, help_heading = REPORT)]
    pub json: bool,

    /// Exit with code 1 if one of these holds, such as 'p99>200ms,failed>0' [default: none]
    #[arg(long, env = "VIDEOSTREAM_FAIL_IF", value_name = "CONDITIONS", help_heading = REPORT)]
    pub fail_if: Option<Conditions>,

    /// Write a page with charts of delay and throughput over time [default: none]
    #[arg(long, env = "VIDEOSTREAM_HTML", value_name = "FILE", help_heading = REPORT)]
    pub html: Option<PathBuf>,
}

/// How a viewer watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    Ws,
    Http,
    /// One segment after another, as through a cache
    Segments,
}

impl Protocol {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Protocol::Ws => "ws",
            Protocol::Http => "http",
            Protocol::Segments => "segments",
        }
    }
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    let Period(duration) = text.parse()?;
    if duration >= DURATION_MAX {
        return Err("expected less than a day");
    }
    Ok(duration)
}

fn per_second(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        Ok(rate @ 0.0..=100_000.0) => Ok(rate),
        _ => Err("expected viewers a second, from 0 to 100000"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_end_within_a_day() {
        assert_eq!(duration("1500ms"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("10"), Ok(Duration::from_secs(10)));
        assert!(duration("1d").is_err() && duration("soon").is_err());
        assert!(per_second("NaN").is_err() && per_second("-1").is_err());
    }
}
