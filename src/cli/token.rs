//! `videostream token`.

use super::output::{EXIT_FAILED, EXIT_USAGE, fail};
use crate::access::token::{Act, Grant};
use crate::client::{Address, AddressError, Scheme};
use crate::config::{self, Options, Period};
use crate::http::base_path::BasePath;
use crate::secret::Secret;
use crate::stream_name::StreamName;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// Make a token that lets its bearer publish or watch one stream until it expires, on every server
/// that has the same secret. It goes behind an address as `?token=`, or in a key's place.
#[derive(Debug, clap::Args)]
pub struct Token {
    /// Name of the stream
    pub stream: StreamName,

    /// Permission of the token; publishing includes watching
    #[arg(
        long,
        env = "VIDEOSTREAM_ACT",
        value_name = "ACT",
        default_value = "watch"
    )]
    #[arg(value_parser = PossibleValuesParser::new(["watch", "publish"]).map(|act| act_of(&act)))]
    pub act: Act,

    /// Lifetime, such as 90s, 1h or 7days; connections outlive it
    #[arg(
        long,
        env = "VIDEOSTREAM_EXPIRES",
        value_name = "DURATION",
        default_value = "1h"
    )]
    #[arg(value_parser = expiry)]
    pub expires: Duration,

    /// Secret of the server
    #[arg(
        long,
        env = "VIDEOSTREAM_TOKEN_SECRET",
        value_name = "SECRET",
        hide_env_values = true
    )]
    pub token_secret: Option<Secret>,

    /// File with the secret of the server
    #[arg(long, env = "VIDEOSTREAM_TOKEN_SECRET_FILE", value_name = "FILE")]
    pub token_secret_file: Option<PathBuf>,

    /// TOML file of the server, for its secret
    #[arg(long, env = "VIDEOSTREAM_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Print a whole link to the server at this address, such as `https://example.org`
    #[arg(long, env = "VIDEOSTREAM_URL", value_name = "URL", value_parser = web_address)]
    pub url: Option<String>,

    /// Path prefix of the server, such as /video
    #[arg(long, env = "VIDEOSTREAM_BASE_PATH", value_name = "PATH")]
    pub base_path: Option<BasePath>,
}

pub fn run(options: Token) -> ExitCode {
    let base_path = config::base_path(options.base_path, options.config.as_deref());
    let base_path = match base_path {
        Ok(base_path) => base_path,
        Err(error) => return fail(EXIT_USAGE, error),
    };
    let secret = Options {
        config: options.config,
        token_secret: options.token_secret,
        token_secret_file: options.token_secret_file,
        ..Options::default()
    };
    let key = match config::token_key(secret) {
        Ok(key) => key,
        Err(error) => return fail(EXIT_USAGE, error),
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let Ok(now) = now else {
        return fail(EXIT_FAILED, "the clock is before 1970");
    };
    let grant = Grant {
        stream: options.stream,
        act: options.act,
    };
    let token = key.sign(&grant, (now + options.expires).as_secs());
    let room = match grant.act {
        Act::Publish => "publish",
        Act::Watch => "live",
    };
    let printed = match options.url {
        Some(url) => {
            // It may have been given with its prefix.
            let url = url.strip_suffix(base_path.as_str()).unwrap_or(&url);
            let stream = grant.stream;
            writeln!(
                io::stdout(),
                "{url}{base_path}/{room}/{stream}?token={token}"
            )
        }
        None => writeln!(io::stdout(), "{token}"),
    };
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(EXIT_FAILED, format_args!("standard output: {error}")),
    }
}

fn act_of(act: &str) -> Act {
    match act {
        "publish" => Act::Publish,
        _ => Act::Watch,
    }
}

/// Up to ten years: a token cannot be taken back, but by changing the secret.
fn expiry(text: &str) -> Result<Duration, &'static str> {
    const MOST: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);
    let Period(duration) = text.parse()?;
    if (Duration::from_secs(1)..=MOST).contains(&duration) {
        Ok(duration)
    } else {
        Err("must be between 1s and 10 years")
    }
}

/// Scheme and host, perhaps the path of a proxy; without the slash at its end.
fn web_address(text: &str) -> Result<String, String> {
    const EXPECTED: &str = "expected the server's address, such as https://example.org";
    let address: Address = text.parse().map_err(|error| match error {
        AddressError::NotUrl | AddressError::Scheme(_) => EXPECTED.to_owned(),
        AddressError::UserInfo => "a link has no user name or password: remove them".to_owned(),
        error => error.to_string(),
    })?;
    if address.scheme == Scheme::Http && !text.contains(['?', '#']) {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err(EXPECTED.to_owned())
    }
}
