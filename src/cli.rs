//! Commands and flags, and the error lines when they are wrong.
//!
//! `videostream` alone is `videostream serve`, and takes the same flags.

mod run;

pub use run::run;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::error::{ContextKind, ContextValue};
use clap::{Parser, Subcommand};

use crate::client::{Address, AddressError, Scheme, Trust};
use crate::config::{Options, Period, whole_number};
use crate::load;
use crate::protocol::base_path::BasePath;
use crate::protocol::host::without_secrets;
use crate::protocol::token::Act;
use crate::secret::Secret;
use crate::stream_name::StreamName;

/// Live WebM from one browser to every viewer, through one small server.
///
/// Without a command it serves, as `videostream serve` does: open the printed link in a browser,
/// go live, and send the other link to your viewers.
#[derive(Debug, Parser)]
#[command(name = "videostream", version, args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Exit codes: 0 ended as asked, 1 failed at run time, 2 bad usage or \
                        configuration.\nEvery option is also a variable, as shown, and a key in \
                        the file given with --config. A flag wins over the variable, the variable \
                        over the file.\nSignals: SIGTERM and SIGINT end the server; SIGUSR2 \
                        starts a newer process with the same arguments and hands the sockets over."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,

    #[command(flatten)]
    pub serve: Options,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve pages, publishers and viewers (the default command)
    Serve(Box<Options>),
    /// Publish a WebM file as if it were live
    Push(Push),
    /// Open many viewers and measure what they receive
    Load(Box<load::Options>),
    /// The viewers of one process of `load`
    #[command(name = load::WORKER_COMMAND, hide = true)]
    LoadWorker,
    /// Show what the server reads in a WebM file
    Inspect(Inspect),
    /// Make a recording seekable: one of a browser, or one that was cut off
    Repair(Repair),
    /// Make a token, or a whole link, to publish or watch one stream for a time
    Token(Token),
}

/// Publish a WebM file as if it were live, paced by its timestamps.
#[derive(Debug, clap::Args)]
pub struct Push {
    /// WebM file, or - to send standard input as it comes
    pub file: PathBuf,

    /// Where to publish: ws://HOST:PORT/publish/NAME or http://HOST:PORT/live/NAME.webm, or wss://
    /// and https:// where it is encrypted
    pub url: Address,

    /// Repeat the file [default: false]
    #[arg(long = "loop", env = "VIDEOSTREAM_LOOP")]
    pub repeat: bool,

    /// Publish key, if the server needs one [default: none]
    #[arg(
        long,
        env = "VIDEOSTREAM_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    pub key: Option<Secret>,

    #[command(flatten)]
    pub trust: Trust,

    /// Milliseconds of media to send at once
    #[arg(
        long,
        env = "VIDEOSTREAM_CHUNK_MS",
        value_name = "MS",
        default_value_t = 50
    )]
    #[arg(value_parser = whole_number::<u64>(1..=10_000))]
    pub chunk_ms: u64,
}

/// Show what the server reads in a WebM file. The exit code is 1 when it sees errors.
#[derive(Debug, clap::Args)]
pub struct Inspect {
    /// WebM file, or - for standard input
    pub file: PathBuf,

    /// Print one JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Write a seekable copy of a recording: Duration, Cues, known sizes; frames unchanged. Several
/// recordings in one file become OUT, OUT-2 and so on.
#[derive(Debug, clap::Args)]
pub struct Repair {
    /// WebM or Matroska file, or - for standard input
    pub input: PathBuf,

    /// File to write
    pub output: PathBuf,

    /// Replace OUT if it exists [default: false]
    #[arg(long)]
    pub force: bool,
}

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
    match (Duration::from_secs(1)..=MOST).contains(&duration) {
        true => Ok(duration),
        false => Err("must be between 1s and 10 years"),
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
    match address.scheme == Scheme::Http && !text.contains(['?', '#']) {
        true => Ok(text.trim_end_matches('/').to_owned()),
        false => Err(EXPECTED.to_owned()),
    }
}

/// The command line: each option's value joined to it where the value looks like an option of its
/// own, as `-5` does. An error about the value then names that option.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(join_negative_values(arguments))
}

fn join_negative_values(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::new();
    let mut are_options_over = false;
    for argument in arguments {
        let is_negative = argument.to_str().is_some_and(|text| {
            let number = text.strip_prefix('-').unwrap_or_default();
            number.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        });
        match joined.last_mut() {
            Some(option) if is_negative && !are_options_over && wants_a_value(option) => {
                option.push("=");
                option.push(argument);
            }
            _ => {
                are_options_over |= argument == "--";
                joined.push(argument);
            }
        }
    }
    joined
}

fn wants_a_value(option: &OsString) -> bool {
    let text = option.to_str().unwrap_or_default();
    text.starts_with("--") && text.len() > 2 && !text.contains('=')
}

/// A `clap` error in one line, without what may be a key or a password. `arguments` show whether a
/// value came from a flag or from its variable.
pub fn one_line(error: &clap::Error, arguments: &[OsString]) -> String {
    let rendered = error.render().to_string();
    let text = rendered.strip_prefix("error: ").unwrap_or(&rendered);
    let end = [
        text.find("\n\nUsage:"),
        text.find("\n\nFor more information"),
    ];
    let text = &text[..end.into_iter().flatten().min().unwrap_or(text.len())];
    let parts: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let mut line = parts.join(" ").replace(" tip: ", "; tip: ");
    // A URL that is no good, an argument too many.
    let given = arguments.iter().filter_map(|argument| argument.to_str());
    for value in given.chain(invalid_value(error)) {
        let shown = without_secrets(value);
        if shown != value {
            line = line.replace(value, &shown);
        }
    }
    if let Some(variable) = variable_at_fault(error, arguments) {
        line.push_str(&format!(" (from the variable {variable})"));
    }
    line
}

/// What was given for an argument, by a variable perhaps.
fn invalid_value(error: &clap::Error) -> Option<&str> {
    match error.get(ContextKind::InvalidValue)? {
        ContextValue::String(value) => Some(value),
        _ => None,
    }
}

/// The variable a bad value came from, when the flag that `clap` names was not given.
fn variable_at_fault(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let flag = argument.split([' ', '=', '[']).next()?;
    let given = arguments.iter().any(|argument| {
        argument
            .to_str()
            .and_then(|argument| argument.split('=').next())
            == Some(flag)
    });
    let variable = flag.strip_prefix("--")?.replace('-', "_").to_uppercase();
    let variable = format!("VIDEOSTREAM_{variable}");
    (!given && std::env::var_os(&variable).is_some()).then_some(variable)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::config::Serve;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn missing_command_means_serve() {
        let address = "127.0.0.1:7000";
        let bare = Cli::try_parse_from(["videostream", "--listen", address]).unwrap();
        let named = Cli::try_parse_from(["videostream", "serve", "--listen", address]).unwrap();
        let Some(Command::Serve(options)) = named.command else {
            panic!("{named:?}")
        };
        assert_eq!(bare.serve.listen, options.listen);
        assert!(bare.command.is_none() && options.listen.is_some());
    }

    #[test]
    fn every_option_of_serve_has_a_variable_and_a_default_in_its_help() {
        for option in serve_options() {
            let name = option.get_long().unwrap().replace('-', "_");
            let variable = option.get_env().unwrap().to_str().unwrap();
            assert_eq!(variable, format!("VIDEOSTREAM_{}", name.to_uppercase()));
            let help = option.get_help().unwrap().to_string();
            assert!(
                help.contains("[default: ") || name == "config",
                "{name}: {help}"
            );
        }
    }

    #[test]
    fn the_defaults_in_the_help_are_the_defaults_that_work() {
        let mut arguments = vec!["videostream".to_owned()];
        for option in serve_options() {
            let help = option.get_help().unwrap().to_string();
            let default = help
                .rsplit_once("[default: ")
                .map(|(_, end)| end.trim_end_matches(']'));
            match default {
                // In words, not as a value.
                None => {}
                Some(words) if words.contains(' ') || words == "none" => {}
                Some(value) => {
                    arguments.push(format!("--{}={value}", option.get_long().unwrap()));
                }
            }
        }
        assert!(arguments.len() > 18, "{arguments:?}");
        let asked = Cli::try_parse_from(&arguments).unwrap().serve;
        let nothing = Cli::try_parse_from(["videostream"]).unwrap().serve;
        let [asked, nothing] = [asked, nothing].map(|options| Serve::resolve(options).unwrap());
        assert_eq!(format!("{asked:?}"), format!("{nothing:?}"));
    }

    #[test]
    fn a_refusal_is_one_line_that_names_the_option_and_the_value() {
        for (arguments, expected) in [
            (
                &["--listen", "nowhere"][..],
                "invalid value 'nowhere' for '--listen <ADDR:PORT>': expected an address and a \
                 port, such as 127.0.0.1:8080 or [::1]:8080",
            ),
            (
                &["--log", "xml"],
                "invalid value 'xml' for '--log <FORMAT>' [possible values: text, json]",
            ),
            (
                &["--lisen=x"],
                "unexpected argument '--lisen' found; tip: a similar argument exists: '--listen'",
            ),
            (
                &["inspect"],
                "the following required arguments were not provided: <FILE>",
            ),
            (
                &["--listen", "127.0.0.1:1", "serve"],
                "the subcommand 'serve' cannot be used with '--listen <ADDR:PORT>'",
            ),
        ] {
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            let all = std::iter::once("videostream".into()).chain(arguments.iter().cloned());
            let error = Cli::try_parse_from(all).unwrap_err();
            assert_eq!(one_line(&error, &arguments), expected);
        }
    }

    fn serve_options() -> Vec<clap::Arg> {
        let command = Cli::command();
        let is_ours = |arg: &&clap::Arg| !["help", "version"].contains(&arg.get_id().as_str());
        command.get_arguments().filter(is_ours).cloned().collect()
    }
}
