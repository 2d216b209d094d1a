//! What is recorded, where and for how long.

use super::limits::duration;
use super::{ConfigError, Options, option_error, value_error};
use crate::record::{Pace, Retention};
use crate::stream_name::StreamName;
use bytesize::ByteSize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// A publisher's page that is loaded again, or a network that comes back, takes some seconds.
pub(super) const GRACE_DEFAULT: Duration = Duration::from_secs(30);

/// What a person does not miss.
const SYNC_DEFAULT: Duration = Duration::from_secs(1);

/// 20 s of six streams of 4 Mbit/s: longer than disks stall as a rule.
const QUEUE_BYTES_DEFAULT: u64 = 64 << 20;

/// Two of the largest blocks that are usual.
const QUEUE_BYTES_LEAST: u64 = 1 << 20;

/// What is recorded, where and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub dir: PathBuf,
    /// Whether a stream is recorded only when it is asked for.
    pub on_request: bool,
    /// Streams for which something else holds.
    pub streams: BTreeMap<StreamName, bool>,
    pub pace: Pace,
    /// Bytes of all streams that may wait for the disk.
    pub queue_bytes: u64,
    pub retention: Retention,
}

impl Record {
    pub(super) fn check(options: &Options) -> Result<Option<Record>, ConfigError> {
        let streams = options.streams.iter();
        let streams: BTreeMap<StreamName, bool> = streams
            .filter_map(|(name, options)| Some((name.clone(), options.record?)))
            .collect();
        let Some(dir) = &options.record else {
            if let Some((name, _)) = streams.iter().find(|(_, record)| **record) {
                let reason = format!("is needed to record the stream {name}: name a folder");
                return Err(option_error("--record", reason));
            }
            if options.record_on_request == Some(true) {
                let reason = "needs --record: name a folder";
                return Err(option_error("--record-on-request", reason));
            }
            return Ok(None);
        };
        if dir.as_os_str().is_empty() {
            return Err(option_error("--record", "names no folder"));
        }
        Ok(Some(Record {
            dir: dir.clone(),
            on_request: options.record_on_request.unwrap_or(false),
            streams,
            pace: Pace {
                grace: duration("--record-grace", options.record_grace, GRACE_DEFAULT)?,
                sync: match options.record_sync {
                    Some(none) if none.is_zero() => Duration::ZERO,
                    sync => duration("--record-sync", sync, SYNC_DEFAULT)?,
                },
            },
            queue_bytes: match options.record_queue {
                Some(size) if size.0 < QUEUE_BYTES_LEAST => {
                    return Err(value_error(
                        "--record-queue",
                        size,
                        "must be at least 1 MiB",
                    ));
                }
                size => size.map_or(QUEUE_BYTES_DEFAULT, |ByteSize(bytes)| bytes),
            },
            retention: Retention {
                max_age: match options.record_max_age {
                    Some(age) if age.as_secs() == 0 => {
                        let reason = "must be at least 1s";
                        return Err(value_error("--record-max-age", age, reason));
                    }
                    age => age.map(|age| *age),
                },
                max_bytes: options.record_max_bytes.map(|size| size.0),
                min_free: options.record_min_free.map(|size| size.0),
            },
        }))
    }

    /// Whether a stream is recorded without a request.
    pub fn is_recorded(&self, stream: &str) -> bool {
        let own = self.streams.get(stream).copied();
        own.unwrap_or(!self.on_request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Serve;

    fn refusal(options: Options) -> String {
        Serve::resolve(options).unwrap_err().to_string()
    }

    fn file(text: &str) -> Options {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn stream_of_the_file_overrides_what_holds_for_all() {
        let text = "[streams.yes]\nrecord = true\n[streams.no]\nrecord = false\n";
        for (options, others) in [
            ("record = '/r'\n", true),
            ("record = '/r'\nrecord_on_request = true\n", false),
        ] {
            let serve = Serve::resolve(file(&format!("{options}{text}"))).unwrap();
            let record = serve.record.unwrap();
            assert!(record.is_recorded("yes") && !record.is_recorded("no"));
            assert_eq!(record.is_recorded("other"), others);
        }
        assert_eq!(Serve::resolve(Options::default()).unwrap().record, None);
        assert_eq!(
            refusal(file(text)),
            "--record: is needed to record the stream yes: name a folder"
        );
    }

    #[test]
    fn values_have_bounds() {
        let with = |more: &str| refusal(file(&format!("record = '/r'\n{more}\n")));
        assert_eq!(
            with("record_queue = 1000"),
            "--record-queue 1000 B: must be at least 1 MiB"
        );
        assert_eq!(
            with("record_max_age = 0"),
            "--record-max-age 0s: must be at least 1s"
        );
        assert_eq!(
            with("record_grace = 0"),
            "--record-grace 0s: must be between 1ms and 1day"
        );
        assert_eq!(
            refusal(file("record_on_request = true")),
            "--record-on-request: needs --record: name a folder"
        );
        let none = Serve::resolve(file("record = '/r'\nrecord_sync = 0")).unwrap();
        assert_eq!(none.record.unwrap().pace.sync, Duration::ZERO);
    }
}
