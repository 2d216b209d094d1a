//! What `serve` was asked to do: flags, then variables, then file, checked once at start.
//!
//! [`Options`] is what was written, each option perhaps missing; [`Serve`] is what the server runs
//! with, nothing missing and every value within its bounds. [`Serve::resolve`] makes the one from
//! the other, and is the only place where a default is filled in.
//!
//! Sizes are bytes, durations are [`std::time::Duration`]s, and secrets never appear in `Debug`
//! output.

mod certificate;
mod file;
mod limits;
mod options;

pub use certificate::Tls;
pub use limits::Limits;
pub use options::Options;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::protocol::access::{Access, PublishPolicy, Secret};

/// Everything the server needs to know before it listens.
#[derive(Debug, Clone)]
pub struct Serve {
    /// Invariant: never empty.
    pub listen: Vec<SocketAddr>,
    /// How `listen` is encrypted, if it is.
    pub tls: Option<Tls>,
    /// Plain addresses that only tell where the encrypted ones are.
    pub http_redirect: Vec<SocketAddr>,
    /// Who may publish, who may watch, and which web origins may open WebSockets.
    pub access: Access,
    /// The server's publish key, if it was made at random and so has to be printed.
    pub random_publish_key: Option<Secret>,
    pub limits: Limits,
    pub log: LogFormat,
    pub log_level: LogLevel,
}

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
    Option {
        option: &'static str,
        reason: String,
    },
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
        let listen = match &options.listen {
            Some(listen) => listen.clone(),
            None => vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))],
        };
        check_listen(&listen)?;
        let tls = Tls::check(&options, &listen)?;
        let http_redirect = options.http_redirect.unwrap_or_default();
        check_redirect(&http_redirect, &listen, tls.is_some())?;
        for (option, key) in [
            ("--publish-key", &options.publish_key),
            ("--watch-key", &options.watch_key),
        ] {
            if key.as_ref().is_some_and(|key| !is_key(key)) {
                return Err(option_error(option, WHAT_A_KEY_IS));
            }
        }
        let open = options.publish_open.unwrap_or(false);
        let mut random_publish_key = None;
        let publish = match options.publish_key {
            Some(_) if open => {
                let reason = "contradicts --publish-key: give one of them";
                return Err(option_error("--publish-open", reason));
            }
            Some(key) => PublishPolicy::Key(key),
            None if open || is_loopback_only(&listen) => PublishPolicy::Open,
            None => PublishPolicy::Key(random_publish_key.insert(random_key()?).clone()),
        };
        let origins = options.allow_origin.unwrap_or_default();
        Ok(Serve {
            access: Access::new(publish, options.watch_key, options.streams, &origins)
                .map_err(|error| option_error("--allow-origin", error))?,
            listen,
            tls,
            http_redirect,
            random_publish_key,
            limits,
            log: options.log.unwrap_or_default(),
            log_level: options.log_level.unwrap_or_default(),
        })
    }
}

/// 128 random bits, in letters that need no escaping in a URL.
fn random_key() -> Result<Secret, ConfigError> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(ConfigError::Random)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bits)))
}

fn is_loopback_only(listen: &[SocketAddr]) -> bool {
    listen
        .iter()
        .all(|address| address.ip().to_canonical().is_loopback())
}

fn check_listen(listen: &[SocketAddr]) -> Result<(), ConfigError> {
    if listen.is_empty() {
        let reason = "names no address: at least one is needed, such as 127.0.0.1:8080";
        return Err(option_error("--listen", reason));
    }
    for (index, address) in listen.iter().enumerate() {
        if address.port() != 0 && listen[..index].contains(address) {
            return Err(value_error("--listen", address, "given twice"));
        }
    }
    Ok(())
}

fn check_redirect(
    redirect: &[SocketAddr],
    listen: &[SocketAddr],
    is_encrypted: bool,
) -> Result<(), ConfigError> {
    const OPTION: &str = "--http-redirect";
    for (index, address) in redirect.iter().enumerate() {
        if !is_encrypted {
            let reason = "leads to https://, which needs --tls-cert or --tls-self-signed";
            return Err(value_error(OPTION, address, reason));
        }
        if address.port() != 0 && listen.contains(address) {
            return Err(value_error(OPTION, address, "is taken by --listen"));
        }
        if address.port() != 0 && redirect[..index].contains(address) {
            return Err(value_error(OPTION, address, "given twice"));
        }
    }
    Ok(())
}

/// A key has to survive an HTTP header, a URL and a shell as it is.
fn is_key(key: &Secret) -> bool {
    let key = key.expose();
    (1..=256).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
}

const WHAT_A_KEY_IS: &str = "a key is 1 to 256 visible ASCII characters, without spaces";

fn option_error(option: &'static str, reason: impl fmt::Display) -> ConfigError {
    ConfigError::Option {
        option,
        reason: reason.to_string(),
    }
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
    use std::collections::BTreeMap;

    use super::*;
    use crate::protocol::access::StreamKeys;

    fn secret(key: &str) -> Option<Secret> {
        Some(Secret::from(key))
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

    fn may_publish(serve: &Serve, stream: &str, key: Option<&str>) -> bool {
        let stream = stream.parse().unwrap();
        serve
            .access
            .publish(&stream, key.map(Secret::from).as_ref())
            .is_ok()
    }

    fn may_watch(serve: &Serve, stream: &str, key: Option<&str>) -> bool {
        let stream = stream.parse().unwrap();
        serve
            .access
            .watch(&stream, key.map(Secret::from).as_ref())
            .is_ok()
    }

    #[test]
    fn nothing_asked_listens_on_loopback_and_lets_anyone_publish() {
        let serve = Serve::resolve(Options::default()).unwrap();
        assert_eq!(serve.listen, [SocketAddr::from(([127, 0, 0, 1], 8080))]);
        assert_eq!(serve.random_publish_key, None);
        assert!(may_publish(&serve, "any", None) && may_watch(&serve, "any", None));
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
        assert!(may_publish(&serve, "any", None));
    }

    #[test]
    fn an_address_others_can_reach_gets_a_random_key() {
        let listen = addresses(&["127.0.0.1:8080", "[::]:8080"]);
        let options = Options {
            listen,
            ..Options::default()
        };
        let [one, two] = [(); 2].map(|()| Serve::resolve(options.clone()).unwrap());
        assert_ne!(one.random_publish_key, two.random_publish_key);
        let key = one.random_publish_key.as_ref().unwrap().expose();
        assert_eq!(URL_SAFE_NO_PAD.decode(key).unwrap().len(), 16);
        assert!(may_publish(&one, "any", Some(key)) && !may_publish(&two, "any", Some(key)));
        assert!(!may_publish(&one, "any", None) && may_watch(&one, "any", None));
    }

    #[test]
    fn publish_open_turns_the_check_off_on_any_address() {
        let listen = addresses(&["0.0.0.0:8080"]);
        let options = Options {
            listen,
            publish_open: Some(true),
            ..Options::default()
        };
        assert!(may_publish(
            &Serve::resolve(options.clone()).unwrap(),
            "any",
            None
        ));
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
        let own = StreamKeys {
            publish: secret("own"),
            watch: None,
        };
        let options = Options {
            publish_key: secret("all"),
            watch_key: secret("see"),
            streams: BTreeMap::from([("door".parse().unwrap(), own)]),
            ..Options::default()
        };
        let serve = Serve::resolve(options).unwrap();
        assert!(may_publish(&serve, "door", Some("own")));
        assert!(!may_publish(&serve, "door", Some("all")));
        assert!(may_publish(&serve, "other", Some("all")));
        assert!(may_watch(&serve, "door", Some("see")) && !may_watch(&serve, "door", None));
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
    fn what_is_no_origin_is_refused() {
        let allow_origin = Some(vec!["example.org".to_owned()]);
        let refused = refusal(Options {
            allow_origin,
            ..Options::default()
        });
        assert!(
            refused.starts_with("--allow-origin: \"example.org\" is not "),
            "{refused}"
        );
    }
}
