//! The bounds the server keeps: their defaults, and what may be asked instead.

use std::time::Duration;

use bytesize::ByteSize;

use super::{BitRate, ConfigError, Options, Period, value_error};
use crate::http;
use crate::{stream, webm};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Every bound the server keeps. Each is an option; each default has its reason here, or beside its
/// constant in the room that keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Sockets at once. `None`: what the descriptor limit allows, less a reserve.
    pub max_connections: Option<usize>,
    /// Sockets of one client at once. `None`: no limit. All clients behind one address with
    /// others, in an office or on a phone, would be refused for them.
    pub max_connections_per_address: Option<usize>,
    /// Names on air or waited for at once. With full rings, 256 streams are 4 GiB.
    pub max_streams: usize,
    /// Bytes that may be allocated for clients: see `hub::memory`. `None`: what `max_streams`,
    /// `max_connections` and the limits below come to.
    pub max_memory_bytes: Option<usize>,
    /// How fast one publisher is read. `None`: as fast as it sends.
    pub max_publish_bits_per_s: Option<u64>,
    /// Bytes of media one stream keeps for slow and late viewers: a cost per stream, not per
    /// viewer.
    pub ring_bytes: usize,
    /// Age, in milliseconds, past which a chunk leaves the ring. No viewer wants to resume half a
    /// minute behind a live picture.
    pub ring_ms: u64,
    /// How long new media wait for more, so that one write carries them all.
    pub max_delay: Duration,
    /// How long, in milliseconds, media wait for a viewer before it skips.
    pub lag_ms: u64,
    /// Unsent bytes that the kernel may hold for a viewer. `None`: by the stream's bit rate.
    pub viewer_buffer_bytes: Option<u32>,
    /// One init segment.
    pub init_bytes: usize,
    /// One block.
    pub block_bytes: usize,
    /// One WebSocket message from a publisher: a recorder that was held up sends seconds at once.
    pub publisher_message_bytes: usize,
    /// One WebSocket message from a viewer. Viewers send little.
    pub viewer_message_bytes: usize,
    /// One HTTP request head.
    pub head_bytes: usize,
    /// One poster picture: a JPEG of 1280 × 720 is about 150 KiB.
    pub poster_bytes: usize,
    /// From accept to the end of the request head.
    pub head_timeout: Duration,
    /// A publisher that sends nothing for so long is gone.
    pub publisher_timeout: Duration,
    /// A viewer that accepts no byte for so long is gone, and so is one that takes longer for a
    /// single chunk: it keeps the chunk's memory, long after the ring has dropped it.
    pub viewer_timeout: Duration,
    /// A WebSocket silent for so long is asked whether it is there …
    pub ping_interval: Duration,
    /// … and has so long to answer.
    pub ping_timeout: Duration,
    /// How long connections go on when another process has taken over. Short: viewers here and
    /// publishers there do not meet.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_connections: None,
            max_connections_per_address: None,
            max_streams: 256,
            max_memory_bytes: None,
            max_publish_bits_per_s: None,
            ring_bytes: stream::RING_BYTES_DEFAULT,
            ring_ms: stream::RING_MS_DEFAULT,
            max_delay: Duration::ZERO,
            lag_ms: stream::LAG_MS_DEFAULT,
            viewer_buffer_bytes: None,
            init_bytes: webm::INIT_BYTES_DEFAULT,
            block_bytes: webm::BLOCK_BYTES_DEFAULT,
            publisher_message_bytes: 8 * MIB,
            viewer_message_bytes: 4 * KIB,
            head_bytes: http::HEAD_BYTES_DEFAULT,
            poster_bytes: 256 * KIB,
            head_timeout: Duration::from_secs(10),
            publisher_timeout: Duration::from_secs(30),
            viewer_timeout: Duration::from_secs(30),
            ping_interval: Duration::from_secs(20),
            ping_timeout: Duration::from_secs(20),
            drain_timeout: Duration::from_secs(5),
        }
    }
}

/// Far above any frame, and far below the 4 GiB that a chunk's HTTP head can tell.
const BLOCK_BYTES_MOST: usize = 1024 * MIB;

/// What a large sweep takes on a busy host. A viewer is not slow for that.
const SWEEP_ROOM: Duration = Duration::from_millis(500);

/// Longer than anybody calls live.
const MAX_DELAY_MOST: Duration = Duration::from_secs(10);

impl Limits {
    /// Fills in defaults and refuses what could not work.
    pub(super) fn check(options: &Options) -> Result<Limits, ConfigError> {
        let default = Limits::default();
        let ring = Duration::from_millis(default.ring_ms);
        let ring = duration("--ring-duration", options.ring_duration, ring)?;
        let lag = Duration::from_millis(default.lag_ms);
        let lag = duration("--max-lag", options.max_lag, lag)?;
        let limits = Limits {
            max_connections: match options.max_connections {
                Some(count) => Some(count_of("--max-connections", Some(count), 0)?),
                None => None,
            },
            max_connections_per_address: match options.max_connections_per_address {
                Some(count) => Some(count_of("--max-connections-per-address", Some(count), 0)?),
                None => None,
            },
            max_streams: count_of("--max-streams", options.max_streams, default.max_streams)?,
            max_memory_bytes: match options.max_memory {
                Some(memory) => Some(size("--max-memory", Some(memory), 0, KIB)?),
                None => None,
            },
            max_publish_bits_per_s: publish_rate(options.max_publish_rate)?,
            ring_bytes: size("--ring-bytes", options.ring_bytes, default.ring_bytes, KIB)?,
            // At most a day, so the conversion keeps the value.
            ring_ms: ring.as_millis().try_into().unwrap_or(u64::MAX),
            max_delay: match options.max_delay {
                Some(delay) if *delay > MAX_DELAY_MOST => {
                    let reason = "must be at most 10s".to_owned();
                    return Err(value_error("--max-delay", delay, reason));
                }
                delay => delay.map_or(default.max_delay, |delay| *delay),
            },
            lag_ms: lag.as_millis().try_into().unwrap_or(u64::MAX),
            viewer_buffer_bytes: viewer_buffer(options.viewer_buffer)?,
            init_bytes: size("--init-bytes", options.init_bytes, default.init_bytes, KIB)?,
            block_bytes: size(
                "--block-bytes",
                options.block_bytes,
                default.block_bytes,
                KIB,
            )?,
            publisher_message_bytes: size(
                "--publisher-message-bytes",
                options.publisher_message_bytes,
                default.publisher_message_bytes,
                KIB,
            )?,
            viewer_message_bytes: size(
                "--viewer-message-bytes",
                options.viewer_message_bytes,
                default.viewer_message_bytes,
                // A close frame's reason must fit.
                125,
            )?,
            head_bytes: size("--head-bytes", options.head_bytes, default.head_bytes, KIB)?,
            poster_bytes: size(
                "--poster-bytes",
                options.poster_bytes,
                default.poster_bytes,
                0,
            )?,
            head_timeout: duration("--head-timeout", options.head_timeout, default.head_timeout)?,
            publisher_timeout: duration(
                "--publisher-timeout",
                options.publisher_timeout,
                default.publisher_timeout,
            )?,
            viewer_timeout: duration(
                "--viewer-timeout",
                options.viewer_timeout,
                default.viewer_timeout,
            )?,
            ping_interval: duration(
                "--ping-interval",
                options.ping_interval,
                default.ping_interval,
            )?,
            ping_timeout: duration("--ping-timeout", options.ping_timeout, default.ping_timeout)?,
            drain_timeout: duration(
                "--drain-timeout",
                options.drain_timeout,
                default.drain_timeout,
            )?,
        };
        if limits.block_bytes > BLOCK_BYTES_MOST {
            let written = ByteSize(limits.block_bytes as u64);
            let reason = "must be at most 1 GiB".to_owned();
            return Err(value_error("--block-bytes", written, reason));
        }
        // What the server itself holds back, or a sweep takes, makes no viewer slow.
        if !limits.max_delay.is_zero() && limits.max_delay + SWEEP_ROOM > lag {
            let reason = format!(
                "must be at least half a second less than --max-lag ({})",
                humantime::format_duration(lag)
            );
            let delay = humantime::format_duration(limits.max_delay);
            return Err(value_error("--max-delay", delay, reason));
        }
        // The largest block must fit beside the one a viewer is still reading.
        if limits.ring_bytes / 2 < limits.block_bytes {
            let written = options
                .ring_bytes
                .unwrap_or(ByteSize(limits.ring_bytes as u64));
            let block = ByteSize(limits.block_bytes as u64);
            let reason = format!("must be at least twice --block-bytes ({block})");
            return Err(value_error("--ring-bytes", written, reason));
        }
        // Less would refuse every client as soon as the first stream is under way.
        if let Some(memory) = options.max_memory
            && limits
                .max_memory_bytes
                .is_some_and(|bytes| bytes < limits.ring_bytes)
        {
            let ring = ByteSize(limits.ring_bytes as u64);
            let reason = format!("must be at least one stream's --ring-bytes ({ring})");
            return Err(value_error("--max-memory", memory, reason));
        }
        Ok(limits)
    }
}

fn count_of(
    option: &'static str,
    value: Option<usize>,
    default: usize,
) -> Result<usize, ConfigError> {
    match value {
        Some(0) => Err(value_error(option, 0, "must be at least 1")),
        Some(count) => Ok(count),
        None => Ok(default),
    }
}

pub(super) fn size(
    option: &'static str,
    value: Option<ByteSize>,
    default: usize,
    least: usize,
) -> Result<usize, ConfigError> {
    // Far above any use, and far from overflow in every sum of sizes.
    const MOST: usize = 16 * 1024 * MIB;
    match value {
        None => Ok(default),
        Some(size) => match usize::try_from(size.0) {
            Ok(bytes) if (least..=MOST).contains(&bytes) => Ok(bytes),
            Ok(_) | Err(_) => {
                let reason = format!("must be between {least} bytes and 16 GiB");
                Err(value_error(option, size, reason))
            }
        },
    }
}

/// Less than 16 KiB would cut every chunk in two; more than 1 GiB is more than kernels count.
fn viewer_buffer(size: Option<ByteSize>) -> Result<Option<u32>, ConfigError> {
    let Some(size) = size else {
        return Ok(None);
    };
    match u32::try_from(size.0) {
        Ok(bytes @ 0x4000..=0x4000_0000) => Ok(Some(bytes)),
        _ => {
            let reason = "must be between 16 KiB and 1 GiB";
            Err(value_error("--viewer-buffer", size, reason))
        }
    }
}

/// One read brings up to 64 KiB: more slowly than this, a publisher would be away for many seconds.
const PUBLISH_RATE_LEAST: BitRate = BitRate(64_000);

fn publish_rate(rate: Option<BitRate>) -> Result<Option<u64>, ConfigError> {
    match rate {
        Some(rate) if rate.0 < PUBLISH_RATE_LEAST.0 => {
            let reason = format!("must be at least {PUBLISH_RATE_LEAST}");
            Err(value_error("--max-publish-rate", rate, reason))
        }
        rate => Ok(rate.map(|rate| rate.0)),
    }
}

pub(super) fn duration(
    option: &'static str,
    value: Option<Period>,
    default: Duration,
) -> Result<Duration, ConfigError> {
    const MOST: Duration = Duration::from_secs(24 * 60 * 60);
    match value {
        None => Ok(default),
        Some(value) if *value < Duration::from_millis(1) || *value > MOST => {
            Err(value_error(option, value, "must be between 1ms and 1day"))
        }
        Some(value) => Ok(*value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(options: &Options) -> String {
        Limits::check(options).unwrap_err().to_string()
    }

    #[test]
    fn defaults_pass_their_own_checks() {
        assert_eq!(
            Limits::check(&Options::default()).unwrap(),
            Limits::default()
        );
    }

    #[test]
    fn a_ring_too_small_for_two_blocks_is_refused() {
        let options = Options {
            ring_bytes: Some(ByteSize::mib(7)),
            ..Options::default()
        };
        assert_eq!(
            refusal(&options),
            "--ring-bytes 7.0 MiB: must be at least twice --block-bytes (4.0 MiB)"
        );
        let small = Options {
            block_bytes: Some(ByteSize::mib(3)),
            ..options
        };
        assert_eq!(Limits::check(&small).unwrap().ring_bytes, 7 * MIB);
    }

    #[test]
    fn sizes_counts_and_durations_have_bounds() {
        let none = Options::default;
        let zero = Period(Duration::ZERO);
        assert_eq!(
            refusal(&Options {
                head_bytes: Some(ByteSize(10)),
                ..none()
            }),
            "--head-bytes 10 B: must be between 1024 bytes and 16 GiB"
        );
        assert_eq!(
            refusal(&Options {
                max_streams: Some(0),
                ..none()
            }),
            "--max-streams 0: must be at least 1"
        );
        assert_eq!(
            refusal(&Options {
                ping_timeout: Some(zero),
                ..none()
            }),
            "--ping-timeout 0s: must be between 1ms and 1day"
        );
        assert_eq!(
            refusal(&Options {
                max_publish_rate: Some(BitRate(50_000)),
                ..none()
            }),
            "--max-publish-rate 50k: must be at least 64k"
        );
        assert_eq!(
            refusal(&Options {
                max_memory: Some(ByteSize::mib(15)),
                ..none()
            }),
            "--max-memory 15.0 MiB: must be at least one stream's --ring-bytes (16.0 MiB)"
        );
        assert_eq!(
            refusal(&Options {
                max_connections_per_address: Some(0),
                ..none()
            }),
            "--max-connections-per-address 0: must be at least 1"
        );
        assert_eq!(
            refusal(&Options {
                viewer_buffer: Some(ByteSize(100)),
                ..none()
            }),
            "--viewer-buffer 100 B: must be between 16 KiB and 1 GiB"
        );
    }

    #[test]
    fn media_are_held_back_for_less_time_than_viewers_may_lag() {
        let options = |delay_ms| Options {
            max_delay: Some(Duration::from_millis(delay_ms).into()),
            ..Options::default()
        };
        assert_eq!(
            refusal(&options(1000)),
            "--max-delay 1s: must be at least half a second less than --max-lag (1s)"
        );
        assert_eq!(
            refusal(&options(11_000)),
            "--max-delay 11s: must be at most 10s"
        );
        let limits = Limits::check(&options(250)).unwrap();
        assert_eq!(limits.max_delay, Duration::from_millis(250));
    }
}
