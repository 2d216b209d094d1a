//! `videostream push`.

use super::output::{EXIT_FAILED, EXIT_USAGE, fail};
use crate::client::push::{self, Source};
use crate::client::{Address, Trust};
use crate::config::whole_number;
use crate::secret::Secret;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

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

pub fn run(options: Push) -> ExitCode {
    let source = match options.file {
        file if file.as_os_str() != "-" => Source::File {
            path: file,
            repeat: options.repeat,
        },
        _ if options.repeat => {
            return fail(EXIT_USAGE, "--loop: standard input cannot be started again");
        }
        _ => Source::Stdin,
    };
    let push = push::Push {
        source,
        address: options.url,
        key: options.key,
        trust: options.trust,
        chunk: Duration::from_millis(options.chunk_ms),
    };
    match push::push(&push) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_usage() => fail(EXIT_USAGE, error),
        Err(error) => fail(EXIT_FAILED, error),
    }
}
