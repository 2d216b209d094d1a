//! Runs a command; errors become exit codes.

use super::{Cli, Command, Inspect, Repair, one_line};
use crate::client::push::{self, Source};
use crate::config::{self, Options, Serve};
use crate::inspect;
use crate::load;
use crate::log;
use crate::net::{self, Inherited};
use crate::protocol::token::{Act, Grant};
use crate::record::Folder;
use crate::repair::{self, Outputs};
use serde::Serialize;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// Failed at run time.
const EXIT_FAILED: u8 = 1;

/// Bad usage or configuration.
const EXIT_USAGE: u8 = 2;

/// Runs what the command line asks for. `allocated` returns the bytes that the process has allocated.
pub fn run(allocated: fn() -> usize) -> ExitCode {
    let cli = match super::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
            return fail(EXIT_USAGE, one_line(&error, &arguments));
        }
        // Help and version arrive as errors, too. If they cannot be printed, there is no better
        // place for that error.
        Err(help) => {
            let _ = help.print();
            return ExitCode::SUCCESS;
        }
    };
    let Cli {
        command,
        serve: options,
    } = cli;
    match command {
        None => serve(options, allocated),
        Some(Command::Serve(options)) => serve(*options, allocated),
        Some(Command::Push(options)) => push(options),
        Some(Command::Load(options)) => load(&options),
        Some(Command::LoadWorker) => match load::worker() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(EXIT_FAILED, error),
        },
        Some(Command::Inspect(Inspect { file, json })) => inspect(&file, json),
        Some(Command::Repair(Repair {
            input,
            output,
            force,
        })) => repair(&input, &output, force),
        Some(Command::Token(options)) => token(options),
    }
}

fn serve(mut options: Options, allocated: fn() -> usize) -> ExitCode {
    let inherited = match Inherited::receive() {
        Ok(inherited) => inherited,
        Err(error) => return fail(EXIT_FAILED, error),
    };
    inherited.apply(&mut options);
    let config = match Serve::resolve(options) {
        Ok(config) => config,
        Err(error) => return fail(EXIT_USAGE, error),
    };
    // Before the server listens: a folder that cannot be written to is a wrong option.
    let folder = config
        .record
        .as_ref()
        .map(|record| Folder::open(&record.dir));
    let folder = match folder.transpose() {
        Ok(folder) => folder,
        Err(error) => return fail(EXIT_USAGE, error),
    };
    let log = match log::start(config.log, config.log_level) {
        Ok(log) => log,
        Err(error) => return fail(EXIT_FAILED, format_args!("the log's thread: {error}")),
    };
    let code = match net::serve(config, inherited, folder, allocated) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.line(format_args!("error: {error}"));
            ExitCode::from(EXIT_FAILED)
        }
    };
    log.flush();
    code
}

fn push(options: super::Push) -> ExitCode {
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

fn inspect(file: &Path, json: bool) -> ExitCode {
    let name = file.display().to_string();
    let report = if name == "-" {
        inspect::inspect(name.as_str(), io::stdin().lock())
    } else {
        File::open(file).and_then(|file| inspect::inspect(name.as_str(), file))
    };
    let report = match report {
        Ok(report) => report,
        Err(error) => return fail(EXIT_FAILED, format_args!("{name}: {error}")),
    };
    match print(&report, json) {
        Ok(()) if report.errors.is_empty() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(EXIT_FAILED),
        Err(error) => fail(EXIT_FAILED, error),
    }
}

fn repair(input: &Path, output: &Path, force: bool) -> ExitCode {
    let name = input.display();
    let opened = match input.as_os_str() == "-" {
        true => Ok(None),
        false => File::open(input).map(Some),
    };
    let file = match opened {
        Ok(file) => file,
        Err(error) => return fail(EXIT_FAILED, format_args!("{name}: {error}")),
    };
    let mut outputs = match Outputs::new(output, force, file.as_ref()) {
        Ok(outputs) => outputs,
        Err(error) if error.is_usage() => return fail(EXIT_USAGE, error),
        Err(error) => return fail(EXIT_FAILED, error),
    };
    let report = match file {
        Some(file) => repair::repair(file, &mut outputs),
        None => repair::repair(io::stdin().lock(), &mut outputs),
    };
    let report = match report {
        Ok(report) => report,
        Err(error) => return fail(EXIT_FAILED, format_args!("{name}: {error}")),
    };
    if let Err(error) = print(&report, false) {
        return fail(EXIT_FAILED, error);
    }
    match report.error {
        None => ExitCode::SUCCESS,
        Some(error) => fail(EXIT_FAILED, format_args!("{name}: {error}")),
    }
}

fn load(options: &load::Options) -> ExitCode {
    let ended = match load::load(options) {
        Ok(ended) => ended,
        Err(error) if error.is_usage() => return fail(EXIT_USAGE, error),
        Err(error) => return fail(EXIT_FAILED, error),
    };
    if let Err(error) = print(&ended.report, options.json) {
        return fail(EXIT_FAILED, error);
    }
    for warning in ended.report.warnings() {
        let _ = writeln!(io::stderr(), "warning: {warning}");
    }
    let mut code = ExitCode::SUCCESS;
    for failure in ended.failures {
        code = fail(EXIT_FAILED, failure);
    }
    code
}

fn token(options: super::Token) -> ExitCode {
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

/// A report on standard output: one JSON object, or a table.
fn print(report: &(impl Serialize + Display), json: bool) -> Result<(), String> {
    let mut stdout = io::stdout().lock();
    let printed = if json {
        serde_json::to_writer(&mut stdout, report)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(stdout))
    } else {
        write!(stdout, "{report}")
    };
    match printed {
        // The reader has seen enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed.map_err(|error| format!("standard output: {error}")),
    }
}

/// One line on standard error.
fn fail(code: u8, error: impl Display) -> ExitCode {
    // If standard error has no reader, the exit code has to do.
    let _ = writeln!(io::stderr(), "error: {error}");
    ExitCode::from(code)
}
