//! What `serve` was asked to do: flags, then variables, then file, checked once at start.
//!
//! [`Options`] is what was written, each option perhaps missing; [`Serve`] is what the server runs
//! with, nothing missing and every value within its bounds. [`Serve::resolve`] makes the one from
//! the other, and is the only place where a default is filled in.
//!
//! Sizes are bytes, durations are [`std::time::Duration`]s, and secrets never appear in `Debug`
//! output.

mod access;
mod bit_rate;
mod certificate;
mod compat;
mod events;
mod file;
mod hook;
mod interfaces;
mod limits;
mod nodes;
mod options;
mod period;
mod record;
mod secrets;
mod stream_tables;

pub use bit_rate::BitRate;
pub use certificate::{SelfSigned, Tls};
pub use compat::{Compat, FirstPort};
pub use events::Events;
pub use hook::Hook;
pub use interfaces::reachable;
pub use limits::Limits;
#[cfg(feature = "nats")]
pub use nodes::Credentials;
pub use nodes::Nodes;
pub use options::Options;
pub use period::Period;
pub use record::Record;
#[cfg(any(test, feature = "testing"))]
pub use stream_tables::StreamOptions;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::access::Access;
use crate::access::token::TokenKey;
use crate::http::base_path::BasePath;
use crate::http::forwarded::TrustedProxies;
use crate::secret::Secret;

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
    /// The proxies that may report a client address.
    pub proxies: TrustedProxies,
    /// Whether every connection begins with a PROXY header.
    pub proxy_protocol: bool,
    /// The path prefix of all addresses.
    pub base_path: BasePath,
    /// The web hook, which decides after keys and tokens.
    pub hook: Option<Hook>,
    /// The old protocol of node-videostream, if it is spoken.
    pub compat: Option<Compat>,
    /// `None`: nothing is recorded.
    pub record: Option<Record>,
    /// The web address that gets events, if there is one.
    pub events: Option<Events>,
    /// The service that this process is a node of.
    pub nodes: Option<Nodes>,
    /// Whether other processes may listen on the same addresses.
    pub reuse_port: bool,
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
    #[error("cannot make a random publish key ({0}): give one with --publish-key")]
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

    /// What a file with this text alone asks for: for `fuzzing`, which reads no files.
    #[cfg(feature = "testing")]
    pub(crate) fn resolve_text(text: &str) -> Result<Serve, ConfigError> {
        Self::check(file::read_text("a file".as_ref(), text)?)
    }

    fn check(options: Options) -> Result<Serve, ConfigError> {
        let limits = Limits::check(&options)?;
        let mut listen = match &options.listen {
            Some(listen) => listen.clone(),
            None => vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))],
        };
        check_listen(&listen)?;
        let http_redirect = options.http_redirect.clone().unwrap_or_default();
        // A service manager's sockets are all named there, those for this among them.
        listen.retain(|address| address.port() == 0 || !http_redirect.contains(address));
        let compat = Compat::check(&options, &mut listen, &limits)?;
        let tls = Tls::check(&options, &listen)?;
        check_redirect(&http_redirect, &listen, tls.is_some())?;
        let (log, log_level) = (options.log, options.log_level);
        let proxies = TrustedProxies::new(options.trusted_proxy.clone().unwrap_or_default());
        let proxy_protocol = options.proxy_protocol.unwrap_or(false);
        if proxy_protocol && proxies.is_empty() {
            let reason = "needs --trusted-proxy: only headers of a trusted proxy count";
            return Err(option_error("--proxy-protocol", reason));
        }
        let base_path = options.base_path.clone().unwrap_or_default();
        let record = Record::check(&options)?;
        let events = Events::check(&options)?;
        let nodes = Nodes::check(&options, limits.lag_ms)?;
        let reuse_port = options.reuse_port.unwrap_or(false);
        let rules = access::check(options, &listen)?;
        Ok(Serve {
            listen,
            tls,
            http_redirect,
            access: rules.access,
            random_publish_key: rules.random_publish_key,
            hook: rules.hook,
            proxies,
            proxy_protocol,
            base_path,
            compat,
            record,
            events,
            nodes,
            reuse_port,
            limits,
            log: log.unwrap_or_default(),
            log_level: log_level.unwrap_or_default(),
        })
    }
}

/// What `videostream token` signs with: the secret that `serve` would check with.
///
/// `options` are what the command line and the variables say of it, and of the file.
pub fn token_key(options: Options) -> Result<TokenKey, ConfigError> {
    let file = match &options.config {
        Some(path) => file::read(path)?,
        None => Options::default(),
    };
    let options = options.or(file);
    let key = secrets::token_key(options.token_secret, options.token_secret_file.as_deref())?;
    key.ok_or_else(|| {
        let reason = "is missing: give the secret of the server";
        option_error("--token-secret", reason)
    })
}

/// The path prefix of links that `videostream token` prints: `given`, or the file's.
pub fn base_path(given: Option<BasePath>, file: Option<&Path>) -> Result<BasePath, ConfigError> {
    let of_file = match file {
        Some(path) => file::read(path)?.base_path,
        None => None,
    };
    Ok(given.or(of_file).unwrap_or_default())
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
            let reason = "redirects to https://, which needs --tls-cert or --tls-self-signed";
            return Err(value_error(OPTION, address, reason));
        }
        if listen.is_empty() {
            let reason = "needs another --listen address to redirect to";
            return Err(value_error(OPTION, address, reason));
        }
        if address.port() != 0 && redirect[..index].contains(address) {
            return Err(value_error(OPTION, address, "given twice"));
        }
    }
    Ok(())
}

/// Reads a number within `range` from the command line.
pub(crate) fn whole_number<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        let number = number.and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| match (*range.start(), *range.end()) {
            (0, u64::MAX) => "expected a whole number".to_owned(),
            (least, most) => format!("expected a whole number from {least} to {most}"),
        })
    }
}

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
    use super::*;

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
    fn redirect_address_is_not_served() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let [http, https] = ["127.0.0.1:80", "127.0.0.1:443"].map(address);
        let options = |listen: &[SocketAddr]| Options {
            listen: Some(listen.to_vec()),
            http_redirect: Some(vec![http]),
            tls_self_signed: Some(true),
            ..Options::default()
        };
        let serve = Serve::check(options(&[http, https])).unwrap();
        assert_eq!(
            (serve.listen, serve.http_redirect),
            (vec![https], vec![http])
        );
        let refused = Serve::check(options(&[http])).unwrap_err().to_string();
        let expected =
            "--http-redirect 127.0.0.1:80: needs another --listen address to redirect to";
        assert_eq!(refused, expected);
    }

    #[test]
    fn default_options_listen_on_loopback_with_the_default_limits() {
        let serve = Serve::resolve(Options::default()).unwrap();
        assert_eq!(serve.listen, [SocketAddr::from(([127, 0, 0, 1], 8080))]);
        assert_eq!(serve.limits, Limits::default());
    }

    #[test]
    fn proxy_protocol_requires_a_trusted_proxy() {
        let options = Options {
            proxy_protocol: Some(true),
            ..Options::default()
        };
        assert_eq!(
            refusal(options.clone()),
            "--proxy-protocol: needs --trusted-proxy: only headers of a trusted proxy count"
        );
        let named = Options {
            trusted_proxy: Some(vec!["127.0.0.1".parse().unwrap()]),
            ..options
        };
        let serve = Serve::resolve(named).unwrap();
        assert!(serve.proxy_protocol && serve.proxies.trusts("127.0.0.1".parse().unwrap()));
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
}
