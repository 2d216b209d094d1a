//! What `serve` was asked to do: flags, then variables, then file, checked once at start.
//!
//! [`Options`] is what was written, each option perhaps missing; [`Serve`] is what the server runs
//! with, nothing missing and every value within its bounds. [`Serve::resolve`] makes the one from
//! the other, and is the only place where a default is filled in.
//!
//! Sizes are bytes, durations are [`std::time::Duration`]s, and secrets never appear in `Debug` output.

mod file;
mod limits;
mod options;

pub use limits::Limits;
pub use options::{Options, StreamOptions};

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// Everything the server needs to know before it listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serve {
    /// Invariant: never empty.
    pub listen: Vec<SocketAddr>,
    /// Who may publish to a stream that has no key of its own.
    pub publish: PublishRule,
    /// The key in `publish` was made at random, so `serve` has to print it.
    pub publish_key_is_random: bool,
    /// What viewers of a stream without a watch key of its own must show, if anything.
    pub watch_key: Option<Secret>,
    /// Web origins, besides our own, that may open WebSockets: `scheme://host[:port]`.
    pub allow_origin: Vec<String>,
    /// Invariant: every name passes [`is_stream_name`].
    pub streams: BTreeMap<String, StreamKeys>,
    pub limits: Limits,
    pub log: LogFormat,
    pub log_level: LogLevel,
}

/// Who may publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishRule {
    Open,
    Key(Secret),
}

/// The keys of one stream, which take the place of the server's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamKeys {
    pub publish_key: Option<Secret>,
    pub watch_key: Option<Secret>,
}

/// A key. Compare it in constant time, and never log it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// The least important log line that is still written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// Why the server cannot start as asked: one line that names the option and the value.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("--config {}: {source}", path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{}{}: {message}", path.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
    File {
        path: PathBuf,
        line: Option<usize>,
        message: String,
    },
    #[error("{option} {value}: {reason}")]
    Value {
        option: &'static str,
        value: String,
        reason: String,
    },
    /// The value is a secret, or there is none.
    #[error("{option}: {reason}")]
    Option { option: String, reason: String },
    #[error("no random publish key could be made ({0}): give one with --publish-key")]
    Random(getrandom::Error),
}

impl Serve {
    /// Merges the sources in their order of precedence, fills in defaults and checks every value.
    ///
    /// `flags` are the command line and the variables, which `clap` has already put in order. The
    /// file is the one they name with `--config`.
    pub fn resolve(flags: Options) -> Result<Serve, ConfigError> {
        let file = match &flags.config {
            Some(path) => file::read(path)?,
            None => Options::default(),
        };
        Self::check(flags.or(file))
    }

    fn check(options: Options) -> Result<Serve, ConfigError> {
        let limits = Limits::check(&options)?;
        let listen = match options.listen {
            Some(listen) => listen,
            None => vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))],
        };
        check_listen(&listen)?;
        for key in [
            ("--publish-key", &options.publish_key),
            ("--watch-key", &options.watch_key),
        ] {
            check_key(key.0, key.1.as_ref())?;
        }
        let allow_origin = options.allow_origin.unwrap_or_default();
        allow_origin
            .iter()
            .try_for_each(|origin| check_origin(origin))?;

        let open = options.publish_open.unwrap_or(false);
        let (publish, publish_key_is_random) = match options.publish_key {
            Some(_) if open => {
                return Err(ConfigError::Option {
                    option: "--publish-open".into(),
                    reason: "contradicts --publish-key: give one of them".into(),
                });
            }
            Some(key) => (PublishRule::Key(key), false),
            None if open || is_loopback_only(&listen) => (PublishRule::Open, false),
            None => (PublishRule::Key(Secret::random()?), true),
        };
        Ok(Serve {
            listen,
            publish,
            publish_key_is_random,
            watch_key: options.watch_key,
            allow_origin,
            streams: check_streams(options.streams)?,
            limits,
            log: options.log.unwrap_or_default(),
            log_level: options.log_level.unwrap_or_default(),
        })
    }

    /// The key a publisher of `stream` must show; `None` when publishing it is open.
    pub fn publish_key(&self, stream: &str) -> Option<&Secret> {
        let own = self
            .streams
            .get(stream)
            .and_then(|keys| keys.publish_key.as_ref());
        own.or(match &self.publish {
            PublishRule::Open => None,
            PublishRule::Key(key) => Some(key),
        })
    }

    /// The key a viewer of `stream` must show; `None` when viewing it is open.
    pub fn watch_key(&self, stream: &str) -> Option<&Secret> {
        let own = self
            .streams
            .get(stream)
            .and_then(|keys| keys.watch_key.as_ref());
        own.or(self.watch_key.as_ref())
    }
}

impl Secret {
    /// 128 random bits, in letters that need no escaping in a URL.
    fn random() -> Result<Secret, ConfigError> {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).map_err(ConfigError::Random)?;
        Ok(Secret(URL_SAFE_NO_PAD.encode(bits)))
    }

    /// The key itself: for comparing, and for the one line that tells the owner a random key.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(key: &str) -> Result<Secret, Self::Err> {
        Ok(Secret(key.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Whether `name` is 1 to 64 of `A-Z a-z 0-9 . _ -`, not starting with a dot.
pub fn is_stream_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(allowed)
}

fn is_loopback_only(listen: &[SocketAddr]) -> bool {
    listen
        .iter()
        .all(|address| address.ip().to_canonical().is_loopback())
}

fn check_listen(listen: &[SocketAddr]) -> Result<(), ConfigError> {
    if listen.is_empty() {
        let reason = "names no address: at least one is needed, such as 127.0.0.1:8080";
        return Err(ConfigError::Option {
            option: "--listen".into(),
            reason: reason.into(),
        });
    }
    for (index, address) in listen.iter().enumerate() {
        if address.port() != 0 && listen[..index].contains(address) {
            return Err(value_error("--listen", address, "given twice"));
        }
    }
    Ok(())
}

/// A key has to survive an HTTP header, a URL and a shell as it is.
fn check_key(option: &str, key: Option<&Secret>) -> Result<(), ConfigError> {
    let visible = |key: &Secret| key.0.bytes().all(|byte| byte.is_ascii_graphic());
    match key {
        Some(key) if !(1..=256).contains(&key.0.len()) || !visible(key) => {
            Err(ConfigError::Option {
                option: option.into(),
                reason: "a key is 1 to 256 visible ASCII characters, without spaces".into(),
            })
        }
        Some(_) | None => Ok(()),
    }
}

/// An origin as browsers send it (RFC 6454, "Serializing Origins"): no path, not even a slash.
fn check_origin(origin: &str) -> Result<(), ConfigError> {
    let host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_:[]".contains(&byte);
    if host.is_some_and(|host| !host.is_empty() && host.bytes().all(plain)) {
        return Ok(());
    }
    let reason = "an origin is written https://example.org or http://example.org:8000, in lower case and without a path";
    Err(value_error("--allow-origin", origin, reason))
}

fn check_streams(
    streams: BTreeMap<String, StreamOptions>,
) -> Result<BTreeMap<String, StreamKeys>, ConfigError> {
    let mut checked = BTreeMap::new();
    for (name, stream) in streams {
        let StreamOptions {
            publish_key,
            watch_key,
            ..
        } = stream;
        check_key(&format!("streams.{name}.publish_key"), publish_key.as_ref())?;
        check_key(&format!("streams.{name}.watch_key"), watch_key.as_ref())?;
        checked.insert(
            name,
            StreamKeys {
                publish_key,
                watch_key,
            },
        );
    }
    Ok(checked)
}

fn value_error(
    option: &'static str,
    value: impl fmt::Display,
    reason: impl Into<String>,
) -> ConfigError {
    ConfigError::Value {
        option,
        value: value.to_string(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(key: &str) -> Option<Secret> {
        Some(Secret(key.to_owned()))
    }

    fn addresses(list: &[&str]) -> Option<Vec<SocketAddr>> {
        Some(
            list.iter()
                .map(|address| address.parse().unwrap())
                .collect(),
        )
    }

    fn refusal(options: Options) -> String {
        Serve::resolve(options).unwrap_err().to_string()
    }

    #[test]
    fn nothing_asked_listens_on_loopback_and_lets_anyone_publish() {
        let serve = Serve::resolve(Options::default()).unwrap();
        assert_eq!(serve.listen, [SocketAddr::from(([127, 0, 0, 1], 8080))]);
        assert_eq!(serve.publish, PublishRule::Open);
        assert!(!serve.publish_key_is_random);
        assert_eq!(serve.publish_key("any"), None);
        assert_eq!(serve.watch_key("any"), None);
        assert_eq!(serve.limits, Limits::default());
    }

    #[test]
    fn every_loopback_address_counts_as_loopback() {
        let listen = addresses(&["127.1.2.3:80", "[::1]:80", "[::ffff:127.0.0.1]:80"]);
        let serve = Serve::resolve(Options {
            listen,
            ..Options::default()
        })
        .unwrap();
        assert_eq!(serve.publish, PublishRule::Open);
    }

    #[test]
    fn an_address_others_can_reach_gets_a_random_key() {
        let listen = addresses(&["127.0.0.1:8080", "[::]:8080"]);
        let options = Options {
            listen,
            ..Options::default()
        };
        let [one, two] = [(); 2].map(|()| Serve::resolve(options.clone()).unwrap());
        assert!(one.publish_key_is_random);
        assert_ne!(one.publish, two.publish);
        let key = one.publish_key("any").unwrap().expose();
        assert_eq!(URL_SAFE_NO_PAD.decode(key).unwrap().len(), 16);
    }

    #[test]
    fn publish_open_turns_the_check_off_on_any_address() {
        let listen = addresses(&["0.0.0.0:8080"]);
        let options = Options {
            listen,
            publish_open: Some(true),
            ..Options::default()
        };
        assert_eq!(
            Serve::resolve(options.clone()).unwrap().publish,
            PublishRule::Open
        );
        let both = Options {
            publish_key: secret("k"),
            ..options
        };
        assert_eq!(
            refusal(both),
            "--publish-open: contradicts --publish-key: give one of them"
        );
    }

    #[test]
    fn a_streams_own_key_takes_the_place_of_the_servers() {
        let own = StreamOptions {
            publish_key: secret("own"),
            ..StreamOptions::default()
        };
        let options = Options {
            publish_key: secret("all"),
            watch_key: secret("see"),
            streams: BTreeMap::from([("door".to_owned(), own)]),
            ..Options::default()
        };
        let serve = Serve::resolve(options).unwrap();
        assert_eq!(serve.publish_key("door").unwrap().expose(), "own");
        assert_eq!(serve.publish_key("other").unwrap().expose(), "all");
        assert_eq!(serve.watch_key("door").unwrap().expose(), "see");
    }

    #[test]
    fn an_empty_key_is_refused_rather_than_taken_for_none() {
        let refused = refusal(Options {
            publish_key: secret(""),
            ..Options::default()
        });
        assert!(
            refused.starts_with("--publish-key: a key is 1 to 256"),
            "{refused}"
        );
    }

    #[test]
    fn keys_stay_out_of_debug_output() {
        let options = Options {
            publish_key: secret("hush-hush"),
            ..Options::default()
        };
        assert!(!format!("{options:?}").contains("hush"));
        assert!(!format!("{:?}", Serve::resolve(options).unwrap()).contains("hush"));
    }

    #[test]
    fn the_same_address_twice_is_refused_but_port_0_is_not() {
        let listen = addresses(&["127.0.0.1:80", "127.0.0.1:80"]);
        let refused = refusal(Options {
            listen,
            ..Options::default()
        });
        assert_eq!(refused, "--listen 127.0.0.1:80: given twice");
        let listen = addresses(&["127.0.0.1:0", "127.0.0.1:0"]);
        assert!(
            Serve::resolve(Options {
                listen,
                ..Options::default()
            })
            .is_ok()
        );
        let refused = refusal(Options {
            listen: Some(vec![]),
            ..Options::default()
        });
        assert!(
            refused.starts_with("--listen: names no address"),
            "{refused}"
        );
    }

    #[test]
    fn origins_are_written_as_browsers_send_them() {
        let asked = |origin: &str| Options {
            allow_origin: Some(vec![origin.to_owned()]),
            ..Options::default()
        };
        for good in [
            "https://example.org",
            "http://127.0.0.1:8000",
            "http://[::1]:8000",
        ] {
            assert!(Serve::resolve(asked(good)).is_ok(), "{good}");
        }
        for bad in [
            "example.org",
            "https://",
            "https://example.org/",
            "https://Example.org",
            "*",
        ] {
            assert!(
                refusal(asked(bad)).starts_with(&format!("--allow-origin {bad}: ")),
                "{bad}"
            );
        }
    }

    #[test]
    fn stream_names_are_short_plain_and_visible() {
        for good in ["a", "Front-door_2.cam", &"x".repeat(64)] {
            assert!(is_stream_name(good), "{good}");
        }
        for bad in ["", ".hidden", "a b", "a/b", "ä", &"x".repeat(65)] {
            assert!(!is_stream_name(bad), "{bad}");
        }
    }
}
