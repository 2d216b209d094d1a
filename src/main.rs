//! Picks a command; errors become exit codes.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::filter::LevelFilter;
use videostream::cli::{Cli, Command, one_line};
use videostream::config::{LogFormat, LogLevel, Options, Serve};

/// Bad usage or configuration. (1, failed at run time, is `ExitCode::FAILURE`.)
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
            return fail(EXIT_USAGE, one_line(&error, &arguments));
        }
        // Help and version arrive as errors, too. Nobody is left to tell when they cannot be written.
        Err(help) => {
            let _ = help.print();
            return ExitCode::SUCCESS;
        }
    };
    match cli.command {
        None => serve(cli.serve),
        Some(Command::Serve(options)) => serve(*options),
        Some(Command::Push(_)) => fail(1, "push: not built yet"),
        Some(Command::Inspect(_)) => fail(1, "inspect: not built yet"),
    }
}

fn serve(options: Options) -> ExitCode {
    let config = match Serve::resolve(options) {
        Ok(config) => config,
        Err(error) => return fail(EXIT_USAGE, error),
    };
    log_to_stderr(config.log, config.log_level);
    // HERE: `match videostream::net::serve(config) { Ok(()) => SUCCESS, Err(e) => fail(1, e) }`.
    tracing::debug!(?config, "starting");
    fail(1, "serve: not built yet")
}

fn log_to_stderr(format: LogFormat, level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => {
            log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
                .init();
        }
        LogFormat::Json => log.json().init(),
    }
}

/// One line on standard error.
fn fail(code: u8, error: impl std::fmt::Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(code)
}
